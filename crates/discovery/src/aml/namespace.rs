//! What the tables name, as a tree.

use super::{reader::Name, Aml, Error, NODES};

pub type NodeId = u32;
pub const ROOT: NodeId = 0;
const NOTHING: NodeId = u32::MAX;

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
    /// Offset and length are terms at the span.
    Region {
        space: u8,
        terms: Span,
    },
    /// Bits of a region.
    Field {
        region: NodeId,
        bit: u32,
        bits: u32,
        /// Bits of each access.
        access: u32,
    },
    /// Bits of the buffer that a name holds.
    BufferField {
        buffer: NodeId,
        bit: u32,
        bits: u32,
    },
    Alias(NodeId),
    /// Named, but of no use here (mutexes, events, index fields).
    Other,
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

    /// Adds a node; an old one of that name is replaced.
    pub(super) fn add(
        &mut self,
        parent: NodeId,
        name: [u8; 4],
        kind: Kind,
    ) -> Result<NodeId, Error> {
        if let Some(old) = self.child(parent, name) {
            self.values.remove(&old);
            if let Some(node) = self.nodes.get_mut(old as usize) {
                node.kind = kind;
            }
            return Ok(old);
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

    /// Takes away what a method named while it ran.
    pub(super) fn forget(&mut self, method: NodeId, from: usize) {
        self.nodes.truncate(from.max(1));
        self.values.retain(|id, _| (*id as usize) < from);
        if let Some(node) = self.nodes.get_mut(method as usize) {
            node.first = NOTHING;
            node.last = NOTHING;
        }
    }

    /// Where a declaration puts its last segment: the scope, and that segment.
    pub(super) fn place(&mut self, scope: NodeId, name: &Name) -> Result<(NodeId, [u8; 4]), Error> {
        let (last, path) = name.segments.split_last().ok_or(Error::Kind)?;
        let mut at = self.start(scope, name)?;
        for segment in path {
            at = match self.child(at, *segment) {
                Some(id) => self.behind(id)?,
                // Declared in a table that is not here.
                None => self.add(at, *segment, Kind::Scope)?,
            };
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
