//! A device that is a bus: what comes to it and goes is told to its class, as an upcall with the child's facts.

use crate::evaluate::store_fits;
use crate::instance::Specialiser;
use crate::{Error, Result};
use alloc::{format, vec, vec::Vec};
use graph::Id;
use rulebook::tree::{Expr, Member, Name, Place};

impl<'a> Specialiser<'a, '_> {
    /// `attach k { fact: value }`: the place, then each fact that the class asks for of a child, in its order. They are
    /// read here, once: the device may change them afterwards.
    pub fn attach(&mut self, child: &'a Expr, given: &'a [Member], place: Place) -> Result<()> {
        let mut words = vec![self.child(child, place)?];
        for (name, bits) in self.asked_of_child(place)? {
            let value = given.iter().find(|member| member.path == [name]);
            let Some(value) = value.and_then(|member| member.value.as_ref()) else {
                let text = self.text(name);
                return Err(Error::new(
                    place,
                    format!("`attach` does not say `{text}`"),
                    format!("add `{text}: …`"),
                ));
            };
            let n = self.number(value)?;
            store_fits(n.most, bits, value.place)?;
            words.push(n.id);
        }
        self.tell("attach", words, place)
    }

    /// `detach k`
    pub fn detach(&mut self, child: &'a Expr, place: Place) -> Result<()> {
        let words = vec![self.child(child, place)?];
        self.tell("detach", words, place)
    }

    /// The number of the child's place. Only the device's own rule has children: a part tells it, and it attaches.
    fn child(&mut self, child: &'a Expr, place: Place) -> Result<Id> {
        let here = self.here();
        if self.rules.instances[here].upper.is_some() {
            return Err(Error::new(
                place,
                "a part has no children",
                "tell the rule that uses it (`up …`), and attach there",
            ));
        }
        let n = self.number(child)?;
        store_fits(n.most, 8, child.place)?;
        Ok(n.id)
    }

    /// Names and bits of what the class asks for of a child.
    fn asked_of_child(&self, place: Place) -> Result<Vec<(Name, u32)>> {
        let book = self.rules.subject.book;
        let here = self.here();
        let name = self.rules.instances[here].rule.class;
        let class = book.classes.iter().find(|class| class.name == name);
        let facts = class.into_iter().flat_map(|class| class.of_child());
        let list: Vec<(Name, u32)> = facts
            .map(|(name, kind)| (name, kind.and_then(|kind| kind.bits()).unwrap_or(64)))
            .collect();
        match list.is_empty() {
            false => Ok(list),
            true => Err(Error::new(
                place,
                format!("class `{}` has no children", book.name(name)),
                "a class has children when it asks for facts of each",
            )),
        }
    }
}
