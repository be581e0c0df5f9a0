//! What the tables name, as a tree.

use super::{reader::Name, Aml, Error, NODES};
use alloc::vec::Vec;

pub type NodeId = u32;
pub const ROOT: NodeId = 0;
const NOTHING: NodeId = u32::MAX;
/// Asks which systems the machine may take this one for (5.7.2).
pub const OSI: [u8; 4] = *b"_OSI";

/// A range of bytes in a table.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub table: u16,
    pub at: u32,
    pub end: u32,
}

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A scope, processor, or thing that only holds others.
    Scope,
    Device,
    /// Its object is at the span, until it has a value.
    Name(Span),
    Method {
        body: Span,
        arguments: u8,
    },
    /// Offset and length are terms at the span, until they are known.
    Region {
        space: u8,
        terms: Span,
    },
    /// Bits of what one of the declarations of fields stands on.
    Field {
        ground: u32,
        bit: u32,
        bits: u32,
        /// Access type and update rule (20.2.5.2).
        flags: u8,
    },
    /// Bits of a buffer, which the field's value is.
    BufferField {
        bit: u32,
        bits: u32,
        /// Always read as a buffer, however few bits there are (19.6.19).
        bytes: bool,
    },
    Alias(NodeId),
    /// Named, but of no use here (mutexes, events, regions of tables).
    Other,
}

/// What the fields of one declaration stand on.
#[derive(Clone, Debug)]
pub enum Ground {
    Region(NodeId),
    /// Registers that are reached through two fields: a number, and what has that number.
    Index(NodeId, NodeId),
    /// A region that shows this when the field has the value.
    Bank(NodeId, NodeId, u64),
}

#[derive(Clone, Copy, Debug)]
pub struct Node {
    pub name: [u8; 4],
    pub parent: NodeId,
    pub kind: Kind,
    first: NodeId,
    last: NodeId,
    next: NodeId,
}

impl Node {
    pub fn root() -> Node {
        Node {
            name: *b"\\___",
            parent: ROOT,
            kind: Kind::Scope,
            first: NOTHING,
            last: NOTHING,
            next: NOTHING,
        }
    }
}

impl Aml<'_> {
    pub(super) fn node(&self, id: NodeId) -> Result<&Node, Error> {
        self.nodes.get(id as usize).ok_or(Error::Kind)
    }

    fn child(&self, of: NodeId, name: [u8; 4]) -> Option<NodeId> {
        self.children(of)
            .find(|id| self.node(*id).is_ok_and(|n| n.name == name))
    }

    /// The nodes directly below, in the order they were named.
    pub fn children(&self, of: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let mut at = self.node(of).map_or(NOTHING, |n| n.first);
        core::iter::from_fn(move || {
            let id = at;
            at = self.node(id).ok()?.next;
            Some(id)
        })
    }

    /// Adds a node. A name that there is already stays what it was.
    pub(super) fn add(
        &mut self,
        (parent, name): (NodeId, [u8; 4]),
        kind: Kind,
    ) -> Result<NodeId, Error> {
        if self.child(parent, name).is_some() {
            return Err(Error::Twice(name));
        }
        if self.nodes.len() >= NODES {
            return Err(Error::Budget);
        }
        let id = self.nodes.len() as NodeId;
        self.nodes.push(Node {
            name,
            parent,
            kind,
            first: NOTHING,
            last: NOTHING,
            next: NOTHING,
        });
        let last = self.node(parent)?.last;
        if let Some(last) = self.nodes.get_mut(last as usize) {
            last.next = id;
        }
        if let Some(parent) = self.nodes.get_mut(parent as usize) {
            if parent.first == NOTHING {
                parent.first = id;
            }
            parent.last = id;
        }
        Ok(id)
    }

    /// Takes away what a method named while it ran, wherever it put it.
    pub(super) fn forget(&mut self, from: usize) {
        let gone = self.nodes.get(from..).unwrap_or_default();
        if gone.is_empty() {
            return;
        }
        let from = from as NodeId;
        let mut parents: Vec<NodeId> = gone.iter().map(|node| node.parent).collect();
        parents.retain(|parent| *parent < from);
        parents.dedup();
        for parent in parents {
            let (mut last, mut at) = (NOTHING, self.node(parent).map_or(NOTHING, |n| n.first));
            while at < from {
                last = at;
                at = self.node(at).map_or(NOTHING, |node| node.next);
            }
            if let Some(node) = self.nodes.get_mut(last as usize) {
                node.next = NOTHING;
            }
            if let Some(node) = self.nodes.get_mut(parent as usize) {
                node.last = last;
                if last == NOTHING {
                    node.first = NOTHING;
                }
            }
        }
        self.nodes.truncate(from as usize);
        self.values.retain(|id, _| *id < from);
        self.places.retain(|id, _| *id < from);
    }

    /// Where a declaration puts its last segment: the scope, and that segment.
    pub(super) fn place(&self, scope: NodeId, name: &Name) -> Result<(NodeId, [u8; 4]), Error> {
        let (last, path) = name.segments.split_last().ok_or(Error::Kind)?;
        let mut at = self.start(scope, name)?;
        for segment in path {
            let inner = self.child(at, *segment).ok_or(Error::NoName(*segment))?;
            at = self.behind(inner)?;
        }
        Ok((at, *last))
    }

    fn start(&self, scope: NodeId, name: &Name) -> Result<NodeId, Error> {
        let mut at = if name.root { ROOT } else { scope };
        for _ in 0..name.up {
            at = self.node(at)?.parent;
        }
        Ok(at)
    }

    /// What an alias stands for.
    fn behind(&self, id: NodeId) -> Result<NodeId, Error> {
        match self.node(id)?.kind {
            Kind::Alias(to) => Ok(to),
            _ => Ok(id),
        }
    }

    /// Finds a name by the rules of 5.3: a single segment is looked for in every scope above.
    pub(super) fn find(&self, scope: NodeId, name: &Name) -> Result<NodeId, Error> {
        let mut at = self.start(scope, name)?;
        let missing = Error::NoName(name.segments.last().copied().unwrap_or_default());
        if let ([only], false, 0) = (name.segments.as_slice(), name.root, name.up) {
            // Parents have smaller numbers than their children, so this ends.
            loop {
                if let Some(id) = self.child(at, *only) {
                    return self.behind(id);
                }
                if at == ROOT {
                    return Err(missing);
                }
                at = self.node(at)?.parent;
            }
        }
        for segment in &name.segments {
            at = self.behind(self.child(at, *segment).ok_or(missing)?)?;
        }
        Ok(at)
    }

    /// The child of `of` with this name.
    pub fn member(&self, of: NodeId, name: &[u8; 4]) -> Option<NodeId> {
        self.child(of, *name).and_then(|id| self.behind(id).ok())
    }

    /// Whether anything has this name.
    pub fn any_named(&self, name: &[u8; 4]) -> bool {
        self.nodes.iter().any(|node| node.name == *name)
    }

    /// The spaces of the regions that stand directly below those nodes that want to know (6.5.4).
    pub fn connected(&self) -> Vec<(NodeId, u8)> {
        let mut list = Vec::new();
        for node in &self.nodes {
            if let Kind::Region { space, .. } = node.kind {
                let at = (node.parent, space);
                if !list.contains(&at) && self.member(node.parent, b"_REG").is_some() {
                    list.push(at);
                }
            }
        }
        list
    }

    pub fn is_device(&self, id: NodeId) -> bool {
        self.node(id)
            .is_ok_and(|node| matches!(node.kind, Kind::Device))
    }

    /// The devices and scopes directly below, in the order they were named.
    pub fn holders(&self, of: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let holds = |node: &super::namespace::Node| matches!(node.kind, Kind::Device | Kind::Scope);
        self.children(of)
            .filter(move |id| self.node(*id).is_ok_and(holds))
    }

    /// A device's name and its parents', without their padding: `\_SB.PCI0`.
    pub fn path(&self, of: NodeId) -> alloc::string::String {
        let mut segments = alloc::vec::Vec::new();
        let mut at = of;
        while at != ROOT {
            let Ok(node) = self.node(at) else { break };
            let name = alloc::string::String::from_utf8_lossy(&node.name);
            segments.push(alloc::string::String::from(name.trim_end_matches('_')));
            at = node.parent;
        }
        segments.reverse();
        alloc::format!("\\{}", segments.join("."))
    }
}
