//! Lines, with a device that raises one: masked it is silent, let through it comes as the vector that it was routed to.

use super::super::prove;
use super::{text, Bench, Driver, Result, Tried};
use abi::boot::vector;
use abi::ring::{todo, Entry};
use alloc::{format, string::String};
use classes::{Class, Client, Pump};
use machine::{Machine, Wire};

/// Classes whose devices raise their line soon after a request, on a machine where nobody is at the other end.
const RAISE: [Class; 2] = [Class::Block, Class::Nic];
/// In which nothing may come, and in which a device must have answered.
const MOMENT: u64 = 2_000_000;
const PATIENCE: u64 = 1_000_000_000;
/// Lines below this have the vector that they always had, whatever the controller.
const FIXED: u64 = 16;
/// Bytes of a frame that is sent.
const FRAME: u32 = 60;

/// A driver that can be made to raise its line.
struct Source {
    pump: Pump,
    client: Client,
    ticket: u32,
    wire: Wire,
    name: String,
}

pub fn run(bench: &mut Bench, drivers: &[Driver], machine: &Machine) -> Tried {
    match RAISE
        .into_iter()
        .find_map(|class| source(class, drivers, machine))
    {
        None => Tried::LeftOut(text("no device here can be made to raise a line")),
        Some(Ok(mut source)) => {
            let tried = tries(bench, &mut source);
            // The device holds none of our buffers afterwards.
            let _ = source.pump.start();
            tried.into()
        }
        Some(Err(why)) => Tried::Failed(why),
    }
}

fn source(class: Class, drivers: &[Driver], machine: &Machine) -> Option<Result<Source>> {
    drivers.iter().find_map(|driver| {
        if Class::of_name(&driver.choice.class) != Some(class) || !driver.usable() {
            return None;
        }
        driver.entry("irq")?;
        let wire = machine.devices.get(driver.device)?.wires.first()?.clone();
        let made = prove::pump(class, &driver.written, &driver.code).and_then(|mut made| {
            let started = made.pump.start();
            started.map_err(|failure| format!("{}: {failure}", driver.name))?;
            Ok(Source {
                client: made.area.client(),
                pump: made.pump,
                ticket: 0,
                wire,
                name: driver.name.clone(),
            })
        });
        Some(made)
    })
}

fn tries(bench: &mut Bench, source: &mut Source) -> Result<String> {
    let line = u64::from(source.wire.line);
    let first = expected(line, vector::LINES + line.min(FIXED));
    route(bench, source, first)?;
    lines(bench, "mask", line)?;
    source.raise()?;
    bench.silent(MOMENT, "the line was masked")?;
    lines(bench, "unmask", line)?;
    let came = bench.comes(first, PATIENCE, "the line was let through");
    if came.is_err() && !source.wire.level {
        // An edge that came while the line was masked may be lost.
        source.serve();
        source.raise()?;
        bench.comes(first, PATIENCE, "the line was let through")?;
    } else {
        came?;
    }
    lines(bench, "mask", line)?;
    bench.end(first)?;
    bench.silent(MOMENT, "the line was masked again")?;
    if !source.serve() {
        return Err(format!("{} knows nothing of its interrupt", source.name));
    }
    lines(bench, "unmask", line)?;
    bench.silent(MOMENT, "the device was served")?;
    let second = expected(line, vector::LINES + FIXED + 1);
    if line >= FIXED && second != first {
        lines(bench, "mask", line)?;
        route(bench, source, second)?;
        lines(bench, "unmask", line)?;
        source.raise()?;
        bench.comes(second, PATIENCE, "the line was routed elsewhere")?;
        lines(bench, "mask", line)?;
        bench.end(second)?;
        source.serve();
    }
    lines(bench, "mask", line)?;
    let wire = match (source.wire.level, source.wire.low) {
        (true, true) => "level, low",
        (true, false) => "level, high",
        (false, true) => "edge, low",
        (false, false) => "edge, high",
    };
    let elsewhere = match line >= FIXED && second != first {
        true => format!(", then {second}"),
        false => String::new(),
    };
    Ok(format!(
        "line {line} of {} ({wire}) is silent while masked, and comes as {first}{elsewhere}",
        source.name
    ))
}

/// The number as which an interrupt comes that was routed to a vector.
#[cfg(target_arch = "x86_64")]
fn expected(_line: u64, vector: u64) -> u64 {
    vector
}

/// Lines have numbers, and no vectors.
#[cfg(target_arch = "aarch64")]
fn expected(line: u64, _vector: u64) -> u64 {
    line
}

fn lines(bench: &mut Bench, name: &str, line: u64) -> Result<()> {
    bench.call("lines", name, [line, 0, 0, 0, 0])
}

fn route(bench: &mut Bench, source: &Source, vector: u64) -> Result<()> {
    let (wire, cpu) = (&source.wire, bench.cpu);
    let words = [
        u64::from(wire.line),
        cpu,
        vector,
        u64::from(wire.level),
        u64::from(wire.low),
    ];
    bench.call("lines", "route", words)
}

impl Source {
    /// Has the device do something after which it raises its line.
    fn raise(&mut self) -> Result<()> {
        self.ticket += 1;
        let facts = self.pump.facts();
        let (kind, offset, length) = match self.pump.class() {
            Class::Block => (todo::BLOCK_READ, 0, facts.size as u32),
            _ => (todo::NIC_TRANSMIT, facts.headroom as u32, FRAME),
        };
        let put = self.client.put(Entry {
            kind,
            ticket: self.ticket,
            offset,
            length,
            ..Entry::default()
        });
        self.client.publish();
        self.pump.turn(false);
        match (put, self.pump.failure()) {
            (_, Some(failure)) => Err(format!("{}: {failure}", self.name)),
            (false, None) => Err(format!("{} takes no request", self.name)),
            (true, None) => Ok(()),
        }
    }

    /// Handles the interrupt; whether it was the device's.
    fn serve(&mut self) -> bool {
        let mine = self.pump.turn(true).mine;
        while self.client.take().is_some() {}
        mine
    }
}
