//! CMSIS-SVD (Arm, CMSIS-SVD schema 1.3): one peripheral of a device description.

use super::description::{Description, Field, Register, MOST};
use anyhow::{bail, Context, Result};
use roxmltree::{Document, Node, ParsingOptions};
use rulebook::tree::Effects;

/// Most elements and texts of a file.
const NODES: u32 = 4_000_000;

/// Reads the peripheral of this name; the only one, if none is named.
///
/// # Errors
/// With line and column, when the file is no such description or says what no rule can say.
pub fn read(text: &str, wanted: Option<&str>) -> Result<Description> {
    let options = ParsingOptions {
        nodes_limit: NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).context("this is no XML")?;
    let root = document.root_element();
    if !root.has_tag_name("device") {
        return at(
            root,
            format!(
                "<{}> is no SVD file: <device> is expected",
                root.tag_name().name()
            ),
        );
    }
    let peripherals: Vec<Node> = child(root, "peripherals")
        .map(|list| elements(list, "peripheral").collect())
        .unwrap_or_default();
    let names: Vec<&str> = peripherals
        .iter()
        .filter_map(|p| word(*p, "name"))
        .collect();
    let found = match wanted {
        Some(name) => peripherals.iter().find(|p| word(**p, "name") == Some(name)),
        None if peripherals.len() == 1 => peripherals.first(),
        None => None,
    };
    let Some(peripheral) = found else {
        bail!(
            "name one of its peripherals with --peripheral: {}",
            names.join(", ")
        );
    };
    let base = match peripheral.attribute("derivedFrom") {
        None => *peripheral,
        Some(from) => match peripherals.iter().find(|p| word(**p, "name") == Some(from)) {
            Some(base) => *base,
            None => {
                return at(
                    *peripheral,
                    format!("it is derived from {from:?}, which is not there"),
                )
            }
        },
    };
    let mut reader = Reader {
        registers: Vec::new(),
        elements: 0,
    };
    let outer = Outer::default().with(root)?.with(base)?.with(*peripheral)?;
    let list = child(*peripheral, "registers").or(child(base, "registers"));
    let Some(list) = list else {
        return at(*peripheral, "it has no <registers>".into());
    };
    reader.list(list, &outer, 0, "", 0)?;
    let title = word(*peripheral, "description").or(word(base, "description"));
    Ok(Description {
        title: title
            .or(word(*peripheral, "name"))
            .unwrap_or_default()
            .into(),
        registers: reader.registers,
        left_out: Vec::new(),
    })
}

/// What registers inherit.
#[derive(Clone, Copy, Default)]
struct Outer<'a> {
    size: Option<u64>,
    access: Option<&'a str>,
}

impl<'a> Outer<'a> {
    fn with(self, node: Node<'a, '_>) -> Result<Outer<'a>> {
        Ok(Outer {
            size: number(node, "size")?.or(self.size),
            access: word(node, "access").or(self.access),
        })
    }
}

struct Reader {
    registers: Vec<Register>,
    elements: u64,
}

impl Reader {
    fn list(
        &mut self,
        list: Node,
        outer: &Outer,
        base: u64,
        prefix: &str,
        depth: u32,
    ) -> Result<()> {
        if depth > 8 {
            return at(list, "clusters nest more than 8 deep".into());
        }
        for node in list.children().filter(Node::is_element) {
            match node.tag_name().name() {
                "register" => self.register(list, node, outer, base, prefix)?,
                "cluster" => self.cluster(node, outer, base, prefix, depth)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Its registers, once for each of it.
    fn cluster(
        &mut self,
        node: Node,
        outer: &Outer,
        base: u64,
        prefix: &str,
        depth: u32,
    ) -> Result<()> {
        let name = word(node, "name").unwrap_or_default();
        let offset = required(node, "addressOffset")?;
        let (count, step) = several(node)?.unwrap_or((1, 0));
        let outer = outer.with(node)?;
        for number in 0..count {
            self.count(node)?;
            let Some(base) = step
                .checked_mul(number)
                .and_then(|o| o.checked_add(offset)?.checked_add(base))
            else {
                return at(node, "its address does not fit into 64 bits".into());
            };
            let name = match count {
                1 => name.replace("[%s]", "").replace("%s", ""),
                _ => name
                    .replace("[%s]", "%s")
                    .replace("%s", &number.to_string()),
            };
            self.list(node, &outer, base, &format!("{prefix}{name}_"), depth + 1)?;
        }
        Ok(())
    }

    fn count(&mut self, node: Node) -> Result<()> {
        self.elements += 1;
        if self.elements > MOST {
            return at(node, format!("more than {MOST} registers"));
        }
        Ok(())
    }

    fn register(
        &mut self,
        list: Node,
        node: Node,
        outer: &Outer,
        base: u64,
        prefix: &str,
    ) -> Result<()> {
        self.count(node)?;
        // What is not said here is said there.
        let from = match node.attribute("derivedFrom") {
            None => node,
            Some(from) => match elements(list, "register").find(|r| word(*r, "name") == Some(from))
            {
                Some(from) => from,
                None => {
                    return at(
                        node,
                        format!("it is derived from {from:?}, which is not beside it"),
                    )
                }
            },
        };
        let outer = outer.with(from)?.with(node)?;
        let Some(offset) = required(node, "addressOffset")?.checked_add(base) else {
            return at(node, "its address does not fit into 64 bits".into());
        };
        let several = several(node)?;
        if several.is_some_and(|(n, _)| n > MOST) {
            return at(node, format!("more than {MOST} registers"));
        }
        let name = word(node, "name").unwrap_or_default();
        let name = name.replace("[%s]", "").replace("%s", "");
        let mut register = Register {
            name: format!("{prefix}{name}"),
            offset,
            bits: outer.size.unwrap_or(32),
            several,
            effects: 0,
            text: word(node, "description")
                .or(word(from, "description"))
                .unwrap_or_default()
                .into(),
            fields: Vec::new(),
            unknown: Vec::new(),
            place: place(node),
        };
        register.effects = access(node, outer.access)? | effects(from, &mut register.unknown);
        let fields = child(node, "fields").or(child(from, "fields"));
        for field in fields.into_iter().flat_map(|list| elements(list, "field")) {
            self.field(&mut register, field)?;
        }
        if let Err(why) = register.check() {
            return at(node, why.to_string());
        }
        self.registers.push(register);
        Ok(())
    }

    fn field(&mut self, register: &mut Register, node: Node) -> Result<()> {
        if node.attribute("derivedFrom").is_some() {
            return at(
                node,
                "fields that are derived from others are not understood: write it out".into(),
            );
        }
        let name = word(node, "name").unwrap_or_default();
        let (low, width) = bits(node)?;
        let own = access(node, None)? | effects(node, &mut register.unknown);
        let Some((count, step)) = several(node)? else {
            register.fields.push(Field {
                reset: None,
                values: Vec::new(),
                name: name.into(),
                low,
                width,
                effects: own,
            });
            return Ok(());
        };
        if count > 64 {
            return at(node, "more than 64 fields in a register".into());
        }
        for number in 0..count {
            let Some(low) = step.checked_mul(number).and_then(|o| o.checked_add(low)) else {
                return at(node, "its bits do not fit into 64 bits".into());
            };
            register.fields.push(Field {
                reset: None,
                values: Vec::new(),
                name: name
                    .replace("[%s]", "%s")
                    .replace("%s", &number.to_string()),
                low,
                width,
                effects: own,
            });
        }
        Ok(())
    }
}

/// Lowest bit and width, in any of the three ways to say them.
fn bits(node: Node) -> Result<(u64, u64)> {
    if let Some(low) = number(node, "bitOffset")? {
        return Ok((low, number(node, "bitWidth")?.unwrap_or(1)));
    }
    let (low, high) = match (
        number(node, "lsb")?,
        number(node, "msb")?,
        word(node, "bitRange"),
    ) {
        (Some(low), Some(high), _) => (low, high),
        (_, _, Some(range)) => {
            let inside = range.strip_prefix('[').and_then(|r| r.strip_suffix(']'));
            let ends = inside.and_then(|r| r.split_once(':'));
            match ends.map(|(high, low)| (low.trim().parse(), high.trim().parse())) {
                Some((Ok(low), Ok(high))) => (low, high),
                _ => return at(node, format!("{range:?} is no range of bits such as [7:0]")),
            }
        }
        _ => return at(node, "it does not say which bits it has".into()),
    };
    match high.checked_sub(low).and_then(|n: u64| n.checked_add(1)) {
        Some(width) => Ok((low, width)),
        None => at(node, format!("it ends at bit {high} and begins at {low}")),
    }
}

fn access(node: Node, outer: Option<&str>) -> Result<u16> {
    Ok(match word(node, "access").or(outer) {
        None | Some("read-write" | "read-writeOnce") => 0,
        Some("read-only") => Effects::RO,
        Some("write-only" | "writeOnce") => Effects::WO,
        Some(other) => return at(node, format!("{other:?} is no access")),
    })
}

/// What reading and writing do; what no word of the rules language says is noted.
fn effects(node: Node, unknown: &mut Vec<String>) -> u16 {
    let mut effects = 0;
    match word(node, "modifiedWriteValues") {
        Some("oneToClear") => effects |= Effects::W1C,
        Some("oneToSet") => effects |= Effects::W1S,
        None | Some("modify") => {}
        Some(other) => unknown.push(format!(
            "TODO writing {}: {other}",
            word(node, "name").unwrap_or_default()
        )),
    }
    match word(node, "readAction") {
        Some("clear") => effects |= Effects::RC,
        Some("modify" | "modifyExternal") => effects |= Effects::POP,
        None => {}
        Some(other) => unknown.push(format!(
            "TODO reading {}: {other}",
            word(node, "name").unwrap_or_default()
        )),
    }
    effects
}

/// How many, and the distance.
fn several(node: Node) -> Result<Option<(u64, u64)>> {
    match number(node, "dim")? {
        None => Ok(None),
        Some(0) => at(node, "an array of none".into()),
        Some(count) => Ok(Some((count, required(node, "dimIncrement")?))),
    }
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|c| c.has_tag_name(name))
}

fn elements<'a, 'i: 'a>(node: Node<'a, 'i>, name: &'a str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |c| c.has_tag_name(name))
}

fn word<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(node, name)
        .and_then(|c| c.text())
        .map(str::trim)
        .filter(|t| !t.is_empty())
}

/// `12`, `0x1f`, `#1010`, of at most 64 bits.
fn number(node: Node, name: &str) -> Result<Option<u64>> {
    let Some(text) = word(node, name) else {
        return Ok(None);
    };
    let plain = text.trim_start_matches('+').to_ascii_lowercase();
    let value = if let Some(digits) = plain.strip_prefix("0x") {
        u64::from_str_radix(digits, 16)
    } else if let Some(digits) = plain.strip_prefix('#').or(plain.strip_prefix("0b")) {
        u64::from_str_radix(digits, 2)
    } else {
        plain.parse()
    };
    match value {
        Ok(value) => Ok(Some(value)),
        Err(_) => at(
            child(node, name).unwrap_or(node),
            format!("{text:?} is no number of 64 bits"),
        ),
    }
}

fn required(node: Node, name: &str) -> Result<u64> {
    match number(node, name)? {
        Some(value) => Ok(value),
        None => at(node, format!("it has no <{name}>")),
    }
}

fn place(node: Node) -> (u32, u32) {
    let place = node.document().text_pos_at(node.range().start);
    (place.row, place.col)
}

/// An error at this element, with its name if it has one.
fn at<T>(node: Node, why: String) -> Result<T> {
    let (row, column) = place(node);
    let tag = node.tag_name().name();
    match word(node, "name") {
        Some(name) => bail!("{row}:{column}: <{tag}> {name}: {why}"),
        None => bail!("{row}:{column}: <{tag}>: {why}"),
    }
}
