//! Model-specific registers (SDM 2A, RDMSR and WRMSR). Those that this architecture's code uses are there on every 64-bit processor,
//! or wherever CPUID tells of what they belong to.

use core::arch::asm;

pub(super) fn read(register: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reading one of these registers has no effect, and they are there (see above).
    unsafe {
        asm!("rdmsr", in("ecx") register, out("eax") low, out("edx") high, options(nomem, nostack))
    };
    u64::from(high) << 32 | u64::from(low)
}

pub(super) fn write(register: u32, value: u64) {
    // SAFETY: as in `read`; they say how system calls come in, and hold what machine checks found. No memory of Rust's depends on
    // them.
    unsafe {
        asm!("wrmsr", in("ecx") register, in("eax") value as u32, in("edx") (value >> 32) as u32, options(nostack))
    };
}
