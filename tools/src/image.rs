//! From sources and rules to a boot image, doing only what is needed.

use crate::rules;
use crate::terminal::Progress;
use crate::workspace::{write_if_changed, Workspace};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An instruction set that images are built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    X86_64,
    Aarch64,
}

impl Arch {
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// As the rest of the world spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }
    /// The compiler's name of the freestanding target without floating-point registers.
    #[must_use]
    pub fn target(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-none",
            Self::Aarch64 => "aarch64-unknown-none-softfloat",
        }
    }
    /// The emulator's program.
    #[must_use]
    pub fn emulator(self) -> &'static str {
        match self {
            Self::X86_64 => "qemu-system-x86_64",
            Self::Aarch64 => "qemu-system-aarch64",
        }
    }
    /// The feature of the crate `emit` with which it writes code for this architecture.
    #[must_use]
    pub fn emitted(self) -> &'static str {
        match self {
            Self::X86_64 => "emit/x86",
            Self::Aarch64 => "emit/arm64",
        }
    }
    /// What the boot image's file is called: an ELF file with the PVH note, or a flat `Image`.
    #[must_use]
    fn image_file(self) -> &'static str {
        match self {
            Self::X86_64 => "metaos.elf",
            Self::Aarch64 => "metaos.img",
        }
    }
}

/// A boot image.
#[derive(Clone, Debug)]
pub struct Image {
    pub arch: Arch,
    pub path: PathBuf,
    /// Bytes of the file.
    pub size: u64,
}

/// The programs that genesis carries in packed form.
const PROGRAMS: [&str; 4] = ["nucleus", "manager", "driver", "console"];

/// What is built in one call of cargo, so that two processors have enough to do: all programs but the nucleus, and what
/// genesis stands on. Cargo gives packages of one call the union of the features that they want of a library. For these the
/// union is what genesis wants (a test compares them); the nucleus would get a heap.
pub const TOGETHER: [&str; 9] = [
    "unpack",
    "manager",
    "driver",
    "console",
    "emit",
    "synthesis",
    "discovery",
    "classes",
    "generator",
];

/// Builds the boot image for `arch` with the rules under `rules/`.
///
/// # Errors
/// When a program does not compile or a rule is wrong; what is wrong has then been shown, and no image is left.
pub fn build(workspace: &Workspace, arch: Arch) -> Result<Image> {
    build_with_rules(workspace, arch, &workspace.root.join("rules"), "images")
}

/// Builds the image that tests use to make things fail: with the words `fault=` and `hang=` (`abi::options`), into
/// `target/images-faults/<arch>`. It shares all libraries with the other one.
///
/// # Errors
/// As [`build`].
pub fn build_with_faults(workspace: &Workspace, arch: Arch) -> Result<Image> {
    let rules = workspace.root.join("rules");
    built(workspace, arch, &rules, FAULTS, true)
}

/// Where the image with faults lies in `target`.
pub const FAULTS: &str = "images-faults";

/// Builds with the rules of another folder, into `target/<into>/<arch>`.
///
/// # Errors
/// As [`build`].
pub fn build_with_rules(
    workspace: &Workspace,
    arch: Arch,
    rules: &Path,
    into: &str,
) -> Result<Image> {
    built(workspace, arch, rules, into, false)
}

fn built(
    workspace: &Workspace,
    arch: Arch,
    rules: &Path,
    into: &str,
    faults: bool,
) -> Result<Image> {
    let folder = workspace.target.join(into).join(arch.name());
    let _one_at_a_time = lock(workspace)?;
    let path = folder.join(arch.image_file());
    let payload = workspace
        .target
        .join("payload")
        .join(into)
        .join(arch.name());

    // The rules first: they are quick, and what is wrong with them is the likeliest news.
    let book = match rules::compile(rules) {
        Ok(book) => book,
        Err(error) => {
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
    };
    write_if_changed(&payload.join("rulebook.bin"), &book)?;

    let name = arch.name();
    let first = match compiled(workspace, arch, "genesis").exists() {
        true => "",
        false => " (a compiler among them, about two minutes)",
    };
    let mut cargo = freestanding(workspace, arch);
    cargo.args(TOGETHER.iter().flat_map(|package| ["-p", package]));
    cargo.args(["--no-default-features", "--features", arch.emitted()]);
    if faults {
        cargo.args(["--features", "driver/faults"]);
    }
    workspace.run_cargo(
        cargo,
        &format!("1 of 3: programs and libraries for {name}{first}"),
    )?;
    compile(
        workspace,
        arch,
        "nucleus",
        &format!("2 of 3: nucleus for {name}"),
    )?;
    for program in PROGRAMS {
        let elf = compiled(workspace, arch, program);
        let bytes = std::fs::read(&elf).with_context(|| format!("reading {}", elf.display()))?;
        let packed =
            crate::pack::pack(&bytes).with_context(|| format!("packing {}", elf.display()))?;
        write_if_changed(&payload.join(format!("{program}.pack")), &packed)?;
    }

    let mut cargo = freestanding(workspace, arch);
    cargo.args(["-p", "genesis"]).env("META_PAYLOAD", &payload);
    if faults {
        cargo.args(["--features", "faults"]);
    }
    workspace.run_cargo(
        cargo,
        &format!("3 of 3: genesis for {name}, which carries them"),
    )?;
    let linked = compiled(workspace, arch, "genesis");
    let bytes = std::fs::read(&linked).with_context(|| format!("reading {}", linked.display()))?;
    let door = compiled(workspace, arch, "unpack");
    let door = std::fs::read(&door).with_context(|| format!("reading {}", door.display()))?;
    let size = packed_image(arch, &path, &payload, &bytes, &door)?;
    Ok(Image { arch, path, size })
}

/// Puts the boot image together, and gives its size in bytes. Packing takes seconds: it is done anew only when one of its
/// parts, of which copies are kept in `parts`, has changed.
fn packed_image(arch: Arch, path: &Path, parts: &Path, genesis: &[u8], door: &[u8]) -> Result<u64> {
    let kept = [
        (parts.join("genesis.linked"), genesis),
        (parts.join("unpack.bin"), door),
    ];
    let same =
        |(part, bytes): &(PathBuf, &[u8])| std::fs::read(part).is_ok_and(|old| old == *bytes);
    if kept.iter().all(same) {
        if let Ok(about) = std::fs::metadata(path) {
            return Ok(about.len());
        }
    }
    let _progress = Progress::start(&format!("packing the image for {}", arch.name()));
    let image = crate::packed::image(arch, genesis, door)
        .with_context(|| format!("packing {}", path.display()))?;
    write_if_changed(path, &image)?;
    for (part, bytes) in &kept {
        write_if_changed(part, bytes)?;
    }
    Ok(image.len() as u64)
}

/// Virtual address of the first instruction of a packed program of the image (`abi::program::Header`).
///
/// # Errors
/// When the image has not been built.
pub fn entry(workspace: &Workspace, arch: Arch, program: &str) -> Result<u64> {
    let path = packed(workspace, arch, program);
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let word = bytes.get(8..16).and_then(|word| word.try_into().ok());
    word.map(u64::from_le_bytes)
        .with_context(|| format!("{} is no packed program", path.display()))
}

/// Bytes of the section `.text` of a linked program of the image.
///
/// # Errors
/// When the image has not been built.
pub fn text_bytes(workspace: &Workspace, arch: Arch, program: &str) -> Result<u64> {
    section_bytes(&compiled(workspace, arch, program), ".text")
}

/// Bytes of a section of an ELF file.
///
/// # Errors
/// When it cannot be read, or has no such section.
pub fn section_bytes(path: &Path, section: &str) -> Result<u64> {
    use object::{Object, ObjectSection};
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let file = object::File::parse(bytes.as_slice())
        .with_context(|| format!("{} is no ELF file", path.display()))?;
    let found = file.section_by_name(section);
    let found = found.with_context(|| format!("{} has no {section}", path.display()))?;
    Ok(found.size())
}

fn packed(workspace: &Workspace, arch: Arch, program: &str) -> PathBuf {
    (workspace.target.join("payload/images"))
        .join(arch.name())
        .join(format!("{program}.pack"))
}

/// The rulebook that the last image of `arch` was built with.
pub(crate) fn rulebook(workspace: &Workspace, arch: Arch) -> PathBuf {
    workspace
        .target
        .join("payload/images")
        .join(arch.name())
        .join("rulebook.bin")
}

/// Builds one freestanding program of the workspace and packs it, for the emulator's `-initrd`.
///
/// # Errors
/// When it does not compile.
pub fn build_program(workspace: &Workspace, arch: Arch, package: &str) -> Result<PathBuf> {
    let _one_at_a_time = lock(workspace)?;
    compile(
        workspace,
        arch,
        package,
        &format!("building {package} for {}", arch.name()),
    )?;
    let elf = compiled(workspace, arch, package);
    let bytes = std::fs::read(&elf).with_context(|| format!("reading {}", elf.display()))?;
    let packed = crate::pack::pack(&bytes).with_context(|| format!("packing {}", elf.display()))?;
    let path = workspace
        .target
        .join("payload/programs")
        .join(arch.name())
        .join(format!("{package}.pack"));
    write_if_changed(&path, &packed)?;
    Ok(path)
}

/// Builds one freestanding program of the workspace that an emulated processor of the host runs, as its linker leaves it.
///
/// # Errors
/// When it does not compile.
pub fn build_host_program(workspace: &Workspace, arch: Arch, package: &str) -> Result<PathBuf> {
    let _one_at_a_time = lock(workspace)?;
    compile(
        workspace,
        arch,
        package,
        &format!("building {package} for {}", arch.name()),
    )?;
    Ok(compiled(workspace, arch, package))
}

/// Two builds at once would take each other's payload: the second waits.
pub(crate) fn lock(workspace: &Workspace) -> Result<File> {
    std::fs::create_dir_all(&workspace.target)
        .with_context(|| format!("making the folder {}", workspace.target.display()))?;
    let path = workspace.target.join("image.lock");
    let file = File::create(&path).with_context(|| format!("writing {}", path.display()))?;
    if file.try_lock().is_err() {
        let _progress = Progress::start("waiting for another build");
        file.lock()
            .with_context(|| format!("locking {}", path.display()))?;
    }
    Ok(file)
}

/// Cargo's command for programs without an operating system.
fn freestanding(workspace: &Workspace, arch: Arch) -> Command {
    let mut cargo = workspace.cargo("build");
    cargo.args(Workspace::freestanding_words());
    cargo.args(["--profile", "image", "--target", arch.target()]);
    cargo
}

fn compile(workspace: &Workspace, arch: Arch, package: &str, what: &str) -> Result<()> {
    let mut cargo = freestanding(workspace, arch);
    cargo.args(["-p", package]);
    workspace.run_cargo(cargo, what)
}

fn compiled(workspace: &Workspace, arch: Arch, package: &str) -> PathBuf {
    workspace
        .target
        .join(arch.target())
        .join("image")
        .join(package)
}
