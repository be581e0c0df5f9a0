//! Handlers: arguments that must be refused, and a foreign program whose every call and fault comes here.

use crate::{report::Report, tasks, Ground};
use abi::frame;
use abi::layout::{self, DIRECT_MAP, NUCLEUS, PAGE, PROGRAM, STACK_TOP, USER_END};
use abi::system::{call, event, map, may, Error, Handle};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use runtime::child::{self, Run};
use runtime::handler::{self, Answer, Event, Words, FRAMED};
use runtime::memory::Shared;
use runtime::sys;

const DENIED: Error = Error::Denied;
const PRIORITY: u64 = 16;
/// Less than this program's: its frame page is there before it runs.
const LESS: u64 = 1;

pub fn all(report: &mut Report, ground: &mut Ground) {
    outside(report);
    arguments(report, ground);
    let start = ground.memory.next;
    foreign(report, ground);
    ground.memory.next = start;
    orphaned(report, ground);
    ground.memory.next = start;
}

/// Who handles nothing has nothing to answer.
fn outside(report: &mut Report) {
    for number in [
        call::HANDLER_FRAME,
        call::HANDLER_RESUME,
        call::HANDLER_SLEEP,
        call::HANDLER_PASS,
    ] {
        // SAFETY: it is refused, or a failure of the nucleus.
        let answer = unsafe { sys::any(number, [0; 6]) };
        report.same("an answer to nothing", answer, Err(DENIED));
    }
}

fn arguments(report: &mut Report, ground: &mut Ground) {
    for (entry, stack) in [
        (0, 0x1000),
        (NUCLEUS, 0x1000),
        (PROGRAM, 0x1008),
        (PROGRAM, DIRECT_MAP),
        (u64::MAX, 16),
        (USER_END, 16),
    ] {
        let made = sys::handler_create(entry, stack);
        report.same(
            "a handler that leads nowhere",
            made,
            Err(Error::BadArgument),
        );
    }
    let Ok(bell) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    let (Ok(own), Ok(portal)) = (
        sys::handler_create(PROGRAM, STACK_TOP),
        sys::portal_create(PROGRAM, STACK_TOP, 0),
    ) else {
        return report.yes("a handler and a portal", false);
    };
    let calling = sys::portal_call(own, [0; 8]);
    report.same("calling a handler", calling, Err(Error::BadHandle));
    let Some(child) = tasks::child(report, ground, bell) else {
        return;
    };
    let bind = |whose, set, to| sys::handler_bind(whose, set, Some(to), 0);
    for to in [portal, bell, child, 200, 255, 256, u32::MAX - 1] {
        let bound = bind(child, event::ALL, to);
        report.same("what is no handler", bound, Err(Error::BadHandle));
    }
    for set in [0, event::ALL + 1, 1 << 32, 1 << 63, u64::MAX] {
        let bound = bind(child, set, own);
        report.same("no set of events", bound, Err(Error::BadArgument));
    }
    for whose in [bell, portal, own, ground.memory.right] {
        let bound = bind(whose, event::ALL, own);
        report.same("events of what has none", bound, Err(Error::BadHandle));
    }
    let bound = bind(ground.this, event::PAGES, own);
    report.same("one's own faults", bound, Err(DENIED));
    let none = sys::handler_bind(child, event::CALLS, None, 0);
    report.same("foreign without a handler", none, Err(DENIED));
    for mask in [may::TELL, may::ALL & !may::FAULTS] {
        let less = sys::right_copy(ground.this, child, mask).unwrap_or(Handle::MAX);
        let bound = bind(less, event::PAGES, own);
        report.same("faults where one may not", bound, Err(DENIED));
        let _ = sys::right_drop(less);
    }
    report.same("its end", sys::task_destroy(child), Ok(()));
    own_threads(report, ground, own);
    frames(report, ground, bell);
    for right in [bell, own, portal] {
        report.same("dropping it", sys::right_drop(right), Ok(()));
    }
}

/// A thread of one's own is no way to one's own faults.
fn own_threads(report: &mut Report, ground: &Ground, own: Handle) {
    // It ends at once, whenever it comes to run.
    let stack = (&raw const LITTLE_STACK as u64 + size_of::<LittleStack>() as u64) & !15;
    let ends = ends as *const () as u64;
    let Ok(thread) = sys::thread_create(ground.this, ends, stack, 0, 0) else {
        return report.yes("a thread", false);
    };
    let bound = sys::handler_bind(thread, event::PAGES, Some(own), 0);
    report.same("faults of one's own thread", bound, Err(DENIED));
    report.same("waking it", sys::thread_wake(thread), Err(DENIED));
    report.same("kicking it", sys::thread_kick(thread), Err(DENIED));
    let page = sys::frame_bind(thread, ground.memory.right, 0);
    report.same("its frame", page, Err(DENIED));
    let _ = sys::right_drop(thread);
}

type LittleStack = [AtomicU64; 64];
static LITTLE_STACK: LittleStack = [const { AtomicU64::new(0) }; 64];

extern "C" fn ends() -> ! {
    sys::exit()
}

/// Frame pages, and threads that are neither foreign nor asleep.
fn frames(report: &mut Report, ground: &mut Ground, bell: Handle) {
    let start = ground.memory.next;
    let Some(child) = tasks::child(report, ground, bell) else {
        return;
    };
    ground.memory.next = start + child::bytes();
    let (Ok(memory), Ok(thread)) = (
        ground.memory.take(2 * PAGE),
        child::run::<Waits>(child, 0, 1),
    ) else {
        return report.yes("memory and a thread", false);
    };
    report.same(
        "waking who does not sleep",
        sys::thread_wake(thread),
        Err(DENIED),
    );
    for offset in [
        1,
        PAGE / 2,
        2 * PAGE,
        1 << 60,
        u64::MAX,
        u64::MAX - PAGE + 1,
    ] {
        let bound = sys::frame_bind(thread, memory, offset);
        report.same("no page", bound, Err(Error::BadArgument));
    }
    let read = sys::right_copy(ground.this, memory, may::READ).unwrap_or(Handle::MAX);
    let bound = sys::frame_bind(thread, read, 0);
    report.same("a page that may be read", bound, Err(DENIED));
    let bound = sys::frame_bind(thread, bell, 0);
    report.same("what is no memory", bound, Err(Error::BadHandle));
    let bound = sys::frame_bind(child, memory, 0);
    report.same("what is no thread", bound, Err(Error::BadHandle));
    report.same("a page", sys::frame_bind(thread, memory, 0), Ok(()));
    report.same("another", sys::frame_bind(thread, memory, PAGE), Ok(()));
    let donated = sys::task_create(memory, 0).err();
    report.same("donating a frame page", donated, Some(DENIED));
    report.same(
        "waking who does not sleep",
        sys::thread_wake(thread),
        Ok(false),
    );
    report.same(
        "kicking who is not foreign",
        sys::thread_kick(thread),
        Err(DENIED),
    );
    let own = sys::handler_create(PROGRAM, STACK_TOP).unwrap_or(Handle::MAX);
    let bound = sys::handler_bind(child, event::CALLS, Some(own), 0);
    report.same("foreign after it began", bound, Err(DENIED));
    let bound = sys::handler_bind(thread, event::CALLS, Some(own), 0);
    report.same("calls of a native thread", bound, Err(DENIED));
    report.same("its end", sys::task_destroy(child), Ok(()));
    let gone = sys::thread_wake(thread);
    report.same("a thread that is gone", gone, Err(Error::BadHandle));
    // Too small for a task, but not in use any more.
    let donated = sys::task_create(memory, 0).err();
    report.same("its page is free again", donated, Some(Error::NoRoom));
    for right in [memory, read, own] {
        let _ = sys::right_drop(right);
    }
    ground.memory.next = start;
}

struct Waits;

impl Run for Waits {
    fn run(_argument: u64) {
        let _ = sys::wait(2, sys::FOREVER);
    }
}

// The foreign program's calls, apart from those that the nucleus has numbers for.
/// With a value: it is to be compared and counted.
const TELL: u64 = 1000;
/// Sleeps until woken, kicked, and for a while.
const SLEEP_WAKE: u64 = 1001;
const SLEEP_KICK: u64 = 1002;
const SLEEP_WHILE: u64 = 1003;
/// Goes on with another register, and not at the nucleus.
const FRAME: u64 = 1004;
const END: u64 = 1005;
/// Starts the other foreign program, which is more important and finds the handler busy.
const START_OTHER: u64 = 1006;
/// Of the other program: it ends, and nobody is told.
const END_OTHER: u64 = 1007;
/// Goes on with another beginning of its thread-local storage.
const BASE: u64 = 1008;
/// What any other call gives.
const RESULT: u64 = 0x7777;

/// What is told, one bit each; all must be told.
const TOLD: [&str; 16] = [
    "calls of all numbers came back with the handler's result",
    "no register but the result was changed by them",
    "a page that was not there",
    "what was there already was not handled twice",
    "an illegal instruction, skipped by the frame",
    "a debug trap",
    "a division (arm64: none)",
    "a system call by int 0x80 (arm64: none)",
    "woken with a result",
    "kicked with a result",
    "the deadline, with a result",
    "another register by the frame",
    "a call that was interrupted in its handler by one that waited for it",
    "a call that waited for the handler",
    "the beginning of its thread-local storage by the frame",
    "the same after others had run",
];

/// Where the foreign program's thread-local storage begins.
static STORAGE: AtomicU64 = AtomicU64::new(0x5707_a6e5);

static BITS: AtomicU64 = AtomicU64::new(0);
static CALLS: AtomicU64 = AtomicU64::new(0);
static FAULTS: AtomicU64 = AtomicU64::new(0);
static REFUSED: AtomicU64 = AtomicU64::new(0);
static TASK: AtomicU32 = AtomicU32::new(0);
static PAGE_RIGHT: AtomicU32 = AtomicU32::new(0);
static BELL: AtomicU32 = AtomicU32::new(0);
/// The other program's task.
static OTHER: AtomicU32 = AtomicU32::new(0);
/// The number of the call that its frame was asked for.
static ASKED: AtomicU64 = AtomicU64::new(0);

/// The handler's page with the foreign thread's frame, and where the foreign program misses a page.
const FRAME_AT: u64 = layout::MODULES + 0x80_0000;
const MISSING: u64 = layout::MODULES + PAGE;
const STACK_AT: u64 = layout::MODULES + 0x90_0000;

fn frame_page() -> Shared {
    Shared::new(FRAME_AT, PAGE as usize)
}

fn frame_word(n: usize) -> u64 {
    frame_page().read_u64(8 * n)
}

fn set_frame_word(n: usize, value: u64) {
    frame_page().write_u64(8 * n, value)
}

struct Personality;

impl handler::Handle for Personality {
    fn handle(event: &Event, words: &mut Words) -> Answer {
        match (event.code, event.word) {
            (event::READ | event::WRITE, address) => {
                FAULTS.fetch_add(1, Relaxed);
                let (task, page) = (TASK.load(Relaxed), PAGE_RIGHT.load(Relaxed));
                let at = address & !(PAGE - 1);
                match sys::memory_map(task, page, PAGE, PAGE, at, map::WRITE) {
                    Ok(()) => Answer::Return(0),
                    Err(_) => Answer::Pass,
                }
            }
            (
                event::ILLEGAL | event::DEBUG | event::DIVISION | event::KICKED | event::EXPIRED,
                _,
            ) => {
                ASKED.store(event.code, Relaxed);
                Answer::Frame
            }
            (event::INTERRUPT_CALL, number) => Answer::Return(number + 1),
            (event::SYSTEM_CALL, TELL) => {
                BITS.fetch_or(words[0], Relaxed);
                Answer::Return(0)
            }
            (event::SYSTEM_CALL, SLEEP_WAKE | SLEEP_KICK) => {
                let _ = sys::notify(BELL.load(Relaxed), 1 << (event.word - SLEEP_WAKE));
                Answer::Sleep(sys::FOREVER)
            }
            (event::SYSTEM_CALL, START_OTHER) => {
                let other = OTHER.load(Relaxed);
                match child::run::<Other>(other, 0, PRIORITY + 2) {
                    Ok(_) => Answer::Return(RESULT),
                    Err(_) => Answer::Return(0),
                }
            }
            (event::SYSTEM_CALL, SLEEP_WHILE) => Answer::Sleep(sys::now() + 1_000_000),
            (event::SYSTEM_CALL, FRAME | BASE) => {
                ASKED.store(event.word, Relaxed);
                Answer::Frame
            }
            (event::SYSTEM_CALL, END) => {
                let _ = sys::notify(BELL.load(Relaxed), 4);
                Answer::End
            }
            (event::SYSTEM_CALL, END_OTHER) => Answer::End,
            (event::SYSTEM_CALL, _) => {
                CALLS.fetch_add(1, Relaxed);
                Answer::Return(RESULT)
            }
            (FRAMED, status) => framed(status),
            _ => Answer::Pass,
        }
    }
}

/// The frame page has the thread's registers, or an answer was refused.
fn framed(status: u64) -> Answer {
    let at = frame_word(frame::POINTER);
    match ASKED.load(Relaxed) {
        event::ILLEGAL => set_frame_word(frame::POINTER, at + ILLEGAL_LENGTH),
        event::DEBUG => set_frame_word(frame::POINTER, at + DEBUG_LENGTH),
        event::DIVISION => set_frame_word(frame::POINTER, at + DIVISION_LENGTH),
        event::KICKED => set_frame_word(frame::RESULT, RESULT + 1),
        event::EXPIRED => set_frame_word(frame::RESULT, RESULT + 2),
        // First to where nobody may go; what is refused comes back here.
        FRAME if status == 0 => {
            set_frame_word(KEPT_REGISTER, 99);
            set_frame_word(BACK, at);
            set_frame_word(frame::POINTER, NUCLEUS);
        }
        FRAME if status == Error::BadArgument as i64 as u64 => {
            REFUSED.fetch_add(1, Relaxed);
            set_frame_word(frame::POINTER, frame_word(BACK));
            set_frame_word(frame::FLAGS, !UNWANTED);
        }
        // The same program is at the same addresses there.
        BASE => set_frame_word(frame::BASES[0], &raw const STORAGE as u64),
        _ => return Answer::Pass,
    }
    Answer::Resume
}

/// A word of the page that is no register.
const BACK: usize = 100;

/// Makes the handler, the page and the foreign thread's task.
fn stranger(report: &mut Report, ground: &mut Ground, bell: Handle) -> Option<(Handle, Handle)> {
    let task = tasks::child(report, ground, bell)?;
    ground.memory.next += child::bytes();
    let pages = ground.memory.take(2 * PAGE).ok()?;
    let stack = ground.memory.take(2 * PAGE).ok()?;
    TASK.store(task, Relaxed);
    PAGE_RIGHT.store(pages, Relaxed);
    BELL.store(bell, Relaxed);
    let mapped = sys::memory_map(ground.this, pages, 0, PAGE, FRAME_AT, map::WRITE);
    report.same("the frame page here", mapped, Ok(()));
    let mapped = sys::memory_map(ground.this, stack, 0, 2 * PAGE, STACK_AT, map::WRITE);
    report.same("the handler's stack", mapped, Ok(()));
    let entry = handler::entry::<Personality>();
    let made = sys::handler_create(entry, STACK_AT + 2 * PAGE).ok()?;
    let bound = sys::handler_bind(task, event::ALL, Some(made), 0);
    report.same("handling all that it does", bound, Ok(()));
    let other = other(ground, made);
    report.yes("another one", other.is_ok());
    Some((task, other.ok()?))
}

/// Another foreign task with the same handler.
fn other(ground: &mut Ground, made: Handle) -> Result<Handle, Error> {
    let task = child::create(ground.this, &mut ground.memory, PRIORITY + 2)?;
    sys::handler_bind(task, event::ALL, Some(made), 0)?;
    OTHER.store(task, Relaxed);
    Ok(task)
}

struct Other;

impl Run for Other {
    fn run(_argument: u64) {
        let waited = stranger_call(1) == (RESULT, true);
        call_with(TELL, u64::from(waited) << 13);
        call_with(END_OTHER, 0);
    }
}

fn gone(report: &mut Report, ground: &Ground) {
    let unmapped = sys::memory_unmap(ground.this, FRAME_AT, PAGE);
    report.same("the frame page", unmapped, Ok(()));
    let unmapped = sys::memory_unmap(ground.this, STACK_AT, 2 * PAGE);
    report.same("the handler's stack", unmapped, Ok(()));
}

fn foreign(report: &mut Report, ground: &mut Ground) {
    let Ok(bell) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    let Some((task, other)) = stranger(report, ground, bell) else {
        return report.yes("a foreign task", false);
    };
    let Ok(thread) = child::run::<Stranger>(task, u64::from(sys::now() != 0), LESS) else {
        return report.yes("a foreign thread", false);
    };
    let page = sys::frame_bind(thread, PAGE_RIGHT.load(Relaxed), 0);
    report.same("its frame page", page, Ok(()));
    report.same("it sleeps", sys::wait(bell, sys::FOREVER), Ok(1));
    rest(report);
    let number = frame_word(frame::NUMBER);
    report.same("the call in its frame", number, SLEEP_WAKE);
    set_frame_word(frame::POINTER, frame_word(frame::POINTER) | 1 << 63);
    let woken = sys::thread_wake(thread);
    report.same(
        "waking it where nobody may go",
        woken,
        Err(Error::BadArgument),
    );
    set_frame_word(frame::POINTER, frame_word(frame::POINTER) & !(1 << 63));
    set_frame_word(frame::RESULT, RESULT);
    report.same("waking it", sys::thread_wake(thread), Ok(true));
    report.same("it sleeps again", sys::wait(bell, sys::FOREVER), Ok(2));
    rest(report);
    report.same("kicking it", sys::thread_kick(thread), Ok(()));
    report.same("its end", sys::wait(bell, sys::FOREVER), Ok(4));
    rest(report);
    for (n, what) in TOLD.iter().enumerate() {
        report.yes(what, BITS.load(Relaxed) & 1 << n != 0);
    }
    report.same("calls", CALLS.load(Relaxed), NUMBERS + 1);
    report.same("page faults", FAULTS.load(Relaxed), 1);
    report.same("refused frames", REFUSED.load(Relaxed), 1);
    let info = sys::info_task(task).map(|info| (info.state, info.threads, info.rights));
    report.same("no call of it reached the nucleus", info, Ok((1, 0, 3)));
    report.same("its task's end", sys::task_destroy(task), Ok(()));
    report.same("the other's end", sys::task_destroy(other), Ok(()));
    gone(report, ground);
    let _ = sys::right_drop(bell);
}

/// Lets threads of less priority come to where they sleep: they tell that they will before they do.
fn rest(report: &mut Report) {
    let Ok(nobody) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    let rested = sys::wait(nobody, sys::now() + 2_000_000);
    report.same("a rest", rested, Err(Error::Timeout));
    let _ = sys::right_drop(nobody);
}

/// Faults in the middle of handling.
struct Breaks;

impl handler::Handle for Breaks {
    fn handle(_event: &Event, _words: &mut Words) -> Answer {
        Shared::new(MISSING, 8).write_u64(0, 1);
        Answer::Return(0)
    }
}

/// A server that hands out a handler which breaks.
struct Server;

impl Run for Server {
    fn run(_argument: u64) {
        let made = sys::handler_create(handler::entry::<Breaks>(), STACK_TOP - 0x2000);
        let given = made.and_then(|made| sys::right_copy(1, made, may::ALL));
        let _ = sys::notify(2, 1 << 32 | u64::from(given.unwrap_or(0)));
    }
}

/// A handler that breaks, or is destroyed, takes its foreign task with it, and nobody else.
fn orphaned(report: &mut Report, ground: &mut Ground) {
    let Ok(bell) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    let start = ground.memory.next;
    let Some(server) = tasks::child(report, ground, bell) else {
        return;
    };
    ground.memory.next = start + child::bytes();
    report.yes(
        "a server",
        child::run::<Server>(server, 0, PRIORITY).is_ok(),
    );
    let made = sys::wait(bell, sys::FOREVER).unwrap_or(0) as Handle;
    let Some(task) = tasks::child(report, ground, bell) else {
        return;
    };
    let bound = sys::handler_bind(task, event::CALLS, Some(made), 0);
    report.same("a handler that breaks", bound, Ok(()));
    report.same("its faults", sys::fault_bind(task, bell, 8), Ok(()));
    report.same("its server's", sys::fault_bind(server, bell, 16), Ok(()));
    report.yes(
        "its thread",
        child::run::<Stranger>(task, 0, PRIORITY + 1).is_ok(),
    );
    let mut bits = 0;
    while bits != 8 | 16 && bits < 32 {
        bits |= sys::wait(bell, sys::now() + 1_000_000_000).unwrap_or(1 << 5);
    }
    report.same("both stop", bits, 8 | 16);
    let kind = |task| sys::info_fault(task).map(|fault| fault.kind).ok();
    report.same("by its fault", kind(server), Some(event::WRITE));
    report.same("by its handler's end", kind(task), Some(event::ORPHANED));
    report.same("the server's end", sys::task_destroy(server), Ok(()));
    report.same("its end", sys::task_destroy(task), Ok(()));
    // A foreign task without a handler stops at its first call.
    let Ok(own) = sys::handler_create(PROGRAM, STACK_TOP) else {
        return report.yes("a handler", false);
    };
    let Some(task) = tasks::child(report, ground, bell) else {
        return;
    };
    let bound = sys::handler_bind(task, event::CALLS, Some(own), 0);
    report.same("a handler", bound, Ok(()));
    let bound = sys::handler_bind(task, event::CALLS, None, 0);
    report.same("and none any more", bound, Ok(()));
    report.same("its faults", sys::fault_bind(task, bell, 8), Ok(()));
    report.yes(
        "its thread",
        child::run::<Stranger>(task, 0, PRIORITY + 1).is_ok(),
    );
    report.same("it stops", sys::wait(bell, sys::FOREVER), Ok(8));
    report.same("by its call", kind(task), Some(event::SYSTEM_CALL));
    report.same("its end", sys::task_destroy(task), Ok(()));
    let _ = (sys::right_drop(own), sys::right_drop(bell));
    ground.memory.next = start;
}

/// All numbers that the nucleus knows, and some more.
const NUMBERS: u64 = 70;

/// The foreign program. `argument`: whether there is a clock here.
struct Stranger;

impl Run for Stranger {
    fn run(argument: u64) {
        let mut told = 0;
        let mut tell = |n: usize, holds: bool| told |= u64::from(holds) << n;
        let (mut results, mut kept) = (true, true);
        for number in 0..NUMBERS {
            let (result, same) = stranger_call(number);
            results &= result == RESULT;
            kept &= same;
        }
        tell(0, results);
        tell(1, kept);
        let missing = Shared::new(MISSING, 16);
        missing.write_u64(0, 5);
        tell(2, missing.read_u64(0) == 5);
        missing.write_u64(8, 6);
        tell(3, missing.read_u64(8) == 6);
        illegal();
        tell(4, true);
        debug();
        tell(5, true);
        tell(6, division());
        tell(7, interrupt_call());
        call_with(BASE, 0);
        tell(14, is_storage(&STORAGE));
        tell(8, stranger_call(SLEEP_WAKE) == (RESULT, true));
        tell(9, stranger_call(SLEEP_KICK) == (RESULT + 1, true));
        // Without a clock nothing expires.
        let expired = argument == 0 || stranger_call(SLEEP_WHILE) == (RESULT + 2, true);
        tell(10, expired);
        tell(11, register_after(FRAME) == 99);
        tell(12, stranger_call(START_OTHER) == (RESULT, true));
        tell(15, is_storage(&STORAGE));
        call_with(TELL, told);
        call_with(END, 0);
    }
}

#[cfg(target_arch = "x86_64")]
mod machine {
    use core::arch::asm;
    use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

    pub const ILLEGAL_LENGTH: u64 = 2;
    /// A breakpoint is behind itself.
    pub const DEBUG_LENGTH: u64 = 0;
    /// `div ecx`
    pub const DIVISION_LENGTH: u64 = 2;
    pub const KEPT_REGISTER: usize = abi::frame::R12;
    /// Flags that a program may set and should not: trap and direction.
    pub const UNWANTED: u64 = 1 << 8 | 1 << 10;

    /// A foreign call; its result, and whether all registers that are looked at came back.
    pub fn stranger_call(number: u64) -> (u64, bool) {
        let result: u64;
        let mut r: [u64; 10] = core::array::from_fn(|n| 0x1_0001 * (n as u64 + 7));
        let before = r;
        let [r0, r1, r2, r3, r4, r5, r6, r7, r8, r9] = &mut r;
        // SAFETY: the handler of this test keeps all registers but rax; rcx and r11 are lost.
        unsafe {
            asm!("syscall", inlateout("rax") number => result, inlateout("rdi") *r0, inlateout("rsi") *r1,
                inlateout("rdx") *r2, inlateout("r10") *r3, inlateout("r8") *r4, inlateout("r9") *r5,
                inlateout("r12") *r6, inlateout("r13") *r7, inlateout("r14") *r8, inlateout("r15") *r9,
                lateout("rcx") _, lateout("r11") _);
        }
        (result, r == before)
    }

    pub fn call_with(number: u64, word: u64) {
        // SAFETY: as above.
        unsafe {
            asm!("syscall", inlateout("rax") number => _, in("rdi") word, lateout("rcx") _, lateout("r11") _)
        }
    }

    /// Whether thread-local storage begins there.
    pub fn is_storage(storage: &AtomicU64) -> bool {
        let found: u64;
        // SAFETY: reads a word where `fs` begins, which is one of this program's, or the program is stopped.
        unsafe { asm!("mov {}, fs:[0]", out(reg) found, options(nostack, readonly)) };
        found == storage.load(Relaxed)
    }

    /// What the handler put into a register by the frame.
    pub fn register_after(number: u64) -> u64 {
        let value;
        // SAFETY: the handler changes this register alone.
        unsafe {
            asm!("syscall", inlateout("rax") number => _, inlateout("r12") 1u64 => value,
                lateout("rcx") _, lateout("r11") _)
        }
        value
    }

    pub fn illegal() {
        // SAFETY: the handler goes on behind it, with all registers.
        unsafe { asm!("ud2") }
    }

    pub fn debug() {
        // SAFETY: as above.
        unsafe { asm!("int3") }
    }

    /// By 0: skipped, so that nothing changes.
    pub fn division() -> bool {
        let (low, high): (u32, u32);
        // SAFETY: the handler goes on behind it, with all registers.
        unsafe { asm!("div ecx", inout("eax") 5 => low, inout("edx") 6 => high, in("ecx") 0) }
        (low, high) == (5, 6)
    }

    /// rcx and r11 are not lost by it.
    pub fn interrupt_call() -> bool {
        let (result, rcx, r11): (u64, u64, u64);
        // SAFETY: the handler changes rax alone.
        unsafe {
            asm!("int 0x80", inlateout("rax") 20u64 => result, inlateout("rcx") 3u64 => rcx,
                inlateout("r11") 4u64 => r11)
        }
        (result, rcx, r11) == (21, 3, 4)
    }
}

#[cfg(target_arch = "aarch64")]
mod machine {
    use core::arch::asm;
    use core::sync::atomic::AtomicU64;

    pub const ILLEGAL_LENGTH: u64 = 4;
    pub const DEBUG_LENGTH: u64 = 4;
    /// There is no such event here.
    pub const DIVISION_LENGTH: u64 = 4;
    pub const KEPT_REGISTER: usize = 20;
    pub const UNWANTED: u64 = 0;

    /// A foreign call; its result, and whether all registers that are looked at came back.
    pub fn stranger_call(number: u64) -> (u64, bool) {
        let result: u64;
        let mut r: [u64; 13] = core::array::from_fn(|n| 0x1_0001 * (n as u64 + 7));
        let before = r;
        let [r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12] = &mut r;
        let after: u64;
        // SAFETY: the handler of this test keeps all registers but x0.
        unsafe {
            asm!("svc #0", inlateout("x8") number => after, inlateout("x0") 1u64 => result, inlateout("x1") *r0,
                inlateout("x2") *r1, inlateout("x7") *r2, inlateout("x9") *r3, inlateout("x10") *r4,
                inlateout("x11") *r5, inlateout("x12") *r6, inlateout("x16") *r7, inlateout("x17") *r8,
                inlateout("x20") *r9, inlateout("x25") *r10, inlateout("x28") *r11, inlateout("x30") *r12);
        }
        (result, r == before && after == number)
    }

    pub fn call_with(number: u64, word: u64) {
        // SAFETY: as above.
        unsafe { asm!("svc #0", in("x8") number, inlateout("x0") word => _) }
    }

    /// Whether thread-local storage begins there.
    pub fn is_storage(storage: &AtomicU64) -> bool {
        let found: *const AtomicU64;
        // SAFETY: reading the register has no effect.
        unsafe { asm!("mrs {}, tpidr_el0", out(reg) found, options(nostack, nomem)) };
        core::ptr::eq(found, storage)
    }

    /// What the handler put into a register by the frame.
    pub fn register_after(number: u64) -> u64 {
        let value;
        // SAFETY: the handler changes this register alone.
        unsafe {
            asm!("svc #0", in("x8") number, inlateout("x0") 0u64 => _, inlateout("x20") 1u64 => value)
        }
        value
    }

    pub fn illegal() {
        // SAFETY: the handler goes on behind it, with all registers.
        unsafe { asm!("udf #0") }
    }

    pub fn debug() {
        // SAFETY: as above.
        unsafe { asm!("brk #0") }
    }

    pub fn division() -> bool {
        true
    }

    pub fn interrupt_call() -> bool {
        true
    }
}
use machine::*;
