//! Linux beside us: Debian's cloud kernel with a first program of a dozen instructions, in the same emulated machine.

use crate::image::Arch;
use crate::terminal::Progress;
use crate::workspace::{write_if_changed, Workspace};
use anyhow::{bail, Context, Result};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the first program prints.
pub const READY: &str = "USERSPACE";

/// Kernel and initial file system.
pub struct Linux {
    pub kernel: PathBuf,
    pub initrd: PathBuf,
    /// Bytes of the kernel as Debian ships it.
    pub kernel_size: u64,
}

impl Linux {
    /// The emulator's arguments in place of our image.
    #[must_use]
    pub fn arguments(&self, arch: Arch) -> Vec<String> {
        let console = match arch {
            Arch::X86_64 => "console=ttyS0 quiet",
            Arch::Aarch64 => "console=ttyAMA0 quiet",
        };
        vec![
            "-kernel".into(),
            self.kernel.display().to_string(),
            "-initrd".into(),
            self.initrd.display().to_string(),
            "-append".into(),
            console.into(),
        ]
    }
}

/// The kernel for `arch`, fetched through apt the first time and kept under `target/linux`.
///
/// # Errors
/// When it cannot be had: the message says why.
pub fn get(workspace: &Workspace, arch: Arch) -> Result<Linux> {
    let folder = workspace.target.join("linux").join(arch.name());
    let shipped = folder.join("vmlinuz");
    if !shipped.exists() {
        let _progress = Progress::start(&format!(
            "fetching Debian's cloud kernel for {}",
            arch.name()
        ));
        fetch(&folder, arch, &shipped)?;
    }
    let bytes =
        std::fs::read(&shipped).with_context(|| format!("reading {}", shipped.display()))?;
    let kernel = match arch {
        // The PVH door needs the ELF file inside, as our image is one.
        Arch::X86_64 => {
            let path = folder.join("vmlinux");
            if !path.exists() {
                write_if_changed(&path, &unpack(&bytes)?)?;
            }
            path
        }
        Arch::Aarch64 => shipped,
    };
    let initrd = folder.join("init.cpio");
    write_if_changed(&initrd, &archive(&first_program(arch)))?;
    Ok(Linux {
        kernel,
        initrd,
        kernel_size: bytes.len() as u64,
    })
}

/// Fetches with apt's own sources, but with lists and cache of its own, so that another architecture's packages can
/// be seen without changing this system.
fn fetch(folder: &Path, arch: Arch, to: &Path) -> Result<()> {
    let debian = match arch {
        Arch::X86_64 => "amd64",
        Arch::Aarch64 => "arm64",
    };
    let apt = folder.join("apt");
    for part in ["lists/partial", "cache/archives/partial"] {
        std::fs::create_dir_all(apt.join(part)).context("making apt's folders")?;
    }
    std::fs::write(apt.join("status"), "").context("making apt's status file")?;
    let options: Vec<String> = [
        format!("Dir::State={}", apt.display()),
        format!("Dir::State::lists={}/lists", apt.display()),
        format!("Dir::State::status={}/status", apt.display()),
        format!("Dir::Cache={}/cache", apt.display()),
        format!("APT::Architecture={debian}"),
        format!("APT::Architectures={debian}"),
        "APT::Sandbox::User=root".into(),
        "Acquire::Languages=none".into(),
    ]
    .into_iter()
    .flat_map(|option| ["-o".to_owned(), option])
    .collect();
    let run = |program: &str, words: &[&str]| -> Result<String> {
        let output = Command::new(program)
            .current_dir(folder)
            .args(&options)
            .args(words)
            .output()
            .with_context(|| format!("{program} could not be started"))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            bail!(
                "{program} {}: {}",
                words.join(" "),
                text.lines().next_back().unwrap_or("it failed")
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    run("apt-get", &["-q", "update"])?;
    let meta = format!("linux-image-cloud-{debian}");
    let depends = run("apt-cache", &["depends", &meta])?;
    let package = depends
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|name| name.starts_with("linux-image-"))
        .with_context(|| format!("apt knows no package {meta} with a kernel in it"))?
        .to_owned();
    run("apt-get", &["-q", "download", &package])?;
    let deb = named(folder, ".deb")?;
    let tree = folder.join("tree");
    let status = Command::new("dpkg-deb")
        .arg("-x")
        .args([&deb, &tree])
        .status()
        .context("dpkg-deb could not be started")?;
    if !status.success() {
        bail!("{} could not be unpacked", deb.display());
    }
    let kernel = named(&tree.join("boot"), "")?;
    std::fs::rename(&kernel, to).with_context(|| format!("moving {}", kernel.display()))?;
    for leftover in [&tree, &apt] {
        let _ = std::fs::remove_dir_all(leftover);
    }
    let _ = std::fs::remove_file(deb);
    Ok(())
}

/// The file in `folder` that ends so; in a `boot` folder, the kernel.
fn named(folder: &Path, ending: &str) -> Result<PathBuf> {
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?
    {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let wanted = if ending.is_empty() {
            name.starts_with("vmlinuz-")
        } else {
            name.ends_with(ending)
        };
        if wanted {
            return Ok(path);
        }
    }
    bail!("there is no kernel in {}", folder.display())
}

/// The ELF file inside a compressed x86 kernel (Linux, Documentation/arch/x86/boot.rst: setup_sects at 0x1f1,
/// payload_offset at 0x248, payload_length at 0x24c).
fn unpack(kernel: &[u8]) -> Result<Vec<u8>> {
    let word = |at: usize| -> Result<usize> {
        let bytes = kernel.get(at..at + 4).context("the kernel is too short")?;
        Ok(u32::from_le_bytes(bytes.try_into().context("four bytes")?) as usize)
    };
    let setup = match kernel.get(0x1f1) {
        None => bail!("the kernel is too short"),
        Some(0) => 4,
        Some(sectors) => usize::from(*sectors),
    };
    let start = (setup + 1) * 512 + word(0x248)?;
    // The last four bytes are the size when unpacked.
    let payload = kernel
        .get(start..(start + word(0x24c)?).saturating_sub(4))
        .context("the kernel's payload lies outside it")?;
    let mut unpacked = Vec::new();
    lz4_flex::frame::FrameDecoder::new(payload)
        .read_to_end(&mut unpacked)
        .context("the kernel's payload is not LZ4")?;
    Ok(unpacked)
}

/// A static ELF program: the plugin's marker, one line on the console, sleep.
fn first_program(arch: Arch) -> Vec<u8> {
    let text = format!("{READY}\n");
    let length = text.len() as u32;
    let (machine, mut code): (u16, Vec<u8>) = match arch {
        Arch::X86_64 => {
            let mut code = vec![0x0f, 0x1f, 0x80, 0x01, 0x00, 0x4b, 0x4d]; // nopl 0x4d4b0001(%rax)
            code.extend([0xb8, 1, 0, 0, 0]); // mov $1, %eax (write)
            code.extend([0xbf, 1, 0, 0, 0]); // mov $1, %edi
            code.extend([0x48, 0x8d, 0x35, 16, 0, 0, 0]); // lea text(%rip), %rsi
            code.push(0xba); // mov $length, %edx
            code.extend(length.to_le_bytes());
            code.extend([0x0f, 0x05]); // syscall
            code.extend([0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7]); // 1: mov $34, %eax (pause); syscall; jmp 1b
            (62, code)
        }
        Arch::Aarch64 => {
            let words: [u32; 13] = [
                0xd289_a03f,                 // movz xzr, #0x4d01
                0xd280_0020,                 // mov x0, #1
                0x1000_0001 | (11 << 5),     // adr x1, text
                0xd280_0002 | (length << 5), // mov x2, #length
                0xd280_0808,                 // mov x8, #64 (write)
                0xd400_0001,                 // svc #0
                0xd280_0000,                 // 1: mov x0, #0
                0xd280_0001,                 // mov x1, #0
                0xd280_0002,                 // mov x2, #0
                0xd280_0003,                 // mov x3, #0
                0xd280_0928,                 // mov x8, #73 (ppoll)
                0xd400_0001,                 // svc #0
                0x17ff_fffa,                 // b 1b
            ];
            (183, words.into_iter().flat_map(u32::to_le_bytes).collect())
        }
    };
    code.extend(text.as_bytes());
    elf(machine, &code)
}

/// One readable and executable segment at 4 MiB that holds the whole file; entry behind the headers.
fn elf(machine: u16, code: &[u8]) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    file.extend(2u16.to_le_bytes());
    file.extend(machine.to_le_bytes());
    file.extend(1u32.to_le_bytes());
    for word in [BASE + HEADERS, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 1, 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1u32.to_le_bytes()); // PT_LOAD
    file.extend(5u32.to_le_bytes()); // readable, executable
    let size = HEADERS + code.len() as u64;
    for word in [0, BASE, BASE, size, size, 0x1000] {
        file.extend(word.to_le_bytes());
    }
    file.extend(code);
    file
}

/// A `newc` archive of a console device and the first program.
fn archive(program: &[u8]) -> Vec<u8> {
    let mut archive = Vec::new();
    entry(&mut archive, "dev", 0o040_755, &[], (0, 0));
    entry(&mut archive, "dev/console", 0o020_600, &[], (5, 1));
    entry(&mut archive, "init", 0o100_755, program, (0, 0));
    entry(&mut archive, "TRAILER!!!", 0, &[], (0, 0));
    archive.resize(archive.len().next_multiple_of(512), 0);
    archive
}

fn entry(archive: &mut Vec<u8>, name: &str, mode: u32, data: &[u8], device: (u32, u32)) {
    let number = archive.len() as u32 + 1;
    let sizes = (data.len() as u32, name.len() as u32 + 1);
    archive.extend(b"070701");
    for word in [
        number, mode, 0, 0, 1, 0, sizes.0, 0, 0, device.0, device.1, sizes.1, 0,
    ] {
        archive.extend(format!("{word:08x}").as_bytes());
    }
    archive.extend(name.as_bytes());
    archive.push(0);
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend(data);
    archive.resize(archive.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_programs_point_at_their_text() {
        let x86 = first_program(Arch::X86_64);
        let lea = 120 + 7 + 5 + 5;
        let target = lea + 7 + usize::from(x86[lea + 3]);
        assert_eq!(&x86[target..], b"USERSPACE\n");
        let arm = first_program(Arch::Aarch64);
        assert_eq!(&arm[120 + 2 * 4 + 11 * 4..], b"USERSPACE\n");
    }

    #[test]
    fn a_kernel_that_is_none_is_refused() {
        assert_eq!(
            unpack(&[0; 16]).expect_err("too short").to_string(),
            "the kernel is too short"
        );
    }
}
