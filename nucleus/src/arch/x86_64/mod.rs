//! x86-64: Intel 64 and IA-32 Architectures Software Developer's Manual (SDM), volumes 2 and 3A.

mod alarms;
mod descriptors;
mod entry;
pub mod float;
mod model;
mod paging;
mod ports;

pub use entry::{idle, resume};
pub use paging::{
    forget_identity, forget_page, forget_space, publish, share_kernel_half, space, tables_written,
    Entries,
};
pub use ports::{guard, ports_changed};

use core::arch::asm;

/// There are I/O ports.
pub const HAS_PORTS: bool = true;

/// Calls a platform operation's symbol directly, so that the call can be found and patched.
macro_rules! call {
    ($symbol:ident $(, $argument:expr)*) => { $crate::arch::call!(@ $symbol [$($argument,)*] [0, 0, 0, 0, 0, 0,]) };
    (@ $symbol:ident [$a:expr,] $rest:tt) => { $crate::arch::call!(# $symbol, "rdi" = $a) };
    (@ $symbol:ident [$a:expr, $b:expr,] $rest:tt) => { $crate::arch::call!(# $symbol, "rdi" = $a, "rsi" = $b) };
    (@ $symbol:ident [$a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr,] $rest:tt) => {
        $crate::arch::call!(# $symbol, "rdi" = $a, "rsi" = $b, "rdx" = $c, "rcx" = $d, "r8" = $e, "r9" = $f)
    };
    (# $symbol:ident $(, $register:tt = $argument:expr)*) => {{
        let result: u64;
        core::arch::asm!("call {symbol}", symbol = sym $symbol, $(inlateout($register) $argument => _,)*
            lateout("rax") result, clobber_abi("C"));
        result
    }};
}
pub(crate) use call;

/// The instructions of a function that gives 0.
macro_rules! nothing {
    () => {
        "xor eax, eax\nret"
    };
}
pub(crate) use nothing;

/// Vectors, segments, system calls, and what the CPU offers against mistakes.
pub fn start() {
    descriptors::load();
    entry::enable_system_calls();
    protect();
    float::start();
    alarms::start();
}

fn cpuid(leaf: u32) -> core::arch::x86_64::CpuidResult {
    core::arch::x86_64::__cpuid_count(leaf, 0)
}

/// Supervisor-mode execution and access prevention, write protection (SDM 3A, 2.5).
fn protect() {
    const WRITE_PROTECT: u64 = 1 << 16;
    const GLOBAL_PAGES: u64 = 1 << 7;
    const SMEP: u64 = 1 << 20;
    const SMAP: u64 = 1 << 21;
    const UMIP: u64 = 1 << 11;
    let most = cpuid(0).eax;
    let features = if most >= 7 { cpuid(7) } else { cpuid(0) };
    let (ebx, ecx) = if most >= 7 {
        (features.ebx, features.ecx)
    } else {
        (0, 0)
    };
    let mut more = GLOBAL_PAGES;
    for (there, bit) in [
        (ebx >> 7 & 1, SMEP),
        (ebx >> 20 & 1, SMAP),
        (ecx >> 2 & 1, UMIP),
    ] {
        more |= if there != 0 { bit } else { 0 };
    }
    // SAFETY: these bits forbid things that the nucleus does not do: it runs no user code and reads user memory
    // through the direct map only, and writes no read-only page.
    unsafe {
        let (mut cr0, mut cr4): (u64, u64);
        asm!("mov {}, cr0", out(reg) cr0, options(nomem, nostack));
        asm!("mov {}, cr4", out(reg) cr4, options(nomem, nostack));
        cr0 |= WRITE_PROTECT;
        cr4 |= more;
        asm!("mov cr0, {}", in(reg) cr0, options(nostack));
        asm!("mov cr4, {}", in(reg) cr4, options(nostack));
    }
}

/// The time stamp counter.
#[inline]
pub fn ticks() -> u64 {
    // SAFETY: reading the counter has no effect.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Zeroes memory with the widest stores there always are.
///
/// # Safety
/// Whole pages of RAM in the direct map, in which no Rust value lies that is still used.
pub unsafe fn zero(address: u64, size: u64) {
    // SAFETY: the caller's memory is free RAM in the direct map, page aligned. Floating point is allowed for the
    // duration only, and xmm0 is zero before and after: user programs never see it.
    unsafe {
        asm!(
            "mov {saved0}, cr0", "mov {saved4}, cr4",
            "mov {scratch}, {saved0}", "and {scratch}, -13", "mov cr0, {scratch}",
            "mov {scratch}, {saved4}", "or {scratch}, 0x200", "mov cr4, {scratch}",
            "xorps xmm0, xmm0",
            "2: cmp {at}, {end}", "jae 3f",
            "movaps [{at}], xmm0", "movaps [{at} + 16], xmm0", "movaps [{at} + 32], xmm0", "movaps [{at} + 48], xmm0",
            "movaps [{at} + 64], xmm0", "movaps [{at} + 80], xmm0", "movaps [{at} + 96], xmm0",
            "movaps [{at} + 112], xmm0", "movaps [{at} + 128], xmm0", "movaps [{at} + 144], xmm0",
            "movaps [{at} + 160], xmm0", "movaps [{at} + 176], xmm0", "movaps [{at} + 192], xmm0",
            "movaps [{at} + 208], xmm0", "movaps [{at} + 224], xmm0", "movaps [{at} + 240], xmm0",
            "add {at}, 256", "jmp 2b",
            "3: mov cr4, {saved4}", "mov cr0, {saved0}",
            saved0 = out(reg) _, saved4 = out(reg) _, scratch = out(reg) _,
            at = inout(reg) address => _, end = in(reg) address + size, options(nostack),
        )
    }
}

/// The vector that number `number` of the bound lines comes in by.
pub fn vector_of(number: usize, _line: u32) -> u64 {
    abi::boot::vector::LINES + number as u64
}

/// Messages come in by vectors of their own.
pub fn line_of_message(_vector: u64) -> Option<u32> {
    None
}

/// Lines are not numbered together with anything else here.
pub fn may_bind(_line: u32) -> bool {
    true
}

/// The timer has a vector of its own, which nothing masks.
pub fn enable_timer_line(_line: u64) {}

pub fn halt() -> ! {
    loop {
        // SAFETY: interrupts are off: nothing runs any more.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) }
    }
}
