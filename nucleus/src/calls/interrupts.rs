//! Interrupt lines and I/O ports.

use super::Answer;
use crate::{arch, interrupts, platform, STATE};
use abi::{
    boot::operation,
    system::{may, trigger, Error},
};
use nucleus_core::{interrupt::MESSAGE, notification::Notification, rights::Kind, thread::Thread};

pub fn bind(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let [platform, line, flags, notification, bits] =
        [0, 1, 2, 3, 4].map(|n| thread.registers.word(n));
    let kind = match flags {
        trigger::MESSAGE => Kind::Message,
        _ => Kind::Line,
    };
    rights.covers(platform, kind, line, 1)?;
    let notification = rights.notification(notification, may::RING)?;
    let line = u32::try_from(line).map_err(|_| Error::BadArgument)?;
    if flags == trigger::MESSAGE {
        return message(line, notification, bits);
    }
    let wired = interrupts::is_line(line) && arch::may_bind(line);
    if flags > 3 || bits == 0 || !wired || !platform::bound(operation::LINES_ROUTE) {
        return Err(Error::BadArgument);
    }
    let number = STATE.interrupts.number(line)?;
    STATE.interrupts.bind(line, notification, bits)?;
    if platform::lines_route(
        line,
        arch::vector_of(number, line),
        flags & 1 != 0,
        flags & 2 != 0,
    ) != 0
    {
        interrupts::settle(line, STATE.interrupts.unbind(line, notification));
        return Err(Error::BadArgument);
    }
    interrupts::settle(line, STATE.interrupts.state(line));
    Ok(0)
}

/// Binds a message. Where it comes in as a line, that line is its own: an edge, open as long as it is bound.
fn message(number: u32, notification: &'static Notification, bits: u64) -> Answer {
    let message = number | MESSAGE;
    let vector = interrupts::vector_of(message).filter(|_| number & MESSAGE == 0 && bits != 0);
    let vector = vector.ok_or(Error::BadArgument)?;
    STATE.interrupts.bind(message, notification, bits)?;
    if let Some(line) = arch::line_of_message(vector) {
        let routed = platform::bound(operation::LINES_ROUTE)
            && platform::lines_route(line, vector, false, false) == 0;
        if !routed {
            interrupts::settle(message, STATE.interrupts.unbind(message, notification));
            return Err(Error::BadArgument);
        }
    }
    interrupts::settle(message, STATE.interrupts.state(message));
    Ok(0)
}

pub fn done(thread: &'static Thread) -> Answer {
    let notification = thread
        .task
        .get()
        .rights
        .notification(thread.registers.word(0), may::WAIT)?;
    let line = u32::try_from(thread.registers.word(1)).map_err(|_| Error::BadArgument)?;
    interrupts::settle(line, STATE.interrupts.done(line, notification)?);
    Ok(0)
}

pub fn ports(thread: &'static Thread) -> Answer {
    let rights = &thread.task.get().rights;
    let [platform, task, first, count] = [0, 1, 2, 3].map(|n| thread.registers.word(n));
    rights.covers(platform, Kind::Port, first, count)?;
    let task = rights.task(task, may::GIVE)?;
    if !arch::HAS_PORTS {
        return Err(Error::BadArgument);
    }
    task.grant_ports(first, count)?;
    arch::ports_changed();
    Ok(0)
}
