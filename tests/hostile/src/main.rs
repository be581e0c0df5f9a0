//! Calls every system call with arguments that must be refused, and makes tasks that do what they may not.
//! Ends with `N passed, M failed`. Runs as the first task, or as the program started instead of the console.
#![no_std]
#![no_main]

mod arguments;
mod deeds;
mod floats;
mod handlers;
mod memory;
mod report;
mod rights;
mod tasks;

use abi::system::{root, Handle};
use report::Report;
use runtime::child::Memory;

/// What the program stands on.
pub struct Ground {
    pub this: Handle,
    pub memory: Memory,
    /// None when somebody else is the first task.
    pub platform: Option<Handle>,
    /// A platform right with which it may write to the log and ask.
    pub tells: Handle,
    /// The highest priority that its threads may have: what the manager gives a program that makes tasks.
    pub ceiling: u64,
}

runtime::program!(main);
fn main(_argument: u64) {
    let mut ground = match runtime::startup() {
        Some(startup) => Ground {
            this: startup.own_task,
            memory: Memory {
                right: startup.memory,
                next: 0,
            },
            platform: None,
            tells: startup.platform,
            ceiling: 20,
        },
        None => Ground {
            this: root::SELF,
            memory: Memory {
                right: root::MEMORY,
                next: 0,
            },
            platform: Some(root::PLATFORM),
            tells: root::PLATFORM,
            ceiling: 31,
        },
    };
    runtime::println!("hostile: begins");
    let mut report = Report::default();
    arguments::all(&mut report, &mut ground);
    rights::all(&mut report, &mut ground);
    memory::all(&mut report, &mut ground);
    tasks::all(&mut report, &mut ground);
    floats::all(&mut report, &mut ground);
    handlers::all(&mut report, &mut ground);
    runtime::println!(
        "hostile: {} passed, {} failed",
        report.passed,
        report.failed
    );
}
