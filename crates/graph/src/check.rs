//! Structural validation of residuals that come from outside: whoever runs or emits one calls it first.

use crate::{
    traverse::{resolve, Pure},
    Entry, Graph, Id, Op, RegionId, Residual, Width, WindowKind,
};
use alloc::{format, string::String, vec, vec::Vec};

/// Regions nested deeper than this are refused, so that walks may recurse.
pub const DEEPEST: usize = 64;
/// Most arguments of an entry.
pub const ARGUMENTS: u8 = 7;
/// Most arguments of an upcall, and result words of an entry.
pub const WORDS: usize = 4;

impl Residual {
    /// Whether the residual is well formed: operands before their users, every region and step used at most once,
    /// effect values used only where they have been computed, indices and widths in range.
    ///
    /// It says nothing about what the code does: addresses are checked by whoever maps the windows.
    pub fn validate(&self) -> Result<(), String> {
        if !self.arena_align.is_power_of_two() && self.arena_size > 0 {
            return Err(format!(
                "the arena's alignment {} is no power of two",
                self.arena_align
            ));
        }
        for (id, op) in self.graph.nodes.iter().enumerate() {
            self.node(id as Id, op)
                .map_err(|e| format!("node {id}: {e}"))?;
        }
        once(&self.graph, &self.entries)?;
        let mut walk = Walk::new(self);
        for entry in &self.entries {
            walk.entry(entry)
                .map_err(|e| format!("entry `{}`: {e}", entry.name))?;
        }
        Ok(())
    }

    /// What can be said of one node without its surroundings.
    fn node(&self, id: Id, op: &Op) -> Result<(), String> {
        let mut operands = Ok(());
        op.operands(|operand| {
            let known = self.graph.nodes.get(operand as usize);
            if operand >= id || !known.is_some_and(Op::gives_value) {
                operands = Err(format!(
                    "operand {operand} is not an earlier node with a value"
                ));
            }
        });
        operands?;
        match *op {
            Op::Extract { lo, bits, .. } | Op::Insert { lo, bits, .. }
                if bits == 0 || lo as u32 + bits as u32 > 64 =>
            {
                Err(format!("a field of {bits} bits at {lo}"))
            }
            Op::Read { window, at, width }
            | Op::Write {
                window, at, width, ..
            } => self.access(window, at, width),
            Op::Up { which, ref args } => {
                if which as usize >= self.upcalls.len() {
                    return Err(format!("upcall {which} of {}", self.upcalls.len()));
                }
                match args.len() {
                    0..=WORDS => Ok(()),
                    n => Err(format!("upcall with {n} arguments")),
                }
            }
            Op::Result(n, _) if n as usize >= WORDS => Err(format!("result word {n}")),
            _ => Ok(()),
        }
    }

    fn access(&self, window: u8, at: Id, width: Width) -> Result<(), String> {
        let Some(w) = self.windows.get(window as usize) else {
            return Err(format!("window {window} of {}", self.windows.len()));
        };
        let constant = match self.graph.nodes.get(at as usize) {
            Some(Op::Const(value)) => Some(*value),
            _ => None,
        };
        match w.kind {
            WindowKind::Memory => {}
            WindowKind::Port if width == Width::B64 => {
                return Err(format!("64-bit access to port window {window}"));
            }
            WindowKind::Port => {}
            WindowKind::System | WindowKind::Model => {
                if width != Width::B64 || constant.is_none() {
                    return Err(format!(
                        "access to register window {window} is not 64-bit at a constant number"
                    ));
                }
                return Ok(());
            }
        }
        match constant {
            Some(at)
                if at
                    .checked_add(width.bytes() as u64)
                    .is_none_or(|end| end > w.size) =>
            {
                Err(format!(
                    "access at {at:#x} beyond the {} bytes of window {window}",
                    w.size
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Every region and every step has at most one place, regions lie inside greater ones, and steps are effects.
fn once(graph: &Graph, entries: &[Entry]) -> Result<(), String> {
    let mut regions = vec![false; graph.regions.len()];
    let mut steps = vec![false; graph.nodes.len()];
    let mut place = |id: RegionId| match regions.get_mut(id as usize) {
        None => Err(format!("there is no region {id}")),
        Some(used) if *used => Err(format!("region {id} is used twice")),
        Some(used) => {
            *used = true;
            Ok(())
        }
    };
    for entry in entries {
        place(entry.body)?;
    }
    for (outer, region) in graph.regions.iter().enumerate() {
        for &id in &region.steps {
            let Some(op) = graph.nodes.get(id as usize).filter(|op| !op.is_pure()) else {
                return Err(format!("step {id} of region {outer} is no effect"));
            };
            if core::mem::replace(&mut steps[id as usize], true) {
                return Err(format!("step {id} stands twice"));
            }
            for inner in op.inner().into_iter().flatten() {
                if inner as usize >= outer {
                    return Err(format!(
                        "region {inner} lies inside the smaller region {outer}"
                    ));
                }
                place(inner)?;
            }
        }
    }
    Ok(())
}

/// One pass through an entry in program order, remembering which values are there.
struct Walk<'a> {
    residual: &'a Residual,
    there: There<'a>,
}

struct There<'a> {
    here: Vec<bool>,
    /// What to forget at the end of each open region.
    made: Vec<Id>,
    entry: Option<&'a Entry>,
}

impl There<'_> {
    fn make(&mut self, id: Id) {
        self.here[id as usize] = true;
        self.made.push(id);
    }
}

impl Pure for There<'_> {
    type Error = String;
    fn done(&self, id: Id) -> bool {
        self.here.get(id as usize).copied().unwrap_or(false)
    }
    fn visit(&mut self, id: Id, op: &Op) -> Result<(), String> {
        if !op.is_pure() {
            return Err(format!(
                "the value of step {id} is used where it is not known"
            ));
        }
        if let (Op::Arg(n), Some(entry)) = (op, self.entry) {
            if *n >= entry.arguments {
                return Err(format!("argument {n} of {}", entry.arguments));
            }
        }
        self.make(id);
        Ok(())
    }
}

impl<'a> Walk<'a> {
    fn new(residual: &'a Residual) -> Walk<'a> {
        let there = There {
            here: vec![false; residual.graph.nodes.len()],
            made: Vec::new(),
            entry: None,
        };
        Walk { residual, there }
    }

    fn entry(&mut self, entry: &'a Entry) -> Result<(), String> {
        if entry.arguments > ARGUMENTS {
            return Err(format!("{} arguments", entry.arguments));
        }
        self.there.entry = Some(entry);
        self.region(entry.body, 0, 0, None)
    }

    /// `inside` counts the enclosing blocks and loops; `last` is a value that the region itself must provide.
    fn region(
        &mut self,
        id: RegionId,
        depth: usize,
        inside: usize,
        last: Option<Id>,
    ) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("regions lie more than {DEEPEST} deep"));
        }
        let before = self.there.made.len();
        let residual = self.residual;
        for &step in &residual.graph.regions[id as usize].steps {
            self.step(step, depth, inside)?;
        }
        if let Some(value) = last {
            self.value(value)?;
        }
        for id in self.there.made.drain(before..) {
            self.there.here[id as usize] = false;
        }
        Ok(())
    }

    fn step(&mut self, id: Id, depth: usize, inside: usize) -> Result<(), String> {
        let op = &self.residual.graph.nodes[id as usize];
        let locals = self.there.entry.map_or(0, |e| e.locals);
        match *op {
            Op::Local(n) | Op::SetLocal(n, _) if n >= locals => {
                return Err(format!("step {id}: local {n} of {locals}"));
            }
            Op::Leave(n) if n as usize >= inside => {
                return Err(format!("step {id}: leaves {n} of {inside} blocks"));
            }
            Op::Await { cond, value, ns } => {
                self.value(ns)?;
                self.region(cond, depth + 1, inside, Some(value))?;
            }
            ref op => {
                let mut result = Ok(());
                op.operands(|operand| {
                    if result.is_ok() {
                        result = self.value(operand);
                    }
                });
                result?;
                let deeper = matches!(op, Op::Block(_) | Op::Loop { .. }) as usize;
                for region in op.inner().into_iter().flatten() {
                    self.region(region, depth + 1, inside + deeper, None)?;
                }
            }
        }
        self.there.make(id);
        Ok(())
    }

    fn value(&mut self, id: Id) -> Result<(), String> {
        resolve(&self.residual.graph, id, &mut self.there)
    }
}
