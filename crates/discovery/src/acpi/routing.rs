//! PCI's wires and the way to switch off, from AML.

use super::{madt::Overrides, tables::Tables};
use crate::{
    aml::{resources, Aml, Error, NodeId, Value, World},
    hardware::Hardware,
    pci::{Config, Routing},
    Notes,
};
use alloc::{collections::BTreeMap, format, vec::Vec};
use machine::Source;

const SOURCE: Source = Source::Firmware(*b"DSDT");

/// (device, pin) → line
pub type Map = BTreeMap<(u8, u8), Routing>;

/// The namespace of the DSDT and all SSDTs.
pub fn loaded<'a>(tables: &'a Tables, notes: &mut Notes) -> Aml<'a> {
    let mut aml = Aml::new();
    for table in tables.all(b"DSDT").chain(tables.all(b"SSDT")) {
        aml.load(table);
    }
    for note in aml.notes.drain(..) {
        notes.say(note);
    }
    aml
}

/// What `\_S5_` says: the values for the two control registers.
pub fn soft_off(
    aml: &mut Aml,
    hardware: &mut dyn Hardware,
    config: &Config,
    notes: &mut Notes,
) -> Option<(u64, u64)> {
    let node = aml.member(0, b"_S5_")?;
    let mut world = World { hardware, config };
    let found = aml.evaluate(&mut world, node, &[]).and_then(|value| {
        let elements = value.elements()?;
        let number = |n: usize| elements.get(n).ok_or(Error::Kind)?.integer();
        Ok((number(0)?, number(1).unwrap_or(0)))
    });
    found
        .map_err(|e| notes.say(format!("acpi: \\_S5_ cannot be used: {e:?}")))
        .ok()
}

/// Where the pins of the first host bridge's devices end.
pub fn routings(
    aml: &mut Aml,
    hardware: &mut dyn Hardware,
    config: &Config,
    overrides: &Overrides,
    notes: &mut Notes,
) -> Map {
    let mut map = Map::new();
    let mut world = World { hardware, config };
    // 5.8.1: the machine is told which kind of interrupt controller is in use.
    if let Some(node) = aml.member(0, b"_PIC") {
        if let Err(why) = aml.evaluate(&mut world, node, &[Value::Integer(1)]) {
            notes.say(format!("acpi: \\_PIC failed: {why:?}"));
        }
    }
    let hosts: Vec<NodeId> = aml
        .devices()
        .filter(|device| aml.member(*device, b"_PRT").is_some())
        .collect();
    let Some(host) = hosts.first().copied() else {
        return map;
    };
    if hosts.len() > 1 {
        notes.say(format!(
            "acpi: only the wires of {} are used, not those of {} other bridges",
            aml.path(host),
            hosts.len() - 1
        ));
    }
    let Some(table) = aml.member(host, b"_PRT") else {
        return map;
    };
    let entries = match aml
        .evaluate(&mut world, table, &[])
        .and_then(|value| value.elements())
    {
        Ok(entries) => entries,
        Err(why) => {
            notes.say(format!(
                "acpi: {}._PRT cannot be used: {why:?}",
                aml.path(host)
            ));
            return map;
        }
    };
    let mut links = BTreeMap::new();
    for entry in &entries {
        match route(aml, &mut world, overrides, entry, &mut links) {
            Ok((at, routing)) => drop(map.insert(at, routing)),
            Err(why) => notes.say(format!(
                "acpi: an entry of {}._PRT is left out: {why:?}",
                aml.path(host)
            )),
        }
    }
    map
}

type Place = (u8, u8);

/// One entry (6.2.13): address, pin, source, index.
fn route(
    aml: &mut Aml,
    world: &mut World,
    overrides: &Overrides,
    entry: &Value,
    links: &mut BTreeMap<NodeId, Result<Routing, Error>>,
) -> Result<(Place, Routing), Error> {
    let parts = entry.elements()?;
    let part = |n: usize| parts.get(n).ok_or(Error::Kind);
    let (address, pin) = (part(0)?.integer()?, part(1)?.integer()?);
    if pin > 3 || address >> 16 > 31 {
        return Err(Error::Kind);
    }
    let place = ((address >> 16) as u8, pin as u8);
    let routing = match part(2)? {
        Value::Node(link) => match links.get(link) {
            Some(known) => (*known)?,
            None => {
                let found = linked(aml, world, overrides, *link);
                links.insert(*link, found);
                found?
            }
        },
        // Wired to the line that the index names; PCI's wires are level, low.
        other if other.integer().unwrap_or(0) == 0 => Routing {
            line: u32::try_from(part(3)?.integer()?).map_err(|_| Error::Kind)?,
            level: true,
            low: true,
            source: SOURCE,
        },
        _ => return Err(Error::Kind),
    };
    Ok((place, routing))
}

/// What a link device is set to.
fn linked(
    aml: &mut Aml,
    world: &mut World,
    overrides: &Overrides,
    link: NodeId,
) -> Result<Routing, Error> {
    let current = aml.member(link, b"_CRS").ok_or(Error::NoName(*b"_CRS"))?;
    let value = aml.evaluate(world, current, &[])?;
    let found = resources::interrupt(value.bytes()?).ok_or(Error::Kind)?;
    // A link that ends at an ISA wire is what the override of that wire says.
    let (line, level, low) = match found.line {
        0..=15 => {
            let (line, level, low) = overrides.of(found.line);
            match (line, level, low) {
                (same, false, false) if same == found.line => (found.line, found.level, found.low),
                other => other,
            }
        }
        _ => (found.line, found.level, found.low),
    };
    Ok(Routing {
        line,
        level,
        low,
        source: SOURCE,
    })
}
