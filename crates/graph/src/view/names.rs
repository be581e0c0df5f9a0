//! What people call the places that a residual touches. An overlay: no part of the code, and of no hash.

use crate::{Graph, Id, Op, Space};
use alloc::{string::String, vec::Vec};

/// Names of places, where a rule has some. Without any, views show numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Window, offset in it as in [`Op::Read`], and the register's name.
    pub registers: Vec<(u8, u64, String)>,
    /// Space, offset in bytes, and the name of what begins there.
    pub memory: Vec<(Space, u64, String)>,
}

impl Names {
    /// The register at this place, if the place is a constant and has a name.
    pub(super) fn register(&self, graph: &Graph, window: u8, at: Id) -> Option<&str> {
        let at = constant(graph, at)?;
        let found = |(w, a, _): &&(u8, u64, String)| *w == window && *a == at;
        self.registers
            .iter()
            .find(found)
            .map(|(.., name)| name.as_str())
    }

    pub(super) fn memory(&self, graph: &Graph, space: Space, at: Id) -> Option<&str> {
        let at = constant(graph, at)?;
        let found = |(s, a, _): &&(Space, u64, String)| *s == space && *a == at;
        self.memory
            .iter()
            .find(found)
            .map(|(.., name)| name.as_str())
    }
}

fn constant(graph: &Graph, id: Id) -> Option<u64> {
    match graph.nodes.get(id as usize) {
        Some(Op::Const(value)) => Some(*value),
        _ => None,
    }
}
