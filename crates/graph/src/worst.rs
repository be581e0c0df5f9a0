//! The worst case of an entry, counted in its graph: facts have been folded away, and every loop has its bound.

use crate::{build, Op, RegionId, Residual};
use alloc::vec::Vec;

/// Upper bounds. Two branches count as the dearer; a `Leave` or an early end is taken for one that does not come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worst {
    /// Reads and writes of the device; those inside a wait once, though it looks again and again.
    pub accesses: u64,
    /// Rounds of all loops.
    pub rounds: u64,
    /// Nanoseconds of all waits and pauses.
    pub waits: u64,
    /// Calls of the class.
    pub upcalls: u64,
}

impl Worst {
    fn plus(self, other: Worst) -> Worst {
        Worst {
            accesses: self.accesses.saturating_add(other.accesses),
            rounds: self.rounds.saturating_add(other.rounds),
            waits: self.waits.saturating_add(other.waits),
            upcalls: self.upcalls.saturating_add(other.upcalls),
        }
    }

    fn larger(self, other: Worst) -> Worst {
        Worst {
            accesses: self.accesses.max(other.accesses),
            rounds: self.rounds.max(other.rounds),
            waits: self.waits.max(other.waits),
            upcalls: self.upcalls.max(other.upcalls),
        }
    }

    fn times(self, n: u64) -> Worst {
        Worst {
            accesses: self.accesses.saturating_mul(n),
            rounds: self.rounds.saturating_mul(n),
            waits: self.waits.saturating_mul(n),
            upcalls: self.upcalls.saturating_mul(n),
        }
    }
}

/// The worst case of every entry, in their order; none of a residual that is not well formed.
pub fn worst(residual: &Residual) -> Vec<Worst> {
    if residual.validate().is_err() {
        return Vec::new();
    }
    let most = build::most(&residual.graph);
    let entries = residual.entries.iter();
    entries.map(|e| region(residual, &most, e.body)).collect()
}

/// The depth of regions is bounded by `validate`.
fn region(residual: &Residual, most: &[u64], id: RegionId) -> Worst {
    let mut sum = Worst::default();
    for &step in &residual.graph.regions[id as usize].steps {
        let inner = |id: RegionId| region(residual, most, id);
        let of = |id: crate::Id| most[id as usize];
        let one = Worst::default();
        let cost = match residual.graph.nodes[step as usize] {
            Op::Read { .. } | Op::Write { .. } => Worst { accesses: 1, ..one },
            Op::Up { .. } => Worst { upcalls: 1, ..one },
            Op::Pause(ns) => Worst {
                waits: of(ns),
                ..one
            },
            Op::If { yes, no, .. } => inner(yes).larger(inner(no)),
            Op::Block(body) => inner(body),
            Op::Loop { most, body } => {
                let rounds = of(most);
                inner(body).times(rounds).plus(Worst { rounds, ..one })
            }
            Op::Await { cond, ns, .. } => inner(cond).plus(Worst {
                waits: of(ns),
                ..one
            }),
            _ => one,
        };
        sum = sum.plus(cost);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Id, Width};

    fn read(b: &mut Builder) -> Id {
        let at = b.constant(4);
        let width = Width::B32;
        b.step(Op::Read {
            window: 0,
            at,
            width,
        })
    }

    #[test]
    fn branches_loops_and_waits_are_counted() {
        let mut b = Builder::new();
        b.open();
        let value = read(&mut b);
        b.open();
        read(&mut b);
        read(&mut b);
        let yes = b.close();
        b.open();
        read(&mut b);
        let no = b.close();
        b.step(Op::If {
            cond: value,
            yes,
            no,
        });
        b.open();
        read(&mut b);
        b.step(Op::Up {
            which: 0,
            args: Vec::new(),
        });
        let body = b.close();
        let few = b.constant(15);
        let most = b.bin(crate::BinOp::And, value, few);
        b.step(Op::Loop { most, body });
        b.open();
        let ready = read(&mut b);
        let cond = b.close();
        let ns = b.constant(1000);
        b.step(Op::Await {
            cond,
            value: ready,
            ns,
        });
        b.close();
        b.finish_entry("one", 0, 0);
        let mut residual = crate::sample::residual(0);
        (residual.graph, residual.entries) = b.into_parts();
        let wanted = Worst {
            accesses: 1 + 2 + 15 + 1,
            rounds: 15,
            waits: 1000,
            upcalls: 15,
        };
        assert_eq!(worst(&residual), [wanted]);
    }
}
