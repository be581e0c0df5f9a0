//! A personality in small: a task whose system calls and page faults this program handles. The numbers that it calls with are its
//! own, and it can make no call of the nucleus's.

use crate::{figure, machine, rounds, PRIORITY};
use abi::layout::{self, PAGE};
use abi::system::{event, map, Error, Handle};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use runtime::child::{self, Memory, Run};
use runtime::handler::{self, Answer, Event, Words};
use runtime::sys;

/// Calls of the foreign program, apart from `machine::GETPID`: it tells what it measured, in instructions a round.
const TELL_CALL: u64 = 1000;
const TELL_FAULT: u64 = 1001;
/// As the runtime of this repository ends a program, whatever task it is in.
const EXIT: u64 = abi::system::call::EXIT;

const PAGES: u64 = 512;
/// The first page makes the tables, and is not measured.
const PLACE: u64 = layout::MODULES;

static TASK: AtomicU32 = AtomicU32::new(0);
static READY_PAGE: AtomicU32 = AtomicU32::new(0);
static ENDED: AtomicU32 = AtomicU32::new(0);
static TOLD: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

/// Answers what the assembly in front of it does not.
struct Personality;

impl handler::Handle for Personality {
    fn handle(event: &Event, words: &mut Words) -> Answer {
        match (event.code, event.word) {
            (event::READ | event::WRITE, address) => {
                let at = address & !(PAGE - 1);
                let page = READY_PAGE.load(Relaxed);
                match sys::memory_map(TASK.load(Relaxed), page, 0, PAGE, at, map::WRITE) {
                    Ok(()) => Answer::Return(0),
                    Err(_) => Answer::Pass,
                }
            }
            (event::SYSTEM_CALL, TELL_CALL) => tell(0, words[0]),
            (event::SYSTEM_CALL, TELL_FAULT) => tell(1, words[0]),
            (event::SYSTEM_CALL, EXIT) => {
                let _ = sys::notify(ENDED.load(Relaxed), 1);
                Answer::End
            }
            _ => Answer::Pass,
        }
    }
}

fn tell(which: usize, value: u64) -> Answer {
    TOLD[which].store(value, Relaxed);
    Answer::Return(0)
}

/// The foreign program.
struct Program;

impl Run for Program {
    fn run(_argument: u64) {
        let mut answer = 0;
        let empty = rounds(|n| answer = machine::foreign::<false>(n));
        let calls = rounds(|n| answer = machine::foreign::<true>(n));
        if answer == machine::PID {
            machine::foreign_word(TELL_CALL, calls.saturating_sub(empty));
        }
        let touch = |n: u64| runtime::memory::Shared::new(PLACE + n * PAGE, 8).write_u64(0, n);
        touch(0);
        let ticks = |first: fn(u64) -> u64| {
            let start = machine::counter();
            (1..PAGES).for_each(|n| touch(first(n)));
            machine::counter() - start
        };
        // The same loop over the page that is there already.
        let (faults, empty) = (ticks(|n| n), ticks(|_| 0));
        let each = faults.saturating_sub(empty) * machine::INSTRUCTIONS_A_TICK / (PAGES - 1);
        machine::foreign_word(TELL_FAULT, each);
    }
}

pub fn measure(this: Handle, memory: &mut Memory) -> Result<(), Error> {
    let ended = sys::notification_create()?;
    let task = child::create(this, memory, PRIORITY + 1)?;
    TASK.store(task, Relaxed);
    READY_PAGE.store(memory.take(PAGE)?, Relaxed);
    ENDED.store(ended, Relaxed);
    // Calls go to a few instructions of assembly first; faults to Rust at once.
    let stack = memory.take(PAGE)?;
    let place = layout::STACK_TOP - 0x10_0000;
    sys::memory_map(this, stack, 0, PAGE, place, map::WRITE)?;
    let entry = machine::personality::<Personality> as *const () as u64;
    let calls = sys::handler_create(entry, place + PAGE)?;
    let entry = handler::entry::<Personality>();
    let faults = sys::handler_create(entry, place + PAGE / 2)?;
    sys::handler_bind(task, event::CALLS, Some(calls), 0)?;
    sys::handler_bind(task, event::PAGES, Some(faults), 0)?;
    child::run::<Program>(task, 0, PRIORITY + 1)?;
    sys::wait(ended, sys::FOREVER)?;
    for (name, told) in ["foreign_call", "fault"].iter().zip(&TOLD) {
        match told.load(Relaxed) {
            0 => runtime::println!("ipc failed: the foreign program did not tell {name}"),
            value => figure(name, 0, value),
        }
    }
    sys::task_destroy(task)
}
