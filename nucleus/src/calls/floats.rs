//! Floating-point and SIMD registers.

use super::{handlers, Answer};
use crate::{arch, float};
use abi::system::{may, Error};
use nucleus_core::thread::Thread;

pub fn allow(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let task = rights.task(thread.registers.word(0), may::START)?;
    if task.threads.get().is_some() {
        return Err(Error::Denied);
    }
    task.floats.set(true);
    Ok(0)
}

pub fn frame(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let [whose, load] = [0, 1].map(|n| thread.registers.word(n));
    let whose = rights.thread(whose, may::FAULTS)?;
    let registers = whose.float.get().ok_or(Error::Denied)?;
    let page = handlers::page(whose)?;
    match load {
        0 => {
            float::store(whose);
            handlers::store_float(page, registers);
        }
        1 => {
            float::drop(whose);
            handlers::load_float(page, registers);
            arch::float::check(registers);
        }
        _ => return Err(Error::BadArgument),
    }
    Ok(0)
}
