//! How the IDs of devices become IDs at translation and interrupt controllers (IO Remapping Table, Arm DEN0049E).

use super::{described::Described, tables::number};
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use machine::{Device, Value, WindowKind};

/// More nodes, or mappings of one, are not believed.
const MOST: usize = 256;

/// The nodes that stand for something, with what their IDs are mapped to: for each mapping the first ID, how many, the
/// first ID on the other side, and the path of that side.
pub fn nodes(table: &[u8]) -> Vec<Device> {
    let mut found: Vec<(usize, &[u8], Device)> = Vec::new();
    let mut at = number(table, 40, 4).unwrap_or(0) as usize;
    for _ in 0..number(table, 36, 4).unwrap_or(0).min(MOST as u64) {
        let size = number(table, at.saturating_add(1), 2).unwrap_or(0) as usize;
        let Some(node) = table
            .get(at..at.saturating_add(size))
            .filter(|_| size >= 16)
        else {
            break;
        };
        if let Some(device) = describe(node) {
            found.push((at, node, device.done()));
        }
        at += size;
    }
    let paths: BTreeMap<usize, String> = (found.iter())
        .map(|(at, _, device)| (*at, device.path.clone()))
        .collect();
    found
        .into_iter()
        .map(|(_, node, device)| mapped(node, device, &paths))
        .collect()
}

fn describe(node: &[u8]) -> Option<Described> {
    let kind = *node.first()?;
    let name = format!("IORT.{kind}");
    Some(match kind {
        // Interrupt translators: their IDs in the table of interrupt controllers.
        0 => {
            let count = number(node, 16, 4)?.min(MOST as u64) as usize;
            let ids: Vec<u64> = (0..count)
                .map_while(|n| number(node, 20 + 4 * n, 4))
                .collect();
            Described::new(&name, ids.first().copied())
                .fact("translators", Some(Value::Numbers(ids)))
        }
        1 => {
            let text = node.get(29..)?.split(|b| *b == 0).next()?;
            let text = core::str::from_utf8(text).ok()?;
            Described::new(&format!("{name}@{text}"), None)
        }
        // A PCI root complex.
        2 => {
            let segment = number(node, 28, 4)?;
            Described::new(&name, Some(segment))
                .with("segment", Some(segment))
                .flag("coherent", number(node, 16, 4)? & 1 == 1)
                .flag("translates", number(node, 24, 4)? & 1 == 1)
        }
        // Memory management units, versions 1 and 2.
        3 => {
            let (base, size) = (number(node, 16, 8)?, number(node, 24, 8)?);
            Described::new(&name, Some(base))
                .with("model", number(node, 32, 4))
                .at(WindowKind::Memory, base, size)
        }
        // Version 3: the wires in the order in which devicetrees have them; all edges.
        4 => {
            let base = number(node, 16, 8)?;
            let mut device = Described::new(&name, Some(base))
                .with("model", number(node, 40, 4))
                .flag("coherent", number(node, 24, 4)? & 1 == 1)
                .at(WindowKind::Memory, base, 0x20000);
            for at in [44, 48, 56, 52] {
                device = device.wire(number(node, at, 4)?, false, false);
            }
            device
        }
        _ => return None,
    })
}

fn mapped(node: &[u8], device: Device, paths: &BTreeMap<usize, String>) -> Device {
    let (count, from) = (
        number(node, 8, 4).unwrap_or(0),
        number(node, 12, 4).unwrap_or(0),
    );
    let (mut ids, mut targets) = (Vec::new(), Vec::new());
    for n in 0..count.min(MOST as u64) {
        let at = (from + 20 * n) as usize;
        let field = |n: usize| number(node, at + 4 * n, 4);
        let (Some(first), Some(more), Some(other), Some(to)) =
            (field(0), field(1), field(2), field(3))
        else {
            break;
        };
        // The count is one less than there are.
        ids.extend([first, more + 1, other]);
        targets.push(paths.get(&(to as usize)).cloned().unwrap_or_default());
    }
    if ids.is_empty() {
        return device;
    }
    Described(device)
        .fact("maps", Some(Value::Numbers(ids)))
        .fact("maps_to", Some(Value::Texts(targets)))
        .done()
}
