//! From AML: how the interrupt pins of PCI are wired (`_PRT`), and the values that switch the machine off (`_S5_`).

use super::{
    madt::Overrides,
    namespace::{wire, SOURCE},
    tables::Tables,
};
use crate::{
    aml::{resources, Aml, Error, NodeId, Value, World, ROOT},
    pci::Routing,
    Notes,
};
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

/// (device, pin) → line
pub type Map = BTreeMap<(u8, u8), Routing>;

/// The namespace of the DSDT and all SSDTs.
pub fn loaded<'a>(tables: &'a Tables, world: &mut World) -> Aml<'a> {
    let mut aml = Aml::default();
    for table in tables.all(b"DSDT").chain(tables.all(b"SSDT")) {
        aml.load(world, table);
    }
    aml
}

/// What `\_S5_` says: the values for the two control registers.
pub fn soft_off(aml: &mut Aml, world: &mut World, notes: &mut Notes) -> Option<(u64, u64)> {
    let node = aml.member(ROOT, b"_S5_")?;
    let found = aml.evaluate(world, node, &[]).and_then(|value| {
        let elements = aml.elements(world, &value)?;
        let number = |n: usize| elements.get(n).ok_or(Error::Kind)?.integer();
        Ok((number(0)?, number(1).unwrap_or(0)))
    });
    found
        .map_err(|e| notes.say(format!("acpi: \\_S5_ cannot be used: {}", e.told())))
        .ok()
}

/// The wires of one bus, as its bridge's `_PRT` has them.
pub fn table(
    aml: &mut Aml,
    world: &mut World,
    node: NodeId,
    overrides: &Overrides,
    links: &mut Links,
    notes: &mut Notes,
) -> Map {
    let mut map = Map::new();
    let value = aml.evaluate(world, node, &[]);
    let entries = match value.and_then(|value| aml.elements(world, &value)) {
        Ok(entries) => entries,
        Err(why) => {
            notes.say(format!(
                "acpi: {} cannot be used: {}",
                aml.path(node),
                why.told()
            ));
            return map;
        }
    };
    for entry in &entries {
        match route(aml, world, overrides, entry, links) {
            // The first is used, as everybody does.
            Ok((at, Some(routing))) => drop(map.entry(at).or_insert(routing)),
            // Told once, below.
            Ok((_, None)) => {}
            Err(why) => notes.say(format!(
                "acpi: an entry of {} is left out: {}",
                aml.path(node),
                why.told()
            )),
        }
    }
    for (link, known) in links.iter_mut().filter(|(_, known)| !known.told) {
        known.told = true;
        if known.routing.is_none() {
            notes.say(off(aml, world, *link, known.why));
        }
    }
    map
}

/// What link devices were found to be set to.
pub type Links = BTreeMap<NodeId, Link>;

pub struct Link {
    routing: Option<Routing>,
    /// Why there is none, where it is not just off.
    why: Option<Error>,
    told: bool,
}

/// What is said of a link that leads nowhere, with what it could be set to.
fn off(aml: &mut Aml, world: &mut World, link: NodeId, why: Option<Error>) -> String {
    let possible = aml.member(link, b"_PRS");
    let value = possible.and_then(|at| aml.evaluate(world, at, &[]).ok());
    let template = value.and_then(|value| value.bytes().ok());
    let (list, _) = resources::parse(&template.unwrap_or_default());
    let lines: Vec<String> = (list.iter())
        .filter_map(|resource| match resource {
            resources::Resource::Interrupt(found) => Some(format!("{}", found.line)),
            _ => None,
        })
        .collect();
    let state = why.map_or(String::from("it is switched off"), Error::told);
    let could = match lines.is_empty() {
        true => String::new(),
        false => format!("; it could be set to {}", lines.join(", ")),
    };
    let path = aml.path(link);
    format!(
        "acpi: the interrupt link {path} leads nowhere: {state}{could} (links are not set here)"
    )
}

type Place = (u8, u8);

/// One entry (6.2.13): address, pin, source, index.
fn route(
    aml: &mut Aml,
    world: &mut World,
    overrides: &Overrides,
    entry: &Value,
    links: &mut Links,
) -> Result<(Place, Option<Routing>), Error> {
    let parts = aml.elements(world, entry)?;
    let part = |n: usize| parts.get(n).ok_or(Error::Kind);
    let (address, pin) = (part(0)?.integer()?, part(1)?.integer()?);
    if pin > 3 || address >> 16 > 31 {
        return Err(Error::Kind);
    }
    let place = ((address >> 16) as u8, pin as u8);
    let routing = match part(2)? {
        Value::Node(link) => {
            if !links.contains_key(link) {
                let found = linked(aml, world, overrides, *link);
                let known = Link {
                    routing: found.ok().flatten(),
                    why: found.err(),
                    told: false,
                };
                links.insert(*link, known);
            }
            links.get(link).and_then(|known| known.routing)
        }
        // Wired to the line that the index names; PCI's wires are level, low.
        other if other.integer().unwrap_or(0) == 0 => Some(Routing {
            line: u32::try_from(part(3)?.integer()?).map_err(|_| Error::Kind)?,
            level: true,
            low: true,
            source: SOURCE,
        }),
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
) -> Result<Option<Routing>, Error> {
    let current = aml.member(link, b"_CRS").ok_or(Error::NoName(*b"_CRS"))?;
    let value = aml.evaluate(world, current, &[])?;
    let Some(found) = resources::interrupt(&value.bytes()?).filter(|found| found.line != 0) else {
        return Ok(None);
    };
    let (line, level, low) = wire(&found, overrides);
    Ok(Some(Routing {
        line,
        level,
        low,
        source: SOURCE,
    }))
}
