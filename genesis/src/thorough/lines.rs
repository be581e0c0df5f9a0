//! Lines, with a device that raises one: masked it is silent, let through it comes as the vector that it was routed to.
//! Messages, with a device that sends some: one comes, as what it was given, and no second before it is served.

use super::{text, Bench, Driver, Result, Tried};
use crate::run;
use abi::boot::vector;
use abi::ring::{todo, Entry};
use alloc::{format, string::String, vec::Vec};
use classes::{Class, Client, Pump};
use machine::{Machine, Wire};

/// Classes whose devices raise their line soon after a request, on a machine where nobody is at the other end. A frame is
/// gone at once; a disk takes its time, which an emulator's clock may leap over.
const RAISE: [Class; 2] = [Class::Nic, Class::Block];
/// In which nothing may come, and in which a device must have answered.
const MOMENT: u64 = 2_000_000;
const PATIENCE: u64 = 1_000_000_000;
/// How many messages are asked for.
const MESSAGES: u32 = 3;
/// Bytes of a frame that is sent.
const FRAME: u32 = 60;

/// A driver that can be made to raise its line.
struct Source {
    pump: Pump,
    client: Client,
    ticket: u32,
    name: String,
}

/// The line that is tried.
pub fn tried(drivers: &[Driver], machine: &Machine) -> Option<u32> {
    found(drivers, |driver| wired(driver, machine)).map(|(_, wire)| wire.line)
}

fn wired(driver: &Driver, machine: &Machine) -> Option<Wire> {
    let wire = machine.devices.get(driver.device)?.wires.first()?;
    (driver.messages.is_empty() && driver.entry("irq").is_some()).then(|| wire.clone())
}

pub fn run(bench: &mut Bench, drivers: &[Driver], machine: &Machine) -> Tried {
    match found(drivers, |driver| wired(driver, machine)) {
        None => Tried::LeftOut(text("no device here can be made to raise a line")),
        Some((driver, wire)) => with(driver, |source| tries(bench, source, &wire)),
    }
}

/// `first`: the interrupt of the machine's first message.
pub fn messages(bench: &mut Bench, drivers: &[Driver], first: u64) -> Tried {
    let sends = |driver: &Driver| (!driver.messages.is_empty()).then_some(());
    match found(drivers, sends) {
        None => Tried::LeftOut(text("no device here can be made to send a message")),
        Some((driver, ())) => {
            let own: Vec<u64> = (driver.messages.iter())
                .map(|n| first + u64::from(*n))
                .collect();
            with(driver, |source| sent(bench, source, &own))
        }
    }
}

/// The first driver that can be made to interrupt, in a way that `how` tells.
fn found<T>(drivers: &[Driver], how: impl Fn(&Driver) -> Option<T>) -> Option<(&Driver, T)> {
    RAISE.into_iter().find_map(|class| {
        drivers.iter().find_map(|driver| {
            let fits = Class::of_name(&driver.choice.class) == Some(class) && driver.usable();
            Some((driver, how(driver).filter(|_| fits)?))
        })
    })
}

/// Does it with the driver started, and takes every buffer back from the device afterwards.
fn with(driver: &Driver, work: impl FnOnce(&mut Source) -> Result<String>) -> Tried {
    let started = source(driver).and_then(|mut source| {
        let tried = work(&mut source);
        let _ = source.pump.start();
        tried
    });
    started.into()
}

fn source(driver: &Driver) -> Result<Source> {
    let Some(class) = Class::of_name(&driver.choice.class) else {
        return Err(text("it has no pump"));
    };
    let stand = run::stand(&driver.written, &driver.code)?;
    let mut made = generator::served(stand, class, &driver.written)?;
    let started = made.pump.start();
    started.map_err(|failure| format!("{}: {failure}", driver.name))?;
    Ok(Source {
        client: made.area.client(),
        pump: made.pump,
        ticket: 0,
        name: driver.name.clone(),
    })
}

fn sent(bench: &mut Bench, source: &mut Source, own: &[u64]) -> Result<String> {
    for number in own {
        open(bench, *number)?;
    }
    let tried = sent_once_each(bench, source, own);
    for number in own {
        close(bench, *number)?;
    }
    tried
}

fn sent_once_each(bench: &mut Bench, source: &mut Source, own: &[u64]) -> Result<String> {
    bench.silent(MOMENT, "nothing was asked of the device")?;
    let mut came = 0;
    for _ in 0..MESSAGES {
        source.raise()?;
        let Some((number, _)) = bench.next(PATIENCE) else {
            return Err(format!("{} sent no message", source.name));
        };
        bench.end(number)?;
        if !own.contains(&number) {
            return Err(format!(
                "interrupt {number} came, and {} has {own:?}",
                source.name
            ));
        }
        bench.silent(MOMENT, "the message was taken")?;
        if !source.serve() {
            return Err(format!("{} knows nothing of its message", source.name));
        }
        came = number;
    }
    Ok(format!(
        "a message of {} comes as {came}, once for each request",
        source.name
    ))
}

fn tries(bench: &mut Bench, source: &mut Source, wire: &Wire) -> Result<String> {
    let line = u64::from(wire.line);
    let fixed = bench.fixed;
    let first = expected(line, vector::LINES + line.min(fixed));
    route(bench, wire, first)?;
    lines(bench, "mask", line)?;
    source.raise()?;
    bench.silent(MOMENT, "the line was masked")?;
    lines(bench, "unmask", line)?;
    let came = bench.comes(first, PATIENCE, "the line was let through");
    if came.is_err() && !wire.level {
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
    let second = expected(line, vector::LINES + fixed + 1);
    if line >= fixed && second != first {
        lines(bench, "mask", line)?;
        route(bench, wire, second)?;
        lines(bench, "unmask", line)?;
        source.raise()?;
        bench.comes(second, PATIENCE, "the line was routed elsewhere")?;
        lines(bench, "mask", line)?;
        bench.end(second)?;
        source.serve();
    }
    lines(bench, "mask", line)?;
    let kind = match (wire.level, wire.low) {
        (true, true) => "level, low",
        (true, false) => "level, high",
        (false, true) => "edge, low",
        (false, false) => "edge, high",
    };
    let elsewhere = match line >= fixed && second != first {
        true => format!(", then {second}"),
        false => String::new(),
    };
    Ok(format!(
        "line {line} of {} ({kind}) is silent while masked, and comes as {first}{elsewhere}",
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

/// A message comes in by a vector of its own.
#[cfg(target_arch = "x86_64")]
fn open(_bench: &mut Bench, _number: u64) -> Result<()> {
    Ok(())
}

/// A message comes in as a line of its own, an edge, which has to be let through.
#[cfg(target_arch = "aarch64")]
fn open(bench: &mut Bench, number: u64) -> Result<()> {
    bench.call("lines", "route", [number, bench.cpu, number, 0, 0])?;
    lines(bench, "unmask", number)
}

/// As it was.
#[cfg(target_arch = "x86_64")]
fn close(_bench: &mut Bench, _number: u64) -> Result<()> {
    Ok(())
}

/// As it was: masked.
#[cfg(target_arch = "aarch64")]
fn close(bench: &mut Bench, number: u64) -> Result<()> {
    lines(bench, "mask", number)
}

fn lines(bench: &mut Bench, name: &str, line: u64) -> Result<()> {
    bench.call("lines", name, [line, 0, 0, 0, 0])
}

fn route(bench: &mut Bench, wire: &Wire, vector: u64) -> Result<()> {
    let words = [
        u64::from(wire.line),
        bench.cpu,
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
