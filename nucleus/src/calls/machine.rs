//! The machine as a whole: power, log, accounts.

use super::Answer;
use crate::{account, log, platform, space};
use abi::boot::Range;
use abi::system::{info as what, may, Error};
use nucleus_core::{
    allegation::Allegation,
    rights::{Kind, Right},
    task::Task,
    thread::Thread,
};
use zerocopy::{Immutable, IntoBytes};

pub fn power(thread: &'static Thread) -> Answer {
    thread
        .task
        .get()
        .rights
        .platform(thread.registers.word(0), may::POWER)?;
    match thread.registers.word(1) {
        0 => platform::power_off(),
        1 => platform::power_reset(),
        _ => return Err(Error::BadArgument),
    }
    Err(Error::Denied)
}

/// Lines, messages or ports by number, out of a right that has at least these.
pub fn part(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let [platform, kind, base, size] = [0, 1, 2, 3].map(|n| thread.registers.word(n));
    let kind = Kind::from_word(kind)?;
    if size == 0 || base.checked_add(size).is_none() {
        return Err(Error::BadArgument);
    }
    let may = rights.covers(platform, kind, base, size)?;
    let object = kind.object(Range { base, size });
    rights.add(Right { object, may }).map(u64::from)
}

/// Bytes one LOG may have.
const LINE: usize = 256;

pub fn log(thread: &'static Thread) -> Answer {
    let [platform, address, length] = [0, 1, 2].map(|n| thread.registers.word(n));
    thread.task.get().rights.platform(platform, may::LOG)?;
    let range = Allegation::new(address, length).check(LINE as u64)?;
    let mut text = [0; LINE];
    space::read(thread.task.get(), range, &mut text)?;
    log::write(&text[..range.length() as usize]);
    Ok(range.length())
}

pub fn info(thread: &'static Thread) -> Answer {
    let caller = thread.task.get();
    let [right, question] = [0, 1].map(|n| thread.registers.word(n));
    let task = || caller.rights.task(right, may::TELL);
    match question {
        what::TASK | what::FAULT => {}
        _ => caller.rights.platform(right, may::TELL)?,
    }
    match question {
        what::MEMORY => tell(thread, caller, &account::of_memory()),
        what::TASK => tell(thread, caller, &account::of_task(task()?)),
        what::FAULT => tell(thread, caller, &task()?.fault.get()),
        what::MODULES => tell(thread, caller, &account::modules()),
        what::DATE => tell(
            thread,
            caller,
            &what::Date {
                seconds: platform::calendar_now(),
            },
        ),
        what::LOG => tell_log(thread, caller),
        _ => Err(Error::BadArgument),
    }
}

/// Writes the newest bytes of the log, as many as the caller asked for.
fn tell_log(thread: &'static Thread, caller: &Task) -> Answer {
    let [to, room] = [2, 3].map(|n| thread.registers.word(n));
    let length = room.min(log::length());
    Allegation::new(to, length).check(length)?;
    let mut piece = [0; LINE];
    for at in (0..length).step_by(LINE) {
        let piece = &mut piece[..(length - at).min(LINE as u64) as usize];
        log::read(length - at, piece);
        let range = Allegation::new(to + at, piece.len() as u64).check(LINE as u64)?;
        space::write(caller, range, piece)?;
    }
    Ok(length)
}

/// Writes as much of `value` as the caller asked for.
fn tell<T: IntoBytes + Immutable>(thread: &'static Thread, caller: &Task, value: &T) -> Answer {
    let length = thread.registers.word(3).min(size_of::<T>() as u64);
    let range = Allegation::new(thread.registers.word(2), length).check(length)?;
    space::write(caller, range, value.as_bytes())?;
    Ok(length)
}
