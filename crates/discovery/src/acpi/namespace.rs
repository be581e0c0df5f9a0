//! The devices that the namespace lists (6.1 identification, 6.2 configuration): each becomes one of the model's.

use super::madt::Overrides;
use crate::{
    aml::{
        resources::{self, Interrupt, Resource},
        Aml, Error, NodeId, Value, World,
    },
    Notes,
};
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use machine::{Device, Fact, Source, Window, WindowKind, Wire};

pub const SOURCE: Source = Source::Firmware(*b"DSDT");
/// Further devices are left out.
const MOST: usize = 1024;
/// More windows of one device are not believed.
const MOST_WINDOWS: usize = 64;
/// Processors and what holds them: the table of interrupt controllers names these.
const PROCESSORS: [&str; 2] = ["ACPI0007", "ACPI0010"];
/// Devices whose address ranges are passed on to what is below them (PCI and other bus bridges, modules).
const BRIDGES: [&str; 5] = ["PNP0A03", "PNP0A08", "PNP0A05", "PNP0A06", "ACPI0004"];
/// What a PC's board keeps for itself: these overlap with what has a name of its own.
const BOARD: [&str; 2] = ["PNP0C01", "PNP0C02"];
/// What calls itself a PCI host bridge.
const HOSTS: [&str; 2] = ["PNP0A03", "PNP0A08"];

/// One device of the namespace that is there.
pub struct Found {
    pub node: NodeId,
    pub hid: Option<String>,
    pub cid: Vec<String>,
    pub uid: Option<machine::Value>,
    /// `_ADR`: where it is on the bus above.
    pub address: Option<u64>,
    pub resources: Vec<Resource>,
    /// Index of the device it is below.
    pub parent: Option<usize>,
}

impl Found {
    pub fn is(&self, wanted: &[&str]) -> bool {
        self.hid
            .iter()
            .chain(&self.cid)
            .any(|id| wanted.contains(&id.as_str()))
    }
    pub fn is_host(&self) -> bool {
        self.is(&HOSTS)
    }
}

/// Every device that is there, parents before their children.
pub fn walk(aml: &mut Aml, world: &mut World, notes: &mut Notes) -> Vec<Found> {
    let mut list: Vec<Found> = Vec::new();
    // Nodes to look at, with the device they are below.
    let mut rest = Vec::from([(crate::aml::ROOT, None)]);
    while let Some((at, parent)) = rest.pop() {
        let mut parent: Option<usize> = parent;
        if aml.is_device(at) {
            match status(aml, world, at) {
                Ok(flags) if flags & 9 == 0 => continue,
                Ok(flags) => {
                    let found = identify(aml, world, at, parent, flags & 1 != 0, notes);
                    if found.is(&PROCESSORS) {
                        continue;
                    }
                    if list.len() == MOST {
                        notes.say(format!("acpi: more than {MOST} devices"));
                        return list;
                    }
                    parent = Some(list.len());
                    list.push(found);
                }
                Err(why) => {
                    notes.say(format!(
                        "acpi: {} is left out, its _STA cannot be used: {}",
                        aml.path(at),
                        why.told()
                    ));
                    continue;
                }
            }
        }
        let from = rest.len();
        rest.extend(aml.holders(at).map(|child| (child, parent)));
        // The first is looked at first.
        if let Some(new) = rest.get_mut(from..) {
            new.reverse();
        }
    }
    list
}

/// 6.3.7: bit 0 present, bit 3 working. Without the name, both.
pub fn status(aml: &mut Aml, world: &mut World, node: NodeId) -> Result<u64, Error> {
    match aml.member(node, b"_STA") {
        Some(at) => aml.evaluate(world, at, &[])?.integer(),
        None => Ok(0xf),
    }
}

fn identify(
    aml: &mut Aml,
    world: &mut World,
    node: NodeId,
    parent: Option<usize>,
    present: bool,
    notes: &mut Notes,
) -> Found {
    let mut of = |name: &[u8; 4]| -> Option<Value> {
        let at = aml.member(node, name)?;
        match aml.evaluate(world, at, &[]) {
            Ok(value) => Some(value),
            Err(why) => {
                notes.say(format!(
                    "acpi: {} cannot be used: {}",
                    aml.path(at),
                    why.told()
                ));
                None
            }
        }
    };
    let hid = of(b"_HID").and_then(|value| id(&value));
    let cids = of(b"_CID");
    let uid = of(b"_UID").and_then(|value| match value {
        Value::Text(_) => Some(machine::Value::Text(readable(&value.bytes().ok()?))),
        other => other.integer().ok().map(machine::Value::Number),
    });
    let address = of(b"_ADR").and_then(|value| value.integer().ok());
    let processor = hid.as_deref().is_some_and(|id| PROCESSORS.contains(&id));
    let template = if present && !processor {
        of(b"_CRS")
    } else {
        None
    };
    let cid = match cids {
        Some(package @ Value::Package(_)) => {
            let list = aml.elements(world, &package).unwrap_or_default();
            list.iter().take(16).filter_map(id).collect()
        }
        other => other.iter().filter_map(id).collect(),
    };
    let resources = template.map_or_else(Vec::new, |value| {
        let (list, whole) = resources::parse(&value.bytes().unwrap_or_default());
        if !whole {
            notes.say(format!(
                "acpi: {}._CRS ends inside of something",
                aml.path(node)
            ));
        }
        list
    });
    Found {
        node,
        hid,
        cid,
        uid,
        address,
        resources,
        parent,
    }
}

/// An ID as text (without the asterisk and the small letters that some firmware writes), or packed into a number (19.3.4, `EISAID`): three letters of five bits, four digits.
fn id(value: &Value) -> Option<String> {
    match value {
        Value::Text(_) => {
            let text = readable(&value.bytes().ok()?).to_ascii_uppercase();
            Some(String::from(text.strip_prefix('*').unwrap_or(&text)))
        }
        Value::Integer(packed) => {
            let word = u32::try_from(*packed).ok()?.swap_bytes();
            let letter = |shift: u32| char::from(0x40 + (word >> shift & 31) as u8);
            Some(format!(
                "{}{}{}{:04X}",
                letter(26),
                letter(21),
                letter(16),
                word & 0xffff
            ))
        }
        _ => None,
    }
}

fn readable(text: &[u8]) -> String {
    text.iter()
        .take(64)
        .map(|b| match b {
            0x20..=0x7e => char::from(*b),
            _ => '?',
        })
        .collect()
}

/// Where a wire ends that a template names.
pub fn wire(found: &Interrupt, overrides: &Overrides) -> (u32, bool, bool) {
    if !found.isa {
        return (found.line, found.level, found.low);
    }
    // What overrides the wire says how it is wired; else what the template says, else what ISA always had.
    match overrides.find(found.line) {
        Some(other) => other,
        None if found.said => (found.line, found.level, found.low),
        None => (found.line, false, false),
    }
}

/// Puts what was found into the model: what the board keeps for itself last, so that it loses where others claim the same.
pub fn add(
    devices: &mut Vec<Device>,
    aml: &Aml,
    list: &[Found],
    overrides: &Overrides,
    functions: &BTreeMap<NodeId, String>,
    notes: &mut Notes,
) {
    let fixed = devices.len();
    let named = |board| {
        let wanted = move |found: &&Found| found.hid.is_some() && found.is(&BOARD) == board;
        list.iter().filter(wanted)
    };
    for found in named(false).chain(named(true)) {
        let mut device = Device::new(path(aml, found.node), "platform");
        device.facts = facts(aml, found);
        windows(&mut device, found, notes);
        device.wires = wires(found, overrides);
        device.parent = parent(aml, list, found, functions);
        let board = found.is(&BOARD);
        // A table of its own that names the same place tells more: this adds to it.
        let tables = devices.get_mut(..fixed).unwrap_or_default();
        let same = tables.iter_mut().find(|d| overlap(d, &device).is_some());
        if let (Some(same), false) = (same, board) {
            merge(same, device);
            continue;
        }
        if let Some((other, at)) = devices.iter().find_map(|d| Some((d, overlap(d, &device)?))) {
            if !board {
                notes.say(format!(
                    "{} and {} both claim {at:#x}: the second does not get it",
                    other.path, device.path
                ));
            }
            device
                .windows
                .retain(|w| !devices.iter().flat_map(|d| &d.windows).any(|o| touch(o, w)));
        }
        devices.push(device);
    }
}

fn touch(a: &Window, b: &Window) -> bool {
    a.kind == b.kind
        && a.base < b.base.saturating_add(b.size)
        && b.base < a.base.saturating_add(a.size)
}

/// Where two devices claim the same place.
fn overlap(a: &Device, b: &Device) -> Option<u64> {
    a.windows.iter().find_map(|x| {
        b.windows
            .iter()
            .find(|y| touch(x, y))
            .map(|y| x.base.max(y.base))
    })
}

fn merge(same: &mut Device, device: Device) {
    for fact in device.facts {
        if same.fact(&fact.name).is_none() {
            same.facts.push(fact);
        }
    }
    for mut window in device.windows {
        if !same.windows.iter().any(|w| touch(w, &window)) {
            window.index = same.windows.len() as u8;
            same.windows.push(window);
        }
    }
    if same.wires.is_empty() {
        same.wires = device.wires;
    }
    if same.parent.is_none() {
        same.parent = device.parent;
    }
}

/// `acpi/\_SB.PCI0`
pub fn path(aml: &Aml, node: NodeId) -> String {
    format!("acpi/{}", aml.path(node))
}

fn facts(aml: &Aml, found: &Found) -> Vec<Fact> {
    let fact = |name: &str, value| Fact {
        name: String::from(name),
        value,
        source: SOURCE,
    };
    let mut facts = Vec::new();
    if let Some(hid) = &found.hid {
        facts.push(fact("hid", machine::Value::Text(hid.clone())));
    }
    if !found.cid.is_empty() {
        facts.push(fact("cid", machine::Value::Texts(found.cid.clone())));
    }
    facts.extend(found.uid.clone().map(|uid| fact("uid", uid)));
    facts.push(fact("name", machine::Value::Text(aml.path(found.node))));
    facts
}

fn windows(device: &mut Device, found: &Found, notes: &mut Notes) {
    let bridge = found.is(&BRIDGES);
    for resource in &found.resources {
        let (kind, range) = match resource {
            Resource::Memory(range) => (WindowKind::Memory, range),
            Resource::Ports(range) => (WindowKind::Port, range),
            _ => continue,
        };
        let base = range.base.wrapping_add(range.offset);
        let whole = base.checked_add(range.size).is_some();
        let within = kind == WindowKind::Memory || base.saturating_add(range.size) <= 1 << 16;
        if bridge && range.produced {
            continue;
        }
        if !whole || !within || device.windows.len() == MOST_WINDOWS {
            notes.say(format!(
                "{}: the range at {base:#x} is left out",
                device.path
            ));
            continue;
        }
        device.windows.push(Window {
            index: device.windows.len() as u8,
            kind,
            base,
            size: range.size,
            source: SOURCE,
        });
    }
}

fn wires(found: &Found, overrides: &Overrides) -> Vec<Wire> {
    let mut wires = Vec::new();
    for resource in &found.resources {
        if let Resource::Interrupt(interrupt) = resource {
            let (line, level, low) = wire(interrupt, overrides);
            wires.push(Wire {
                line,
                level,
                low,
                source: SOURCE,
                pin: 0,
            });
        }
    }
    wires
}

/// The nearest device above that has an ID, or is a PCI function whose place is known.
fn parent(
    aml: &Aml,
    list: &[Found],
    found: &Found,
    functions: &BTreeMap<NodeId, String>,
) -> Option<String> {
    let mut at = found.parent;
    // Parents stand before their children, so this ends.
    while let Some(above) = at.and_then(|index| list.get(index)) {
        if above.hid.is_some() {
            return Some(path(aml, above.node));
        }
        if let Some(function) = functions.get(&above.node) {
            return Some(function.clone());
        }
        at = above.parent;
    }
    None
}
