//! Faults and foreign system calls.

use super::{run, state, status, World};
use crate::{
    handler::{self, Sleep, Unhandled},
    registers::{self as r, COUNT, SAVED},
    same,
    task::TaskState,
    thread::{Status, Thread},
    State,
};
use abi::{
    frame,
    layout::USER_END,
    system::{event, Error},
};
use std::cell::Cell;

const COOKIE: u64 = 0xc00c1e;

/// A foreign thread, and a handler of all that it does.
struct Ground {
    state: &'static State,
    program: World,
    server: World,
    thread: &'static Thread,
    handler: &'static crate::portal::Portal,
}

fn ground() -> Ground {
    let state = state();
    let (program, server) = (World::new(state, 1), World::new(state, 2));
    let handler = server.portal(0x5000);
    handler::bind_task(program.task, event::ALL, Some(handler), COOKIE).unwrap();
    let thread = program.thread(state, 4);
    state.choose();
    at_home(thread);
    Ground {
        state,
        program,
        server,
        thread,
        handler,
    }
}

/// The thread is at its own code, with a value of its own in every register.
fn at_home(thread: &Thread) {
    for (n, register) in thread.registers.0.iter().enumerate() {
        register.set(0x1000 + n as u64);
    }
    #[cfg(target_arch = "x86_64")]
    thread.registers.0[r::VECTOR].set(0);
    thread.registers.0[r::FLAGS_AT].set(frame::FLAGS_ALLOWED & 0x8000_0041 | r::FLAGS);
}

fn registers(thread: &Thread) -> [u64; frame::WORDS] {
    thread.registers.export()
}

/// A handler does what it likes with the registers that the nucleus keeps.
fn spoil(thread: &Thread) {
    for at in SAVED {
        thread.registers.0[at].set(0xdead);
    }
    thread.registers.0[r::POINTER].set(0x5010);
    thread.registers.0[r::STACK].set(0x8ff0);
}

#[test]
fn a_foreign_call_goes_to_the_handler_with_its_registers_and_back_with_the_result() {
    let Ground {
        state,
        program,
        server,
        thread,
        handler,
    } = ground();
    assert!(program.task.foreign.get() && thread.foreign.get() == 1);
    let before = registers(thread);
    assert!(state.raise(thread, event::INTERRUPT_CALL, 0));
    assert!(same(thread.task.get(), server.task) && thread.foreign.get() == 0);
    assert!(same(handler.active.get().unwrap(), thread));
    let inside = registers(thread);
    assert_eq!(
        (inside[r::COOKIE], inside[r::CODE]),
        (COOKIE, event::INTERRUPT_CALL)
    );
    assert_eq!(
        (inside[r::POINTER], inside[r::STACK]),
        (0x5000, 0x9000),
        "the handler runs"
    );
    for n in (0..COUNT).filter(|n| !SAVED.contains(n)) {
        if ![r::POINTER, r::STACK, r::FLAGS_AT].contains(&n) {
            assert_eq!(inside[n], before[n], "register {n} is the program's");
        }
    }
    assert_eq!(state.frame(thread), Ok(before), "what the frame page has");
    spoil(thread);
    thread.registers.0[r::ANSWER].set(4711);
    state.reply(thread).unwrap();
    let mut expected = before;
    expected[r::RESULT] = 4711;
    assert_eq!(registers(thread), expected);
    assert!(same(thread.task.get(), program.task) && thread.foreign.get() == 1);
    assert!(handler.active.get().is_none());
    assert_eq!(state.reply(thread), Err(Error::Denied), "nothing is left");
}

#[test]
fn a_fault_changes_no_register() {
    let Ground { state, thread, .. } = ground();
    let before = registers(thread);
    for (code, address) in [
        (event::READ, 0x1234),
        (event::DEBUG, 0x77),
        (event::OTHER, 5),
    ] {
        assert!(state.raise(thread, code, address));
        assert_eq!(thread.registers.0[r::ADDRESS].get(), address);
        spoil(thread);
        state.reply(thread).unwrap();
        assert_eq!(registers(thread), before);
    }
}

#[test]
fn the_thread_comes_before_its_task_and_that_before_nobody() {
    let Ground {
        state,
        program,
        server,
        thread,
        ..
    } = ground();
    let other = World::new(state, 3);
    let own = other.portal(0x6000);
    handler::bind_thread(thread, event::PAGES, Some(own), 1).unwrap();
    assert!(state.raise(thread, event::WRITE, 9));
    assert!(same(thread.task.get(), other.task));
    assert_eq!(state.pass(thread), Ok(None));
    assert!(same(thread.task.get(), server.task), "now its task's");
    assert_eq!(thread.registers.0[r::ADDRESS].get(), 9);
    let left = Unhandled {
        code: event::WRITE,
        address: 9,
    };
    assert_eq!(state.pass(thread), Ok(Some(left)));
    assert!(same(thread.task.get(), program.task));
    handler::bind_task(program.task, event::PAGES, None, 0).unwrap();
    handler::bind_thread(thread, event::PAGES, None, 0).unwrap();
    assert!(!state.raise(thread, event::READ, 9));
}

#[test]
fn who_may_be_foreign() {
    let state = state();
    let (program, server) = (World::new(state, 1), World::new(state, 2));
    let portal = server.portal(0x5000);
    let bind = |set, portal| handler::bind_task(program.task, set, portal, 0);
    for set in [0, event::ALL + 1, u64::MAX] {
        assert_eq!(bind(set, Some(portal)), Err(Error::BadArgument));
    }
    let own = program.portal(0x5000);
    assert_eq!(bind(event::PAGES, Some(own)), Err(Error::TooDeep));
    assert_eq!(bind(event::CALLS, None), Err(Error::Denied));
    let thread = program.thread(state, 4);
    assert_eq!(bind(event::CALLS, Some(portal)), Err(Error::Denied));
    let own = handler::bind_thread(thread, event::CALLS, Some(portal), 0);
    assert_eq!(own, Err(Error::Denied));
    assert_eq!(bind(event::PAGES, Some(portal)), Ok(()));
    assert!(!program.task.foreign.get() && thread.foreign.get() == 0);
}

#[test]
fn who_finds_the_handler_busy_waits_at_its_own_code() {
    let Ground {
        state,
        program,
        thread,
        handler,
        ..
    } = ground();
    let second = program.thread(state, 4);
    second.leave_queue();
    at_home(second);
    let before = registers(second);
    assert!(state.raise(thread, event::READ, 1));
    // The handler is preempted, and the other thread's turn comes.
    state.current.set(None);
    state.make_ready(thread);
    run(state, second);
    assert!(state.raise(second, event::READ, 2));
    assert_eq!(second.status.get(), Status::Calling);
    assert!(same(state.choose().unwrap(), thread), "who has it goes on");
    state.reply(thread).unwrap();
    assert!(same(handler.active.get().unwrap(), second));
    assert_eq!(second.status.get(), Status::Ready);
    assert_eq!(second.registers.pointer(), 0x5000);
    run(state, second);
    state.reply(second).unwrap();
    assert_eq!(registers(second), before);
}

#[test]
fn a_sleeper_wakes_with_its_result_in_the_frame() {
    let Ground {
        state,
        program,
        thread,
        handler,
        ..
    } = ground();
    thread.page.set(Some(0x7000));
    let before = registers(thread);
    thread.bases[0].set(0x1234);
    assert!(state.raise(thread, event::SYSTEM_CALL, 0));
    let page = Cell::new([0; frame::WORDS]);
    let slept = state.sleep(thread, u64::MAX, || 0, |words| page.set(*words));
    assert_eq!(slept, Ok(Sleep::Asleep));
    assert!(handler.active.get().is_none() && state.choose().is_none());
    assert!(same(thread.task.get(), program.task));
    let mut words = page.get();
    assert_eq!(words[frame::NUMBER], before[frame::NUMBER], "to start anew");
    words[frame::POINTER] = USER_END;
    assert_eq!(state.awaken(thread, &words), Err(Error::BadArgument));
    words[frame::POINTER] = 0x4444;
    assert_eq!(words[frame::BASES[0]], 0x1234);
    if cfg!(target_arch = "x86_64") {
        words[frame::BASES[0]] = USER_END;
        assert_eq!(state.awaken(thread, &words), Err(Error::BadArgument));
    }
    words[frame::BASES[0]] = 0x5678;
    words[frame::RESULT] = 17;
    words[frame::FLAGS] = u64::MAX;
    assert_eq!(state.awaken(thread, &words), Ok(true));
    assert_eq!(state.awaken(thread, &words), Ok(false), "once");
    assert!(same(state.choose().unwrap(), thread));
    let after = registers(thread);
    assert_eq!((after[frame::RESULT], after[frame::POINTER]), (17, 0x4444));
    assert_eq!(thread.bases[0].get(), 0x5678);
    assert_eq!(after[frame::FLAGS], frame::FLAGS_ALLOWED | r::FLAGS);
}

#[test]
fn a_deadline_and_a_kick_bring_a_sleeper_to_its_handler() {
    let Ground { state, thread, .. } = ground();
    thread.page.set(Some(0x7000));
    let sleep = |deadline| state.sleep(thread, deadline, || 10, |_| {});
    let code = || thread.registers.0[r::CODE].get();
    assert!(state.raise(thread, event::SYSTEM_CALL, 0));
    assert_eq!(sleep(10), Ok(Sleep::Handled), "it has passed");
    assert_eq!(code(), event::EXPIRED);
    assert_eq!(sleep(20), Ok(Sleep::Asleep));
    state.expire(19);
    assert_eq!(thread.status.get(), Status::Asleep);
    state.expire(20);
    assert_eq!(
        (thread.status.get(), code()),
        (Status::Ready, event::EXPIRED)
    );
    assert_eq!(sleep(30), Ok(Sleep::Asleep));
    state.kick(thread).unwrap();
    assert_eq!(code(), event::KICKED);
    assert!(state.sleepers.first().is_none());
    state.reply(thread).unwrap();
    state.kick(thread).unwrap();
    assert_eq!(code(), event::KICKED, "also while it runs");
}

#[test]
fn a_kick_of_a_handled_thread_is_remembered() {
    let Ground { state, thread, .. } = ground();
    thread.page.set(Some(0x7000));
    let code = || thread.registers.0[r::CODE].get();
    let before = registers(thread);
    assert!(state.raise(thread, event::READ, 1));
    state.kick(thread).unwrap();
    state.kick(thread).unwrap();
    state.reply(thread).unwrap();
    assert_eq!(code(), event::KICKED);
    state.reply(thread).unwrap();
    assert_eq!(registers(thread), before, "and once only");
    assert!(state.raise(thread, event::SYSTEM_CALL, 0));
    state.kick(thread).unwrap();
    let slept = state.sleep(thread, u64::MAX, || 0, |_| {});
    assert_eq!((slept, code()), (Ok(Sleep::Handled), event::KICKED));
}

#[test]
fn a_dead_handler_stops_whom_it_handled() {
    for stop in [false, true] {
        let Ground {
            state,
            program,
            server,
            thread,
            ..
        } = ground();
        let waits = program.thread(state, 4);
        waits.leave_queue();
        at_home(waits);
        let bell = program.notification();
        program.task.fault_bound.set(Some((bell, 2)));
        assert!(state.raise(thread, event::READ, 1));
        run(state, waits);
        assert!(state.raise(waits, event::READ, 1));
        let fault = abi::system::info::Fault::default();
        match stop {
            true => state.stop(server.task, fault),
            false => state.destroy(server.task, |_, _| {}),
        }
        assert_eq!(program.task.state.get(), TaskState::Stopped);
        assert_eq!(program.task.fault.get().kind, event::ORPHANED);
        assert_eq!(bell.bits.get(), 2);
        for thread in [thread, waits] {
            assert_eq!(thread.status.get(), Status::Stopped);
            assert!(same(thread.task.get(), program.task) && thread.event.get() == 0);
            assert_eq!(state.kick(thread), Err(Error::Denied));
        }
        let handler = program.task.handlers.of(event::READ).portal.get();
        assert_eq!(handler.is_some(), stop, "a dead one is bound no more");
        assert!(thread.call.portal.get().is_some() == stop);
        assert!(state.choose().is_none());
    }
}

#[test]
fn a_chain_of_handlers_falls_without_a_deep_stack() {
    let state = state();
    let worlds: Vec<World> = (0..400).map(|n| World::new(state, n)).collect();
    for pair in worlds.windows(2) {
        handler::bind_task(pair[0].task, event::PAGES, Some(pair[1].portal(1)), 0).unwrap();
        let thread = pair[0].thread(state, 1);
        run(state, thread);
        assert!(state.raise(thread, event::READ, 0));
    }
    let last = worlds.last().unwrap().task;
    state.stop(last, abi::system::info::Fault::default());
    assert!(worlds
        .iter()
        .all(|world| world.task.state.get() == TaskState::Stopped));
}

#[test]
fn a_dead_program_leaves_its_handler_free() {
    let Ground {
        state,
        program,
        thread,
        handler,
        ..
    } = ground();
    let other = World::new(state, 3);
    handler::bind_task(other.task, event::PAGES, Some(handler), 3).unwrap();
    let next = other.thread(state, 1);
    next.leave_queue();
    at_home(next);
    assert!(state.raise(thread, event::READ, 1));
    run(state, next);
    assert!(state.raise(next, event::READ, 2));
    run(state, thread);
    state.destroy(program.task, |_, _| {});
    assert_eq!(thread.status.get(), Status::Ended);
    assert!(same(handler.active.get().unwrap(), next));
    assert!(same(state.choose().unwrap(), next));
}

#[test]
fn a_server_s_fault_inside_of_a_call_goes_to_its_own_pager() {
    let state = state();
    let [client, server, pager, disk] = [1, 2, 3, 4].map(|n| World::new(state, n));
    let thread = client.thread(state, 4);
    state.choose();
    thread.registers.enter(0x1000, 0x2000);
    handler::bind_task(server.task, event::PAGES, Some(pager.portal(0x7000)), 1).unwrap();
    handler::bind_thread(thread, event::PAGES, Some(disk.portal(0)), 1).unwrap();
    let call = server.portal(0x5000);
    state.call(thread, call).unwrap();
    assert!(state.raise(thread, event::READ, 8));
    assert!(
        same(thread.task.get(), pager.task),
        "not the client's handler"
    );
    let denied = state.sleep(thread, u64::MAX, || 0, |_| {});
    assert_eq!(denied, Err(Error::Denied), "others wait for the call");
    let far = disk.portal(0x8000);
    state.call(thread, far).unwrap();
    assert_eq!(state.frame(thread).err(), Some(Error::Denied));
    state.reply(thread).unwrap();
    assert!(same(thread.task.get(), pager.task));
    state.reply(thread).unwrap();
    assert!(same(thread.task.get(), server.task));
    assert_eq!(thread.registers.pointer(), 0x5000);
    // Once more, and the server dies under it: its caller hears of it, and the pager is free.
    assert!(state.raise(thread, event::READ, 8));
    state.destroy(server.task, |_, _| {});
    assert!(same(thread.task.get(), client.task) && thread.event.get() == 0);
    assert_eq!(status(thread), Error::Interrupted as i64);
    assert_eq!((thread.depth.get(), thread.floor.get()), (0, 0));
}

#[test]
fn a_handler_s_own_fault_goes_to_its_handler_and_no_further() {
    let Ground {
        state,
        server,
        thread,
        handler,
        ..
    } = ground();
    let [pager, deep] = [3, 4].map(|n| World::new(state, n));
    let portals = [pager.portal(0x6000), deep.portal(0x7000)];
    handler::bind_task(server.task, event::PAGES, Some(portals[0]), 1).unwrap();
    handler::bind_task(pager.task, event::PAGES, Some(portals[1]), 1).unwrap();
    assert!(state.raise(thread, event::SYSTEM_CALL, 0));
    at_home(thread);
    let inside = registers(thread);
    assert!(state.raise(thread, event::WRITE, 2));
    assert!(same(thread.task.get(), pager.task));
    assert!(!state.raise(thread, event::WRITE, 3), "two at most");
    state.kick(thread).unwrap();
    state.reply(thread).unwrap();
    assert!(same(thread.task.get(), server.task));
    assert_eq!(registers(thread), inside);
    assert!(same(handler.active.get().unwrap(), thread));
    state.reply(thread).unwrap();
    assert_eq!(thread.registers.0[r::CODE].get(), event::KICKED);
}
