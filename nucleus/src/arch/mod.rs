//! Everything that touches the machine itself, one folder an architecture, with the same names in both.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub use aarch64::*;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

extern "C" {
    // Made by the linker script; only their addresses mean anything.
    static nucleus_text: u8;
    static nucleus_text_end: u8;
    static nucleus_rodata_end: u8;
    static nucleus_data_end: u8;
    static nucleus_room_end: u8;
    static nucleus_end: u8;
}

/// Bytes of code, read-only data and data, the rooms for generated code and its data counted with the first and last; and of
/// the room for code alone.
pub fn image_sizes() -> [u64; 4] {
    let [text, rodata, data, room, room_end, end] = [
        &raw const nucleus_text,
        &raw const nucleus_text_end,
        &raw const nucleus_rodata_end,
        &raw const nucleus_data_end,
        &raw const nucleus_room_end,
        &raw const nucleus_end,
    ]
    .map(|address| address as u64);
    [
        rodata - text + (room_end - room),
        data - rodata,
        room - data + (end - room_end),
        room_end - room,
    ]
}
