//! Portals in Rust: a type whose `serve` answers the calls.
//!
//! ```ignore
//! struct Adder;
//! impl runtime::portal::Serve for Adder {
//!     fn serve(badge: u64, words: &mut [u64; 8]) {
//!         words[0] += badge;
//!     }
//! }
//! let portal = runtime::portal::open::<Adder>(7, 16 * 1024)?;
//! ```

/// Answers a call: the words of the call become the words of the reply. Runs on the caller's thread, one call at a time.
pub trait Serve: 'static {
    fn serve(badge: u64, words: &mut [u64; 8]);
}

extern "C" fn serve<S: Serve>(badge: u64, words: &mut [u64; 8]) {
    S::serve(badge, words)
}

/// The address of an entry that calls `S::serve` and replies.
pub fn entry<S: Serve>() -> u64 {
    trampoline::<S> as *const () as u64
}

/// A portal to `S` with a stack of so many bytes from the heap, which stays taken.
#[cfg(target_os = "none")]
pub fn open<S: Serve>(badge: u64, stack: usize) -> Result<abi::system::Handle, abi::system::Error> {
    crate::sys::portal_create(entry::<S>(), self::stack(stack), badge)
}

/// The end of a new stack of so many bytes from the heap, which stays taken.
#[cfg(target_os = "none")]
pub(crate) fn stack(bytes: usize) -> u64 {
    let words = alloc::vec![0u128; bytes.div_ceil(16)].leak();
    words.as_ptr() as u64 + 16 * words.len() as u64
}

// SAFETY of both: the nucleus enters with the portal's stack, 16-byte aligned and unused, the words in the registers
// named and the badge in r14 or x9. They do not return: PORTAL_REPLY ends the activation.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
extern "C" fn trampoline<S: Serve>() {
    core::arch::naked_asm!(
        "sub rsp, 64",
        "mov [rsp], rdi",
        "mov [rsp + 8], rsi",
        "mov [rsp + 16], rdx",
        "mov [rsp + 24], r10",
        "mov [rsp + 32], r8",
        "mov [rsp + 40], r9",
        "mov [rsp + 48], r12",
        "mov [rsp + 56], r13",
        "mov rdi, r14",
        "mov rsi, rsp",
        "call {serve}",
        "mov rdi, [rsp]",
        "mov rsi, [rsp + 8]",
        "mov rdx, [rsp + 16]",
        "mov r10, [rsp + 24]",
        "mov r8, [rsp + 32]",
        "mov r9, [rsp + 40]",
        "mov r12, [rsp + 48]",
        "mov r13, [rsp + 56]",
        "mov eax, {reply}",
        "syscall",
        "ud2",
        serve = sym serve::<S>,
        reply = const abi::system::call::PORTAL_REPLY,
    )
}

#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
extern "C" fn trampoline<S: Serve>() {
    core::arch::naked_asm!(
        "sub sp, sp, #64",
        "stp x0, x1, [sp]",
        "stp x2, x3, [sp, #16]",
        "stp x4, x5, [sp, #32]",
        "stp x6, x7, [sp, #48]",
        "mov x0, x9",
        "mov x1, sp",
        "bl {serve}",
        "ldp x0, x1, [sp]",
        "ldp x2, x3, [sp, #16]",
        "ldp x4, x5, [sp, #32]",
        "ldp x6, x7, [sp, #48]",
        "mov x8, #{reply}",
        "svc #0",
        "udf #0",
        serve = sym serve::<S>,
        reply = const abi::system::call::PORTAL_REPLY,
    )
}
