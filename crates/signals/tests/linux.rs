//! The same calls, drawn at random, in a process of Linux and here: results, errors, what is pending, and which handlers
//! run in which order with what they are told.

use noise::Random;
use signals::{Action, Delivery, Error, Handler, Set, Signal, Signals, Target};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// HUP, ILL, USR1, SEGV, USR2, TERM, CHLD, CONT, TSTP, URG, WINCH and three of real time.
const TRIED: [i32; 14] = [1, 4, 10, 11, 12, 15, 17, 18, 20, 23, 28, 34, 35, 64];
/// By default nothing happens, so the process outlives that they are neither handled nor ignored.
const HARMLESS: [i32; 4] = [17, 18, 23, 28];
const CALLS: usize = 120;
/// Records that the child may write: some calls run several handlers.
const ROOM: usize = 64 * CALLS;

/// One call.
#[derive(Clone, Copy, Debug)]
enum Call {
    Mask(i32, Set),
    Act(i32, Action),
    Kill(i32),
    ThreadKill(i32),
    Queue(i32, u64),
    Pending,
    Take(Set),
}

/// What was seen: a kind and three words. Kind 0 stands behind the last.
type Record = [i64; 4];
const RETURNED: i64 = 1;
const HANDLED: i64 = 2;
const TOOK: i64 = 3;
const PENDING: i64 = 4;

static RECORDS: AtomicPtr<Record> = AtomicPtr::new(std::ptr::null_mut());
static WRITTEN: AtomicUsize = AtomicUsize::new(0);

fn record(kind: i64, words: [i64; 3]) {
    let place = WRITTEN.fetch_add(1, Ordering::SeqCst);
    assert!(place < ROOM);
    let [a, b, c] = words;
    // SAFETY: the child is one thread, `RECORDS` points to `ROOM` records, and `place` is below that.
    unsafe { *RECORDS.load(Ordering::SeqCst).add(place) = [kind, a, b, c] };
}

/// What a handler or sigtimedwait is told: number, code, and the value of sigqueue.
fn told(info: &libc::siginfo_t) -> [i64; 3] {
    let value = if info.si_code == libc::SI_QUEUE {
        // SAFETY: a queued signal carries a value.
        unsafe { info.si_value().sival_ptr as i64 }
    } else {
        0
    };
    [i64::from(info.si_signo), i64::from(info.si_code), value]
}

extern "C" fn handler(_: i32, info: *const libc::siginfo_t, _: *const libc::c_void) {
    // SAFETY: Linux passes the information to a handler that was set with SA_SIGINFO.
    record(HANDLED, told(unsafe { &*info }));
}

fn sigset(set: Set) -> libc::sigset_t {
    // SAFETY: a set of zeros is an empty one on Linux, and the numbers are in range.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        for number in TRIED {
            if Signal::new(number).is_some_and(|signal| set.has(signal)) {
                libc::sigaddset(&mut all, number);
            }
        }
        all
    }
}

/// Makes one call in the child.
fn call(call: Call) {
    let mut all = sigset(Set::EMPTY);
    // SAFETY: every pointer is of a structure that lives across its call; handlers write records only.
    let result = unsafe {
        match call {
            Call::Mask(how, set) => libc::sigprocmask(how, &sigset(set), std::ptr::null_mut()),
            Call::Act(number, action) => {
                let mut asked: libc::sigaction = std::mem::zeroed();
                asked.sa_sigaction = match action.handler {
                    Handler::Default => libc::SIG_DFL,
                    Handler::Ignore => libc::SIG_IGN,
                    Handler::Function(_) => handler as *const () as usize,
                };
                asked.sa_mask = sigset(action.mask);
                let nested = if action.nested { libc::SA_NODEFER } else { 0 };
                let once = if action.once { libc::SA_RESETHAND } else { 0 };
                asked.sa_flags = libc::SA_SIGINFO | nested | once;
                libc::sigaction(number, &asked, std::ptr::null_mut())
            }
            Call::Kill(number) => libc::kill(libc::getpid(), number),
            Call::ThreadKill(number) => {
                libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), number) as i32
            }
            Call::Queue(number, value) => {
                let value = libc::sigval {
                    sival_ptr: value as *mut libc::c_void,
                };
                libc::sigqueue(libc::getpid(), number, value)
            }
            Call::Pending => {
                libc::sigpending(&mut all);
                let is = |number: &&i32| libc::sigismember(&all, **number) == 1;
                let set = TRIED.iter().filter(is).fold(0, |set, n| set | 1 << (n - 1));
                return record(PENDING, [set, 0, 0]);
            }
            Call::Take(set) => {
                let mut info: libc::siginfo_t = std::mem::zeroed();
                let now = libc::timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                };
                // The C library's sigtimedwait changes the code of what tgkill sent.
                let name = libc::SYS_rt_sigtimedwait;
                let taken = libc::syscall(name, &set.0, &mut info, &now, size_of::<u64>()) as i32;
                if taken > 0 {
                    return record(TOOK, told(&info));
                }
                taken
            }
        }
    };
    let error = if result < 0 {
        std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
    } else {
        0
    };
    record(RETURNED, [i64::from(error), 0, 0]);
}

/// Runs the calls in a process of their own and returns what it recorded.
fn under_linux(calls: &[Call]) -> Vec<Record> {
    let bytes = ROOM * size_of::<Record>();
    let (read, write) = (libc::PROT_READ, libc::PROT_WRITE);
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: new memory is asked for, at any place.
    let memory = unsafe { libc::mmap(std::ptr::null_mut(), bytes, read | write, flags, -1, 0) };
    assert_ne!(memory, libc::MAP_FAILED);
    RECORDS.store(memory.cast(), Ordering::SeqCst);
    // SAFETY: the child only makes calls and writes records into memory that is there already, then ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let empty = sigset(Set::EMPTY);
        // SAFETY: the set lives across the call. This thread was made with whatever mask its maker had.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &empty, std::ptr::null_mut()) };
        calls.iter().for_each(|each| call(*each));
        // SAFETY: ends the child without running what the parent registered.
        unsafe { libc::_exit(0) };
    }
    assert!(child > 0, "{}", std::io::Error::last_os_error());
    let end = Instant::now() + Duration::from_secs(20);
    let mut status = 0;
    // SAFETY: `status` lives across the call, and the child is this function's.
    while unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) } == 0 {
        if Instant::now() > end {
            // SAFETY: as above; it has not been waited for.
            unsafe { libc::kill(child, libc::SIGKILL) };
            panic!("the process did not end: {calls:?}");
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    assert_eq!(status, 0, "the process ended with {status:#x}: {calls:?}");
    // SAFETY: the child has ended, the memory holds `ROOM` records of plain numbers, and it is copied before it goes.
    unsafe {
        let all = std::slice::from_raw_parts(memory.cast::<Record>(), ROOM);
        let seen = all.iter().take_while(|r| r[0] != 0).copied().collect();
        libc::munmap(memory, bytes);
        seen
    }
}

/// What is sent with a signal here: the code and the value.
type Info = (i64, i64);
const THREAD: u32 = 1;

struct Ours {
    signals: Signals<u32, Info>,
    seen: Vec<Record>,
}

impl Ours {
    fn returned<T>(&mut self, result: Result<T, Error>) {
        let error = result.map_or_else(Error::number, |_| 0);
        self.seen.push([RETURNED, i64::from(error), 0, 0]);
    }

    fn told(kind: i64, signal: Signal, info: Option<Info>) -> Record {
        let (code, value) = info.unwrap_or((0, 0));
        [kind, i64::from(signal.number()), code, value]
    }

    /// What the kernel does before a call returns: a frame for each signal, the last on top, and again after each
    /// handler's end.
    fn settle(&mut self) {
        let mut frames = Vec::new();
        loop {
            while let Some(delivery) = self.signals.deliver(THREAD).expect("a thread") {
                let Delivery::Run {
                    signal,
                    info,
                    restore,
                    ..
                } = delivery
                else {
                    panic!("{delivery:?}");
                };
                frames.push((signal, info, restore));
            }
            let Some((signal, info, restore)) = frames.pop() else {
                return;
            };
            self.seen.push(Self::told(HANDLED, signal, info));
            self.signals.block(THREAD, restore).expect("a thread");
        }
    }

    fn call(&mut self, call: Call) {
        let signal = |number| Signal::new(number).expect("a signal");
        let before = self.seen.len();
        match call {
            Call::Mask(how, set) => {
                let now = self.signals.blocked(THREAD).expect("a thread");
                let then = match how {
                    libc::SIG_BLOCK => now.with(set),
                    libc::SIG_UNBLOCK => now.without(set),
                    _ => set,
                };
                let result = self.signals.block(THREAD, then);
                self.returned(result);
            }
            Call::Act(number, action) => {
                let result = self.signals.set_action(signal(number), action);
                self.returned(result);
            }
            Call::Kill(number) => self.send(Target::Process, number, (0, 0), false),
            Call::ThreadKill(number) => self.send(Target::Thread(THREAD), number, (-6, 0), false),
            Call::Queue(number, value) => {
                self.send(Target::Process, number, (-1, value as i64), true);
            }
            Call::Pending => {
                let pending = self.signals.pending(THREAD).expect("a thread");
                let blocked = self.signals.blocked(THREAD).expect("a thread");
                let seen = pending.without(blocked.complement());
                self.seen.push([PENDING, seen.0 as i64, 0, 0]);
            }
            Call::Take(set) => match self.signals.take(THREAD, set) {
                Ok((signal, info)) => self.seen.push(Self::told(TOOK, signal, info)),
                Err(error) => self.returned::<()>(Err(error)),
            },
        }
        // Handlers run before the call's own result is seen.
        let result = self.seen.split_off(before);
        self.settle();
        self.seen.extend(result);
    }

    fn send(&mut self, target: Target<u32>, number: i32, info: Info, from_queue: bool) {
        let signal = Signal::new(number).expect("a signal");
        let result = self.signals.send(target, signal, info, from_queue);
        self.returned(result);
    }
}

fn draw(random: &mut Random) -> Call {
    let mut set = Set::EMPTY;
    for number in TRIED {
        if random.below(2) == 0 {
            set = set.with(Set::of(Signal::new(number).expect("a signal")));
        }
    }
    let number = random.pick(&TRIED);
    match random.below(16) {
        0 => Call::Mask(libc::SIG_BLOCK, set),
        1 => Call::Mask(libc::SIG_UNBLOCK, set),
        2 => Call::Mask(libc::SIG_SETMASK, set),
        3..=4 => act(number, set, random),
        5..=7 => Call::Kill(number),
        8..=9 => Call::ThreadKill(number),
        10..=12 => Call::Queue(number, random.word() >> 1),
        13 => Call::Pending,
        _ => Call::Take(set),
    }
}

fn act(number: i32, mask: Set, random: &mut Random) -> Call {
    let harmless = HARMLESS.contains(&number);
    let handler = match random.below(4) {
        0 => Handler::Ignore,
        1 if harmless => Handler::Default,
        _ => Handler::Function(1),
    };
    // A handler that goes away would leave a signal whose default ends the process.
    let once = harmless && random.below(3) == 0;
    let nested = random.below(2) == 0;
    let action = Action {
        handler,
        mask,
        nested,
        once,
    };
    // One in ten is refused.
    let number = if random.below(10) == 0 {
        random.pick(&[9, 19])
    } else {
        number
    };
    Call::Act(number, action)
}

#[test]
fn signals_come_as_under_linux() {
    let mut random = noise::seeded(0x7369_676e);
    for round in 0..noise::rounds(300) {
        let start = TRIED.map(|number| {
            let action = Action {
                handler: Handler::Function(1),
                ..Action::default()
            };
            Call::Act(number, action)
        });
        let mut calls = start.to_vec();
        calls.extend((0..CALLS).map(|_| draw(&mut random)));
        let linux = under_linux(&calls);
        let mut ours = Ours {
            signals: Signals::new(THREAD, 10_000),
            seen: Vec::new(),
        };
        for (place, each) in calls.iter().enumerate() {
            let before = ours.seen.len();
            ours.call(*each);
            let theirs = linux.get(before..ours.seen.len().min(linux.len()));
            assert_eq!(
                Some(&ours.seen[before..]),
                theirs,
                "round {round}, call {place}: {each:?}, after {:?}",
                &calls[start.len().min(place)..place]
            );
        }
        assert_eq!(ours.seen.len(), linux.len());
    }
}
