//! What is kept of genesis: the inventory, the code, the graphs. Three modules beside the nucleus.

use crate::{arch, install::Kernel, platform};
use abi::boot::ModuleKind;
use generator::{record::Record, Stages};
use machine::Machine;

/// Puts the modules beside the nucleus. `bound`: where the nucleus's own copy of each driver's code is.
pub fn keep(
    kernel: &mut Kernel,
    machine: &Machine,
    record: Record,
    bound: &[Option<u64>],
    stages: &Stages,
) {
    let mut record = record;
    let base = kernel.program(ModuleKind::Codes, &record.codes);
    record.placed(base, bound);
    kernel.program(ModuleKind::Graphs, &record.graphs);
    let (unit, amount, ticks) = counted().unwrap_or_else(timed);
    let stages = stages.told(amount, ticks);
    let inventory = record.inventory(machine, stages, unit);
    let bytes = postcard::to_allocvec(&inventory).unwrap_or_default();
    kernel.program(ModuleKind::Inventory, &bytes);
}

/// Unit of the stages, and how much of it is how many ticks of the counter.
type Rate = (&'static str, u64, u64);

/// Instructions that are run to see whether the counter goes with them.
const RUN: u64 = 30_000;
/// What is not the loop: reading the counter, and its coarseness.
const AROUND: u64 = 64;

/// In instructions, if the counter goes with these, as it does in an emulator that was told so: divisions then take no
/// longer than subtractions, time after time.
fn counted() -> Option<Rate> {
    let took = |run: fn(u64)| {
        let before = arch::ticks();
        run(RUN);
        arch::ticks() - before
    };
    let first = took(arch::run_instructions);
    let same = |run| took(run).abs_diff(first) <= first.min(RUN) / 256 + 2;
    let all =
        same(arch::run_divisions) && same(arch::run_instructions) && same(arch::run_divisions);
    (all && first > 0).then_some(("instructions", RUN + AROUND, first))
}

/// By the clock, if there is one; else all that can be told is the counter itself.
fn timed() -> Rate {
    match platform::measured() {
        Some((ns, ticks)) if ticks >= 1000 => ("microseconds", ns / 1000, ticks),
        _ => ("ticks", 1, 1),
    }
}
