//! The firmware's configuration tables (ACPI, devicetree, SMBIOS) and its screen.

use abi::door::Screen;
use uefi::proto::console::gop::{GraphicsOutput, PixelFormat};
use uefi::table::cfg::ConfigTableEntry;
use uefi::{boot, guid, system, Guid};

/// The devicetree's entry in the configuration table (EBBR 2.1, 2.3).
const DEVICETREE: Guid = guid!("b1b621d5-f19c-41a5-830b-d9152c69aae0");

/// Physical addresses, 0 where there is nothing.
#[derive(Clone, Copy, Default)]
pub struct Found {
    pub acpi: u64,
    pub devicetree: u64,
    pub smbios: u64,
    pub screen: Screen,
}

pub fn find() -> Found {
    let mut found = Found {
        screen: screen(),
        ..Found::default()
    };
    system::with_config_table(|entries| {
        let at = |wanted: Guid| {
            let entry = entries.iter().find(|entry| entry.guid == wanted);
            entry.map_or(0, |entry| entry.address as u64)
        };
        let first = |a: Guid, b: Guid| match at(a) {
            0 => at(b),
            address => address,
        };
        found.acpi = first(ConfigTableEntry::ACPI2_GUID, ConfigTableEntry::ACPI_GUID);
        found.smbios = first(
            ConfigTableEntry::SMBIOS3_GUID,
            ConfigTableEntry::SMBIOS_GUID,
        );
        found.devicetree = at(DEVICETREE);
    });
    found
}

fn screen() -> Screen {
    let Ok(handle) = boot::get_handle_for_protocol::<GraphicsOutput>() else {
        return Screen::default();
    };
    let parameters = boot::OpenProtocolParams {
        handle,
        agent: boot::image_handle(),
        controller: None,
    };
    // SAFETY: only asked what it is, not drawn on, and closed at the end of this function; opening it for ourselves alone
    // would take it from the console.
    let opened = unsafe {
        boot::open_protocol::<GraphicsOutput>(parameters, boot::OpenProtocolAttributes::GetProtocol)
    };
    let Ok(mut screen) = opened else {
        return Screen::default();
    };
    let mode = screen.current_mode_info();
    let format = match mode.pixel_format() {
        PixelFormat::Rgb => 0,
        PixelFormat::Bgr => 1,
        PixelFormat::Bitmask => 2,
        PixelFormat::BltOnly => return Screen::default(),
    };
    let mut pixels = screen.frame_buffer();
    Screen {
        base: pixels.as_mut_ptr() as u64,
        size: pixels.size() as u64,
        width: mode.resolution().0 as u32,
        height: mode.resolution().1 as u32,
        stride: mode.stride() as u32,
        format,
    }
}
