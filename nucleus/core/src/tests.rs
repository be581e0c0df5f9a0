//! The nucleus on the host: objects on the test's heap, never freed, as if in donated memory.

use crate::{
    allegation::Allegation,
    extent::Extent,
    frames::Frames,
    interrupt::{Line, MESSAGE},
    notification::{Notification, Wait},
    paging::{self, Access, Words},
    portal::Portal,
    ranges,
    rights::{Kind, Memory, Object, Right, Rights},
    same,
    task::{Pool, Task, TaskState},
    thread::{Status, Thread, DEPTH},
    time::{Counter, Ratio},
    State,
};
use abi::{boot::Range, layout, layout::PAGE, system::may, system::Error};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

mod extents;
mod handlers;

fn keep<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn state() -> &'static State {
    keep(State::new())
}

/// A task whose pool holds everything `place` makes for it: the objects lie in one block.
struct World {
    task: &'static Task,
    block: &'static [u128],
    used: Cell<usize>,
}

impl World {
    fn new(state: &'static State, number: u32) -> World {
        let block: &'static [u128] = vec![0u128; 0x4000].leak();
        let base = (block.as_ptr() as u64).wrapping_sub(layout::DIRECT_MAP);
        let pool = Pool::new(base, size_of_val(block) as u64, 0);
        let task = keep(Task::new(pool, 0, number.into(), number, 31));
        state.tasks.add(task);
        World {
            task,
            block,
            used: Cell::new(0),
        }
    }

    fn place<T>(&self, value: T) -> &'static T {
        let size = size_of::<T>().next_multiple_of(64) / 16;
        let at = self.used.replace(self.used.get() + size);
        let place = self.block[at..at + size].as_ptr() as *mut T;
        assert!((place as usize).is_multiple_of(align_of::<T>()));
        // SAFETY: a fresh part of a block that is never freed, large enough and aligned.
        unsafe {
            place.write(value);
            &*place
        }
    }

    fn thread(&self, state: &'static State, priority: u64) -> &'static Thread {
        let thread = self.place(Thread::new(self.task, priority));
        self.task.add_thread(thread);
        state.make_ready(thread);
        thread
    }

    fn notification(&self) -> &'static Notification {
        self.place(Notification::default())
    }

    fn portal(&self, entry: u64) -> &'static Portal {
        self.place(Portal::new(self.task, entry, 0x9000, 77))
    }
}

/// `thread` is who runs now.
fn run(state: &'static State, thread: &'static Thread) {
    thread.leave_queue();
    state.current.set(Some(thread));
}

fn status(thread: &Thread) -> i64 {
    thread.registers.0[crate::registers::STATUS].get() as i64
}

#[test]
fn the_highest_priority_runs_and_equals_take_turns() {
    let state = state();
    let world = World::new(state, 1);
    let [low, one, two] = [3, 9, 9].map(|priority| world.thread(state, priority));
    assert!(same(state.choose().unwrap(), one));
    state.rotate();
    assert!(same(state.choose().unwrap(), two));
    state.rotate();
    assert!(same(state.choose().unwrap(), one));
    one.status.set(Status::Waiting);
    assert!(same(state.choose().unwrap(), two));
    two.status.set(Status::Ended);
    assert!(same(state.choose().unwrap(), low));
    state.make_ready(one);
    assert!(state.ready.urgent.get());
    assert!(same(state.choose().unwrap(), one));
    one.status.set(Status::Ended);
    low.leave_queue();
    low.status.set(Status::Ended);
    assert!(state.choose().is_none());
}

#[test]
fn bits_gather_until_somebody_waits() {
    let state = state();
    let world = World::new(state, 1);
    let thread = world.thread(state, 1);
    let notification = world.notification();
    state.choose();
    state.notify(notification, 1);
    state.notify(notification, 4);
    assert_eq!(
        state.wait(thread, notification, u64::MAX, || 0),
        Ok(Wait::Bits(5))
    );
    assert_eq!(
        state.wait(thread, notification, 10, || 10),
        Err(Error::Timeout)
    );
    assert_eq!(
        state.wait(thread, notification, 10, || 9),
        Ok(Wait::Blocked)
    );
    assert!(state.choose().is_none());
    state.expire(9);
    assert!(state.choose().is_none());
    state.expire(10);
    assert!(same(state.choose().unwrap(), thread));
    assert_eq!(status(thread), Error::Timeout as i64);
    assert_eq!(
        state.wait(thread, notification, 50, || 0),
        Ok(Wait::Blocked)
    );
    state.choose();
    state.notify(notification, 1 << 63);
    assert_eq!((status(thread), thread.registers.word(0)), (0, 1 << 63));
    assert!(
        state.sleepers.first().is_none(),
        "a thread that was told does not sleep on"
    );
}

#[test]
fn sleepers_wake_in_order() {
    let state = state();
    let world = World::new(state, 1);
    let notification = world.notification();
    let threads = [30, 10, 20].map(|deadline| {
        let thread = world.thread(state, 5);
        thread.leave_queue();
        state.wait(thread, notification, deadline, || 0).unwrap();
        thread
    });
    state.expire(15);
    assert_eq!(
        threads.map(|thread| thread.status.get() == Status::Ready),
        [false, true, false]
    );
    state.expire(30);
    assert!(threads
        .iter()
        .all(|thread| thread.status.get() == Status::Ready));
}

#[test]
fn a_call_runs_in_the_server_and_returns_scrubbed() {
    let state = state();
    let (client, server) = (World::new(state, 1), World::new(state, 2));
    let thread = client.thread(state, 4);
    state.choose();
    thread.registers.enter(0x1000, 0x2000);
    let secret = crate::registers::SCRUBBED[0];
    (0..8).for_each(|n| thread.registers.set_word(n, 100 + n as u64));
    thread.registers.0[secret].set(0xdead);
    let portal = server.portal(0x5000);
    state.call(thread, portal).unwrap();
    assert!(same(thread.task.get(), server.task));
    assert_eq!(
        (
            thread.registers.pointer(),
            thread.registers.stack(),
            thread.registers.badge()
        ),
        (0x5000, 0x9000, 77)
    );
    assert_eq!(thread.registers.word(7), 107);
    assert_eq!(
        thread.registers.0[secret].get(),
        0,
        "the server sees nothing but the words"
    );
    thread.registers.0[secret].set(0xbeef);
    thread.registers.set_word(0, 7);
    state.reply(thread).unwrap();
    assert!(same(thread.task.get(), client.task));
    assert_eq!(
        (thread.registers.pointer(), thread.registers.stack()),
        (0x1000, 0x2000)
    );
    assert_eq!((thread.registers.word(0), status(thread)), (7, 0));
    assert_eq!(thread.registers.0[secret].get(), 0, "nor does the client");
    assert_eq!(state.reply(thread), Err(Error::Denied));
}

#[test]
fn one_call_at_a_time_and_the_most_important_next() {
    let state = state();
    let (client, server) = (World::new(state, 1), World::new(state, 2));
    let [first, low, high] = [4, 4, 6].map(|priority| client.thread(state, priority));
    for thread in [first, low, high] {
        thread.leave_queue();
    }
    let portal = server.portal(0x5000);
    for thread in [first, low, high] {
        state.call(thread, portal).unwrap();
    }
    assert_eq!(
        [low, high].map(|thread| thread.status.get()),
        [Status::Calling; 2]
    );
    run(state, first);
    state.reply(first).unwrap();
    assert!(same(portal.active.get().unwrap(), high));
    run(state, high);
    state.reply(high).unwrap();
    assert!(same(portal.active.get().unwrap(), low));
}

#[test]
fn calls_do_not_nest_for_ever() {
    let state = state();
    let home = World::new(state, 1);
    let thread = home.thread(state, 4);
    run(state, thread);
    assert_eq!(
        state.call(thread, home.portal(1)),
        Err(Error::TooDeep),
        "calling oneself"
    );
    let worlds: Vec<World> = (0..=DEPTH)
        .map(|n| World::new(state, 2 + n as u32))
        .collect();
    for (n, world) in worlds.iter().enumerate() {
        let result = state.call(thread, world.portal(0x5000));
        assert_eq!(
            result,
            if n < DEPTH {
                Ok(())
            } else {
                Err(Error::TooDeep)
            }
        );
    }
    (0..DEPTH).for_each(|_| state.reply(thread).unwrap());
    assert!(same(thread.task.get(), home.task));
}

/// A chain client → middle → far, to be cut at each place.
fn chain() -> (
    &'static State,
    [World; 3],
    &'static Thread,
    [&'static Portal; 2],
) {
    let state = state();
    let worlds = [1, 2, 3].map(|number| World::new(state, number));
    let thread = worlds[0].thread(state, 4);
    state.choose();
    thread.registers.enter(0x1000, 0x2000);
    let portals = [worlds[1].portal(0x5000), worlds[2].portal(0x6000)];
    for portal in portals {
        state.call(thread, portal).unwrap();
    }
    (state, worlds, thread, portals)
}

#[test]
fn a_dead_server_interrupts_its_callers() {
    let (state, [_, middle, far], thread, [near_portal, far_portal]) = chain();
    let waiting = middle.thread(state, 4);
    waiting.leave_queue();
    waiting.status.set(Status::Ready);
    state.call(waiting, far_portal).unwrap();
    state.destroy(far.task, |_, _| {});
    assert!(
        same(thread.task.get(), middle.task),
        "back in the caller of the dead server"
    );
    assert_eq!(
        (thread.registers.pointer(), status(thread)),
        (0x5000, Error::Interrupted as i64)
    );
    assert_eq!(
        (waiting.status.get(), status(waiting)),
        (Status::Ready, Error::Interrupted as i64)
    );
    assert!(
        same(near_portal.active.get().unwrap(), thread),
        "the call that goes on is still one"
    );
    state.destroy(middle.task, |_, _| {});
    assert_eq!(
        (thread.registers.pointer(), thread.depth.get()),
        (0x1000, 0)
    );
    assert_eq!(status(thread), Error::Interrupted as i64);
    assert_eq!(waiting.status.get(), Status::Ended);
}

#[test]
fn a_dead_server_in_the_middle_takes_what_it_called_with_it() {
    let (state, [client, middle, _], thread, [_, far_portal]) = chain();
    state.destroy(middle.task, |_, _| {});
    assert!(same(thread.task.get(), client.task));
    assert!(
        far_portal.active.get().is_none(),
        "the far portal is free for others"
    );
}

#[test]
fn a_dead_client_leaves_its_servers_free() {
    let (state, [client, ..], thread, portals) = chain();
    state.destroy(client.task, |_, _| {});
    assert_eq!(thread.status.get(), Status::Ended);
    assert!(portals.iter().all(|portal| portal.active.get().is_none()));
    assert!(state.current.get().is_none());
    assert!(state.choose().is_none());
}

#[test]
fn nothing_refers_to_a_dead_task() {
    let state = state();
    let (dead, other) = (World::new(state, 1), World::new(state, 2));
    let notification = dead.notification();
    let thread = dead.thread(state, 3);
    let rights = [
        Object::Task(dead.task),
        Object::Notification(notification),
        Object::Portal(dead.portal(1)),
        Object::Thread(thread),
        Object::Platform,
    ];
    for right in rights {
        other.task.rights.add(Right::whole(right)).unwrap();
    }
    other.task.fault_bound.set(Some((notification, 1)));
    let waiter = other.thread(state, 4);
    waiter.leave_queue();
    state.wait(waiter, notification, u64::MAX, || 0).unwrap();
    state.interrupts.number(9).unwrap();
    state.interrupts.bind(9, notification, 1).unwrap();
    let mut lines = Vec::new();
    state.destroy(dead.task, |line, what| lines.push((line, what)));
    assert_eq!(
        other.task.rights.used(),
        1,
        "only the right that does not name it is left"
    );
    assert!(other.task.fault_bound.get().is_none());
    assert_eq!(
        (waiter.status.get(), status(waiter)),
        (Status::Ready, Error::Interrupted as i64)
    );
    assert_eq!(lines, [(9, Line::Mask)]);
    assert!(!state.fire(9));
    assert!(state.tasks.iter().all(|task| !same(task, dead.task)));
}

#[test]
fn a_stopped_task_is_entered_by_nobody() {
    let state = state();
    let (client, server) = (World::new(state, 1), World::new(state, 2));
    let (bell, portal) = (client.notification(), server.portal(0x5000));
    let [inside, waits] = [4, 4].map(|priority| client.thread(state, priority));
    let own = server.thread(state, 9);
    for thread in [inside, waits] {
        thread.leave_queue();
        state.call(thread, portal).unwrap();
    }
    server.task.fault_bound.set(Some((bell, 8)));
    state.stop(
        server.task,
        abi::system::info::Fault {
            kind: 2,
            address: 5,
            at: 6,
        },
    );
    assert_eq!(server.task.state.get(), TaskState::Stopped);
    assert_eq!([inside, waits].map(status), [Error::Interrupted as i64; 2]);
    assert_eq!(own.status.get(), Status::Stopped);
    assert_eq!(bell.bits.get(), 8);
    assert_eq!(state.call(inside, portal), Err(Error::Interrupted));
    assert!(portal.active.get().is_none() && portal.callers.is_empty());
}

#[test]
fn shared_lines_open_when_all_are_done() {
    let state = state();
    let world = World::new(state, 1);
    let [one, two] = [world.notification(), world.notification()];
    state.interrupts.fix(16);
    assert_eq!(state.interrupts.number(50), Ok(16));
    assert_eq!(state.interrupts.number(5), Ok(5));
    assert_eq!(state.interrupts.number(70), Ok(17));
    assert_eq!(state.interrupts.number(50), Ok(16));
    state.interrupts.bind(5, one, 1).unwrap();
    state.interrupts.bind(5, two, 2).unwrap();
    assert_eq!(state.interrupts.bind(5, one, 1), Err(Error::Exists));
    assert!(state.fire(5));
    assert_eq!((one.bits.get(), two.bits.get()), (1, 2));
    assert_eq!(state.interrupts.done(5, one), Ok(Line::Leave));
    assert_eq!(
        state.interrupts.done(5, one),
        Ok(Line::Leave),
        "done twice is done once"
    );
    assert_eq!(state.interrupts.done(5, two), Ok(Line::Unmask));
    assert_eq!(state.interrupts.done(7, two), Err(Error::BadArgument));
    state.fire(5);
    state.interrupts.done(5, one).unwrap();
    assert_eq!(
        state.interrupts.unbind(5, two),
        Line::Unmask,
        "who never answered is gone"
    );
}

#[test]
fn messages_come_again_without_an_answer() {
    let state = state();
    let world = World::new(state, 1);
    let [one, two] = [world.notification(), world.notification()];
    state.interrupts.bind(5 | MESSAGE, one, 4).unwrap();
    state.interrupts.bind(5, two, 2).unwrap();
    assert!(state.fire(5 | MESSAGE));
    assert_eq!((one.bits.get(), two.bits.get()), (4, 0), "no line's number");
    assert_eq!(state.interrupts.state(5 | MESSAGE), Line::Unmask);
    one.bits.set(0);
    assert!(state.fire(5 | MESSAGE));
    assert_eq!(one.bits.get(), 4);
    assert_eq!(state.interrupts.done(5 | MESSAGE, one), Ok(Line::Leave));
    assert_eq!(state.interrupts.unbind(5 | MESSAGE, one), Line::Mask);
    assert!(!state.fire(5 | MESSAGE), "nobody hears it any more");
}

#[test]
fn handles_are_checked() {
    let rights = Rights::new();
    let whole = || Right::whole(Object::Platform);
    for handle in [0, 255, 256, 1 << 32, u64::MAX] {
        assert!(rights.task(handle, 0).is_err() && rights.platform(handle, 0).is_err());
        assert_eq!(rights.drop_right(handle), Err(Error::BadHandle));
    }
    for n in 0..256 {
        assert_eq!(rights.add(whole()), Ok(n));
    }
    assert_eq!(rights.add(whole()), Err(Error::NoRoom));
    rights.drop_right(17).unwrap();
    assert_eq!(rights.add(whole()), Ok(17));
    assert_eq!(rights.memory(17, 0), Err(Error::BadHandle));
}

#[test]
fn a_right_that_is_passed_on_allows_no_more_than_before() {
    let rights = Rights::new();
    let ram = Object::Memory(keep(Extent::new(Memory {
        base: 0x10_0000,
        size: PAGE,
        device: false,
    })));
    let whole = Right::whole(ram);
    let read = whole.passed_on(may::READ | may::COPY).unwrap();
    let again = read.passed_on(may::ALL).unwrap();
    assert_eq!(again.may, may::READ | may::COPY);
    let handle = rights.add(again).unwrap().into();
    assert!(rights.memory(handle, may::READ).is_ok());
    for deed in [may::WRITE, may::EXECUTE, may::ADDRESS, may::DONATE] {
        assert_eq!(rights.memory(handle, may::READ | deed), Err(Error::Denied));
    }
    let last = read.passed_on(may::READ).unwrap();
    assert_eq!(last.passed_on(may::ALL).err(), Some(Error::Denied));
    assert_eq!(Right::NONE.passed_on(0).err(), Some(Error::BadHandle));
    let state = state();
    let world = World::new(state, 1);
    let bell = Object::Notification(world.notification());
    let ring = Right::whole(bell).passed_on(may::RING).unwrap();
    let ring = u64::from(rights.add(ring).unwrap());
    assert!(rights.notification(ring, may::RING).is_ok());
    assert!(rights
        .notification(ring, may::WAIT)
        .is_err_and(|error| error == Error::Denied));
}

#[test]
fn a_part_of_the_platform_is_a_range_of_one_kind() {
    let rights = Rights::new();
    let add = |right| u64::from(rights.add(right).unwrap());
    let all = add(Right::whole(Object::Platform));
    let range = Range { base: 16, size: 8 };
    let ports = add(Right::whole(Kind::Port.object(range)));
    let covers = |right, kind, first, count| rights.covers(right, kind, first, count).map(drop);
    for kind in [Kind::Line, Kind::Message, Kind::Port] {
        assert_eq!(covers(all, kind, 0, u64::MAX), Ok(()));
    }
    assert_eq!(covers(ports, Kind::Port, 16, 8), Ok(()));
    for (first, count) in [(15, 1), (16, 9), (24, 1), (0, 100)] {
        assert_eq!(covers(ports, Kind::Port, first, count), Err(Error::Denied));
    }
    let endless = covers(ports, Kind::Port, 17, u64::MAX);
    assert_eq!(endless, Err(Error::BadArgument));
    assert_eq!(covers(ports, Kind::Line, 16, 1), Err(Error::Denied));
    assert_eq!(rights.platform(ports, 0), Err(Error::BadHandle));
    let log = Right::whole(Object::Platform).passed_on(may::LOG).unwrap();
    let log = add(log);
    assert_eq!(covers(log, Kind::Line, 1, 1), Err(Error::Denied));
    assert_eq!(rights.platform(log, may::LOG), Ok(()));
    assert_eq!(rights.platform(log, may::POWER), Err(Error::Denied));
    let silent = Right::whole(Kind::Port.object(range));
    let silent = add(silent.passed_on(may::LINES).unwrap());
    assert_eq!(covers(silent, Kind::Port, 16, 1), Err(Error::Denied));
}

#[test]
fn parts_stay_inside_of_their_memory() {
    let memory = Memory {
        base: 0x10_0000,
        size: 8 * PAGE,
        device: false,
    };
    assert_eq!(
        memory
            .part(PAGE, 2 * PAGE)
            .map(|part| (part.base, part.size)),
        Ok((0x10_1000, 2 * PAGE))
    );
    for (offset, length) in [
        (0, 0),
        (0, 9 * PAGE),
        (8 * PAGE, PAGE),
        (1, PAGE),
        (0, 1),
        (u64::MAX - 4095, PAGE),
        (PAGE, u64::MAX - 4095),
    ] {
        assert_eq!(
            memory.part(offset, length),
            Err(Error::BadArgument),
            "{offset:#x} {length:#x}"
        );
    }
}

#[test]
fn frames_are_the_nucleuss_or_everyones() {
    let frames = Frames::new();
    let counts: &'static [Cell<u16>] = vec![Cell::new(0); 16].leak();
    frames.add(0x10_0000, counts);
    assert_eq!(
        frames.map(0x10_0000, PAGE, false),
        Err(Error::Denied),
        "kept until it is released"
    );
    frames.release(0x10_0000, 8 * PAGE);
    frames.map(0x10_0000, 2 * PAGE, false).unwrap();
    assert_eq!(frames.keep(0x10_1000, PAGE), Err(Error::Denied), "mapped");
    frames.unmap(0x10_1000);
    frames.keep(0x10_1000, 2 * PAGE).unwrap();
    assert_eq!(frames.map(0x10_0000, 3 * PAGE, false), Err(Error::Denied));
    assert_eq!(counts[0].get(), 1, "refused as a whole");
    assert_eq!(
        frames.map(0x20_0000, PAGE, false),
        Err(Error::BadArgument),
        "no RAM"
    );
    assert_eq!(
        frames.map(0x10_0000, u64::MAX - 4095, false),
        Err(Error::BadArgument)
    );
    assert!(frames.any(0x10_f000, 1) && !frames.any(0x11_0000, PAGE) && frames.any(0, u64::MAX));
}

#[test]
fn a_page_that_can_be_executed_is_counted_once() {
    let frames = Frames::new();
    frames.add(0x10_0000, vec![Cell::new(0); 16].leak());
    frames.release(0x10_0000, 16 * PAGE);
    frames.map(0x10_0000, 3 * PAGE, false).unwrap();
    assert_eq!(frames.executable(), 0);
    for _ in 0..5 {
        frames.map(0x10_0000, 2 * PAGE, true).unwrap();
    }
    assert_eq!(frames.executable(), 2 * PAGE);
    // Which of its mappings could execute is not known any more: it counts until the last is gone.
    for _ in 0..5 {
        frames.unmap(0x10_0000);
    }
    assert_eq!(frames.executable(), 2 * PAGE);
    frames.unmap(0x10_0000);
    assert_eq!(frames.executable(), PAGE);
    frames.keep(0x10_0000, PAGE).unwrap();
    frames.unmap(0x10_0000);
    assert_eq!(frames.keep(0x10_1000, PAGE), Err(Error::Denied));
    // A count that would run into the mark is refused.
    for _ in 1..0x7ffe {
        frames.map(0x10_2000, PAGE, false).unwrap();
    }
    assert_eq!(frames.map(0x10_2000, PAGE, true), Err(Error::Denied));
    assert_eq!(frames.executable(), PAGE);
}

/// Page tables in a map, with a limited number of pages.
struct Fake(RefCell<HashMap<u64, u64>>, Cell<u64>);

impl Words for Fake {
    fn load(&self, physical: u64) -> u64 {
        self.0.borrow().get(&physical).copied().unwrap_or(0)
    }
    fn store(&self, physical: u64, word: u64) {
        self.0.borrow_mut().insert(physical, word);
    }
    fn table(&self) -> Result<u64, Error> {
        self.1
            .set(self.1.get().checked_sub(1).ok_or(Error::NoRoom)?);
        Ok(0x100_0000 + self.1.get() * PAGE)
    }
}

struct Plain;
impl paging::Entries for Plain {
    const COUNT: u32 = 52;
    fn table(physical: u64) -> u64 {
        physical | 1
    }
    fn page(physical: u64, access: Access) -> u64 {
        physical | 1 | u64::from(access.write) << 1
    }
    fn access(entry: u64) -> Access {
        Access {
            write: entry & 2 != 0,
            execute: false,
            device: false,
        }
    }
}

#[test]
fn pages_are_found_where_they_were_mapped() {
    let (words, root) = (Fake(RefCell::default(), Cell::new(6)), 0x1000);
    let write = Access {
        write: true,
        ..Access::default()
    };
    paging::map::<Plain>(&words, root, 0x40_0000, 0xabc000, write).unwrap();
    paging::map::<Plain>(&words, root, 0x7fff_ffff_e000, 0xdef000, Access::default()).unwrap();
    assert_eq!(
        paging::map::<Plain>(&words, root, 0x40_0000, 0, write),
        Err(Error::Exists)
    );
    assert_eq!(
        paging::map::<Plain>(&words, root, 0x4000_0000_0000, 0, write),
        Err(Error::NoRoom)
    );
    assert_eq!(
        paging::lookup::<Plain>(&words, root, 0x40_0123),
        Some((0xabc123, write))
    );
    assert_eq!(paging::lookup::<Plain>(&words, root, 0x40_1000), None);
    let mut pages = Vec::new();
    paging::each::<Plain>(&words, root, |page| pages.push(page));
    assert_eq!(pages, [0xabc000, 0xdef000]);
    // The tables that were made for what found no room are known, and so are those of a last page.
    let tables = |freed: paging::Freed| freed.pages().count();
    let tidied = paging::tidy::<Plain>(&words, root, 0x4000_0000_0000);
    assert_eq!(tables(tidied), 0, "there was no room for any");
    paging::protect::<Plain>(&words, root, 0x40_0000, Access::default());
    assert_eq!(
        paging::lookup::<Plain>(&words, root, 0x40_0123),
        Some((0xabc123, Access::default()))
    );
    paging::map::<Plain>(&words, root, 0x40_1000, 0x123000, write).unwrap();
    let (page, freed) = paging::unmap::<Plain>(&words, root, 0x40_0000).unwrap();
    assert_eq!((page, tables(freed)), (0xabc000, 0));
    assert_eq!(paging::unmap::<Plain>(&words, root, 0x40_0000), None);
    let (_, freed) = paging::unmap::<Plain>(&words, root, 0x40_1000).unwrap();
    assert_eq!(tables(freed), 3);
    assert_eq!(paging::lookup::<Plain>(&words, root, 0x40_1000), None);
    assert!(paging::lookup::<Plain>(&words, root, 0x7fff_ffff_e000).is_some());
}

/// Page tables in a map, whose pages come from a pool.
struct Pooled(Fake, Pool);

impl Words for Pooled {
    fn load(&self, physical: u64) -> u64 {
        self.0.load(physical)
    }
    fn store(&self, physical: u64, word: u64) {
        self.0.store(physical, word)
    }
    fn table(&self) -> Result<u64, Error> {
        let page = self.1.page(self)?;
        (page..page + PAGE)
            .step_by(8)
            .for_each(|at| self.0 .0.borrow_mut().remove(&at).map_or((), drop));
        Ok(page)
    }
}

/// Against a plain map of pages: what is mapped is found, and nothing else; the tables are exactly those that lead to something.
#[test]
fn page_tables_come_and_go_with_what_they_show() {
    let words = Pooled(
        Fake(RefCell::default(), Cell::new(0)),
        Pool::new(0x100_0000, 24 * PAGE, PAGE),
    );
    let (root, mut model, mut dice) = (0x1000, HashMap::<u64, u64>::new(), 1u64);
    let mut roll = |sides: u64| {
        dice = dice.wrapping_mul(6364136223846793005).wrapping_add(99);
        (dice >> 33) % sides
    };
    let give = |freed: paging::Freed| {
        freed
            .pages()
            .for_each(|page| words.1.give_page(&words, page))
    };
    let mut refused = 0;
    for _ in 0..1_500 {
        // Few places, in tables of every level.
        let address = roll(3) << 39 | roll(3) << 30 | roll(3) << 21 | (1 + roll(3)) << 12;
        match roll(8) {
            0..=3 => match paging::map::<Plain>(
                &words,
                root,
                address,
                address << 1 | PAGE,
                Access::default(),
            ) {
                Ok(()) => assert!(model.insert(address, address << 1 | PAGE).is_none()),
                Err(Error::Exists) => assert!(model.contains_key(&address)),
                Err(error) => {
                    assert_eq!(error, Error::NoRoom);
                    refused += 1;
                    give(paging::tidy::<Plain>(&words, root, address));
                }
            },
            4..=6 => match paging::unmap::<Plain>(&words, root, address) {
                Some((page, freed)) => {
                    assert_eq!(model.remove(&address), Some(page));
                    give(freed);
                }
                None => assert!(!model.contains_key(&address)),
            },
            _ => {
                let (low, to) = (address & !0x1f_ffff, address + roll(1 << 31) / PAGE * PAGE);
                let odd = roll(2) << 22;
                let wanted = |page: u64| page & 1 << 22 == odd;
                let mut from = low;
                while from < to {
                    let mut budget = crate::extent::Budget(1 + roll(40) as i64);
                    from = paging::unmap_those::<Plain>(
                        &words,
                        root,
                        (from, to),
                        &mut budget,
                        wanted,
                        |at, page, freed| {
                            assert_eq!(model.remove(&at), Some(page));
                            give(freed);
                        },
                    );
                }
                let left = model
                    .iter()
                    .filter(|(at, page)| (low..to).contains(*at) && wanted(**page));
                assert_eq!(left.count(), 0);
            }
        }
        let mut pages = Vec::new();
        paging::each::<Plain>(&words, root, |page| pages.push(page));
        pages.sort_unstable();
        let mut known: Vec<u64> = model.values().copied().collect();
        known.sort_unstable();
        assert_eq!(pages, known);
        let tables = [39, 30, 21].map(|shift| {
            model
                .keys()
                .map(|at| at >> shift)
                .collect::<std::collections::HashSet<_>>()
                .len() as u64
        });
        assert_eq!(words.1.used(), PAGE + tables.iter().sum::<u64>() * PAGE);
    }
    assert!(refused > 10, "the pool was never full: {refused}");
}

#[test]
fn allegations_are_not_believed() {
    for (address, length) in [
        (u64::MAX, 2),
        (layout::USER_END, 1),
        (layout::USER_END - 1, 2),
        (layout::NUCLEUS, 8),
    ] {
        assert!(Allegation::new(address, length).check(u64::MAX).is_err());
    }
    assert!(Allegation::new(0x1000, 257).check(256).is_err());
    let range = Allegation::new(0x1ff0, 0x1020).check(u64::MAX).unwrap();
    let pieces: Vec<_> = range.pieces().collect();
    assert_eq!(
        pieces,
        [
            (0x1ff0, 0, 0x10),
            (0x2000, 0x10, 0x1000),
            (0x3000, 0x1010, 0x10)
        ]
    );
    for (address, length) in [(0, PAGE), (PAGE, 0), (PAGE + 1, PAGE), (PAGE, PAGE + 1)] {
        assert!(Allegation::new(address, length)
            .check_pages(u64::MAX)
            .is_err());
    }
}

#[test]
fn pools_end() {
    let pool = Pool::new(0x8000, 3 * PAGE, 100);
    let words = Fake(RefCell::default(), Cell::new(0));
    assert_eq!(pool.carve(&words, 65), Ok(0x9000));
    assert_eq!(pool.carve(&words, 64), Ok(0x9080));
    assert_eq!(pool.page(&words), Ok(0xa000));
    assert_eq!(pool.carve(&words, 4000), Err(Error::NoRoom));
    assert_eq!(pool.carve(&words, 64), Ok(0x90c0));
    assert_eq!(
        (pool.page(&words), pool.used()),
        (Err(Error::NoRoom), 3 * PAGE)
    );
    pool.give_page(&words, 0xa000);
    assert_eq!(pool.used(), 2 * PAGE);
    assert_eq!(pool.page(&words), Ok(0xa000));
    assert_eq!(pool.page(&words), Err(Error::NoRoom));
    assert!(pool.holds(0x8000) && pool.holds(0xafff) && !pool.holds(0xb000) && !pool.holds(0x7fff));
}

#[test]
fn free_ranges_are_found_and_counted() {
    let range = |base, size| Range { base, size };
    let ram = [range(0, 0xa0000), range(0x10_0000, 0xf0_0000)];
    let taken = [
        range(0x80_0000, 0x1000),
        range(0x10_0000, 0x8000),
        range(0x30_0000, 0),
        range(0xff_f000, 0x1000),
    ];
    assert_eq!(
        ranges::free(&ram, |n| taken[n], taken.len()),
        (range(0x80_1000, 0x7f_e000), 0xa_0000 + 0xf0_0000 - 0xa000)
    );
    assert_eq!(
        ranges::free(&ram, |n| taken[n], 0),
        (range(0x10_0000, 0xf0_0000), 0xfa_0000)
    );
    assert_eq!(ranges::free(&[], |n| taken[n], 0), (range(0, 0), 0));
}

#[test]
fn time_is_exact_enough_and_wraps() {
    assert_eq!(Ratio::nanoseconds(1_000_000_000).of(123), 123);
    let micro = Ratio::nanoseconds(3_579_545);
    assert_eq!(micro.of(3_579_545 * 1000) / 1000, 999_999_999);
    assert_eq!(Ratio::ticks(62_500_000).of(1_000_000_000), 62_500_000);
    assert_eq!(Ratio::new(1, 0).of(7), 0);
    let counter = Counter::new();
    counter.start(24, 0xff_fff0);
    assert_eq!(counter.read(0xff_ffff), 15);
    assert_eq!(counter.read(4), 20, "past its end");
    assert_eq!(counter.period(), 0xff_ffff);
}

#[test]
fn a_thread_that_ended_and_that_nothing_names_gives_its_place() {
    let state = state();
    let (home, other) = (World::new(state, 1), World::new(state, 2));
    let [first, second] = [1, 2].map(|priority| home.thread(state, priority));
    let right = |thread| Right::whole(Object::Thread(thread));
    let one = home.task.rights.add(right(first)).unwrap();
    let two = other.task.rights.add(right(first)).unwrap();
    let third = other.task.rights.add(right(second)).unwrap();
    let reusable = || {
        home.task
            .reusable_thread()
            .is_some_and(|thread| same(thread, first))
    };
    assert!(!reusable());
    home.task.rights.drop_right(one.into()).unwrap();
    state.end(first);
    assert!(!reusable(), "somebody names it");
    other.task.rights.drop_right(two.into()).unwrap();
    assert!(reusable());
    assert!(!reusable(), "once");
    // The other way round: first unnamed, then ended, and ended again.
    other.task.rights.drop_right(third.into()).unwrap();
    assert!(home.task.reusable_thread().is_none(), "it runs");
    state.end(second);
    state.end(second);
    assert!(home.task.reusable_thread().is_some());
}

#[test]
fn ports_are_granted_in_ranges() {
    let state = state();
    let world = World::new(state, 1);
    assert_eq!(world.task.grant_ports(0xffff, 2), Err(Error::BadArgument));
    assert_eq!(world.task.grant_ports(u64::MAX, 2), Err(Error::BadArgument));
    assert_eq!(world.task.grant_ports(5, 0), Err(Error::BadArgument));
    assert_eq!(world.task.special.get(), 0);
    for n in 0..8 {
        world.task.grant_ports(16 * n, 8).unwrap();
    }
    assert_eq!(world.task.grant_ports(0x400, 8), Err(Error::NoRoom));
    assert_eq!(world.task.special.get(), 1);
}
