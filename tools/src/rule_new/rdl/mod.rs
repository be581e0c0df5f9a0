//! SystemRDL 2.0 (Accellera): from a file to the registers of one of its address maps. The parts: `parse` and
//! `expression` read it to a tree, `elaborate` and `evaluate` say what it means, `layout` gives addresses and bits.

mod elaborate;
mod evaluate;
mod expression;
mod layout;
mod parse;
mod tree;

use super::description::Description;
use anyhow::{bail, Result};
use std::collections::HashSet;
use tree::{Definition, Item, Kind, Of};

/// Reads the address map of this name; if none is named, the only one that stands in no other.
///
/// # Errors
/// With line and column.
pub fn read(text: &str, wanted: Option<&str>) -> Result<Description> {
    let file = parse::file(text)?;
    let mut used = HashSet::new();
    mentioned(&file, &mut used);
    let mut maps: Vec<&str> = Vec::new();
    for (item, _) in &file.items {
        if let Item::Define(definition) = item {
            let name = definition.name.as_deref().unwrap_or_default();
            if definition.kind == Kind::Addrmap && !maps.contains(&name) {
                maps.push(name);
            }
        }
    }
    maps.sort_unstable();
    let tops: Vec<&&str> = maps.iter().filter(|name| !used.contains(**name)).collect();
    let name = match (wanted, tops.as_slice()) {
        (Some(name), _) => maps.iter().find(|n| **n == name).copied(),
        (None, [only]) => Some(**only),
        (None, _) => None,
    };
    let mut root = elaborate::Root::of(&file)?;
    let Some(name) = name else {
        if wanted.is_none() && maps.is_empty() && !root.node.children.is_empty() {
            return layout::described(&root.node, "registers", &root.elaborator);
        }
        match maps.is_empty() {
            true => bail!("1:1: there is no `addrmap` in this file"),
            false => bail!(
                "name one of its address maps with --peripheral: {}",
                maps.join(", ")
            ),
        }
    };
    let map = root.map(name)?;
    layout::described(&map, name, &root.elaborator)
}

/// Names of types that are instantiated inside of others.
fn mentioned(of: &Definition, used: &mut HashSet<String>) {
    for (item, _) in &of.items {
        match item {
            Item::Define(inner) => mentioned(inner, used),
            Item::Instance(instance) => match &instance.of {
                Of::Named(name) => drop(used.insert(name.clone())),
                Of::Defined(inner) => mentioned(inner, used),
            },
            _ => {}
        }
    }
}
