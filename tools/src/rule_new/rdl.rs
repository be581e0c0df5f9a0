//! SystemRDL 2.0 (Accellera), the part that describes registers: `addrmap`, `regfile`, `reg`, `field`, types by name,
//! arrays, addresses, defaults, and what software's accesses do. The rest is refused, with its place.

use super::description::{Description, Field, Register, MOST};
use super::tokens::{Token, Tokens};
use anyhow::{bail, Result};
use rulebook::tree::Effects;
use std::collections::HashMap;
use std::rc::Rc;

/// Instances that are looked at, those of arrays one by one: more than any real device has.
const VISITS: u64 = 200_000;
/// How deep components may nest.
const NESTING: usize = 16;
/// Components of the language that say nothing a rule could use, or too much.
const REFUSED: [&str; 8] = [
    "enum",
    "signal",
    "mem",
    "constraint",
    "property",
    "struct",
    "bridge",
    "union",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Field,
    Reg,
    Regfile,
    Addrmap,
}

#[derive(Clone, Debug)]
enum Value {
    Number(u64),
    Text(String),
    Flag(bool),
}

type Properties = HashMap<String, Value>;

#[derive(Debug)]
struct Component {
    kind: Kind,
    properties: Properties,
    instances: Vec<Instance>,
}

#[derive(Clone, Debug)]
struct Instance {
    name: String,
    of: Rc<Component>,
    /// `[8]`
    count: Option<u64>,
    /// `[7:0]`, as high and low.
    range: Option<(u64, u64)>,
    at: Option<u64>,
    step: Option<u64>,
    place: (u32, u32),
}

/// Reads the address map of this name; the last one of the file, if none is named.
///
/// # Errors
/// With line and column.
pub fn read(text: &str, wanted: Option<&str>) -> Result<Description> {
    let mut parser = Parser {
        tokens: Tokens::read(text)?,
        types: vec![HashMap::new()],
        defaults: vec![Properties::new()],
    };
    let root = parser.body(Kind::Addrmap, None)?;
    let named = parser.types.first().into_iter().flatten();
    let mut maps: Vec<(&String, &Rc<Component>)> =
        named.filter(|(_, c)| c.kind == Kind::Addrmap).collect();
    maps.sort_by_key(|(name, _)| (*name).clone());
    let found = match (wanted, maps.as_slice()) {
        (Some(name), _) => maps.iter().find(|(n, _)| *n == name),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let Some((name, map)) = found else {
        if wanted.is_none() && maps.is_empty() && !root.instances.is_empty() {
            return collected(&root, "registers");
        }
        let names: Vec<&str> = maps.iter().map(|(name, _)| name.as_str()).collect();
        match names.is_empty() {
            true => bail!("1:1: there is no `addrmap` in this file"),
            false => bail!(
                "name one of its address maps with --peripheral: {}",
                names.join(", ")
            ),
        }
    };
    collected(map, name)
}

fn collected(map: &Component, name: &str) -> Result<Description> {
    let mut registers = Vec::new();
    collect(map, 0, "", &mut registers, &mut { VISITS })?;
    let title = match map.properties.get("name").or(map.properties.get("desc")) {
        Some(Value::Text(text)) => text.clone(),
        _ => name.into(),
    };
    Ok(Description { title, registers })
}

// ---- what the file says

struct Parser {
    tokens: Tokens,
    /// Components by name, the innermost scope last.
    types: Vec<HashMap<String, Rc<Component>>>,
    defaults: Vec<Properties>,
}

impl Parser {
    /// Items up to `}`, or to the end of the file.
    fn body(&mut self, kind: Kind, end: Option<&str>) -> Result<Component> {
        if self.types.len() > NESTING {
            return self
                .tokens
                .wrong(format!("components nest more than {NESTING} deep"));
        }
        let mut component = Component {
            kind,
            properties: self.inherited(kind),
            instances: Vec::new(),
        };
        loop {
            match (self.tokens.look(), end) {
                (Token::End, None) => return Ok(component),
                (Token::Sign(sign), Some(end)) if *sign == end => {
                    self.tokens.step();
                    return Ok(component);
                }
                (Token::End, Some(end)) => return self.tokens.wrong(format!("`{end}` is missing")),
                _ => self.item(&mut component)?,
            }
        }
    }

    /// What `default` says around, for a component of this kind: the innermost counts.
    fn inherited(&self, kind: Kind) -> Properties {
        let mut all = Properties::new();
        for scope in &self.defaults {
            for (name, value) in scope {
                let width = matches!(name.as_str(), "regwidth" | "accesswidth");
                if width == (kind != Kind::Field) {
                    all.insert(name.clone(), value.clone());
                }
            }
        }
        all
    }

    fn item(&mut self, into: &mut Component) -> Result<()> {
        let place = self.tokens.place();
        let Token::Word(word) = self.tokens.look().clone() else {
            return self
                .tokens
                .wrong("a component or a property is expected".into());
        };
        self.tokens.step();
        match word.as_str() {
            "default" => {
                let Token::Word(name) = self.tokens.look().clone() else {
                    return self.tokens.wrong("a property is expected".into());
                };
                self.tokens.step();
                let value = self.value()?;
                self.tokens.want(";")?;
                self.defaults
                    .last_mut()
                    .map(|scope| scope.insert(name, value));
                Ok(())
            }
            "external" | "internal" => self.item(into),
            "field" => self.defined(Kind::Field, into),
            "reg" => self.defined(Kind::Reg, into),
            "regfile" => self.defined(Kind::Regfile, into),
            "addrmap" => self.defined(Kind::Addrmap, into),
            word if REFUSED.contains(&word) => {
                bail!(
                    "{}:{}: `{word}` is not understood here: leave it out",
                    place.0,
                    place.1
                )
            }
            word => {
                let known = self.types.iter().rev().find_map(|scope| scope.get(word));
                if let (Some(of), Token::Word(_)) = (known.cloned(), self.tokens.look()) {
                    return self.instances(&of, into);
                }
                if let Token::Word(_) = self.tokens.look() {
                    bail!("{}:{}: there is no component `{word}`", place.0, place.1);
                }
                if self.tokens.sign("->") {
                    bail!(
                        "{}:{}: properties of other components (`->`) are not understood",
                        place.0,
                        place.1
                    );
                }
                let value = self.value()?;
                self.tokens.want(";")?;
                into.properties.insert(word.into(), value);
                Ok(())
            }
        }
    }

    /// `= value`, or nothing for a flag.
    fn value(&mut self) -> Result<Value> {
        if !self.tokens.take("=") {
            return Ok(Value::Flag(true));
        }
        let value = match self.tokens.look().clone() {
            Token::Number(n) => Value::Number(n),
            Token::Text(text) | Token::Word(text) => match text.as_str() {
                "true" => Value::Flag(true),
                "false" => Value::Flag(false),
                _ => Value::Text(text),
            },
            _ => {
                return self
                    .tokens
                    .wrong("a value is expected: a number, a text or a word".into())
            }
        };
        self.tokens.step();
        Ok(value)
    }

    /// `reg NAME { … }`, `reg { … } instance`, or both at once.
    fn defined(&mut self, kind: Kind, into: &mut Component) -> Result<()> {
        let name = match self.tokens.look().clone() {
            Token::Word(name) => {
                self.tokens.step();
                Some(name)
            }
            _ => None,
        };
        if self.tokens.sign("#") {
            return self.tokens.wrong("parameters are not understood".into());
        }
        self.tokens.want("{")?;
        self.types.push(HashMap::new());
        self.defaults.push(Properties::new());
        let component = Rc::new(self.body(kind, Some("}"))?);
        self.types.pop();
        self.defaults.pop();
        if let (Some(name), Some(scope)) = (name, self.types.last_mut()) {
            scope.insert(name, component.clone());
        }
        match self.tokens.take(";") {
            true => Ok(()),
            false => self.instances(&component, into),
        }
    }

    fn instances(&mut self, of: &Rc<Component>, into: &mut Component) -> Result<()> {
        loop {
            let place = self.tokens.place();
            let Token::Word(name) = self.tokens.look().clone() else {
                return self
                    .tokens
                    .wrong("the name of an instance is expected".into());
            };
            self.tokens.step();
            let mut instance = Instance {
                name,
                of: of.clone(),
                count: None,
                range: None,
                at: None,
                step: None,
                place,
            };
            if self.tokens.take("[") {
                let first = self.tokens.number()?;
                if self.tokens.take(":") {
                    instance.range = Some((first, self.tokens.number()?));
                } else {
                    instance.count = Some(first);
                }
                self.tokens.want("]")?;
                if self.tokens.sign("[") {
                    return self
                        .tokens
                        .wrong("arrays of more than one dimension are not understood".into());
                }
            }
            loop {
                if self.tokens.take("=") {
                    self.tokens.number()?;
                } else if self.tokens.take("@") {
                    instance.at = Some(self.tokens.number()?);
                } else if self.tokens.take("+=") {
                    instance.step = Some(self.tokens.number()?);
                } else {
                    break;
                }
            }
            if into.instances.len() as u64 >= MOST {
                return self
                    .tokens
                    .wrong(format!("more than {MOST} instances in one component"));
            }
            into.instances.push(instance);
            if self.tokens.take(";") {
                return Ok(());
            }
            if !self.tokens.take(",") {
                return self
                    .tokens
                    .wrong("`;`, `,`, `@`, `+=` or `=` is expected".into());
            }
        }
    }
}

// ---- what it means

fn wrong<T>(instance: &Instance, why: &str) -> Result<T> {
    let (line, column) = instance.place;
    bail!("{line}:{column}: {}: {why}", instance.name)
}

fn bytes(component: &Component) -> u64 {
    match component.properties.get("regwidth") {
        Some(Value::Number(bits)) => bits.div_ceil(8),
        _ => 4,
    }
}

/// The registers of a map or file; gives the first byte behind them.
fn collect(
    of: &Component,
    base: u64,
    prefix: &str,
    out: &mut Vec<Register>,
    visits: &mut u64,
) -> Result<u64> {
    let mut next = base;
    for instance in &of.instances {
        let Some(left) = visits.checked_sub(1) else {
            return wrong(instance, "the description has too many instances");
        };
        *visits = left;
        let count = instance.count.unwrap_or(1);
        let overflow = "its address does not fit into 64 bits";
        let size = match instance.of.kind {
            Kind::Reg => bytes(&instance.of),
            Kind::Field => return wrong(instance, "a field stands in a register"),
            Kind::Regfile | Kind::Addrmap => {
                let mut inner = Vec::new();
                collect(&instance.of, 0, "", &mut inner, visits)?
            }
        };
        let align = size.max(1).checked_next_power_of_two().unwrap_or(1);
        let at = match instance.at {
            Some(at) => base.checked_add(at),
            None => next.checked_next_multiple_of(align),
        };
        let step = instance.step.unwrap_or(size);
        let span = step.checked_mul(count);
        let Some((at, end)) = at.and_then(|at| Some((at, at.checked_add(span?)?))) else {
            return wrong(instance, overflow);
        };
        if count == 0 || count > MOST {
            return wrong(instance, "an array has from 1 to 4096 elements");
        }
        match instance.of.kind {
            Kind::Reg => out.push(register(instance, at, step, prefix)?),
            _ => {
                for number in 0..count {
                    let name = match instance.count {
                        None => format!("{prefix}{}_", instance.name),
                        Some(_) => format!("{prefix}{}{number}_", instance.name),
                    };
                    *visits = visits.saturating_sub(1);
                    collect(&instance.of, at + number * step, &name, out, visits)?;
                }
            }
        }
        if out.len() as u64 > MOST {
            return wrong(instance, "more than 4096 registers");
        }
        next = next.max(end);
    }
    Ok(next)
}

fn register(instance: &Instance, offset: u64, step: u64, prefix: &str) -> Result<Register> {
    let of = &instance.of;
    let text = match of.properties.get("name").or(of.properties.get("desc")) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let mut register = Register {
        name: format!("{prefix}{}", instance.name),
        offset,
        bits: bytes(of) * 8,
        several: instance.count.map(|count| (count, step)),
        effects: 0,
        text,
        fields: Vec::new(),
        unknown: Vec::new(),
        place: instance.place,
    };
    let mut next = 0u64;
    for field in &of.instances {
        if field.of.kind != Kind::Field {
            return wrong(field, "a register holds fields only");
        }
        let (low, width) = match (field.range, field.count) {
            (Some((high, low)), _) => match high.checked_sub(low).and_then(|n| n.checked_add(1)) {
                Some(width) => (low, width),
                None => {
                    return wrong(
                        field,
                        "bits are written from the highest to the lowest: [7:0]",
                    )
                }
            },
            (None, count) => match field.of.properties.get("fieldwidth") {
                Some(Value::Number(width)) => (next, *width),
                _ => (next, count.unwrap_or(1)),
            },
        };
        next = low.saturating_add(width);
        let effects = effects(field, &mut register.unknown)?;
        register.fields.push(Field {
            name: field.name.clone(),
            low,
            width,
            effects,
        });
    }
    // What holds for all of them holds for the register.
    let common = register
        .fields
        .iter()
        .map(|f| f.effects)
        .reduce(|a, b| a & b);
    register.effects = common.unwrap_or(0) & (Effects::RO | Effects::WO);
    if let Err(why) = register.check() {
        return wrong(instance, &why.to_string());
    }
    Ok(register)
}

/// What accesses of software do to a field (SystemRDL 2.0, 9.6).
fn effects(field: &Instance, unknown: &mut Vec<String>) -> Result<u16> {
    let all = &field.of.properties;
    let text = |name: &str| match all.get(name) {
        Some(Value::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let flag = |name: &str| matches!(all.get(name), Some(Value::Flag(true)));
    let mut effects = match text("sw") {
        None | Some("rw" | "wr" | "rw1") => 0,
        Some("r") => Effects::RO,
        Some("w" | "w1") => Effects::WO,
        Some("na") => {
            unknown.push(format!("TODO {}: software has no access", field.name));
            Effects::RO
        }
        Some(other) => return wrong(field, &format!("`sw = {other}` is no access")),
    };
    match text("onread") {
        Some("rclr") => effects |= Effects::RC,
        Some("ruser") => effects |= Effects::POP,
        Some(other) => unknown.push(format!("TODO reading {}: {other}", field.name)),
        None => {}
    }
    match text("onwrite") {
        Some("woclr") => effects |= Effects::W1C,
        Some("woset") => effects |= Effects::W1S,
        Some(other) => unknown.push(format!("TODO writing {}: {other}", field.name)),
        None => {}
    }
    for (name, effect) in [
        ("rclr", Effects::RC),
        ("woclr", Effects::W1C),
        ("woset", Effects::W1S),
        ("singlepulse", Effects::SC),
    ] {
        if flag(name) {
            effects |= effect;
        }
    }
    if flag("rset") {
        unknown.push(format!("TODO reading {} sets it", field.name));
    }
    Ok(effects)
}
