//! What the processors say about themselves.

mod arm;
mod caches;
mod features;
mod topology;
mod x86;

use crate::hardware::Hardware;
use alloc::{string::String, vec::Vec};
use machine::{Arch, Cpu, Fact, Machine, Source, Value};

pub(crate) use arm::{discover as arm, own_timer};

pub(crate) fn fact(name: &str, value: Value) -> Fact {
    Fact {
        name: String::from(name),
        value,
        source: Source::Processor,
    }
}

fn number(name: &str, value: u64) -> Fact {
    fact(name, Value::Number(value))
}

/// What a firmware's table says of the processors; empty where there is no such table.
#[derive(Default)]
pub(crate) struct Listed {
    /// Those that can be used, in the table's order.
    pub cpus: Vec<Cpu>,
    /// Physical address of the interrupt controller that each processor of a PC has for itself, and who says so.
    pub local: Option<(u64, Source)>,
}

/// The processors that a table lists (only the one that runs, without it), with what that one says about itself.
pub(crate) fn discover(hardware: &mut dyn Hardware, machine: &mut Machine, listed: Listed) {
    machine.cpus = listed.cpus;
    match machine.arch {
        Arch::X86_64 => x86::discover(hardware, machine, listed.local),
        Arch::Aarch64 => arm::discover(hardware, machine),
    }
}
