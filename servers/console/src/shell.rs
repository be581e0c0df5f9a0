//! Reads lines, carries them out, prints what came of it.

use crate::world::World;
use crate::{see, system};
use abi::program::Startup;
use alloc::format;
use alloc::vec::Vec;
use classes::ring::State;
use console::arp::{self, Dotted, Packet, Station};
use console::command::{self, Command};
use console::edit::{Editor, Typed};
use console::{banner, hex, report};
use core::fmt::{Result as Written, Write};
use runtime::{println, sys};

const PROMPT: &str = "meta> ";
/// The address that `send` asks from: what the emulator's network gives its first guest.
const HERE: [u8; 4] = [10, 0, 2, 15];
/// How long an answer may take (ns).
const ANSWER: u64 = 2_000_000_000;
const SECTOR: u64 = 5_000_000_000;

/// For ever.
pub fn run(startup: &'static Startup) {
    let mut world = World::open(startup);
    let genesis = sys::info_memory().map_or(0, |told| told.genesis_returned);
    let view = world.view.clone();
    if world.terminal.is_none() {
        println!("console: no serial driver, so there is only this log and nothing can be typed");
    }
    // A terminal that takes no text has been left for the log by `World`.
    let _ = banner::write(&mut world, &view, genesis);
    drop(view);
    if world.terminal.is_some() {
        let _ = world.write_str(PROMPT);
    }
    world.emit();
    let mut editor = Editor::default();
    loop {
        world.until(sys::FOREVER, |world| {
            world.terminal.as_ref().is_some_and(|t| !t.input.is_empty())
        });
        read(&mut world, &mut editor);
    }
}

/// Everything typed so far.
fn read(world: &mut World, editor: &mut Editor) {
    let mut echo = Vec::new();
    while let Some(byte) = world.terminal.as_mut().and_then(|t| t.input.pop_front()) {
        match editor.feed(byte, &mut echo) {
            Typed::More => continue,
            Typed::Cancelled => {}
            Typed::Line(line) => {
                world.print_bytes(&core::mem::take(&mut echo));
                let _ = carry_out(world, &line);
                world.emit();
            }
        }
        echo.extend(PROMPT.bytes());
    }
    if !echo.is_empty() {
        world.print_bytes(&echo);
    }
}

fn carry_out(world: &mut World, line: &str) -> Written {
    match command::parse(line) {
        Err(wrong) => writeln!(world, "error: {wrong}"),
        Ok(Command::Nothing) => Ok(()),
        Ok(Command::Help) => command::help(world),
        Ok(Command::Devices(listed)) => {
            let view = world.view.clone();
            report::devices(world, &view, listed)?;
            system::print_children(world)
        }
        Ok(Command::Device(name)) => device(world, name),
        Ok(Command::See {
            device,
            operation,
            form,
        }) => see::print(world, device, operation, form),
        Ok(Command::Memory(form)) => system::print_memory(world, form),
        Ok(Command::Date) => system::print_date(world),
        Ok(Command::Tasks) => system::print_tasks(world),
        Ok(Command::Send(address)) => send(world, address),
        Ok(Command::Read {
            disk,
            sector,
            count,
        }) => read_sectors(world, disk, sector, count),
        Ok(Command::Kill(name)) => system::kill(world, name),
        Ok(Command::Stages) => {
            let view = world.view.clone();
            report::stages(world, &view)
        }
        Ok(Command::Machine) => system::print_machine(world),
        Ok(Command::Log) => system::print_log(world),
        Ok(Command::Off) => system::power(world, false),
        Ok(Command::Reset) => system::power(world, true),
    }
}

fn device(world: &mut World, name: &str) -> Written {
    match see::find(world, name) {
        Ok(device) => {
            let device = device.clone();
            let came = world.came(&device.name);
            report::device(world, &device, came)
        }
        Err(wrong) => writeln!(world, "error: {wrong}"),
    }
}

/// Asks on the first network device that is ready who has `wanted`.
fn send(world: &mut World, wanted: [u8; 4]) -> Written {
    let ready = |world: &mut World| {
        world
            .nics
            .iter()
            .position(|nic| nic.state() == State::Ready)
    };
    let deadline = sys::now().saturating_add(ANSWER);
    if !world.nics.is_empty() {
        world.until(deadline, |world| ready(world).is_some());
    }
    let Some(at) = ready(world) else {
        if let Some(gone) = world.nics.iter().position(|n| n.state() == State::Gone) {
            return pulled_out(world, world.nics[gone].device());
        }
        return writeln!(
            world,
            "error: there is no network device that works; `devices` shows what was found"
        );
    };
    let nic = &mut world.nics[at];
    // Locally administered, where the device has no address of its own.
    let station = nic.facts().station().unwrap_or([2, 0, 0, 0, 0, 1]);
    nic.forget();
    let frame = arp::request(station, HERE, wanted);
    let name = world.view.devices[world.nics[at].device()].name.clone();
    if !world.nics[at].transmit(&frame) {
        return writeln!(
            world,
            "error: {name} takes no frame now; `kill {name}` starts it anew"
        );
    }
    let dotted = Dotted(wanted);
    writeln!(
        world,
        "{name}: who has {dotted}? tell {} at {}",
        Dotted(HERE),
        Station(station)
    )?;
    let mut found = None;
    let deadline = sys::now().saturating_add(ANSWER);
    world.until(deadline, |world| {
        let nic = &mut world.nics[at];
        while let Some(frame) = nic.receive() {
            let answer = Packet::read(&frame).filter(|p| p.answers(HERE, wanted));
            found = found.or(answer.map(|packet| packet.sender()));
        }
        found.is_some() || nic.sent() == Some(false) || nic.state().over()
    });
    if found.is_none() && world.nics[at].state() == State::Gone {
        return pulled_out(world, world.nics[at].device());
    }
    match (found, world.nics[at].sent()) {
        (Some(station), _) => writeln!(world, "{dotted} is at {}", Station(station)),
        (None, Some(true)) => writeln!(
            world,
            "error: {dotted} does not answer within 2 s; try `send 10.0.2.2`"
        ),
        (None, Some(false)) => writeln!(
            world,
            "error: {name} could not send the frame; try again, or `kill {name}`"
        ),
        (None, None) => writeln!(
            world,
            "error: {name} does not finish sending; `kill {name}` starts it anew"
        ),
    }
}

/// Its driver was ended, since there is nothing left to drive.
fn pulled_out(world: &mut World, device: usize) -> Written {
    let name = world.view.devices.get(device).map(|d| d.name.clone());
    let name = name.unwrap_or_default();
    writeln!(
        world,
        "error: {name} was pulled out; put it back in and restart the machine"
    )
}

fn read_sectors(world: &mut World, disk: Option<&str>, sector: u64, count: u64) -> Written {
    let (at, unit) = match find_disk(world, disk) {
        Ok(at) => at,
        Err(wrong) => return writeln!(world, "error: {wrong}"),
    };
    let device = world.disks[at].device();
    let name = world.view.devices[device].name.clone();
    let facts = world.disks[at].facts(unit);
    for sector in sector..sector.saturating_add(count) {
        if facts.sectors == 0 {
            return writeln!(
                world,
                "error: {name} has no sectors: there is no medium in it, or an empty one"
            );
        }
        if sector >= facts.sectors {
            let last = facts.sectors.saturating_sub(1);
            return writeln!(
                world,
                "error: {name} has no sector {sector}; its last one is {last}"
            );
        }
        let deadline = sys::now().saturating_add(SECTOR);
        world.until(deadline, |world| world.disks[at].state() != State::NotYet);
        if world.disks[at].state() == State::Gone {
            return pulled_out(world, device);
        }
        if world.disks[at].state() == State::Failed {
            return writeln!(
                world,
                "error: {name} has stopped; `kill {name}` starts it anew"
            );
        }
        if !world.disks[at].ask(unit, sector) {
            return writeln!(
                world,
                "error: {name} takes no request now; `kill {name}` starts it anew"
            );
        }
        world.until(deadline, |world| {
            world.disks[at].finished().is_some() || world.disks[at].state().over()
        });
        if world.disks[at].state() == State::Gone {
            return pulled_out(world, device);
        }
        match world.disks[at].finished() {
            Some(true) => {
                let bytes = world.disks[at].sector();
                hex::dump(world, sector.saturating_mul(facts.size), &bytes)?;
            }
            Some(false) => {
                return writeln!(
                    world,
                    "error: {name} could not read sector {sector}; try again"
                )
            }
            None => {
                return writeln!(
                    world,
                    "error: {name} does not answer within 5 s; `kill {name}` starts it anew"
                )
            }
        }
    }
    Ok(())
}

/// `NAME`, or `NAME.1` for the second disk of a driver that serves several.
fn find_disk(world: &World, name: Option<&str>) -> Result<(usize, u64), alloc::string::String> {
    let disks = &world.disks;
    let name_of = |at: usize| {
        let device = disks.get(at).map_or(usize::MAX, |disk| disk.device());
        world
            .view
            .devices
            .get(device)
            .map_or("", |d| d.name.as_str())
    };
    let example = || match disks.first() {
        Some(disk) if disk.units() > 1 => format!("write for example `read {}.0:0`", name_of(0)),
        _ => format!("write for example `read {}:0`", name_of(0)),
    };
    let Some(first) = disks.first() else {
        return Err("there is no disk that works; `devices` shows what was found".into());
    };
    let Some(name) = name else {
        return match (disks.len(), first.units()) {
            (1, 1) => Ok((0, 0)),
            _ => Err(format!("which disk? {}", example())),
        };
    };
    for (at, disk) in disks.iter().enumerate() {
        let unit = match name.strip_prefix(name_of(at)) {
            Some("") => Some(0),
            Some(rest) => rest.strip_prefix('.').and_then(|unit| unit.parse().ok()),
            None => None,
        };
        match unit {
            Some(unit) if unit < disk.units() as u64 => return Ok((at, unit)),
            _ => {}
        }
    }
    Err(format!(
        "no disk `{}`; {}",
        name.escape_default(),
        example()
    ))
}
