//! Addresses of components, bits of fields, and what software's accesses do to them (SystemRDL 2.0, 9 to 13).

use super::elaborate::{Elaborator, Node};
use super::evaluate::Value;
use super::tree::Kind;
use crate::rule_new::description::{Description, Field, Register, MOST};
use anyhow::{bail, Result};
use rulebook::tree::Effects;

/// Instances that are looked at, those of arrays one by one: more than any real device has.
const VISITS: u64 = 200_000;

/// The registers of a map.
///
/// # Errors
/// With line and column.
pub fn described(map: &Node, name: &str, elaborator: &Elaborator) -> Result<Description> {
    let mut layout = Layout {
        visits: VISITS,
        out: Vec::new(),
        notes: elaborator.notes.iter().cloned().collect(),
    };
    let mode = Mode {
        addressing: Addressing::Regalign,
        alignment: 1,
        msb0: false,
    };
    let placed = layout.placed(map, &mode)?;
    layout.collect(map, &placed, 0, "")?;
    let title = title(map);
    Ok(Description {
        title: if title.is_empty() { name.into() } else { title },
        registers: layout.out,
        left_out: layout.notes,
    })
}

fn title(of: &Node) -> String {
    match of.properties.get("name").or(of.properties.get("desc")) {
        Some(Value::Text(text)) => text.to_string(),
        _ => String::new(),
    }
}

fn wrong<T>(node: &Node, why: &str) -> Result<T> {
    let (line, column) = node.place;
    bail!("{line}:{column}: {}: {why}", node.name)
}

#[derive(Clone, Copy)]
enum Addressing {
    Compact,
    Regalign,
    Fullalign,
}

/// What an address map says of all that stands in it.
#[derive(Clone, Copy)]
struct Mode {
    addressing: Addressing,
    alignment: u64,
    msb0: bool,
}

impl Mode {
    fn inside(&self, of: &Node) -> Mode {
        let mut mode = match of.kind {
            Kind::Addrmap => Mode {
                addressing: match of.word("addressing") {
                    Some("compact") => Addressing::Compact,
                    Some("fullalign") => Addressing::Fullalign,
                    _ => Addressing::Regalign,
                },
                alignment: 1,
                msb0: of.flag("msb0"),
            },
            _ => *self,
        };
        mode.alignment = of.number("alignment").unwrap_or(mode.alignment).max(1);
        mode
    }
}

/// Where a component's children stand, and how large it is.
struct Placed {
    children: Vec<Place>,
    size: u64,
    mode: Mode,
}

struct Place {
    at: u64,
    step: u64,
    count: u64,
    inner: Option<Placed>,
}

fn width(of: &Node) -> u64 {
    of.number("regwidth").unwrap_or(32)
}

struct Layout {
    visits: u64,
    out: Vec<Register>,
    notes: Vec<String>,
}

impl Layout {
    fn placed(&mut self, of: &Node, around: &Mode) -> Result<Placed> {
        let mode = around.inside(of);
        let mut children = Vec::new();
        let (mut next, mut size) = (0u64, 0u64);
        for child in &of.children {
            let inner = match child.kind {
                Kind::Regfile | Kind::Addrmap => Some(self.placed(child, &mode)?),
                _ => None,
            };
            let own = match (&inner, child.kind) {
                (Some(inner), _) => inner.size,
                (None, Kind::Reg) => width(child).div_ceil(8),
                (None, Kind::Mem) => memory(child),
                (None, Kind::Signal) => 0,
                (None, _) => return wrong(child, "a field stands in a register"),
            };
            let mut count = 1u64;
            for dimension in &child.dimensions {
                count = count.saturating_mul(*dimension);
            }
            if child.kind != Kind::Signal && (count == 0 || count > MOST) {
                return wrong(child, "an array has from 1 to 4096 elements");
            }
            let step = child.step.unwrap_or(own);
            // The space behind the last element belongs to the array.
            let total = step.checked_mul(count);
            let at = match (child.at, &child.alias) {
                (Some(at), _) => Some(at),
                (None, Some(primary)) => {
                    let found = of.children.iter().position(|c| c.name == *primary);
                    let found: Option<&Place> = found.and_then(|at| children.get(at));
                    found.map(|place| place.at)
                }
                (None, None) => {
                    let align = alignment(child, own, total.unwrap_or(own), &mode);
                    let next = if of.flag("bridge") { 0 } else { next };
                    next.checked_next_multiple_of(align)
                }
            };
            let end = at.and_then(|at| at.checked_add(total?));
            let (Some(at), Some(end)) = (at, end) else {
                return wrong(child, "its address does not fit into 64 bits");
            };
            if child.kind != Kind::Signal {
                next = end;
                size = size.max(end);
            }
            children.push(Place {
                at,
                step,
                count,
                inner,
            });
        }
        Ok(Placed {
            children,
            size,
            mode,
        })
    }

    fn collect(&mut self, of: &Node, placed: &Placed, base: u64, prefix: &str) -> Result<()> {
        let mut order: Vec<usize> = (0..of.children.len()).collect();
        order.sort_by_key(|at| placed.children.get(*at).map(|place| place.at));
        for (child, place) in order
            .iter()
            .filter_map(|at| Some((of.children.get(*at)?, placed.children.get(*at)?)))
        {
            let Some(left) = self.visits.checked_sub(1) else {
                return wrong(child, "the description has too many instances");
            };
            self.visits = left;
            let absent = child.number("ispresent") == Some(0);
            if child.kind == Kind::Signal || absent {
                continue;
            }
            let Some(at) = base.checked_add(place.at) else {
                return wrong(child, "its address does not fit into 64 bits");
            };
            match (child.kind, &place.inner) {
                (Kind::Mem, _) => self.leave(
                    child,
                    &format!(
                        "memory {prefix}{} at {at:#x}, {} bytes",
                        child.name, place.step
                    ),
                ),
                (_, None) => self.register(child, place, at, prefix, &placed.mode),
                (_, Some(inner)) => {
                    for number in 0..place.count {
                        let name = format!("{prefix}{}{}_", child.name, index(child, number));
                        let base = number.checked_mul(place.step);
                        let Some(base) = base.and_then(|offset| at.checked_add(offset)) else {
                            return wrong(child, "its address does not fit into 64 bits");
                        };
                        let Some(left) = self.visits.checked_sub(1) else {
                            return wrong(child, "the description has too many instances");
                        };
                        self.visits = left;
                        self.collect(child, inner, base, &name)?;
                    }
                }
            }
            if self.out.len() as u64 > MOST {
                return wrong(child, "more than 4096 registers");
            }
        }
        Ok(())
    }

    fn leave(&mut self, node: &Node, what: &str) {
        let (line, column) = node.place;
        if self.notes.len() < 200 {
            self.notes.push(format!("{line}:{column}: {what}"));
        }
    }

    fn register(&mut self, of: &Node, place: &Place, offset: u64, prefix: &str, mode: &Mode) {
        let bits = width(of);
        let mut register = Register {
            name: format!("{prefix}{}", of.name),
            offset,
            bits,
            several: (!of.dimensions.is_empty()).then_some((place.count, place.step)),
            effects: 0,
            text: title(of),
            fields: Vec::new(),
            unknown: Vec::new(),
            place: of.place,
        };
        if let Err(why) = register.check() {
            return self.leave(of, &format!("left out: {why}"));
        }
        let falling = of
            .children
            .iter()
            .filter_map(|f| f.range)
            .find(|(a, b)| a != b)
            .map_or(mode.msb0, |(a, b)| a < b);
        let mut next = if falling { bits } else { 0 };
        for child in &of.children {
            if child.kind != Kind::Field {
                continue;
            }
            let span = span(child, falling, &mut next);
            if child.number("ispresent") == Some(0) {
                continue;
            }
            let field = span.and_then(|(low, width)| {
                let (effects, why) = (effects(child, &mut register.unknown), &mut register.unknown);
                let field = Field {
                    name: child.name.clone(),
                    low,
                    width,
                    effects: effects?,
                    reset: child.properties.get("reset").and_then(Value::number),
                    values: match child.properties.get("encode") {
                        Some(Value::Enumeration(values)) => values.to_vec(),
                        _ => Vec::new(),
                    },
                };
                named(&field, why);
                Ok(field)
            });
            match field {
                Ok(field) => register.fields.push(field),
                Err(why) => {
                    self.leave(
                        child,
                        &format!("left out: {}.{}: {why}", of.name, child.name),
                    );
                    continue;
                }
            }
            if let Err(why) = register.check() {
                register.fields.pop();
                self.leave(child, &format!("left out: {why}"));
            }
        }
        register.fields.sort_by_key(|field| field.low);
        // What holds for all of them holds for the register.
        let all = register.fields.iter().map(|f| f.effects);
        let common = all.reduce(|a, b| a & b).unwrap_or(0);
        register.effects = common & (Effects::RO | Effects::WO);
        self.out.push(register);
    }
}

/// How the names of an array's element end: `3`, or `1_3` of more dimensions.
fn index(of: &Node, mut number: u64) -> String {
    let mut all = Vec::new();
    for dimension in of.dimensions.iter().rev() {
        all.push((number % dimension.max(&1)).to_string());
        number /= dimension.max(&1);
    }
    all.reverse();
    all.join("_")
}

/// Bytes of a memory.
fn memory(of: &Node) -> u64 {
    let widest = of.children.iter().map(|c| width(c)).max();
    let bits = of.number("memwidth").or(widest).unwrap_or(32);
    let entries = of.number("mementries").unwrap_or(1);
    entries.saturating_mul(power(bits.div_ceil(8)))
}

fn power(size: u64) -> u64 {
    size.max(1).checked_next_power_of_two().unwrap_or(1)
}

fn alignment(of: &Node, size: u64, total: u64, mode: &Mode) -> u64 {
    let by_mode = match mode.addressing {
        Addressing::Compact if of.kind == Kind::Reg => {
            of.number("accesswidth").unwrap_or(width(of)) / 8
        }
        Addressing::Compact => 1,
        Addressing::Regalign => power(size),
        Addressing::Fullalign => power(total),
    };
    by_mode.max(mode.alignment).max(of.align.unwrap_or(1))
}

/// The lowest bit and the width of a field.
fn span(of: &Node, falling: bool, next: &mut u64) -> Result<(u64, u64), String> {
    let wide = of.number("fieldwidth").unwrap_or(1);
    let width = of.dimensions.first().copied().unwrap_or(wide);
    let (low, width) = match of.range {
        Some((a, b)) => (a.min(b), (a.max(b) - a.min(b)).saturating_add(1)),
        None if falling => match next.checked_sub(width) {
            Some(low) => (low, width),
            None => return Err("it extends below bit 0".into()),
        },
        None => (*next, width),
    };
    *next = if falling {
        low
    } else {
        low.saturating_add(width)
    };
    Ok((low, width))
}

fn named(field: &Field, notes: &mut Vec<String>) {
    if !field.values.is_empty() {
        let all = field.values.iter().take(64);
        let all: Vec<String> = all.map(|(name, n)| format!("{n} {name}")).collect();
        notes.push(format!("{}: {}", field.name, all.join(", ")));
    }
}

/// What accesses of software do to a field (SystemRDL 2.0, 9.6).
fn effects(field: &Node, unknown: &mut Vec<String>) -> Result<u16, String> {
    let mut effects = match field.word("sw") {
        None | Some("rw" | "wr" | "rw1") => 0,
        Some("r") => Effects::RO,
        Some("w" | "w1") => Effects::WO,
        Some("na") => {
            unknown.push(format!("TODO {}: software has no access", field.name));
            Effects::RO
        }
        Some(other) => return Err(format!("`sw = {other}` is no access")),
    };
    match field.word("onread") {
        Some("rclr") => effects |= Effects::RC,
        Some("ruser") => effects |= Effects::POP,
        Some("rset") => unknown.push(format!("TODO reading {} sets it", field.name)),
        Some(other) => unknown.push(format!("TODO reading {}: {other}", field.name)),
        None => {}
    }
    match field.word("onwrite") {
        Some("woclr") => effects |= Effects::W1C,
        Some("woset") => effects |= Effects::W1S,
        Some(other) => unknown.push(format!("TODO writing {}: {other}", field.name)),
        None => {}
    }
    if field.flag("singlepulse") {
        effects |= Effects::SC;
    }
    Ok(effects)
}
