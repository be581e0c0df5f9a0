//! Files beside the door, on the EFI system partition that it was started from.

use alloc::{format, string::String, vec::Vec};
use uefi::fs::{FileSystem, Path};
use uefi::{boot, CString16};

fn with<R>(
    name: &str,
    act: impl FnOnce(&mut FileSystem, &Path) -> Result<R, uefi::fs::Error>,
) -> Result<R, String> {
    let volume = boot::get_image_file_system(boot::image_handle()).map_err(|e| {
        format!(
            "the door was not started from a file system ({})",
            e.status()
        )
    })?;
    let path = format!("\\{name}");
    let path = CString16::try_from(path.as_str()).map_err(|_| format!("{name} is no name"))?;
    act(&mut FileSystem::new(volume), Path::new(&path)).map_err(|e| format!("{e}"))
}

/// The bytes of the file `name` at the root.
pub fn read(name: &str) -> Result<Vec<u8>, String> {
    with(name, |files, path| files.read(path))
}
/// Writes the file `name` at the root anew.
///
/// # Errors
/// Says what firmware said: the medium may be write-protected, or full.
pub fn write(name: &str, bytes: &[u8]) -> Result<(), String> {
    with(name, |files, path| {
        if files.try_exists(path).unwrap_or(false) {
            files.remove_file(path)?;
        }
        files.write(path, bytes)
    })
}
