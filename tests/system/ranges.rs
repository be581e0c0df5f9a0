//! The memory map of the model against the emulator's flat view: every range of RAM, ROM and registers.

use crate::account::{Account, Kind, Node, Range};
use machine::{Machine, MemoryKind, WindowKind};

/// What no source of discovery tells of a machine, though the emulator has it: name in its account, and why.
const NOT_TOLD: &[(&str, &str)] = &[
    ("acpi-ged", GED),
    ("acpi-ged-regs", GED),
    ("acpi-ged-x86", GED),
    // Where the processor begins; microvm's firmware leaves its own ROM out of its map.
    ("pc.bios", "no map tells the firmware's ROM"),
    (
        "offered",
        "a device offers this memory by its own protocol, which a rule must speak",
    ),
];

const GED: &str = "only the code of ACPI's event device touches them: they are no resource of it";

/// Transports that nothing is plugged into may be left out of a firmware's tables; then nobody tells of them.
fn empty_transport(account: &Account, base: u64) -> bool {
    let at = |node: &&Node| node.registers.iter().any(|(first, _)| *first == base);
    account.tree.iter().find(at).is_some_and(|node| node.empty)
}

/// What a table of the firmware says and the emulator has otherwise.
const OTHERWISE: &[(u64, u64, &str)] = &[(
    0xa_0000,
    0xb_ffff,
    "ACPI says that the host bridge passes on the window of a display; where there is none, RAM shows through",
)];

/// What the model says of one address, and to where that holds.
fn at(model: &Machine, address: u64) -> (MemoryKind, u64) {
    for range in &model.memory {
        let last = range.base.saturating_add(range.size.saturating_sub(1));
        if (range.base..=last).contains(&address) {
            return (range.kind, last);
        }
    }
    let next = model
        .memory
        .iter()
        .map(|range| range.base)
        .filter(|base| *base > address);
    (
        MemoryKind::Void,
        next.min().map_or(u64::MAX, |base| base - 1),
    )
}

pub fn memory(model: &Machine, account: &Account) -> Vec<String> {
    let mut all = Vec::new();
    for range in &account.memory {
        let mut address = range.base;
        loop {
            let (kind, last) = at(model, address);
            let last = last.min(range.last);
            if !fits(model, kind, range, address) && !not_told(account, range, address) {
                all.push(format!(
                    "{address:#x}–{last:#x} is {kind:?} in the model, {:?} ({}) in the account",
                    range.kind, range.name
                ));
            }
            if last == range.last {
                break;
            }
            address = last + 1;
        }
    }
    for range in &model.memory {
        let contents = [
            MemoryKind::Ram,
            MemoryKind::Rom,
            MemoryKind::AcpiTables,
            MemoryKind::AcpiNvs,
        ];
        if contents.contains(&range.kind) {
            all.extend(backed(range, account));
        }
    }
    for (base, size) in &account.plugged {
        if at(model, *base) != (MemoryKind::Ram, base + size - 1) {
            all.push(format!(
                "the memory device of {size:#x} bytes at {base:#x} is not RAM in the model"
            ));
        }
    }
    all
}

/// Whether what the model says is true of this part of the account.
fn fits(model: &Machine, kind: MemoryKind, range: &Range, address: u64) -> bool {
    use MemoryKind::{AcpiNvs, AcpiTables, Mmio, Ram, Reserved, Rom, Void};
    // Memory behind a BAR or in a region of a device is the device's.
    let windowed =
        model.devices.iter().flat_map(|d| &d.windows).any(|w| {
            w.kind == WindowKind::Memory && w.base <= address && address - w.base < w.size
        });
    match kind {
        Ram | AcpiTables | AcpiNvs => range.kind == Kind::Ram,
        Rom => range.kind != Kind::Registers,
        Mmio => range.kind == Kind::Registers || windowed,
        // The firmware's own: it does not say what.
        Reserved => true,
        Void => false,
    }
}

/// Memory in the model is memory in the account, to the last byte.
fn backed(range: &machine::MemoryRange, account: &Account) -> Option<String> {
    let last = range.base + (range.size - 1);
    let mut next = range.base;
    for known in account.memory.iter().filter(|k| k.kind != Kind::Registers) {
        if known.base <= next && next <= known.last {
            if known.last >= last {
                return None;
            }
            next = known.last + 1;
        }
    }
    Some(format!(
        "{next:#x} is {:?} in the model, and nothing of the kind in the account",
        range.kind
    ))
}

fn not_told(account: &Account, range: &Range, address: u64) -> bool {
    NOT_TOLD.iter().any(|(name, _)| *name == range.name)
        || empty_transport(account, range.base)
        || (OTHERWISE.iter()).any(|(first, last, _)| (*first..=*last).contains(&address))
}

/// Every platform device with registers is one that the emulator has, and the other way round.
pub fn platform(model: &Machine, account: &Account) -> Vec<String> {
    let mut all = Vec::new();
    for device in model.devices.iter().filter(|d| d.bus != "pci") {
        for window in device
            .windows
            .iter()
            .filter(|w| w.kind == WindowKind::Memory)
        {
            let meets = |r: &&Range| r.base <= window.base && window.base <= r.last;
            if !account.memory.iter().any(|r| meets(&r)) {
                all.push(format!("{}: nothing is at {:#x}", device.path, window.base));
            }
        }
    }
    for node in account.tree.iter().filter(|node| node.pci.is_none()) {
        for (base, size) in &node.registers {
            let known = matches!(at(model, *base).0, MemoryKind::Mmio | MemoryKind::Reserved);
            let named = model.devices.iter().flat_map(|d| &d.windows).any(|w| {
                w.kind == WindowKind::Memory && w.base <= *base && *base - w.base < w.size
            });
            let told = known || named || node.empty;
            if !told && !NOT_TOLD.iter().any(|(name, _)| *name == node.name) {
                all.push(format!(
                    "{} at {base:#x} + {size:#x} is not in the model",
                    node.name
                ));
            }
        }
    }
    all
}
