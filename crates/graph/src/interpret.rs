//! Running a residual step by step, for tests, for comparison with emitted code, and for a look at what it does.

use crate::{
    build::fold::{compute, swapped},
    traverse::{resolve, Pure},
    Access, Graph, Id, Late, Op, RegionId, Residual, Space, Width, WindowKind,
};
use alloc::{format, string::String, vec, vec::Vec};

/// Steps that [`run`] takes at most.
pub const BUDGET: u64 = 20_000_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// See `abi::status`; or the value itself for an operation that returns one. All ones with a `fault`.
    pub status: u64,
    /// The words of `Op::Result`; 0 where none was given.
    pub results: [u64; 4],
    /// Why the entry did not come to its end.
    pub fault: Option<Fault>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `Residual::validate` refused it.
    Invalid(String),
    /// The residual has no such entry, or the entry takes another number of arguments.
    Entry,
    /// The budget of steps is used up.
    Budget,
    /// An access lies outside its memory or its window: where in the graph, what was touched, and how much there is.
    Outside(String),
}

/// Runs one entry with a budget of [`BUDGET`] steps.
pub fn run(residual: &Residual, entry: usize, args: &[u64], access: &mut dyn Access) -> Outcome {
    run_within(residual, entry, args, access, BUDGET)
}

/// The same with a budget of one's own: a turn of a loop or of a wait counts as a step too.
pub fn run_within(
    residual: &Residual,
    entry: usize,
    args: &[u64],
    access: &mut dyn Access,
    budget: u64,
) -> Outcome {
    let fault = |fault| Outcome {
        status: u64::MAX,
        results: [0; 4],
        fault: Some(fault),
    };
    if let Err(why) = residual.validate() {
        return fault(Fault::Invalid(why));
    }
    let Some(e) = residual
        .entries
        .get(entry)
        .filter(|e| e.arguments as usize == args.len())
    else {
        return fault(Fault::Entry);
    };
    let count = residual.graph.nodes.len();
    let late = lates(&residual.graph, access);
    let mut machine = Machine {
        residual,
        entry: &e.name,
        graph: &residual.graph,
        access,
        budget,
        locals: vec![0; e.locals as usize],
        results: [0; 4],
        values: Values {
            args,
            late,
            value: vec![0; count],
            made: vec![0; count],
            now: 1,
        },
    };
    let status = match machine.region(e.body) {
        Ok(()) => 0,
        Err(Exit::Return(status)) => status,
        // `validate` has shown that every `Leave` has its target.
        Err(Exit::Leave(_)) => 0,
        Err(Exit::Budget) => return fault(Fault::Budget),
        Err(Exit::Outside(what)) => return fault(Fault::Outside(what)),
    };
    Outcome {
        status,
        results: machine.results,
        fault: None,
    }
}

/// The late facts that the graph mentions.
fn lates(graph: &Graph, access: &mut dyn Access) -> Vec<(Late, u64)> {
    let mut found: Vec<(Late, u64)> = Vec::new();
    for op in &graph.nodes {
        if let Op::Late(late) = *op {
            if found.iter().all(|(which, _)| *which != late) {
                found.push((late, access.late(late)));
            }
        }
    }
    found
}

enum Exit {
    Leave(u8),
    Return(u64),
    Budget,
    Outside(String),
}

struct Machine<'a> {
    residual: &'a Residual,
    /// Name of the entry.
    entry: &'a str,
    graph: &'a Graph,
    access: &'a mut dyn Access,
    budget: u64,
    locals: Vec<u64>,
    results: [u64; 4],
    values: Values<'a>,
}

/// Values of nodes. A pure node's value is good until the next effect gives a value.
struct Values<'a> {
    args: &'a [u64],
    late: Vec<(Late, u64)>,
    value: Vec<u64>,
    /// When the value was made; `EFFECT` for an effect's, which stays until the step runs again.
    made: Vec<u64>,
    now: u64,
}

const EFFECT: u64 = u64::MAX;

impl Values<'_> {
    fn get(&self, id: Id) -> u64 {
        self.value[id as usize]
    }

    fn set_effect(&mut self, id: Id, value: u64) {
        self.value[id as usize] = value;
        self.made[id as usize] = EFFECT;
        self.now += 1;
    }
}

impl Pure for Values<'_> {
    type Error = Exit;

    fn done(&self, id: Id) -> bool {
        let made = self.made[id as usize];
        made == EFFECT || made == self.now
    }

    fn visit(&mut self, id: Id, op: &Op) -> Result<(), Exit> {
        let v = |id: Id| self.value[id as usize];
        let value = match *op {
            Op::Const(c) => c,
            Op::Arg(n) => self.args[n as usize],
            Op::Bin(op, a, b) => compute(op, v(a), v(b)),
            Op::Select(c, a, b) => match v(c) {
                0 => v(b),
                _ => v(a),
            },
            Op::Extract { value, lo, bits } => (v(value) >> lo) & mask(bits),
            Op::Insert {
                into,
                value,
                lo,
                bits,
            } => v(into) & !(mask(bits) << lo) | (v(value) & mask(bits)) << lo,
            Op::Swap(width, a) => swapped(width, v(a)),
            Op::LowestBit(a) => v(a).trailing_zeros() as u64,
            Op::Ones(a) => v(a).count_ones() as u64,
            Op::Late(late) => self
                .late
                .iter()
                .find(|(which, _)| *which == late)
                .map_or(0, |(_, value)| *value),
            // `validate` has shown that effects ran before they are used.
            _ => 0,
        };
        self.value[id as usize] = value;
        self.made[id as usize] = self.now;
        Ok(())
    }
}

fn fits(at: u64, width: Width, size: u64, what: impl FnOnce() -> String) -> Result<(), Exit> {
    let bytes = u64::from(width.bytes());
    if at.checked_add(bytes).is_some_and(|end| end <= size) {
        return Ok(());
    }
    Err(Exit::Outside(format!(
        "{bytes} bytes at {at:#x} of {}, which has {size:#x}",
        what()
    )))
}

fn mask(bits: u8) -> u64 {
    u64::MAX >> (64 - bits as u32)
}

impl Machine<'_> {
    fn region(&mut self, id: RegionId) -> Result<(), Exit> {
        let graph = self.graph;
        for &step in &graph.regions[id as usize].steps {
            self.spend()?;
            match self.step(&graph.nodes[step as usize]) {
                Ok(Some(value)) => self.values.set_effect(step, value),
                Ok(None) => {}
                Err(Exit::Outside(what)) if !what.starts_with('`') => {
                    let entry = self.entry;
                    return Err(Exit::Outside(format!("`{entry}`, node {step}: {what}")));
                }
                Err(exit) => return Err(exit),
            }
        }
        Ok(())
    }

    /// Refuses an access to memory that does not lie in it. How large the pool is only `Access` knows.
    fn inside(&mut self, space: Space, at: u64, width: Width) -> Result<(), Exit> {
        let size = match space {
            Space::State => u64::from(self.residual.state_size),
            Space::Arena => u64::from(self.residual.arena_size),
            Space::Pool => match self.access.pool_size() {
                Some(size) => size,
                None => return Ok(()),
            },
        };
        fits(at, width, size, || format!("{space:?}").to_lowercase())
    }

    /// Refuses an access to a window that does not lie in it. Registers of the processor have numbers, and no size.
    fn inside_window(&mut self, window: u8, at: u64, width: Width) -> Result<(), Exit> {
        // `validate` has shown that there is such a window.
        match self.residual.windows.get(usize::from(window)) {
            Some(w) if matches!(w.kind, WindowKind::Memory | WindowKind::Port) => {
                fits(at, width, w.size, || format!("window `{}`", w.name))
            }
            _ => Ok(()),
        }
    }

    fn spend(&mut self) -> Result<(), Exit> {
        self.budget = self.budget.checked_sub(1).ok_or(Exit::Budget)?;
        Ok(())
    }

    fn value(&mut self, id: Id) -> Result<u64, Exit> {
        resolve(self.graph, id, &mut self.values)?;
        Ok(self.values.get(id))
    }

    fn step(&mut self, op: &Op) -> Result<Option<u64>, Exit> {
        match op {
            Op::If { cond, yes, no } => {
                let region = if self.value(*cond)? != 0 { *yes } else { *no };
                self.region(region)?;
                Ok(None)
            }
            Op::Block(body) => self.left(*body).map(|_| None),
            Op::Loop { most, body } => self.repeat(*most, *body).map(Some),
            Op::Await { cond, value, ns } => self.wait(*cond, *value, *ns).map(Some),
            Op::Leave(n) => Err(Exit::Leave(*n)),
            Op::Return(status) => {
                let status = self.value(*status)?;
                Err(Exit::Return(status))
            }
            op => self.simple(op),
        }
    }

    /// Runs a block's or loop's body; true when a `Leave` ended it.
    fn left(&mut self, body: RegionId) -> Result<bool, Exit> {
        match self.region(body) {
            Ok(()) => Ok(false),
            Err(Exit::Leave(0)) => Ok(true),
            Err(Exit::Leave(n)) => Err(Exit::Leave(n - 1)),
            Err(exit) => Err(exit),
        }
    }

    fn repeat(&mut self, most: Id, body: RegionId) -> Result<u64, Exit> {
        let most = self.value(most)?;
        for _ in 0..most {
            self.spend()?;
            if self.left(body)? {
                return Ok(0);
            }
        }
        Ok(1)
    }

    /// The clock is first read when the first test has failed; once the time is over the test is made once more.
    fn wait(&mut self, cond: RegionId, value: Id, ns: Id) -> Result<u64, Exit> {
        let ns = self.value(ns)?;
        let mut began = None;
        let mut last = false;
        loop {
            self.spend()?;
            self.region(cond)?;
            if self.value(value)? != 0 {
                return Ok(1);
            }
            if last {
                return Ok(0);
            }
            let now = self.access.clock();
            last = now.wrapping_sub(*began.get_or_insert(now)) >= ns;
        }
    }

    /// Steps without regions.
    fn simple(&mut self, op: &Op) -> Result<Option<u64>, Exit> {
        let value = match *op {
            Op::Local(n) => self.locals[n as usize],
            Op::SetLocal(n, v) => {
                self.locals[n as usize] = self.value(v)?;
                return Ok(None);
            }
            Op::Load { space, at, width } => {
                let at = self.value(at)?;
                self.inside(space, at, width)?;
                self.access.load(space, at, width) & width.mask()
            }
            Op::Read { window, at, width } => {
                let at = self.value(at)?;
                self.inside_window(window, at, width)?;
                self.access.read(window, at, width) & width.mask()
            }
            Op::Up { which, ref args } => {
                let mut words = [0; 4];
                for (word, arg) in words.iter_mut().zip(args) {
                    *word = self.value(*arg)?;
                }
                self.access.up(which, &words[..args.len()])
            }
            Op::Clock => self.access.clock(),
            Op::Firmware { conduit, args } => {
                let mut words = [0; 4];
                for (word, arg) in words.iter_mut().zip(args) {
                    *word = self.value(arg)?;
                }
                self.access.firmware(conduit, words)
            }
            ref op => return self.silent(op).map(|_| None),
        };
        Ok(Some(value))
    }

    /// Steps without a value.
    fn silent(&mut self, op: &Op) -> Result<(), Exit> {
        match *op {
            Op::Store {
                space,
                at,
                width,
                value,
            } => {
                let (at, value) = (self.value(at)?, self.value(value)?);
                self.inside(space, at, width)?;
                self.access.store(space, at, width, value & width.mask());
            }
            Op::Write {
                window,
                at,
                width,
                value,
            } => {
                let (at, value) = (self.value(at)?, self.value(value)?);
                self.inside_window(window, at, width)?;
                self.access.write(window, at, width, value & width.mask());
            }
            Op::Fence(fence) => self.access.fence(fence),
            Op::Pause(ns) => {
                let ns = self.value(ns)?;
                self.access.pause(ns);
            }
            Op::Result(n, v) => self.results[n as usize] = self.value(v)?,
            _ => {}
        }
        Ok(())
    }
}
