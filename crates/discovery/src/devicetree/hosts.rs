//! PCI host bridges (PCI bus binding to IEEE 1275).

use super::{interrupts::cells, tree::number, Tree, SOURCE};
use crate::{
    pci::{Aperture, Config, Host, Routing},
    Notes,
};
use alloc::{boxed::Box, collections::BTreeMap, format, string::String, vec::Vec};

/// What a node calls itself whose registers are configuration space, 4 KiB a function.
const MAPPED: &str = "pci-host-ecam-generic";

/// All host bridges that can be used.
pub(crate) fn hosts<'a>(
    tree: &Tree,
    path: impl Fn(usize) -> Option<String>,
    notes: &mut Notes,
) -> Vec<Host<'a>> {
    let mut hosts = Vec::new();
    for (index, node) in tree.nodes.iter().enumerate() {
        if node.text("device_type") != Some("pci") || !node.enabled() {
            continue;
        }
        let mapped = node.texts("compatible").any(|c| c == MAPPED);
        let Some((base, size)) = tree.reg(index).first().copied().filter(|_| mapped) else {
            notes.say(format!(
                "dt/{}: its configuration space cannot be reached",
                node.name
            ));
            continue;
        };
        let range = node.property("bus-range").map(cells).unwrap_or_default();
        let bus = |n: usize, otherwise| range.get(n).copied().unwrap_or(otherwise).min(255) as u8;
        let first = bus(0, 0);
        // 1 MiB a bus.
        let mapped_buses = (size >> 20).clamp(1, 256) - 1;
        let last = (bus(1, 255) as u64).min(first as u64 + mapped_buses) as u8;
        let map = interrupt_map(tree, index, notes);
        hosts.push(Host {
            config: Config::Mapped { base, first, last },
            path: path(index).unwrap_or_else(|| format!("dt/{}", node.name)),
            source: SOURCE,
            // The binding's `linux,pci-domain` numbers them; without it, in order.
            segment: node
                .number("linux,pci-domain")
                .unwrap_or(hosts.len() as u64) as u16,
            first_bus: first,
            last_bus: last,
            apertures: apertures(tree, index),
            routings: Box::new(move |bridges, device, pin| match bridges {
                [] => map.get(&(device, pin)).copied(),
                _ => None,
            }),
        });
    }
    hosts
}

fn apertures(tree: &Tree, node: usize) -> Vec<Aperture> {
    let (parent_cells, _) = tree.cells(tree.nodes[node].parent);
    let ranges = tree.nodes[node].property("ranges").unwrap_or_default();
    ranges
        .chunks_exact(4 * (3 + parent_cells + 2))
        .filter_map(|entry| {
            let space = number(&entry[..4]) >> 24 & 3;
            let (parent, size) = entry[12..].split_at(4 * parent_cells);
            let aperture = Aperture {
                port: space == 1,
                mapped: space == 1,
                base: number(parent),
                size: number(size),
                bus: number(&entry[4..12]),
            };
            let whole = aperture.base.checked_add(aperture.size).is_some()
                && aperture.bus.checked_add(aperture.size).is_some();
            (space != 0 && whole).then_some(aperture)
        })
        .collect()
}

/// (device, pin) → line, for the devices on the first bus.
fn interrupt_map(tree: &Tree, node: usize, notes: &mut Notes) -> BTreeMap<(u8, u8), Routing> {
    let mask = tree.nodes[node]
        .property("interrupt-map-mask")
        .map(cells)
        .unwrap_or_default();
    let (device_mask, pin_mask) = match mask[..] {
        [high, _, _, pin] => (high >> 11 & 31, pin & 7),
        _ => (31, 7),
    };
    let entries = parse_map(tree, node);
    let mut map = BTreeMap::new();
    for device in 0..32u8 {
        for pin in 1..=4u8 {
            let wanted = (device as u64 & device_mask, pin as u64 & pin_mask);
            if let Some((_, routing)) = entries.iter().find(|(place, _)| *place == wanted) {
                map.insert((device, pin - 1), *routing);
            }
        }
    }
    if map.is_empty() && tree.property(node, "interrupt-map").is_some() {
        notes.say(format!(
            "dt/{}: its interrupt map is not understood",
            tree.nodes[node].name
        ));
    }
    map
}

type Place = (u64, u64);

fn parse_map(tree: &Tree, node: usize) -> Vec<(Place, Routing)> {
    let all = tree.nodes[node]
        .property("interrupt-map")
        .map(cells)
        .unwrap_or_default();
    let mut list = Vec::new();
    // Three cells of a PCI address, and the pin.
    for entry in tree.entries(&all, 4) {
        let ended = tree.resolve(entry.controller, entry.unit, entry.specifier);
        let wire = ended.and_then(|(at, cells)| tree.wire(at, &cells));
        if let ([high, _, _, pin], Some(wire)) = (&entry.key[..], wire) {
            let routing = Routing {
                line: wire.line,
                level: wire.level,
                low: wire.low,
                source: SOURCE,
            };
            list.push(((high >> 11 & 31, *pin & 7), routing));
        }
    }
    list
}
