//! The text of a new rule: what is known is written, what is not stands as `todo("…")`, which `rule check` reports.

use super::description::{Description, Register};
use rulebook::tree::{Book, Class, Item, ItemKind, Parameter, Routine, TypeBase};
use std::collections::HashMap;

/// Where a device stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Bus {
    Pci,
    Platform,
    Cpu,
}

/// A rule of `class`, with the registers of the description.
#[must_use]
pub fn rule(book: &Book, class: &Class, name: &str, bus: Bus, from: &Description) -> String {
    let bus_name = match bus {
        Bus::Pci => "pci",
        Bus::Platform => "platform",
        Bus::Cpu => "cpu",
    };
    let title = ascii(&from.title);
    let note = match title.is_empty() {
        true => "the data sheet: its title, number and revision".to_owned(),
        false => title,
    };
    let head = format!("rule {name} : {} on {bus_name}", book.name(class.name));
    let mut text = format!("{head:<56}# {note}\n");
    let clue = match bus {
        Bus::Pci => "how it is told from all others, such as `vendor == 0x8086 and device == 0x25ab`",
        Bus::Platform => "how it is told from all others, such as `compatible == \\\"maker,device\\\"` or `hid == \\\"PNP0501\\\"`",
        Bus::Cpu => "how it is told whether this processor has it",
    };
    let clue = clue.replace("\\\"", "'");
    text += &format!("  match todo(\"{clue}\") score 9\n");
    for item in &class.items {
        text += &fact(book, item);
    }
    let space = match bus {
        Bus::Pci => "bar(0)",
        Bus::Platform => "base",
        Bus::Cpu => "model",
    };
    text += &format!("  space r = le {space}\n");
    for note in &from.left_out {
        text += &format!("  # {}\n", ascii(note));
    }
    text += &registers(&from.registers);
    text += "  init { todo(\"stop the device, reset it, and bring it to a known state\") }\n";
    for item in &class.items {
        match &item.kind {
            ItemKind::Routine(routine) if routine.body.is_none() => {
                text += &operation(book, routine)
            }
            _ => {}
        }
    }
    text += &children(book, class);
    let heard: Vec<String> = class
        .items
        .iter()
        .filter_map(|item| upcall(book, item))
        .collect();
    if !heard.is_empty() {
        text += &format!(
            "  event irq {{ todo(\"claim it if the cause is this device's, and say what happened: {}\") }}\n",
            heard.join(", ")
        );
    }
    text
}

fn ascii(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .join(" ")
        .chars()
        .filter(|c| c.is_ascii() && !c.is_control())
        .take(100)
        .collect()
}

/// A fact, space or register that the class asks for.
fn fact(book: &Book, item: &Item) -> String {
    match &item.kind {
        ItemKind::Fact {
            name,
            parameters,
            value: None,
            ..
        } if parameters.is_empty() => {
            let name = book.name(*name);
            format!("  fact {name} = todo(\"the class wants to know `{name}`: see rules/classes.rule\")\n")
        }
        ItemKind::Space(space) => {
            let name = book.name(space.name);
            format!("  space {name} = todo(\"the class asks for this space\")\n")
        }
        ItemKind::Reg(reg) => {
            let name = book.name(reg.name);
            let bits = if reg.bits == 0 { 32 } else { reg.bits };
            format!("  reg {name} (todo(\"where it is: the class asks for it\")):{bits} in r\n")
        }
        _ => String::new(),
    }
}

/// Of a class whose devices have children: how they come and go, with what the class asks of each.
fn children(book: &Book, class: &Class) -> String {
    let asked = class.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Fact {
            name,
            parameters,
            value: None,
            ..
        } if !parameters.is_empty() => Some(book.name(*name)),
        _ => None,
    });
    let facts: Vec<String> = asked
        .map(|name| format!("{name}: todo(\"`{name}` of a child: see rules/classes.rule\")"))
        .collect();
    match facts.is_empty() {
        true => String::new(),
        false => format!(
            "  flow come {{ attach 0 {{ {} }} }}\n  flow leave {{ detach 0 }}\n",
            facts.join(", ")
        ),
    }
}

fn registers(all: &[Register]) -> String {
    if all.is_empty() {
        let what = "its name, offset, width and fields, and the same for every other register";
        return format!("  reg FIRST (todo(\"{what}\")):32 in r\n");
    }
    let furthest = all.iter().map(|r| r.offset).max().unwrap_or(0);
    let digits = format!("{furthest:x}").len().max(2);
    let mut names: HashMap<String, u32> = HashMap::new();
    let mut text = String::new();
    let mut written: Vec<Register> = Vec::new();
    for (at, register) in all.iter().enumerate() {
        let mut register = register.clone();
        let plain = super::description::plain(&register.name);
        let times = names.entry(plain).or_default();
        *times += 1;
        if *times > 1 {
            register.name += &format!("_{times}");
        }
        let space = (at == 0).then_some("r");
        let shared = written.iter().filter(|r| r.shares_place(&register));
        let over: Vec<String> = shared.map(|r| super::description::plain(&r.name)).collect();
        text += &format!("  {}\n", register.item(digits, space, &over));
        written.push(register);
    }
    text
}

fn operation(book: &Book, routine: &Routine) -> String {
    let name = book.name(routine.name);
    let parameters: Vec<&str> = routine
        .parameters
        .iter()
        .map(|p| book.name(p.name))
        .collect();
    let parameters = match parameters.is_empty() {
        true => String::new(),
        false => format!("({})", parameters.join(", ")),
    };
    let gives = match routine.returns.as_ref().map(|kind| kind.base) {
        Some(TypeBase::Bits(bits)) => format!(" -> {bits}"),
        _ => String::new(),
    };
    let how = if routine.direct { " direct" } else { "" };
    let line = format!("op {name}{parameters}{gives}{how} {{ todo(\"{name}\") }}");
    match routine.optional {
        true => format!("  # if the device can: {line}\n"),
        false => format!("  {line}\n"),
    }
}

fn upcall(book: &Book, item: &Item) -> Option<String> {
    let ItemKind::Upcall { name, parameters } = &item.kind else {
        return None;
    };
    let names = |p: &Parameter| book.name(p.name).to_owned();
    let parameters: Vec<String> = parameters.iter().map(names).collect();
    Some(format!(
        "up {}({})",
        book.name(*name),
        parameters.join(", ")
    ))
}
