//! Going through a graph: the operands of a node, and pure nodes in order without recursion.

use crate::{Graph, Id, Op, RegionId};
use alloc::vec::Vec;

/// Calls `$f` with each operand of `$op`, in the order of the definition: borrowed as `$op` is.
macro_rules! operands {
    ($op:expr, $f:expr) => {
        match $op {
            Op::Bin(_, a, b) => {
                $f(a);
                $f(b);
            }
            Op::Select(c, a, b) => {
                $f(c);
                $f(a);
                $f(b);
            }
            Op::Insert { into, value, .. } => {
                $f(into);
                $f(value);
            }
            Op::Extract { value: a, .. }
            | Op::Swap(_, a)
            | Op::LowestBit(a)
            | Op::Ones(a)
            | Op::Load { at: a, .. }
            | Op::Read { at: a, .. }
            | Op::SetLocal(_, a)
            | Op::Pause(a)
            | Op::If { cond: a, .. }
            | Op::Loop { most: a, .. }
            | Op::Result(_, a)
            | Op::Return(a) => $f(a),
            Op::Up { args, .. } => {
                for a in args {
                    $f(a);
                }
            }
            Op::Firmware { args, .. } => {
                for a in args {
                    $f(a);
                }
            }
            Op::Await { value, ns, .. } => {
                $f(value);
                $f(ns);
            }
            Op::Store { at, value, .. } | Op::Write { at, value, .. } => {
                $f(at);
                $f(value);
            }
            Op::Const(_)
            | Op::Arg(_)
            | Op::Late(_)
            | Op::Local(_)
            | Op::Clock
            | Op::Fence(_)
            | Op::Block(_)
            | Op::Leave(_) => {}
        }
    };
}

impl Op {
    /// Calls `f` with every operand, in the order of the definition. The `value` of an `Await` is one of them,
    /// though it is computed inside its region.
    pub fn operands(&self, mut f: impl FnMut(Id)) {
        let mut f = |a: &Id| f(*a);
        operands!(self, f);
    }

    /// The same with the right to change them.
    pub fn operands_mut(&mut self, mut f: impl FnMut(&mut Id)) {
        operands!(self, f);
    }

    /// The regions inside this node, at most two.
    pub fn inner(&self) -> [Option<RegionId>; 2] {
        match *self {
            Op::If { yes, no, .. } => [Some(yes), Some(no)],
            Op::Await { cond: body, .. } | Op::Loop { body, .. } | Op::Block(body) => {
                [Some(body), None]
            }
            _ => [None, None],
        }
    }

    /// Whether other nodes may use this one's value.
    pub const fn gives_value(&self) -> bool {
        self.is_pure()
            || matches!(
                self,
                Op::Local(_)
                    | Op::Load { .. }
                    | Op::Read { .. }
                    | Op::Up { .. }
                    | Op::Clock
                    | Op::Await { .. }
                    | Op::Loop { .. }
                    | Op::Firmware { .. }
            )
    }
}

/// What a walk over pure nodes does at each of them.
pub trait Pure {
    type Error;
    /// Whether the node needs no visit: it was visited, or it is an effect that has run.
    fn done(&self, id: Id) -> bool;
    /// Called once all operands are done.
    fn visit(&mut self, id: Id, op: &Op) -> Result<(), Self::Error>;
}

/// Makes `root` done, operands first. The depth of an expression costs heap, not stack. An effect that is not done
/// is visited too, without its operands, so that the visitor can refuse it.
pub fn resolve<P: Pure>(graph: &Graph, root: Id, pure: &mut P) -> Result<(), P::Error> {
    if pure.done(root) {
        return Ok(());
    }
    let mut stack = Vec::new();
    stack.push(root);
    while let Some(&id) = stack.last() {
        let Some(op) = graph.nodes.get(id as usize) else {
            return pure.visit(id, &Op::Leave(0));
        };
        let before = stack.len();
        if op.is_pure() {
            op.operands(|operand| {
                // Operands are smaller; anything else would go round for ever and is refused by `validate`.
                if operand < id && !pure.done(operand) {
                    stack.push(operand);
                }
            });
        }
        if stack.len() == before {
            if !pure.done(id) {
                pure.visit(id, op)?;
            }
            stack.pop();
        }
    }
    Ok(())
}

impl Graph {
    /// The locals that a region and those inside it read or set, in the order of their numbers.
    pub fn locals(&self, body: RegionId) -> Vec<u16> {
        let (mut found, mut open) = (Vec::new(), Vec::from([body]));
        while let Some(region) = open.pop() {
            for &step in &self.regions[region as usize].steps {
                let op = &self.nodes[step as usize];
                if let Op::Local(n) | Op::SetLocal(n, _) = *op {
                    found.push(n);
                }
                open.extend(op.inner().into_iter().flatten());
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}
