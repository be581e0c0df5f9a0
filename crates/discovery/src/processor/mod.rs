//! What the processors say about themselves.

mod arm;
mod caches;
mod features;
mod topology;
mod x86;

use crate::{acpi::Interrupts, hardware::Hardware};
use alloc::string::String;
use machine::{Arch, Fact, Machine, Source, Value};

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

/// The processors that the table of interrupt controllers names (only the one that runs, without it), with what that one
/// says about itself.
pub(crate) fn discover(
    hardware: &mut dyn Hardware,
    machine: &mut Machine,
    interrupts: &Interrupts,
) {
    machine.cpus = interrupts.processors.clone();
    match machine.arch {
        Arch::X86_64 => x86::discover(hardware, machine, interrupts.local),
        Arch::Aarch64 => arm::discover(hardware, machine),
    }
    if !interrupts.disabled.is_empty() {
        machine.facts.push(Fact {
            name: String::from("cpu.disabled"),
            value: Value::Numbers(interrupts.disabled.clone()),
            source: Source::Firmware(*b"APIC"),
        });
    }
}
