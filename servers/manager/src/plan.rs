//! How large the parts of a driver are, and how its windows become pages.

use abi::inventory::{Installed, InstalledWindow, Proof};
use abi::layout::{PAGE, WINDOW_STRIDE};
use alloc::vec::Vec;

/// Bytes of the buffers that a driver and its client share.
pub fn pool_size(device: &Installed, generous: bool) -> u64 {
    let least = match device.class.as_str() {
        "serial" => 0x1000,
        "nic" => 0xa000,
        _ => 0x4000,
    };
    if generous {
        // A program that measures wants as many requests under way as the rings hold.
        least.max(0x8_0000)
    } else {
        least
    }
}

/// Whether its client is the manager: it says which devices come and go.
pub fn is_bus(device: &Installed) -> bool {
    device.class == "bus"
}

/// Whether a device stands behind this bus, or behind one that does.
pub fn is_behind(devices: &[Installed], at: usize, bus: &str) -> bool {
    let above = |path: &str| devices.iter().find(|d| d.path == path);
    let first = devices.get(at).map(|device| device.behind.as_str());
    let mut chain = core::iter::successors(first, |path| {
        above(path).map(|device| device.behind.as_str())
    });
    // Not longer than there are devices, whatever the inventory says.
    chain
        .by_ref()
        .take(devices.len())
        .take_while(|path| !path.is_empty())
        .any(|path| path == bus)
}

/// Whether the device gets a task.
pub fn wants_task(device: &Installed) -> bool {
    !device.direct && !matches!(device.proof, Proof::Rejected(_)) && device.code.1 > 0
}

/// Whole pages around a memory window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    pub base: u64,
    pub size: u64,
}

/// The pages of a memory window; `None` if they do not fit where windows are mapped.
pub fn pages_of(window: &InstalledWindow) -> Option<Pages> {
    let base = window.base & !(PAGE - 1);
    let end = window
        .base
        .checked_add(window.size)?
        .checked_next_multiple_of(PAGE)?;
    let size = end.checked_sub(base)?;
    (size > 0 && size <= WINDOW_STRIDE).then_some(Pages { base, size })
}

/// What of these pages a driver's task is shown, as offset and bytes: all but the pages with something in them that is
/// withheld. (PCI Local Bus 3.0, 6.8.2: a page with a table of messages has no other registers.)
pub fn shown(pages: &Pages, withheld: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let hidden = |page: u64| {
        withheld.iter().any(|(base, size)| {
            *size > 0 && *base < page.saturating_add(PAGE) && page < base.saturating_add(*size)
        })
    };
    let mut pieces: Vec<(u64, u64)> = Vec::new();
    for at in (0..pages.size).step_by(PAGE as usize) {
        if hidden(pages.base + at) {
            continue;
        }
        match pieces.last_mut() {
            Some((from, size)) if *from + *size == at => *size += PAGE,
            _ => pieces.push((at, PAGE)),
        }
    }
    pieces
}

/// Another device whose registers lie in the pages of this device's window `n`.
pub fn neighbour(devices: &[Installed], at: usize, n: usize) -> Option<&Installed> {
    let window = devices.get(at)?.windows.get(n)?;
    let pages = pages_of(window)?;
    let meets = |other: &InstalledWindow| {
        other.kind == 0
            && pages_of(other)
                .is_some_and(|p| p.base < pages.base + pages.size && pages.base < p.base + p.size)
    };
    // The same registers, by another rule, are no neighbour.
    let same = |other: &Installed| other.path == devices[at].path;
    devices
        .iter()
        .enumerate()
        .find(|(i, other)| *i != at && !same(other) && other.windows.iter().any(meets))
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(path: &str, base: u64, size: u64) -> Installed {
        Installed {
            path: path.into(),
            code: (0, 10),
            windows: vec![InstalledWindow {
                name: "r".into(),
                kind: 0,
                base,
                size,
            }],
            ..Default::default()
        }
    }

    #[test]
    fn windows_are_widened_to_pages() {
        let window = |base, size| pages_of(&device("", base, size).windows[0]);
        let (base, size) = (0x1000, 0x1000);
        assert_eq!(window(0x1200, 0x10), Some(Pages { base, size }));
        let size = 0x2000;
        assert_eq!(window(0x1ff8, 0x10), Some(Pages { base, size }));
        assert_eq!(window(0x1000, 0), None);
        assert_eq!(window(u64::MAX, 2), None);
        assert_eq!(window(0, WINDOW_STRIDE + 1), None);
    }

    #[test]
    fn the_table_of_messages_is_not_shown() {
        let (base, size) = (0xfe00_0000, 0x4000);
        let pages = Pages { base, size };
        assert_eq!(shown(&pages, &[]), [(0, 0x4000)]);
        assert_eq!(
            shown(&pages, &[(base + 0x2000, 0x410), (base + 0x3000, 0)]),
            [(0, 0x2000), (0x3000, 0x1000)]
        );
        assert_eq!(shown(&pages, &[(base - 8, 16)]), [(0x1000, 0x3000)]);
        assert_eq!(shown(&pages, &[(base, u64::MAX)]), []);
        assert_eq!(shown(&pages, &[(base + 0x4000, 8)]), [(0, 0x4000)]);
    }

    #[test]
    fn neighbours_in_a_page_are_found() {
        let devices = [
            device("a", 0xa000_0000, 0x200),
            device("b", 0xa000_0200, 0x200),
            device("c", 0xa000_1000, 0x200),
            device("c", 0xa000_1000, 0x200),
        ];
        assert_eq!(
            neighbour(&devices, 0, 0).map(|d| d.path.as_str()),
            Some("b")
        );
        assert!(neighbour(&devices, 2, 0).is_none());
        assert!(neighbour(&devices, 9, 0).is_none());
    }

    #[test]
    fn what_stands_behind_a_bus_is_found_through_others() {
        let mut devices = [
            device("port", 0, 1),
            device("inner", 0, 1),
            device("card", 0, 1),
        ];
        devices[1].behind = "port".into();
        devices[2].behind = "inner".into();
        let behind = |at, bus| is_behind(&devices, at, bus);
        assert!(behind(2, "inner") && behind(2, "port") && behind(1, "port"));
        assert!(!behind(0, "port") && !behind(1, "inner") && !behind(9, "port") && !behind(0, ""));
        // An inventory that goes in circles ends.
        devices[0].behind = "card".into();
        assert!(!is_behind(&devices, 0, "elsewhere"));
    }

    #[test]
    fn rejected_and_direct_devices_get_no_task() {
        let mut one = device("a", 0, 1);
        assert!(wants_task(&one));
        one.proof = Proof::Rejected("no".into());
        assert!(!wants_task(&one));
        one.proof = Proof::Unverified("no peer".into());
        one.direct = true;
        assert!(!wants_task(&one));
    }
}
