//! PCI host bridges (ACPI 6.5, 6.1.5 `_BBN`, 6.5.6 `_SEG`; PCI Firmware 3.3, 4.1).

use super::{
    madt::Overrides,
    mcfg::Spaces,
    namespace::{path, Found, SOURCE},
    routing::{self, Map},
};
use crate::{
    aml::{resources::Resource, Aml, NodeId, World},
    pci::{Address, Aperture, Host},
    Notes,
};
use alloc::{boxed::Box, collections::BTreeMap, format, string::String, vec::Vec};

/// Further host bridges are left out.
const MOST: usize = 64;

/// The host bridges, and the paths of those PCI functions that the namespace names directly below them.
pub struct Hosts<'a> {
    pub list: Vec<Host<'a>>,
    pub functions: BTreeMap<NodeId, String>,
}

/// Every host bridge whose configuration space can be reached. `each` is told of every `_PRT` that is used.
pub fn hosts<'a>(
    aml: &mut Aml,
    world: &mut World,
    found: &[Found],
    (overrides, told): (&Overrides, bool),
    mut each: impl FnMut(&str, &Map),
    notes: &mut Notes,
) -> Hosts<'a> {
    let mut hosts = Hosts {
        list: Vec::new(),
        functions: BTreeMap::new(),
    };
    let mut links = BTreeMap::new();
    for (index, bridge) in found.iter().enumerate().filter(|(_, f)| f.is_host()) {
        if hosts.list.len() == MOST {
            notes.say(format!("acpi: more than {MOST} PCI host bridges"));
            break;
        }
        let mut wires = Wires::new();
        for (place, inner) in below(found, index) {
            // Untold of its interrupt controllers, firmware may name the lines of the old one.
            let Some(table) = aml.member(inner, b"_PRT") else {
                continue;
            };
            if !told {
                let path = aml.path(table);
                notes.say(format!("acpi: {path} is not used, since \\_PIC failed"));
            } else {
                let map = routing::table(aml, world, table, overrides, &mut links, notes);
                each(&aml.path(inner), &map);
                wires.insert(place, map);
            }
        }
        let Some(host) = host(aml, world, bridge, wires, notes) else {
            continue;
        };
        for child in found.iter().filter(|f| f.parent == Some(index)) {
            if let Some((device, function)) = child.address.and_then(place) {
                let address = Address {
                    bus: host.first_bus,
                    device,
                    function,
                };
                hosts.functions.insert(child.node, host.name(address));
            }
        }
        hosts.list.push(host);
    }
    limit(&mut hosts.list);
    // Firmware whose namespace cannot be used at all may still have PCI.
    if found.is_empty() {
        hosts.list.extend(unnamed(world.spaces));
    }
    hosts
}

/// Tables of wires by the bridges (device, function) down to their bus.
type Wires = BTreeMap<Vec<(u8, u8)>, Map>;

fn host<'a>(
    aml: &mut Aml,
    world: &mut World,
    bridge: &Found,
    wires: Wires,
    notes: &mut Notes,
) -> Option<Host<'a>> {
    let segment = aml.number(world, bridge.node, b"_SEG").unwrap_or(0) as u16;
    let buses = bridge.resources.iter().find_map(|r| match r {
        Resource::Buses(first, last) => Some((*first, *last)),
        _ => None,
    });
    let first = aml
        .number(world, bridge.node, b"_BBN")
        .or(buses.map(|(first, _)| first))
        .unwrap_or(0);
    let first_bus = u8::try_from(first).ok()?;
    let Some(config) = world.spaces.of(segment, first_bus) else {
        notes.say(format!(
            "{}: nothing says how its configuration space is reached (segment {segment:x}, bus {first_bus:02x})",
            path(aml, bridge.node)
        ));
        return None;
    };
    let reached = match config {
        crate::pci::Config::Mapped { last, .. } => last,
        _ => 255,
    };
    let last = buses.map_or(255, |(_, last)| last.min(255) as u8);
    Some(Host {
        path: path(aml, bridge.node),
        segment,
        source: SOURCE,
        config,
        first_bus,
        last_bus: last.min(reached).max(first_bus),
        apertures: bridge.resources.iter().filter_map(aperture).collect(),
        routings: Box::new(move |bridges, device, pin| {
            wires.get(bridges)?.get(&(device, pin)).copied()
        }),
    })
}

/// What a host bridge passes on.
fn aperture(resource: &Resource) -> Option<Aperture> {
    let (range, port) = match resource {
        Resource::Memory(range) => (range, false),
        Resource::Ports(range) => (range, true),
        _ => return None,
    };
    let base = range.base.wrapping_add(range.offset);
    let whole = base.checked_add(range.size).is_some();
    // Memory that is reached by ports is nothing that anything has.
    let odd = range.translated && !port;
    (range.produced && whole && !odd).then_some(Aperture {
        port,
        base,
        size: range.size,
        bus: range.base,
        mapped: port && range.translated,
    })
}

/// A host bridge ends where the next one of its segment begins.
fn limit(list: &mut [Host]) {
    let firsts: Vec<(u16, u8)> = list.iter().map(|h| (h.segment, h.first_bus)).collect();
    for host in list {
        let next = firsts
            .iter()
            .filter(|(segment, first)| *segment == host.segment && *first > host.first_bus)
            .map(|(_, first)| *first)
            .min();
        if let Some(next) = next {
            host.last_bus = host.last_bus.min(next - 1);
        }
    }
}

/// The bridge itself and the PCI bridges below it: the way down, and the node.
fn below(found: &[Found], host: usize) -> Vec<(Vec<(u8, u8)>, NodeId)> {
    let mut ways: Vec<(usize, Vec<(u8, u8)>)> = Vec::from([(host, Vec::new())]);
    // Parents stand before their children.
    for (index, inner) in found.iter().enumerate().skip(host + 1) {
        let Some(here) = inner.address.and_then(place) else {
            continue;
        };
        let above = ways.iter().find(|(at, _)| Some(*at) == inner.parent);
        if let Some((_, way)) = above.filter(|(_, way)| way.len() < 16) {
            let mut way = way.clone();
            way.push(here);
            ways.push((index, way));
        }
    }
    ways.into_iter()
        .filter_map(|(index, way)| Some((way, found.get(index)?.node)))
        .collect()
}

/// Device and function of an `_ADR` (6.1.1).
fn place(address: u64) -> Option<(u8, u8)> {
    let (device, function) = (address >> 16, address & 0xffff);
    (device < 32 && function < 8).then_some((device as u8, function as u8))
}

/// One host bridge for each space, where no namespace names any.
fn unnamed<'a>(spaces: &Spaces) -> Vec<Host<'a>> {
    let host = |(segment, first_bus, last_bus): (u16, u8, u8)| {
        Some(Host {
            path: String::from("acpi/PCI"),
            segment,
            source: machine::Source::Firmware(*b"MCFG"),
            config: spaces.of(segment, first_bus)?,
            first_bus,
            last_bus,
            apertures: Vec::new(),
            routings: Box::new(|_, _, _| None),
        })
    };
    spaces.all().into_iter().filter_map(host).collect()
}
