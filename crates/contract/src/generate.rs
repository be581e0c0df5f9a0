//! From the text of the classes to Rust tables. The build script runs this; nothing of it is in a program.

use rulebook::tree::{Book, Class, Expr, ExprKind, Item, ItemKind, Routine, TypeBase};
use std::fmt::Write;

/// Entries of a driver that every class has, beside its operations: what rules call them, and what they are here.
const COMMON: [(&str, &str); 6] = [
    ("init", "Brings the device up."),
    ("join", "What a lane after the first does for itself."),
    ("irq", "The device's wire fired."),
    ("message", "Message `n` of the device came."),
    ("watch", "Whether something rests too long."),
    ("quiet", "Has the device leave memory alone."),
];

/// The Rust text of all tables.
///
/// # Errors
/// When the text is not right by itself: every complaint, one a line.
pub fn tables(text: &str) -> Result<String, String> {
    let book = rulebook::read(&[("classes.rule", text)]).map_err(|problems| {
        let lines: Vec<String> = problems
            .iter()
            .map(|problem| format!("{problem:?}"))
            .collect();
        lines.join("\n")
    })?;
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = all(&mut out, &book);
    Ok(out)
}

fn all(out: &mut String, book: &Book) -> std::fmt::Result {
    contracts(out, book)?;
    missed(out, book)?;
    classes(out, book)?;
    kinds(out, book)?;
    requests(out, book)?;
    defaults(out, book)?;
    operations(out, book)
}

/// `FrameBuffer` of `frame_buffer`.
fn camel(name: &str) -> String {
    let part = |part: &str| {
        let (first, rest) = part.split_at(part.len().min(1));
        first.to_uppercase() + rest
    };
    name.split('_').map(part).collect()
}

/// A name of a rule as one of a Rust module or constant.
fn lower(name: &str) -> String {
    match name {
        "move" | "loop" | "ref" | "box" | "static" | "type" | "use" => format!("r#{name}"),
        name => name.to_owned(),
    }
}

fn routines(class: &Class) -> impl Iterator<Item = &Routine> {
    class.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Routine(routine) => Some(routine),
        _ => None,
    })
}

/// The operations that a client asks the pump for.
fn asked(class: &Class) -> impl Iterator<Item = &Routine> {
    routines(class).filter(|routine| !class.direct && !routine.direct)
}

fn contracts(out: &mut String, book: &Book) -> std::fmt::Result {
    let count = book.classes.len();
    writeln!(
        out,
        "/// All classes, in the order in which the text has them."
    )?;
    writeln!(out, "pub static CONTRACTS: [Contract; {count}] = [")?;
    for class in &book.classes {
        let name = book.name(class.name);
        writeln!(
            out,
            "Contract {{ name: {name:?}, direct: {}, operations: &[",
            class.direct
        )?;
        for routine in routines(class) {
            let of_type = |word: &str| {
                routine
                    .parameters
                    .iter()
                    .any(|parameter| match &parameter.kind {
                        Some(kind) => {
                            matches!(kind.base, TypeBase::Named(n) if book.name(n) == word)
                        }
                        None => false,
                    })
            };
            let kind = match class.direct || routine.direct {
                true => "None".to_owned(),
                false => format!("Some(Kind::{})", camel(book.name(routine.name))),
            };
            writeln!(
                out,
                "Operation {{ name: {:?}, kind: {kind}, optional: {}, ticket: {}, bytes: {} }},",
                book.name(routine.name),
                routine.optional,
                of_type("ticket"),
                of_type("bufs"),
            )?;
        }
        writeln!(out, "] }},")?;
    }
    writeln!(out, "];")
}

fn missed(out: &mut String, book: &Book) -> std::fmt::Result {
    let found: Vec<(&str, &str)> = (book.classes.iter())
        .filter_map(|class| Some((book.name(class.name), book.name(class.missed?))))
        .collect();
    writeln!(out, "/// Classes whose devices a person misses where there are none, and what a person calls them.")?;
    writeln!(
        out,
        "pub const MISSED: [(&str, &str); {}] = {found:?};",
        found.len()
    )
}

fn classes(out: &mut String, book: &Book) -> std::fmt::Result {
    let pumped: Vec<(usize, &str)> = (book.classes.iter().enumerate())
        .filter(|(_, class)| !class.direct)
        .map(|(at, class)| (at, book.name(class.name)))
        .collect();
    writeln!(out, "/// A class with requests and completions: its drivers have a pump. (Direct classes have none.)")?;
    writeln!(
        out,
        "#[derive(Clone, Copy, Debug, PartialEq, Eq)]\npub enum Class {{"
    )?;
    for (_, name) in &pumped {
        writeln!(out, "{},", camel(name))?;
    }
    writeln!(out, "}}\nimpl Class {{")?;
    writeln!(out, "pub const ALL: [Class; {}] = [", pumped.len())?;
    for (_, name) in &pumped {
        writeln!(out, "Class::{},", camel(name))?;
    }
    writeln!(out, "];\n/// What the text says of it.\npub fn contract(self) -> &'static Contract {{ match self {{")?;
    for (at, name) in &pumped {
        writeln!(out, "Class::{} => &CONTRACTS[{at}],", camel(name))?;
    }
    writeln!(out, "}} }} }}")
}

fn kinds(out: &mut String, book: &Book) -> std::fmt::Result {
    let mut names: Vec<&str> = Vec::new();
    for routine in book.classes.iter().flat_map(asked) {
        let name = book.name(routine.name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    writeln!(out, "/// What a client asks for: the operations of all classes that have a pump, by their names.")?;
    writeln!(
        out,
        "#[derive(Clone, Copy, Debug, PartialEq, Eq)]\npub enum Kind {{"
    )?;
    for name in &names {
        writeln!(out, "{},", camel(name))?;
    }
    writeln!(
        out,
        "}}\nimpl Kind {{\npub const fn entry(self) -> EntryId {{ match self {{"
    )?;
    for name in &names {
        writeln!(out, "Kind::{0} => EntryId::{0},", camel(name))?;
    }
    writeln!(out, "}} }} }}")?;
    writeln!(out, "/// What a pump calls, by the names rules give.")?;
    writeln!(
        out,
        "#[derive(Clone, Copy, Debug, PartialEq, Eq)]\n#[repr(usize)]\npub enum EntryId {{"
    )?;
    for (name, what) in COMMON {
        writeln!(out, "/// {what}\n{},", camel(name))?;
    }
    for name in &names {
        writeln!(out, "{0},\n{0}Then,", camel(name))?;
    }
    let count = COMMON.len() + 2 * names.len();
    writeln!(out, "}}\npub const ENTRIES: [(&str, EntryId); {count}] = [")?;
    for (name, _) in COMMON {
        writeln!(out, "({name:?}, EntryId::{}),", camel(name))?;
    }
    for name in &names {
        writeln!(
            out,
            "({name:?}, EntryId::{0}), (\"{name}.then\", EntryId::{0}Then),",
            camel(name)
        )?;
    }
    writeln!(
        out,
        "];\n/// The operations that may have a tail, once a batch, and the tail of each."
    )?;
    writeln!(
        out,
        "pub const TAILS: [(EntryId, EntryId); {}] = [",
        names.len()
    )?;
    for name in &names {
        writeln!(out, "(EntryId::{0}, EntryId::{0}Then),", camel(name))?;
    }
    writeln!(out, "];")
}

fn requests(out: &mut String, book: &Book) -> std::fmt::Result {
    writeln!(out, "pub mod todo {{\n//! Numbers of requests: the operations of a class in the order of the text, from 1.")?;
    for class in &book.classes {
        for (at, routine) in asked(class).enumerate() {
            let name = format!("{}_{}", book.name(class.name), book.name(routine.name));
            writeln!(out, "pub const {}: u16 = {};", name.to_uppercase(), at + 1)?;
        }
    }
    writeln!(out, "}}")
}

/// The values that facts have where a rule says nothing, as far as they are numbers.
fn defaults(out: &mut String, book: &Book) -> std::fmt::Result {
    let number = |value: &Expr| match &value.kind {
        ExprKind::Number(n) => Some(*n),
        ExprKind::Name(n) if book.name(*n) == "true" => Some(1),
        ExprKind::Name(n) if book.name(*n) == "false" => Some(0),
        _ => None,
    };
    let fact = |item: &Item| match &item.kind {
        ItemKind::Fact { name, value, .. } => Some((*name, number(value.as_ref()?)?)),
        _ => None,
    };
    writeln!(
        out,
        "pub mod default {{\n//! What facts are where a rule says nothing."
    )?;
    for class in &book.classes {
        writeln!(out, "pub mod {} {{", lower(book.name(class.name)))?;
        for (name, value) in class.items.iter().filter_map(fact) {
            writeln!(
                out,
                "pub const {}: u64 = {value};",
                book.name(name).to_uppercase()
            )?;
        }
        writeln!(out, "}}")?;
    }
    writeln!(out, "}}")
}

fn operations(out: &mut String, book: &Book) -> std::fmt::Result {
    let all: Vec<(&str, &str, bool)> = (book.classes.iter())
        .flat_map(|class| {
            let bound = routines(class).filter(|routine| class.direct || routine.direct);
            bound.map(|r| (book.name(class.name), book.name(r.name), r.optional))
        })
        .collect();
    let count = all.len();
    writeln!(
        out,
        "pub mod operation {{\n//! Platform operations: those that are bound into the nucleus."
    )?;
    for (at, (class, name, _)) in all.iter().enumerate() {
        writeln!(
            out,
            "pub const {}_{}: usize = {at};",
            class.to_uppercase(),
            name.to_uppercase()
        )?;
    }
    writeln!(out, "pub const COUNT: usize = {count};")?;
    writeln!(out, "/// (class, operation) of each, as rules spell them.")?;
    writeln!(out, "pub const NAMES: [(&str, &str); COUNT] = [")?;
    for (class, name, _) in &all {
        writeln!(out, "({class:?}, {name:?}),")?;
    }
    writeln!(out, "];\n/// Whether a device of the class may do without.\npub const OPTIONAL: [bool; COUNT] = [")?;
    for (_, _, optional) in &all {
        writeln!(out, "{optional},")?;
    }
    writeln!(out, "]; }}")?;
    writeln!(
        out,
        "/// Calls a macro with the names of all platform operations, `class_operation` each."
    )?;
    writeln!(
        out,
        "#[macro_export]\nmacro_rules! platform_operations {{ ($then:ident) => {{ $then! {{"
    )?;
    for (class, name, _) in &all {
        writeln!(out, "\"{class}_{name}\"")?;
    }
    writeln!(out, "}} }}; }}")
}
