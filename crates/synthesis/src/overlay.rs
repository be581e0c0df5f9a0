//! The names that the rule gives to the places its code touches. Views show them; they are no part of the code.

use crate::instance::{InstanceId, Specialiser};
use crate::value::{Kind, Register, Spot};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use graph::Space;

/// Most names that one driver's memory gets.
const MOST: usize = 4096;

impl Specialiser<'_, '_> {
    /// A register lies at this constant place: remembered, if anybody asked for names.
    pub fn note_register(&mut self, r: &Register, window: u8, at: u64) {
        if self.out.names.is_none() {
            return;
        }
        let index = r.index.and_then(|index| self.out.b.known(index.id));
        let name = self.text(r.item.name);
        let name = match index {
            Some(index) => format!("{name}[{index}]"),
            None => name.to_string(),
        };
        let name = self.labelled(r.instance, &name);
        let Some(names) = &mut self.out.names else {
            return;
        };
        let mut all = names.registers.iter_mut();
        match all.find(|(w, a, _)| *w == window && *a == at) {
            // Two registers in one place: one for reading, one for writing, or one behind a switch.
            Some((.., known)) if known.split('/').any(|k| k == name) => {}
            Some((.., known)) => *known += &format!("/{name}"),
            None => names.registers.push((window, at, name)),
        }
    }

    fn labelled(&self, id: InstanceId, name: &str) -> String {
        match self.rules.instances[id].label.as_str() {
            "" => name.to_string(),
            label => format!("{label}.{name}"),
        }
    }

    /// The memory that the rule's names have got.
    pub fn note_memory(&mut self) {
        let Some(mut names) = self.out.names.take() else {
            return;
        };
        for id in 0..self.rules.instances.len() {
            for (name, spot) in &self.rules.instances[id].memory {
                let name = self.labelled(id, self.text(*name));
                self.note_members(&mut names.memory, spot, &name);
            }
        }
        names
            .memory
            .sort_by_key(|(space, at, _)| (*space as u8, *at));
        names
            .memory
            .dedup_by_key(|(space, at, _)| (*space as u8, *at));
        self.out.names = Some(names);
    }

    fn note_members(&self, into: &mut Vec<(Space, u64, String)>, spot: &Spot, name: &str) {
        let Some(at) = self.out.b.known(spot.at.id).filter(|_| spot.shift == 0) else {
            return;
        };
        let mut open = alloc::vec![(at, spot.kind.clone(), name.to_string())];
        while let Some((at, kind, name)) = open.pop() {
            if into.len() >= MOST {
                return;
            }
            match kind {
                Kind::Record(layout) => {
                    // The last is taken first: names come in the order of places.
                    for (member, slot) in layout.members.iter().rev() {
                        if slot.at % 8 == 0 {
                            let name = format!("{name}.{}", self.text(*member));
                            open.push((at + slot.at / 8, slot.kind.clone(), name));
                        }
                    }
                }
                Kind::Number { .. } | Kind::Array(..) => into.push((spot.space, at, name)),
            }
        }
    }
}
