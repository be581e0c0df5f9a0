//! x86-64.

pub mod entry;
mod exceptions;
mod loaded;
mod port;
mod pvh;

use exceptions::set_vectors;
pub use exceptions::{interrupt, probe_read, probe_register, probe_write, refused, rest, Probe};
pub use port::{port_read, port_write};

use core::arch::asm;

core::arch::global_asm!(include_str!("door.s"), options(raw));
core::arch::global_asm!(include_str!("vectors.s"), options(raw));

/// The door maps this much memory, from 0.
pub const REACH: u64 = 4 << 30;

/// Where the journal is: in conventional memory, above what firmware clears before it starts others (from 0x7000 to
/// 0x90000, as found on one), and below what it keeps for itself at the end.
pub const JOURNAL: Option<u64> = Some(0x9_2000);

/// Stops this processor for good.
pub fn halt() -> ! {
    loop {
        // SAFETY: with interrupts off this only waits.
        unsafe { asm!("cli", "hlt", options(nostack)) };
    }
}

/// The time stamp counter.
pub fn ticks() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a counter; user and kernel may.
    unsafe { asm!("rdtsc", out("eax") low, out("edx") high, options(nomem, nostack)) };
    (high as u64) << 32 | low as u64
}

/// The counter as if it ran at one tick a nanosecond: good for order, not for length.
pub fn nanoseconds() -> u64 {
    ticks()
}

/// There is no firmware to call this way.
pub fn firmware(_: graph::Conduit, _: [u64; 4]) -> u64 {
    u64::MAX
}

/// Root of the page tables that genesis runs on.
pub fn own_root() -> u64 {
    let root: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr3", out(reg) root, options(nomem, nostack)) };
    root & 0x000f_ffff_ffff_f000
}

pub fn forget_translations() {
    // SAFETY: writing CR3's own value back only drops cached translations (genesis's own mappings are not global).
    unsafe { asm!("mov {0}, cr3", "mov cr3, {0}", out(reg) _, options(nostack)) };
}

/// Orders every access before it with every access after it.
pub fn barrier() {
    // SAFETY: a fence.
    unsafe { asm!("mfence", options(nostack)) };
}

/// New code becomes visible to execution: nothing to do, caches are coherent on this architecture.
pub fn code_written(_base: u64, _size: u64) {}

/// Writes back and forgets the cache line at `at`, so that memory itself holds what was stored, and is read next.
///
/// # Safety
/// `at` is mapped.
pub unsafe fn past_caches(at: u64) {
    // SAFETY: `at` is mapped RAM; no value changes, only where it is held.
    unsafe { asm!("mfence", "clflush [{}]", "mfence", in(reg) at, options(nostack)) };
}

/// Switches to the kernel's page tables at `root` and jumps to `nucleus` with `info` as its argument. `room` is the end
/// of the nucleus's room for generated code, `room_physical` the same byte for writing.
///
/// The switch itself must stand in code that both sets of tables map, so its few bytes go to the end of that room.
///
/// # Safety
/// `root` is a complete set of tables for the kernel's half, in identity-mapped RAM; `nucleus` is its entry there, and `info` the
/// physical address of the boot information. Nothing runs in the nucleus's room yet, whose byte at its end is at both addresses.
pub unsafe fn enter(root: u64, nucleus: u64, info: u64, room: u64, room_physical: u64) -> ! {
    const SWITCH: [u8; 8] = [0x0f, 0x22, 0xd8, 0xff, 0xe6, 0x0f, 0x0b, 0x90]; // mov cr3, rax; jmp rsi; ud2; nop
    let own = own_root() as *mut u64;
    // SAFETY: the room is the nucleus's, whose image genesis has just laid out; nothing runs there yet. Both roots are
    // tables in identity-mapped RAM; copying the upper half adds the kernel's half to genesis's own tables, and takes
    // nothing away that is in use. From the jump on, nothing of genesis runs.
    unsafe {
        core::ptr::copy_nonoverlapping(SWITCH.as_ptr(), (room_physical - 8) as *mut u8, 8);
        for n in 256..512 {
            own.add(n)
                .write_volatile((root as *const u64).add(n).read_volatile());
        }
        asm!(
            "mov rcx, cr3", "mov cr3, rcx",
            "jmp r8",
            in("r8") room - 8,
            in("rax") root, in("rsi") nucleus, in("rdi") info,
            options(noreturn)
        )
    }
}

/// The displacement at `site` that makes its call or jump go to `target`, if it can reach. (`old` is what is there.)
pub fn call_to(site: u64, _old: u32, target: u64) -> Option<u32> {
    let distance = target.wrapping_sub(site.wrapping_add(4)) as i64;
    i32::try_from(distance).ok().map(|d| d as u32)
}

/// arm64 only: here CPUID tells of caches.
pub fn cache(_: u64) -> Option<u64> {
    None
}

/// Runs so many instructions (an even number), and hardly more.
pub fn run_instructions(count: u64) {
    // SAFETY: counts a register down.
    unsafe {
        asm!("2:", "sub {0}, 1", "jnz 2b", inout(reg) (count / 2).max(1) => _, options(nomem, nostack))
    };
}

/// Runs so many instructions (a multiple of five), of which one in five divides.
pub fn run_divisions(count: u64) {
    // SAFETY: counts a register down, and divides a number below 2^64 by one that is not 0.
    unsafe {
        asm!(
            "2:", "mov rax, {0}", "xor edx, edx", "div {1}", "sub {0}, 1", "jnz 2b",
            inout(reg) (count / 5).max(1) => _, in(reg) 3u64,
            out("rax") _, out("rdx") _, options(nomem, nostack)
        )
    };
}

/// EAX, EBX, ECX, EDX of a CPUID leaf.
pub fn cpuid(leaf: u32, sub: u32) -> [u32; 4] {
    let found = core::arch::x86_64::__cpuid_count(leaf, sub);
    [found.eax, found.ebx, found.ecx, found.edx]
}
