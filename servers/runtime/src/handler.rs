//! Handlers of faults and foreign system calls in Rust: a type whose `handle` is called on the thread that did it.
//!
//! ```ignore
//! struct Personality;
//! impl runtime::handler::Handle for Personality {
//!     fn handle(event: &Event, words: &mut Words) -> Answer {
//!         match event.code {
//!             code::SYSTEM_CALL if event.word == GETPID => Answer::Return(7),
//!             _ => Answer::Pass,
//!         }
//!     }
//! }
//! let handler = runtime::handler::open::<Personality>(16 * 1024)?;
//! runtime::sys::handler_bind(task, event::ALL, Some(handler), 0)?;
//! ```

pub use abi::system::event as code;

/// What happened.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// The word that was bound with the handler.
    pub cookie: u64,
    /// One of [`code`]; [`FRAMED`] after [`Answer::Frame`], with the error or 0 in `word`.
    pub code: u64,
    /// The number of a system call, the address of a fault.
    pub word: u64,
}

pub const FRAMED: u64 = 0;

/// The argument registers of a system call, which come back as they are left here: rdi, rsi, rdx, r10, r8, r9; x0 to x7. On arm64
/// the first is the result, and set by [`Answer::Return`].
#[cfg(target_arch = "x86_64")]
pub type Words = [u64; 6];
#[cfg(target_arch = "aarch64")]
pub type Words = [u64; 8];

/// What becomes of the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It goes on where it was; after a system call with this result, else the word means nothing.
    Return(u64),
    /// `handle` is called again when the thread's frame page has all of its registers.
    Frame,
    /// It goes on with all registers as its frame page has them.
    Resume,
    /// It sleeps where it was until this time, or `sys::FOREVER`.
    Sleep(u64),
    /// Somebody else shall handle it, or its task stops.
    Pass,
    /// It ends; inside of a portal call, that call ends.
    End,
}

/// Runs on the thread that did it, one event at a time.
pub trait Handle: 'static {
    fn handle(event: &Event, words: &mut Words) -> Answer;
}

/// A system call's number and the word that goes with it, as the entry below loads them.
#[repr(C)]
struct Call {
    number: u64,
    word: u64,
}

extern "C" fn handle<H: Handle>(cookie: u64, code: u64, word: u64, words: &mut Words) -> Call {
    use abi::system::call;
    let (number, word) = match H::handle(&Event { cookie, code, word }, words) {
        Answer::Return(result) => {
            #[cfg(target_arch = "aarch64")]
            if code == code::SYSTEM_CALL {
                words[0] = result;
            }
            (call::PORTAL_REPLY, result)
        }
        Answer::Frame => (call::HANDLER_FRAME, 0),
        Answer::Resume => (call::HANDLER_RESUME, 0),
        Answer::Sleep(deadline) => (call::HANDLER_SLEEP, deadline),
        Answer::Pass => (call::HANDLER_PASS, 0),
        Answer::End => (call::EXIT, 0),
    };
    Call { number, word }
}

/// The address of an entry that calls `H::handle` and answers.
pub fn entry<H: Handle>() -> u64 {
    enter::<H> as *const () as u64
}

/// A handler `H` with a stack of so many bytes from the heap, which stays taken.
#[cfg(target_os = "none")]
pub fn open<H: Handle>(stack: usize) -> Result<abi::system::Handle, abi::system::Error> {
    crate::sys::handler_create(entry::<H>(), crate::portal::stack(stack))
}

// SAFETY of both: the nucleus enters them, nobody else does. It does so with the handler's stack, 16-byte aligned and unused, and the cookie, code and word in the
// registers that `abi::system::event` names. All others are the thread's: those that the C calling convention does not keep
// are kept here, so that they are the thread's again at every system call. A system call that comes back (HANDLER_FRAME,
// or one that was refused) has kept them, too, and is told to `handle`.
/// An entry that calls `H::handle` and answers; not a function to be called.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub extern "C" fn enter<H: Handle>() {
    core::arch::naked_asm!(
        "sub rsp, 64",
        "mov [rsp], rdi",
        "mov [rsp + 8], rsi",
        "mov [rsp + 16], rdx",
        "mov [rsp + 24], r10",
        "mov [rsp + 32], r8",
        "mov [rsp + 40], r9",
        "mov [rsp + 48], r14",
        "mov rdi, r14",
        "mov rsi, r15",
        "2:",
        "mov rdx, rax",
        "mov rcx, rsp",
        "call {handle}",
        "mov r14, rdx",
        "mov rdi, [rsp]",
        "mov rsi, [rsp + 8]",
        "mov rdx, [rsp + 16]",
        "mov r10, [rsp + 24]",
        "mov r8, [rsp + 32]",
        "mov r9, [rsp + 40]",
        "syscall",
        "mov rdi, [rsp + 48]",
        "xor esi, esi",
        "jmp 2b",
        handle = sym handle::<H>,
    )
}

/// An entry that calls `H::handle` and answers; not a function to be called.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub extern "C" fn enter<H: Handle>() {
    core::arch::naked_asm!(
        "sub sp, sp, #144",
        "stp x0, x1, [sp]",
        "stp x2, x3, [sp, #16]",
        "stp x4, x5, [sp, #32]",
        "stp x6, x7, [sp, #48]",
        "stp x12, x13, [sp, #64]",
        "stp x14, x15, [sp, #80]",
        "stp x16, x17, [sp, #96]",
        "stp x18, x30, [sp, #112]",
        "str x9, [sp, #128]",
        "mov x0, x9",
        "mov x1, x10",
        "2:",
        "mov x2, x8",
        "mov x3, sp",
        "bl {handle}",
        "mov x8, x0",
        "mov x9, x1",
        "ldp x0, x1, [sp]",
        "ldp x2, x3, [sp, #16]",
        "ldp x4, x5, [sp, #32]",
        "ldp x6, x7, [sp, #48]",
        "ldp x12, x13, [sp, #64]",
        "ldp x14, x15, [sp, #80]",
        "ldp x16, x17, [sp, #96]",
        "ldp x18, x30, [sp, #112]",
        "svc #0",
        "ldr x0, [sp, #128]",
        "mov x1, xzr",
        "b 2b",
        handle = sym handle::<H>,
    )
}
