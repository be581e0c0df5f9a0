//! The script `meta` as a whole, on a made-up machine: its PATH holds the shell, a few programs of every Linux, and the
//! made-up `apt-get`, `rustup`, `cargo` … of `programs/`. No real toolchain can be reached.

use rustix::pty::{grantpt, openpt, ptsname, unlockpt, OpenptFlags};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What of every Linux system the script and the made-up programs use.
const SYSTEM: &[&str] = &[
    "bash", "cat", "chmod", "cp", "dirname", "env", "grep", "ln", "mkdir", "readlink", "sed",
    "sleep", "sort", "tail", "timeout", "tr", "true",
];
/// What a machine has besides a toolchain in all cases but one.
const REST: &[&str] = &[
    "gcc",
    "libc6-dev",
    "qemu-system-x86",
    "qemu-system-arm",
    "qemu-user",
    "ovmf",
    "qemu-efi-aarch64",
    "pciutils",
];
const TOOLCHAIN: &[&str] = &[
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "rust-web-clippy",
    "rustfmt-web",
    "lld",
];
const OLD: &str = "1.85.0+dfsg3";
const NEW: &str = "1.96.0+dfsg1";
const TARGETS: [&str; 4] = [
    "x86_64-unknown-none",
    "aarch64-unknown-none-softfloat",
    "x86_64-unknown-uefi",
    "aarch64-unknown-uefi",
];

/// A machine with root, a network, a mirror with today's packages, package lists of yesterday's, and all but a toolchain.
struct Made {
    folder: TempDir,
}

/// How a run of the script ended.
struct Ended {
    code: Option<i32>,
    /// Standard output and standard error.
    said: String,
}

impl Ended {
    #[track_caller]
    fn says(&self, text: &str) -> &Self {
        assert!(
            self.said.contains(text),
            "{text:?} is not in\n{}",
            self.said
        );
        self
    }
    #[track_caller]
    fn says_not(&self, text: &str) -> &Self {
        assert!(!self.said.contains(text), "{text:?} is in\n{}", self.said);
        self
    }
    #[track_caller]
    fn with(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}", self.said);
        self
    }
}

impl Made {
    fn machine() -> Self {
        let made = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        for folder in ["bin", "usr/bin", "state/rustup", "checkout"] {
            fs::create_dir_all(made.at(folder)).expect("a folder");
        }
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in SYSTEM {
            let paths = std::env::var_os("PATH").expect("a PATH");
            let real = std::env::split_paths(&paths)
                .map(|folder| folder.join(name))
                .find(|path| path.is_file())
                .unwrap_or_else(|| panic!("{name} is not here"));
            symlink(real, made.at("bin").join(name)).expect("a link");
        }
        for name in ["apt-get", "apt-cache", "id"] {
            fs::copy(
                here.join("tests/programs").join(name),
                made.at("bin").join(name),
            )
            .expect("a copy");
        }
        for name in ["unpack", "cargo"] {
            fs::copy(
                here.join("tests/programs").join(name),
                made.at("state").join(name),
            )
            .expect("a copy");
        }
        fs::copy(here.join("../meta"), made.at("checkout/meta")).expect("a copy");
        let packages = |version: &str| -> String {
            let toolchain = TOOLCHAIN
                .iter()
                .map(|package| format!("{package} {version}\n"));
            let rest = REST.iter().map(|package| format!("{package} 1\n"));
            toolchain.chain(rest).collect()
        };
        made.set("state/archive", &packages(NEW));
        made.set("state/lists", &packages(OLD));
        made.set("state/installed", "");
        made.set("state/calls", "");
        made.set("state/released", "1.99.1");
        made.set("state/root", "");
        made.set("state/network", "");
        made.installed(REST, "1")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }
    fn set(&self, path: &str, text: &str) {
        fs::write(self.at(path), text).expect("a file");
    }
    fn without(self, path: &str) -> Self {
        fs::remove_file(self.at(path)).expect("it was there");
        self
    }
    fn calls(&self) -> String {
        fs::read_to_string(self.at("state/calls")).expect("the calls")
    }

    fn installed(self, packages: &[&str], version: &str) -> Self {
        for package in packages {
            let status = self
                .command(&self.at("state/unpack"), &[package, version])
                .status()
                .expect("it starts");
            assert!(status.success());
            let mut file = OpenOptions::new()
                .append(true)
                .open(self.at("state/installed"))
                .expect("the list");
            writeln!(file, "{package} {version}").expect("a line");
        }
        self
    }

    /// The lists are those that the mirror serves today.
    fn with_fresh_lists(self) -> Self {
        fs::copy(self.at("state/archive"), self.at("state/lists")).expect("a copy");
        self
    }

    fn with_program(self, name: &str) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::copy(
            here.join("tests/programs").join(name),
            self.at("bin").join(name),
        )
        .expect("a copy");
        self
    }

    /// With rustup and this toolchain of it, which has these targets and, if `checks`, clippy and rustfmt.
    fn with_rustup(self, name: &str, version: &str, targets: &[&str], checks: bool) -> Self {
        let made = self.with_program("rustup");
        let root = made.at("state/rustup").join(name);
        fs::create_dir_all(root.join("bin")).expect("a folder");
        fs::write(root.join("version"), version).expect("a file");
        fs::write(root.join("bin/cargo-version"), version).expect("a file");
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::copy(here.join("tests/programs/cargo"), root.join("bin/cargo")).expect("a copy");
        let more: &[&str] = if checks {
            &["cargo-clippy", "rustfmt"]
        } else {
            &[]
        };
        for program in ["rustc"].iter().chain(more) {
            fs::copy(
                here.join("tests/programs/rustc"),
                root.join("bin").join(program),
            )
            .expect("a copy");
        }
        for target in targets {
            fs::create_dir_all(root.join("lib/rustlib").join(target).join("lib"))
                .expect("a folder");
        }
        made
    }

    /// `program` with nothing of the environment of this test.
    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        let path = format!(
            "{}:{}",
            self.at("bin").display(),
            self.at("usr/bin").display()
        );
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.folder.path())
            .env("META_USR", self.at("usr"))
            .env("MADE", self.at("state"))
            .args(arguments);
        command
    }

    /// `./meta` with these words, without a terminal.
    fn meta(&self, arguments: &[&str]) -> Ended {
        self.meta_with(arguments, &[])
    }
    fn meta_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
        let output = self
            .command(&self.at("checkout/meta"), arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("the script starts");
        let said = [output.stdout, output.stderr].concat();
        Ended {
            code: output.status.code(),
            said: String::from_utf8_lossy(&said).into_owned(),
        }
    }

    /// The same by somebody at a terminal, who says `answer`.
    fn meta_asked(&self, arguments: &[&str], answer: &str) -> Ended {
        let mut ours =
            File::from(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal"));
        grantpt(&ours).expect("a terminal");
        unlockpt(&ours).expect("a terminal");
        let name = ptsname(&ours, Vec::new())
            .expect("its name")
            .into_string()
            .expect("a name");
        let theirs = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name)
            .expect("its other side");
        let mut child = self
            .command(&self.at("checkout/meta"), arguments)
            .stdin(theirs.try_clone().expect("the same"))
            .stdout(theirs.try_clone().expect("the same"))
            .stderr(theirs)
            .spawn()
            .expect("the script starts");
        ours.write_all(answer.as_bytes())
            .expect("it takes the answer");
        let (mut said, mut part) = (Vec::new(), [0; 4096]);
        // When the last program that has the other side ends, reading is an error.
        while let Ok(count @ 1..) = ours.read(&mut part) {
            said.extend_from_slice(&part[..count]);
        }
        Ended {
            code: child.wait().expect("it ends").code(),
            said: String::from_utf8_lossy(&said).into_owned(),
        }
    }
}

#[test]
fn a_machine_that_has_all_starts_the_tool_at_once() {
    let made = Made::machine().installed(TOOLCHAIN, NEW);
    made.meta(&["run", "q35-bare", "--exec", "two words", "--", "--yes"])
        .with(0)
        .says("toolchain debian")
        .says("compiler rustc 1.96.0")
        .says("freestanding -Zbuild-std=core,alloc")
        .says("arguments run q35-bare --exec two words -- --yes");
    assert!(!made.calls().contains("apt-get"), "{}", made.calls());
}

#[test]
fn stale_lists_are_fetched_anew_when_what_they_name_is_not_served() {
    let made = Made::machine();
    made.meta(&["run", "--yes"])
        .with(0)
        .says("rustc 1.96 or newer (compiles everything): package rustc-web (none installed, apt can get 1.85.0+dfsg3)")
        .says("fetching the package lists, for this is still missing or too old: rustc-web")
        .says("compiler rustc 1.96.0");
}

/// The mirror still has the old packages, which install without a complaint.
#[test]
fn stale_lists_are_fetched_anew_when_what_they_brought_is_too_old() {
    let made = Made::machine();
    let old = fs::read_to_string(made.at("state/lists")).expect("the lists");
    let new = fs::read_to_string(made.at("state/archive")).expect("the archive");
    made.set("state/archive", &old);
    // As `apt-get update` finds it after the first installation.
    made.set("state/update", &new);
    let script = fs::read_to_string(made.at("bin/apt-get")).expect("a script");
    let served = script.replace(
        "cp \"$MADE/archive\" \"$MADE/lists\"",
        "cp \"$MADE/update\" \"$MADE/archive\"; cp \"$MADE/archive\" \"$MADE/lists\"",
    );
    assert_ne!(script, served);
    made.set("bin/apt-get", &served);
    made.meta(&["test", "--yes"])
        .with(0)
        .says("still missing or too old: rustc-web cargo-web rust-web-src rust-web-clippy")
        .says("compiler rustc 1.96.0");
}

#[test]
fn an_old_toolchain_is_brought_up_to_date_as_a_whole() {
    let made = Made::machine().installed(TOOLCHAIN, OLD).with_fresh_lists();
    made.meta(&["run", "--yes"])
        .with(0)
        .says("package rustc-web (1.85.0+dfsg3 installed, apt can get 1.96.0+dfsg1)")
        .says("compiler rustc 1.96.0");
    let source = fs::read_link(made.at("usr/lib/rustlib/src/rust")).expect("a link");
    assert_eq!(source, Path::new("../../../src/rustc-1.96.0"));
    assert!(
        !made.calls().contains("apt-get -q -y update"),
        "{}",
        made.calls()
    );
}

#[test]
fn the_library_source_of_another_compiler_is_not_taken() {
    let made = Made::machine()
        .installed(TOOLCHAIN, NEW)
        .installed(&["rust-web-src"], OLD)
        .with_fresh_lists();
    made.meta(&["run"])
        .with(3)
        .says("the source of this compiler's core library")
        .says_not("package rustc-web");
}

#[test]
fn lists_that_know_nothing_newer_are_no_loop() {
    let made = Made::machine();
    fs::copy(made.at("state/lists"), made.at("state/archive")).expect("a copy");
    let ended = made.meta(&["run", "--yes"]);
    ended
        .with(3)
        .says("still missing after installing")
        .says("package rustc-web (1.85.0+dfsg3 installed, apt can get 1.85.0+dfsg3)")
        .says("another way is rustup")
        .says_not("toolchain debian");
    assert_eq!(
        made.calls().matches(" update").count(),
        1,
        "{}",
        made.calls()
    );
    assert_eq!(
        made.calls().matches(" install ").count(),
        2,
        "{}",
        made.calls()
    );
}

#[test]
fn no_lists_at_all_are_fetched() {
    let made = Made::machine();
    made.set("state/lists", "");
    made.meta(&["run", "--yes"])
        .with(0)
        .says("package rustc-web (none installed, apt knows none)")
        .says("compiler rustc 1.96.0");
}

#[test]
fn without_a_network_it_says_so_and_ends() {
    let made = Made::machine().without("state/network");
    made.meta(&["run", "--yes"])
        .with(3)
        .says("Could not resolve")
        .says("the package lists could not be fetched: is there a network?")
        .says("still missing after installing");
}

#[test]
fn without_root_sudo_is_used() {
    let made = Made::machine().without("state/root").with_program("sudo");
    made.meta(&["run", "--yes"])
        .with(0)
        .says("compiler rustc 1.96.0");
    assert!(made
        .calls()
        .contains("sudo env DEBIAN_FRONTEND=noninteractive apt-get"));
}

#[test]
fn without_root_and_sudo_somebody_else_has_to() {
    let made = Made::machine().without("state/root");
    made.meta(&["run", "--yes"])
        .with(3)
        .says("installing needs root or sudo: ask whoever administers this machine for rustc-web cargo-web rust-web-src lld");
    assert_eq!(
        made.calls().matches("apt-get").count(),
        0,
        "{}",
        made.calls()
    );
}

#[test]
fn without_apt_it_is_left_to_the_person() {
    let made = Made::machine()
        .without("bin/apt-get")
        .without("bin/apt-cache");
    made.meta(&["run", "--yes"])
        .with(3)
        .says("package rustc-web (there is no apt-cache to ask)")
        .says("there is no apt-get here: install what is named above by hand");
}

#[test]
fn who_declines_gets_nothing() {
    let made = Made::machine();
    for answer in ["n\n", "\n", "\u{4}"] {
        made.meta_asked(&["run"], answer)
            .with(3)
            .says("meta: apt-get install rustc-web cargo-web rust-web-src lld")
            .says("run this? [y/N]")
            .says("nothing was installed");
    }
    assert_eq!(
        made.calls().matches("apt-get").count(),
        0,
        "{}",
        made.calls()
    );
}

#[test]
fn who_agrees_gets_all() {
    let made = Made::machine();
    made.meta_asked(&["run"], "y\n")
        .with(0)
        .says("compiler rustc 1.96.0");
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let made = Made::machine();
    made.meta(&["run"])
        .with(3)
        .says("not asking, for there is no terminal: say --yes");
    made.meta(&["run", "--yes", "--no-install"])
        .with(3)
        .says("not installing (--no-install)");
    assert_eq!(
        made.calls().matches("apt-get").count(),
        0,
        "{}",
        made.calls()
    );
}

#[test]
fn continuous_integration_is_not_asked() {
    let made = Made::machine();
    made.meta_with(&["run"], &[("CI", "true")])
        .with(0)
        .says("installing rustc-web");
}

#[test]
fn rustup_with_all_targets_is_preferred() {
    let made = Made::machine()
        .installed(TOOLCHAIN, NEW)
        .with_rustup("stable", "1.99.1", &TARGETS, true);
    made.meta(&["run"])
        .with(0)
        .says("toolchain rustup stable")
        .says("compiler rustc 1.99.1")
        .says("freestanding \n");
    made.meta_with(&["run"], &[("META_TOOLCHAIN", "debian")])
        .with(0)
        .says("toolchain debian \n")
        .says("compiler rustc 1.96.0");
}

#[test]
fn rustup_without_targets_gets_them() {
    let made = Made::machine().with_rustup("stable", "1.99.1", &TARGETS[..1], false);
    let words = "rustup target add --toolchain stable aarch64-unknown-none-softfloat x86_64-unknown-uefi aarch64-unknown-uefi";
    made.meta_asked(&["run"], "y\n")
        .with(0)
        .says(words)
        .says("toolchain rustup stable");
    assert!(
        made.calls().lines().any(|line| line == words),
        "{}",
        made.calls()
    );
    assert_eq!(
        made.calls().matches("apt-get").count(),
        0,
        "{}",
        made.calls()
    );
    made.meta(&["test", "--yes"])
        .with(0)
        .says("rustup component add --toolchain stable clippy");
    made.meta(&["test"]).with(0).says_not("rustup component");
}

#[test]
fn rustup_without_targets_and_network_names_the_other_way() {
    let made = Made::machine()
        .with_rustup("stable", "1.99.1", &[], true)
        .without("state/network");
    made.meta(&["run", "--yes"])
        .with(3)
        .says("error: could not download file")
        .says("another way is Debian's toolchain: META_TOOLCHAIN=debian ./meta run");
}

#[test]
fn rustup_without_targets_stands_back_for_a_complete_debian() {
    let made = Made::machine()
        .installed(TOOLCHAIN, NEW)
        .with_rustup("stable", "1.99.1", &[], true);
    made.meta(&["run"]).with(0).says("toolchain debian \n");
}

#[test]
fn a_rustup_that_is_too_old_is_named_as_the_reason() {
    let made = Made::machine().with_rustup("stable", "1.95.0", &TARGETS, true);
    made.meta(&["run", "--yes"])
        .with(0)
        .says("because rustup's stable toolchain is 1.95.0, and 1.96 is needed (rustup update stable)")
        .says("toolchain debian \n");
}

#[test]
fn a_newer_release_beside_an_old_stable_is_taken() {
    let made = Made::machine()
        .with_rustup("stable", "1.95.0", &[], true)
        .with_rustup("1.96.2", "1.96.2", &TARGETS, true)
        .with_rustup("1.100.0", "1.100.0", &TARGETS, true)
        .with_rustup("nightly", "1.101.0-nightly", &TARGETS, true);
    made.meta(&["run"])
        .with(0)
        .says("toolchain rustup 1.100.0")
        .says("compiler rustc 1.100.0");
}

#[test]
fn nightly_alone_is_not_taken() {
    let made = Made::machine().with_rustup("nightly", "1.101.0-nightly", &TARGETS, true);
    made.meta(&["run"])
        .with(3)
        .says("because rustup's stable toolchain is not installed, and 1.96 is needed");
}

#[test]
fn doctor_says_what_is_here_and_what_can_be_had() {
    let made = Made::machine()
        .installed(TOOLCHAIN, OLD)
        .with_rustup("stable", "1.95.0", &[], true);
    made.meta(&["doctor"])
        .with(3)
        .says("rustc 1.96 or newer (compiles everything): package rustc-web (1.85.0+dfsg3 installed, apt can get 1.85.0+dfsg3)")
        .says("Debian's toolchain: rustc-web: 1.85.0+dfsg3 installed, apt can get 1.85.0+dfsg3, by the package lists here")
        .says("rustup's toolchain: rustup's stable toolchain is 1.95.0, and 1.96 is needed (rustup update stable); it can get 1.99.1");
    assert_eq!(
        made.calls().matches("apt-get").count(),
        0,
        "{}",
        made.calls()
    );
    let made = Made::machine().installed(TOOLCHAIN, NEW).with_fresh_lists();
    fs::remove_file(made.at("usr/bin/lspci")).expect("it was there");
    made.meta(&["doctor"])
        .with(0)
        .says("offers Debian's|rustc-web: 1.96.0+dfsg1 installed, apt can get 1.96.0+dfsg1, by")
        .says("rustup's|there is no rustup")
        .says("missing pciutils|lspci|a second opinion about this computer (meta test compares discovery with it)|1 installed, apt can get 1\n");
}

#[test]
fn doctor_without_a_network_still_ends() {
    let made = Made::machine()
        .with_rustup("stable", "1.99.1", &TARGETS, true)
        .without("state/network");
    made.meta(&["doctor"])
        .with(0)
        .says("rustup's|stable is 1.99.1; it knows none that is newer, or could not ask")
        .says("missing \narguments doctor\n");
}
