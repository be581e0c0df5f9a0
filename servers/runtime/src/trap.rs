//! The system call instruction, under the register contract of `abi::system`.

use abi::system::Error;

fn result(status: u64, value: u64) -> Result<u64, Error> {
    match status as i64 {
        0 => Ok(value),
        word => Err(Error::from_word(word).unwrap_or(Error::NoCall)),
    }
}

/// A call with up to six words.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn plain(number: u64, w: [u64; 6]) -> Result<u64, Error> {
    let (status, value);
    // SAFETY: the nucleus keeps all registers but those named here, and writes to this task's memory only through
    // the pointers of LOG and INFO, which `sys` takes from slices.
    unsafe {
        core::arch::asm!("syscall", inlateout("rax") number => status, inlateout("rdi") w[0] => value,
            in("rsi") w[1], in("rdx") w[2], in("r10") w[3], in("r8") w[4], in("r9") w[5],
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result(status, value)
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn portal(handle: u32, words: &mut [u64; 8]) -> Result<(), Error> {
    let status;
    let [w0, w1, w2, w3, w4, w5, w6, w7] = *words;
    let [r0, r1, r2, r3, r4, r5, r6, r7]: [u64; 8];
    // SAFETY: the call keeps the stack pointer only: rbx and rbp are saved here, all others are declared lost.
    unsafe {
        core::arch::asm!("push rbx", "push rbp", "syscall", "pop rbp", "pop rbx",
            inlateout("rax") abi::system::call::PORTAL_CALL => status,
            inlateout("rdi") w0 => r0, inlateout("rsi") w1 => r1, inlateout("rdx") w2 => r2, inlateout("r10") w3 => r3,
            inlateout("r8") w4 => r4, inlateout("r9") w5 => r5, inlateout("r12") w6 => r6, inlateout("r13") w7 => r7,
            inlateout("r14") u64::from(handle) => _, lateout("r15") _, lateout("rcx") _, lateout("r11") _);
    }
    *words = [r0, r1, r2, r3, r4, r5, r6, r7];
    result(status, 0).map(|_| ())
}

/// A call with up to six words.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub fn plain(number: u64, w: [u64; 6]) -> Result<u64, Error> {
    let (status, value);
    // SAFETY: the nucleus keeps all registers but those named here, and writes to this task's memory only through
    // the pointers of LOG and INFO, which `sys` takes from slices.
    unsafe {
        core::arch::asm!("svc #0", inlateout("x8") number => status, inlateout("x0") w[0] => value,
            in("x1") w[1], in("x2") w[2], in("x3") w[3], in("x4") w[4], in("x5") w[5], options(nostack));
    }
    result(status, value)
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub fn portal(handle: u32, words: &mut [u64; 8]) -> Result<(), Error> {
    let status;
    let [w0, w1, w2, w3, w4, w5, w6, w7] = *words;
    let [r0, r1, r2, r3, r4, r5, r6, r7]: [u64; 8];
    // SAFETY: the call keeps the stack pointer only: x19 and x29 are saved here, all others are declared lost.
    unsafe {
        core::arch::asm!("stp x19, x29, [sp, #-16]!", "svc #0", "ldp x19, x29, [sp], #16",
            inlateout("x8") abi::system::call::PORTAL_CALL => status, inlateout("x9") u64::from(handle) => _,
            inlateout("x0") w0 => r0, inlateout("x1") w1 => r1, inlateout("x2") w2 => r2, inlateout("x3") w3 => r3,
            inlateout("x4") w4 => r4, inlateout("x5") w5 => r5, inlateout("x6") w6 => r6, inlateout("x7") w7 => r7,
            lateout("x10") _, lateout("x11") _, lateout("x12") _, lateout("x13") _, lateout("x14") _, lateout("x15") _,
            lateout("x16") _, lateout("x17") _, lateout("x18") _, lateout("x20") _, lateout("x21") _, lateout("x22") _,
            lateout("x23") _, lateout("x24") _, lateout("x25") _, lateout("x26") _, lateout("x27") _, lateout("x28") _,
            lateout("x30") _);
    }
    *words = [r0, r1, r2, r3, r4, r5, r6, r7];
    result(status, 0).map(|_| ())
}
