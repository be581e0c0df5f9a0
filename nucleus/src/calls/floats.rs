//! Floating-point and SIMD registers.

use super::{handlers, Answer};
use crate::arch;
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
    let float = whose.float.get().ok_or(Error::Denied)?;
    let page = handlers::page(whose)?;
    match load {
        0 => {
            arch::float_store(whose);
            handlers::store_float(page, float);
        }
        1 => {
            arch::float_drop(whose);
            handlers::load_float(page, float);
            arch::float_check(float);
        }
        _ => return Err(Error::BadArgument),
    }
    Ok(0)
}
