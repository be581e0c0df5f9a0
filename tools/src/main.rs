//! The command line of `./meta`.

use clap::{Parser, Subcommand};
use meta::discover::DiscoverArguments;
use meta::image::{self, Arch};
use meta::rules::RuleCommand;
use meta::run::RunArguments;
use meta::workspace::Workspace;
use meta::{bench, discover, doctor, machines, rules, run, see, stick, suite, terminal};
use std::path::Path;
use std::process::ExitCode;

/// Builds, runs, tests and measures MetaOS.
///
/// The script ./meta finds a toolchain (or installs one: it asks first, --yes does not; --no-install never does)
/// and starts this.
#[derive(Parser)]
#[command(
    name = "meta",
    bin_name = "./meta",
    version,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "Exit codes: 0 well, 1 something failed (it was said), 2 wrong arguments, 3 tools are missing,\n\
                        4 the tool itself could not be built.\n\
                        Examples: ./meta run\n          \
                        ./meta run virt-gicv3 --exec devices --exec 'see virtio-net.transmit'\n          \
                        ./meta see virtio-net.transmit --as forth\n          \
                        ./meta test prompt\n          \
                        ./meta bench boot --json"
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Boot a machine: talk to its prompt here, or have lines run with --exec
    Run(RunArguments),
    /// Run the tests, or those whose name contains FILTER; ends with `N passed, N failed`
    ///
    /// Without a filter, campaigns that start an emulator for each of many devices, and the second architecture's clippy,
    /// are left out, and their number is said; --long runs them too. A filter runs all that it names.
    Test {
        #[arg(value_name = "FILTER")]
        filter: Option<String>,
        /// Also run what takes long
        #[arg(long)]
        long: bool,
    },
    /// Measure, beside Linux in the same emulated machine (docs/bench.md says what each figure is)
    Bench(bench::BenchArguments),
    /// Build a boot image, and say where it is; without a name, both, and a disk image for a USB stick
    ///
    /// The disk image starts UEFI machines of both architectures. It overwrites what is on the stick:
    ///
    ///     sudo dd if=target/images/metaos-usb.img of=/dev/sdX bs=1M conv=fsync
    ///
    /// where /dev/sdX is the stick as a whole (lsblk lists disks). Words for the command line go into the file
    /// metaos.txt on the stick. Secure Boot must be off.
    #[command(verbatim_doc_comment)]
    Image {
        #[arg(value_name = "MACHINE or ARCHITECTURE")]
        what: Option<String>,
    },
    /// Tell what a machine is: boot it, look at it from outside, look at this computer, or read a machine.json
    Discover(DiscoverArguments),
    /// Show the code that a rule becomes for a device: in plain words, as C, as Forth, as assembly
    ///
    /// Without --boot nothing is booted: the machine is looked at from outside, and the driver is written here, to the
    /// byte as genesis writes it there.
    See(see::SeeArguments),
    /// Look at the rules without booting anything
    #[command(subcommand)]
    Rule(RuleCommand),
    /// The machines that there are
    Machines,
    /// Say what is missing here; ends non-zero if anything is
    Doctor,
}

fn main() -> ExitCode {
    let arguments = CommandLine::parse();
    match Workspace::from_environment()
        .and_then(|workspace| dispatch(&workspace, arguments.command))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{} {error:#}", terminal::bad("error:"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(workspace: &Workspace, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Run(arguments) => run::run(workspace, &arguments),
        Command::Test { filter, long } => suite::run(workspace, filter.as_deref(), long),
        Command::Bench(arguments) => bench::run(workspace, &arguments),
        Command::Image { what: Some(what) } => {
            let arch = match Arch::ALL.into_iter().find(|arch| arch.name() == what) {
                Some(arch) => arch,
                None => machines::named(workspace, &what)?.arch,
            };
            built(&image::build(workspace, arch)?.path)
        }
        Command::Image { what: None } => {
            for arch in Arch::ALL {
                built(&image::build(workspace, arch)?.path)?;
            }
            built(&stick::build(workspace, &Arch::ALL)?)
        }
        Command::Discover(arguments) => discover::run(workspace, &arguments),
        Command::See(arguments) => see::run(workspace, &arguments),
        Command::Rule(command) => rules::run(workspace, command),
        Command::Machines => {
            for machine in machines::all(workspace)? {
                terminal::print(format!("{:12} {}", machine.name, machine.about));
            }
            Ok(())
        }
        Command::Doctor => doctor::run(workspace),
    }
}

/// Says what was built.
fn built(path: &Path) -> anyhow::Result<()> {
    let size = std::fs::metadata(path)?.len().div_ceil(1024);
    terminal::print(format!("{} ({size} KiB)", path.display()));
    Ok(())
}
