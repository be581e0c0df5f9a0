//! The disk image that UEFI machines boot from, of one instruction set or of both: a GPT with an EFI system partition.
//! The same sources give the same bytes: every identifier is fixed, and no time is written.

use crate::image::{self, Arch, Image};
use crate::packed;
use crate::workspace::{write_if_changed, Workspace};
use anyhow::{ensure, Context, Result};
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

const SECTOR: u64 = 512;
const MIB: u64 = 1 << 20;
/// Where the partition starts, and what stays free behind it for the second table.
const START: u64 = MIB;
const END: u64 = MIB;
/// Room for what the door writes (`machine.json`, `report.json`), and for a person's files.
const FREE: u64 = 4 * MIB;
/// Identifiers of the disk and of its partition. They name this project's stick, whichever.
const DISK_ID: uuid::Uuid = uuid::Uuid::from_u128(0x4d65_7461_4f53_4001_8000_0000_0000_0001);
const PARTITION_ID: uuid::Uuid = uuid::Uuid::from_u128(0x4d65_7461_4f53_4001_8000_0000_0000_0002);
const VOLUME_ID: u32 = 0x4d65_7461;

/// What stands in the file for the command line.
const LINE_FILE: &str = "\
# Words for MetaOS, read when it starts from this stick:
#   blind    use no firmware tables: find out by careful probing what can be found out
#   masked   hide device IDs and classes
#   thorough try drivers to their limits, and clocks, timers and interrupts with interrupts let in
";

impl Arch {
    /// The compiler's name of the UEFI target.
    #[must_use]
    pub(crate) fn door_target(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-uefi",
            Self::Aarch64 => "aarch64-unknown-uefi",
        }
    }

    /// The file that firmware starts on a medium that it has not seen before (UEFI 2.10, table 3.1).
    fn door_file(self) -> &'static str {
        match self {
            Self::X86_64 => "BOOTX64.EFI",
            Self::Aarch64 => "BOOTAA64.EFI",
        }
    }
}

/// Builds the boot images of `arches` and puts them on one stick.
///
/// # Errors
/// When something does not compile, or does not fit.
pub fn build(workspace: &Workspace, arches: &[Arch]) -> Result<PathBuf> {
    let mut doors = Vec::new();
    for arch in arches {
        let image = image::build(workspace, *arch)?;
        doors.push((*arch, door(workspace, &image)?));
    }
    let path = workspace.target.join("images/metaos-usb.img");
    write_if_changed(&path, &disk(&doors, &[])?)?;
    Ok(path)
}

/// A stick with this boot image alone, whose command line is `options`.
///
/// # Errors
/// As [`build`].
pub fn with(workspace: &Workspace, image: &Image, options: &[String]) -> Result<PathBuf> {
    let door = door(workspace, image)?;
    let name: String = [image.arch.name().to_owned()]
        .into_iter()
        .chain(
            options
                .iter()
                .map(|o| o.replace(|c: char| !c.is_alphanumeric(), "_")),
        )
        .collect::<Vec<_>>()
        .join("-");
    let path = workspace.target.join("sticks").join(format!("{name}.img"));
    write_if_changed(&path, &disk(&[(image.arch, door)], options)?)?;
    Ok(path)
}

/// The UEFI program that carries `image`.
fn door(workspace: &Workspace, image: &Image) -> Result<Vec<u8>> {
    let _one_at_a_time = image::lock(workspace)?;
    let arch = image.arch;
    let bytes =
        std::fs::read(&image.path).with_context(|| format!("reading {}", image.path.display()))?;
    let packed = packed(arch, &bytes).with_context(|| format!("in {}", image.path.display()))?;
    let payload = workspace.target.join("payload/doors").join(arch.name());
    write_if_changed(&payload.join("genesis.load"), &packed)?;
    let book = image::rulebook(workspace, arch);
    write_if_changed(
        &payload.join("rulebook.bin"),
        &std::fs::read(&book).with_context(|| format!("reading {}", book.display()))?,
    )?;
    let mut cargo = workspace.cargo("build");
    cargo.args(Workspace::freestanding_words());
    cargo.args(["--profile", "image", "--target", arch.door_target()]);
    cargo
        .args(["-p", "door-uefi"])
        .env("META_PAYLOAD", &payload);
    workspace.run_cargo(
        cargo,
        &format!("building the UEFI door for {}", arch.name()),
    )?;
    let built = workspace
        .target
        .join(arch.door_target())
        .join("image/door-uefi.efi");
    std::fs::read(&built).with_context(|| format!("reading {}", built.display()))
}

/// A boot image as the door carries it (`abi::door::PACKED`).
fn packed(arch: Arch, bytes: &[u8]) -> Result<Vec<u8>> {
    let genesis = packed::genesis(arch, bytes)?;
    let entry = match arch {
        Arch::X86_64 => abi::door::ENTRY_X86_64,
        Arch::Aarch64 => 0,
    };
    let plain = genesis.bytes;
    let mut packed = Vec::new();
    for word in [abi::door::PACKED, genesis.size, entry, plain.len() as u64] {
        packed.extend(word.to_le_bytes());
    }
    packed.extend(lz4_flex::block::compress(&plain));
    Ok(packed)
}

/// The whole disk.
fn disk(doors: &[(Arch, Vec<u8>)], options: &[String]) -> Result<Vec<u8>> {
    let used: u64 = doors.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let size = (used + FREE).next_multiple_of(MIB);
    let volume = volume(size, doors, options)?;
    let whole = START + size + END;
    let mut table = gpt::mbr::ProtectiveMBR::with_lb_size(u32::try_from(whole / SECTOR - 1)?);
    table.set_disk_signature(VOLUME_ID.to_le_bytes());
    let mut device = Cursor::new(vec![0; whole as usize]);
    table.overwrite_lba0(&mut device)?;
    let mut gpt = gpt::GptConfig::new()
        .writable(true)
        .logical_block_size(gpt::disk::LogicalBlockSize::Lb512)
        .create_from_device(device, Some(DISK_ID))?;
    let partition = gpt::partition::Partition {
        part_type_guid: gpt::partition_types::EFI,
        part_guid: PARTITION_ID,
        first_lba: START / SECTOR,
        last_lba: (START + size) / SECTOR - 1,
        flags: 0,
        name: "MetaOS".into(),
    };
    gpt.update_partitions(BTreeMap::from([(1, partition)]))?;
    let mut bytes = gpt.write()?.into_inner();
    bytes[START as usize..(START + size) as usize].copy_from_slice(&volume);
    Ok(bytes)
}

/// The EFI system partition.
fn volume(size: u64, doors: &[(Arch, Vec<u8>)], options: &[String]) -> Result<Vec<u8>> {
    let mut bytes = vec![0; size as usize];
    let form = fatfs::FormatVolumeOptions::new()
        .fat_type(fatfs::FatType::Fat16)
        .bytes_per_cluster(if size < 24 * MIB { 512 } else { 2048 })
        .volume_id(VOLUME_ID)
        .volume_label(*b"METAOS     ");
    fatfs::format_volume(Cursor::new(&mut bytes), form).context("formatting the partition")?;
    let volume = fatfs::FileSystem::new(Cursor::new(&mut bytes), fatfs::FsOptions::new())?;
    let root = volume.root_dir();
    let folder = root.create_dir("EFI")?.create_dir("BOOT")?;
    for (arch, door) in doors {
        folder.create_file(arch.door_file())?.write_all(door)?;
    }
    let mut line = LINE_FILE.to_owned();
    for word in options {
        line.push_str(word);
        line.push('\n');
    }
    root.create_file("metaos.txt")?.write_all(line.as_bytes())?;
    drop((folder, root));
    volume.unmount()?;
    Ok(bytes)
}

/// The file `name` at the root of the partition of the stick at `path`.
///
/// # Errors
/// When it is no such stick, or has no such file.
pub fn read(path: &Path, name: &str) -> Result<Vec<u8>> {
    let mut device =
        std::fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let gpt = gpt::GptConfig::new()
        .writable(false)
        .open_from_device(&mut device)
        .with_context(|| format!("{} has no partition table", path.display()))?;
    let partition = gpt
        .partitions()
        .get(&1)
        .context("there is no partition 1")?;
    let (first, last) = (
        partition.first_lba * SECTOR,
        (partition.last_lba + 1) * SECTOR,
    );
    let bytes = std::fs::read(path)?;
    let volume = bytes.get(first as usize..last as usize);
    let volume = volume.context("the partition is cut off")?.to_vec();
    let volume = fatfs::FileSystem::new(Cursor::new(volume), fatfs::FsOptions::new())?;
    let mut found = Vec::new();
    let mut file = volume
        .root_dir()
        .open_file(name)
        .with_context(|| format!("{name} is not there"))?;
    std::io::Read::read_to_end(&mut file, &mut found)?;
    ensure!(!found.is_empty(), "{name} is empty");
    drop(file);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stick_is_the_same_every_time_and_read_back() {
        let doors = [
            (Arch::X86_64, vec![7; 100_000]),
            (Arch::Aarch64, vec![8; 50]),
        ];
        let first = disk(&doors, &["blind".into()]).expect("a disk");
        assert!(first == disk(&doors, &["blind".into()]).expect("a disk"));
        let path = std::env::temp_dir().join(format!("stick-{}.img", std::process::id()));
        std::fs::write(&path, &first).expect("writing");
        let line = read(&path, "metaos.txt");
        let door = read(&path, "EFI/BOOT/BOOTX64.EFI");
        let none = read(&path, "nothing.txt");
        std::fs::remove_file(&path).expect("removing");
        assert_eq!(door.expect("the door"), doors[0].1);
        let line = line.expect("the line");
        assert_eq!(abi::options::words(&line).collect::<Vec<_>>(), ["blind"]);
        assert!(none.is_err());
    }

    /// Firmware writes names of its own choice, with long names beside short ones.
    #[test]
    fn long_names_are_read_back() {
        let mut bytes = disk(&[(Arch::X86_64, vec![7; 50])], &[]).expect("a disk");
        let end = bytes.len() - END as usize;
        {
            let part = &mut bytes[START as usize..end];
            let volume = fatfs::FileSystem::new(Cursor::new(part), fatfs::FsOptions::new());
            let volume = volume.expect("a volume");
            let mut file = volume.root_dir().create_file("machine.json").expect("room");
            file.write_all(b"{}").expect("room");
        }
        let path = std::env::temp_dir().join(format!("names-{}.img", std::process::id()));
        std::fs::write(&path, bytes).expect("writing");
        let found = read(&path, "machine.json");
        std::fs::remove_file(&path).expect("removing");
        assert_eq!(found.expect("the file"), b"{}");
    }
}
