//! Emitted arm64 code, run as it is, in an emulated processor (`qemu-aarch64`), beside the host's process that has the
//! device models.
//!
//! State, arena and pool are files that both have mapped, so that DMA works. A window is a range of addresses that may
//! not be touched: each access to one faults, and is told to the host, which carries it out on the model and answers.
//! Upcalls, the clock and pauses are told the same way. This program decides nothing; the host does.
#![no_std]
#![no_main]

mod linux;
mod words;

use abi::context::{Context, Upcall};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use linux::{Information, Interrupted};
use words::{ask, tell, then, Message};

/// The host broke what was agreed: exit codes.
mod broken {
    pub const MESSAGE: u64 = 3;
    pub const SYSTEM: u64 = 4;
    pub const NO_ENTRY: u64 = 5;
    pub const PANIC: u64 = 6;
}

/// Most files that the program is given.
const FILES: usize = 4;
/// Upcalls that one residual may name.
const CALLS: usize = 16;

/// The stack pointer with which the entry that runs is left; 0 if none runs.
#[no_mangle]
static entered: AtomicU64 = AtomicU64::new(0);

extern "C" {
    fn enter(entry: u64, context: *mut Context, a: u64, b: u64, c: u64, d: u64, e: u64) -> u64;
    fn leave();
}

/// The one context, which only the entry that runs and [`serve`] use, one after the other.
struct Surroundings(UnsafeCell<Context>);

// SAFETY: there is one thread.
unsafe impl Sync for Surroundings {}

static SURROUNDINGS: Surroundings = Surroundings(UnsafeCell::new(Context {
    state: ptr::null_mut(),
    arena: ptr::null_mut(),
    arena_dma: 0,
    pool: ptr::null_mut(),
    pool_dma: 0,
    pool_size: 0,
    clock,
    pause,
    upcalls: &raw const UPCALLS as *const Upcall,
    results: [0; 4],
    windows: [0; abi::context::WINDOWS],
    lane: 0,
}));

static UPCALLS: [Upcall; CALLS] = [
    up::<0>, up::<1>, up::<2>, up::<3>, up::<4>, up::<5>, up::<6>, up::<7>, up::<8>, up::<9>,
    up::<10>, up::<11>, up::<12>, up::<13>, up::<14>, up::<15>,
];

fn send(message: Message) {
    let mut bytes = [0; 64];
    for (place, word) in bytes.chunks_exact_mut(8).zip(message) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    if !linux::send(&bytes) {
        linux::exit(0);
    }
}

/// The host's next message; the program ends with the pipe.
fn receive() -> Message {
    let mut bytes = [0; 64];
    if !linux::receive(&mut bytes) {
        linux::exit(0);
    }
    let mut message = [0; 8];
    for (word, place) in message.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = place.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
    }
    message
}

/// Tells the host, and waits for its answer: a value, and what is done with it.
fn told(message: Message) -> (u64, u64) {
    send(message);
    match receive() {
        [ask::ANSWER, value, action, ..] => (value, action),
        _ => linux::exit(broken::MESSAGE),
    }
}

extern "C" fn up<const N: usize>(_: *mut Context, a: u64, b: u64, c: u64, d: u64) -> u64 {
    told([tell::UP, N as u64, a, b, c, d, 0, 0]).0
}

extern "C" fn clock(_: *mut Context) -> u64 {
    told([tell::CLOCK, 0, 0, 0, 0, 0, 0, 0]).0
}

extern "C" fn pause(_: *mut Context, ns: u64) {
    told([tell::PAUSE, ns, 0, 0, 0, 0, 0, 0]);
}

/// The code touched what is not memory, or met an instruction that is not for programs.
extern "C" fn fault(signal: i32, what: *const Information, frame: *mut Interrupted) {
    let stack = entered.load(Relaxed);
    if stack == 0 {
        linux::exit(broken::NO_ENTRY);
    }
    // SAFETY: the kernel passes both, and they are this handler's until it returns; the instruction that faulted was
    // fetched from where `pc` says.
    let (address, word, frame) = unsafe {
        let word = ((*frame).pc as *const u32).read();
        ((*what).address, word, &mut *frame)
    };
    let register = (word & 31) as usize;
    // Register 31 of a load or store is always zero.
    let value = frame.x.get(register).copied().unwrap_or(0);
    let touch = [
        tell::TOUCH,
        signal as u64,
        address,
        u64::from(word),
        value,
        frame.pc,
        0,
        0,
    ];
    match told(touch) {
        (value, then::LOAD) => {
            if let Some(place) = frame.x.get_mut(register) {
                *place = value;
            }
            frame.pc += 4;
        }
        (_, then::PASS) => frame.pc += 4,
        (value, then::LEAVE) => {
            frame.x[0] = value;
            frame.sp = stack;
            frame.pc = leave as *const () as u64;
        }
        _ => linux::exit(broken::MESSAGE),
    }
}

fn run(entry: u64, a: [u64; 5]) -> Message {
    let context = SURROUNDINGS.0.get();
    // SAFETY: the host gave an entry of the code that it had mapped, which is called as entries are; nothing else uses
    // the context until it returns.
    unsafe {
        (*context).results = [0; 4];
        let status = enter(entry, context, a[0], a[1], a[2], a[3], a[4]);
        entered.store(0, Relaxed);
        let [r0, r1, r2, r3] = (*context).results;
        [tell::LEFT, status, r0, r1, r2, r3, 0, 0]
    }
}

/// Writes a word of the context.
fn set(offset: u64, value: u64) -> Option<u64> {
    let inside = offset.is_multiple_of(8) && offset < size_of::<Context>() as u64;
    // SAFETY: an aligned word inside of the context, which no entry uses now.
    inside.then(|| unsafe {
        let words = SURROUNDINGS.0.get().cast::<u64>();
        words.add(offset as usize / 8).write(value);
        value
    })
}

fn serve(files: &[Option<u64>; FILES]) -> ! {
    loop {
        let message = receive();
        let done = match message {
            [ask::MAP, file, offset, bytes, code, ..] => {
                let protection = match code {
                    0 => linux::PROT_READ | linux::PROT_WRITE,
                    _ => linux::PROT_READ | linux::PROT_EXEC,
                };
                let file = files.get(file as usize).copied().flatten();
                file.and_then(|file| linux::map_file(file, offset, bytes, protection))
            }
            [ask::RESERVE, bytes, ..] => linux::reserve(bytes),
            [ask::SET, offset, value, ..] => set(offset, value),
            [ask::ENTER, entry, a, b, c, d, e, _] => {
                send(run(entry, [a, b, c, d, e]));
                continue;
            }
            _ => linux::exit(broken::MESSAGE),
        };
        match done {
            Some(value) => send([tell::DONE, value, 0, 0, 0, 0, 0, 0]),
            None => linux::exit(broken::SYSTEM),
        }
    }
}

/// Called at `_start`: the number of arguments, then their addresses; the first is the program's name.
#[no_mangle]
extern "C" fn start(stack: *const u64) -> ! {
    let mut files = [None; FILES];
    // SAFETY: the kernel put so many addresses of texts that end in a zero byte behind the number.
    unsafe {
        let count = stack.read() as usize;
        for (n, file) in files.iter_mut().enumerate().take(count.saturating_sub(1)) {
            *file = linux::open(stack.add(n + 2).read() as *const u8);
        }
    }
    let caught = [linux::SIGSEGV, linux::SIGBUS, linux::SIGILL]
        .iter()
        .all(|signal| linux::catch(*signal, fault));
    match caught {
        true => serve(&files),
        false => linux::exit(broken::SYSTEM),
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    linux::exit(broken::PANIC)
}
