//! What the manager and the nucleus tell, and what the manager does.

use crate::world::{World, PATIENCE};
use abi::program::manager::{self, child};
use abi::system::Error;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use classes::ring::State;
use console::account;
use console::command::{nearest, Told};
use console::date::Date;
use console::table::Table;
use core::fmt::{Result as Written, Write};
use runtime::sys;

/// A task, as the manager tells of it.
pub struct Task {
    pub index: u64,
    pub name: String,
    pub state: u64,
    pub restarts: u64,
    pub donated: u64,
    pub mapped: u64,
    pub time: u64,
    pub device: u64,
}

/// Asks the manager; the words of its answer, or why there is none.
fn ask(world: &World, request: u64, argument: u64) -> Result<[u64; 8], Error> {
    sys::portal_call(world.startup.manager, [request, argument, 0, 0, 0, 0, 0, 0])
}

/// For a request whose first word is 0 or an error.
fn order(world: &World, request: u64, argument: u64) -> Result<(), Error> {
    let answer = ask(world, request, argument)?;
    match Error::from_word(answer[0] as i64) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

pub fn tasks(world: &World) -> Vec<Task> {
    let mut tasks = Vec::new();
    for index in 0..64 {
        let Ok([state, restarts, donated, mapped, time, device, low, high]) =
            ask(world, manager::TASK, index)
        else {
            break;
        };
        if state == 0 {
            break;
        }
        let name = (u128::from(low) | u128::from(high) << 64).to_le_bytes();
        let name = name.iter().take_while(|byte| **byte != 0);
        // The name of a device is longer in the inventory than in a reply.
        let long = world.view.devices.get(device as usize);
        tasks.push(Task {
            index,
            name: match long {
                Some(device) => device.name.clone(),
                None => name.map(|byte| char::from(*byte)).collect(),
            },
            state,
            restarts,
            donated,
            mapped,
            time,
            device,
        });
    }
    tasks
}

pub fn print_tasks(world: &mut World) -> Written {
    let mut table = Table::new(["name", "state", "restarts", "donated", "mapped", "cpu us"]);
    for task in tasks(world) {
        let driver = world.state(task.device as usize);
        let state = match (task.state, driver) {
            (4, _) | (_, Some(State::Gone)) => "gone",
            (1, Some(State::NotYet)) => "starting",
            (1, Some(State::Failed)) => "failed",
            (1, _) => "running",
            (2, _) => "stopped",
            _ => "not started",
        };
        table.row([
            task.name,
            state.into(),
            task.restarts.to_string(),
            task.donated.to_string(),
            task.mapped.to_string(),
            (task.time / 1000).to_string(),
        ]);
    }
    table.write(world)
}

/// What the machine's calendar says, and how long the nucleus has run.
pub fn print_date(world: &mut World) -> Written {
    match sys::info_date() {
        Ok(date) if date.seconds != 0 => writeln!(world, "{} UTC", Date(date.seconds))?,
        Ok(_) => writeln!(
            world,
            "error: this machine has no calendar that works; `devices` shows what was found"
        )?,
        Err(error) => writeln!(
            world,
            "error: the nucleus does not tell the date ({error:?})"
        )?,
    }
    let ran = sys::now() / 1_000_000;
    writeln!(world, "running for {}.{:03} s", ran / 1000, ran % 1000)
}

/// To the byte: where RAM went.
pub fn print_memory(world: &mut World, form: Told) -> Written {
    let told = match sys::info_memory() {
        Ok(told) => told,
        Err(error) => {
            return writeln!(
                world,
                "error: the nucleus does not tell of memory ({error:?})"
            )
        }
    };
    let given_out = match ask(world, manager::MEMORY, 0) {
        Ok(given_out) => given_out,
        Err(error) => {
            return writeln!(
                world,
                "error: the manager does not tell of memory ({error:?})"
            )
        }
    };
    let tasks = tasks(world).into_iter();
    if form == Told::Json {
        let tasks: Vec<_> = tasks
            .map(|task| (task.name, task.donated, task.mapped))
            .collect();
        return account::json(world, &told, &given_out, &tasks);
    }
    account::table(world, &told, &given_out)?;
    writeln!(world)?;
    let mut table = Table::new([
        "task",
        "donated to the nucleus",
        "mapped (shared pages count in each)",
    ]);
    for task in tasks {
        table.row([task.name, task.donated.to_string(), task.mapped.to_string()]);
    }
    table.write(world)
}

/// What came and went since the machine started, if there is anything to say.
pub fn print_children(world: &mut World) -> Written {
    let mut first = true;
    for index in 0..64 {
        let Ok([state, bus, _, id, kind, ..]) = ask(world, manager::CHILD, index) else {
            break;
        };
        let what = match state {
            0 => break,
            child::GONE => "was pulled out",
            child::CAME => "came later and has no driver: drivers are written when the machine starts, so restart it",
            child::BACK => "is back, and has lost what its driver had set up: restart the machine to use it",
            _ => continue,
        };
        if core::mem::take(&mut first) {
            writeln!(world, "\nplugged in and pulled out:")?;
        }
        let bus = world.view.devices.get(bus as usize);
        let bus = bus.map_or(String::new(), |bus| format!("{}: ", bus.name));
        let (maker, made) = (id & 0xffff, id >> 16);
        writeln!(
            world,
            "{bus}{maker:04x}:{made:04x} (class {kind:06x}) {what}"
        )?;
    }
    Ok(())
}

/// Destroys a driver's task and waits until it is back.
pub fn kill(world: &mut World, name: &str) -> Written {
    let tasks = tasks(world);
    let Some(task) = tasks.iter().find(|task| task.name == name) else {
        write!(world, "error: no task `{}`", name.escape_default())?;
        let names = tasks.iter().map(|task| task.name.as_str());
        return match nearest(name, names) {
            Some(near) => writeln!(world, "; did you mean `{near}`?"),
            None => writeln!(world, "; `tasks` lists them"),
        };
    };
    if task.device == u64::MAX {
        return writeln!(world, "error: {name} is not a driver's task; `tasks` lists them, drivers bear a device's name");
    }
    if world.state(task.device as usize) == Some(State::Gone) {
        return writeln!(world, "error: {name} was pulled out, so there is nothing to drive; `devices` shows what is there");
    }
    writeln!(world, "{name} is destroyed")?;
    world.flush();
    if world
        .terminal
        .as_ref()
        .is_some_and(|t| t.device() as u64 == task.device)
    {
        // What its FIFO still holds.
        runtime::time::sleep(5_000_000);
    }
    let before = sys::now();
    if let Err(error) = order(world, manager::RESTART, task.index) {
        return writeln!(
            world,
            "error: {name} was not started anew ({error:?}); `kill {name}` tries again"
        );
    }
    let device = task.device as usize;
    world.until(before.saturating_add(PATIENCE), |world| {
        world.state(device) != Some(State::NotYet)
    });
    match world.state(device) {
        Some(State::Ready) | None => {
            let micros = (sys::now() - before) / 1000;
            writeln!(world, "{name} is back after {micros} us")
        }
        Some(State::Failed) => writeln!(
            world,
            "error: {name} failed when it started; `log` says why"
        ),
        Some(State::Gone) => writeln!(
            world,
            "error: {name} was pulled out; `devices` shows what is there"
        ),
        Some(State::NotYet) => writeln!(
            world,
            "error: {name} does not answer; `tasks` shows whether it runs"
        ),
    }
}

pub fn power(world: &mut World, reset: bool) -> Written {
    let (request, what) = match reset {
        true => (manager::RESET, "reset"),
        false => (manager::OFF, "power off"),
    };
    world.flush();
    let error = order(world, request, 0).err();
    let error = error.map_or(String::new(), |error| format!(" ({error:?})"));
    writeln!(
        world,
        "error: the machine did not {what}{error}; `devices` shows whether a power rule was found"
    )
}

pub fn print_log(world: &mut World) -> Written {
    let mut bytes = alloc::vec![0; 16 * 1024];
    match sys::info_log(&mut bytes) {
        Ok(0) => writeln!(world, "nothing was logged"),
        Ok(length) => {
            let log = bytes.get(..length).unwrap_or(&[]);
            let text: String = log
                .iter()
                .filter(|byte| **byte != b'\r')
                .map(|byte| match byte {
                    b'\n' | b' '..=b'~' => char::from(*byte),
                    _ => '.',
                })
                .collect();
            writeln!(world, "{}", text.trim_end())
        }
        Err(error) => writeln!(
            world,
            "error: the nucleus does not tell its log ({error:?})"
        ),
    }
}

/// The machine model as JSON, on one line.
pub fn print_machine(world: &mut World) -> Written {
    let Ok((machine, _)) = postcard::take_from_bytes::<machine::Machine>(world.view.machine) else {
        return writeln!(world, "error: the inventory has no machine model");
    };
    match serde_json::to_string(&machine) {
        Ok(text) => writeln!(world, "{text}"),
        Err(error) => writeln!(world, "error: the machine model is not JSON: {error}"),
    }
}
