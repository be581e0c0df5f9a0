//! arm64.

use core::arch::asm;

pub const ARCH: machine::Arch = machine::Arch::Aarch64;

/// There is no such instruction.
pub fn cpuid(_leaf: u32, _sub: u32) -> [u32; 4] {
    [0; 4]
}

/// There are no ports.
pub fn port_read(_port: u16, _bits: u32) -> u64 {
    u64::MAX
}

macro_rules! read {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: an identification register, which firmware's exception level may read (Arm ARM, D19.2).
        unsafe { asm!(concat!("mrs {}, ", $name), out(reg) value, options(nomem, nostack)) };
        Some(value)
    }};
}

macro_rules! identification {
    ($number:expr, $(($m:literal, $n:literal, $name:literal)),*) => {
        match $number {
            $(n if n == 0xc000 | $m << 3 | $n => read!($name),)*
            // The counter's rate.
            0xdf00 => read!("cntfrq_el0"),
            // Caches: type, and the smallest lines.
            0xd801 => read!("ctr_el0"),
            0xc801 => read!("clidr_el1"),
            _ => None,
        }
    };
}

/// An identification register, by op0<<14 | op1<<11 | CRn<<7 | CRm<<3 | op2.
pub fn register(number: u32) -> Option<u64> {
    identification!(
        number,
        (0, 0, "midr_el1"),
        (0, 5, "mpidr_el1"),
        (0, 6, "revidr_el1"),
        (4, 0, "id_aa64pfr0_el1"),
        (4, 1, "id_aa64pfr1_el1"),
        (5, 0, "id_aa64dfr0_el1"),
        (5, 1, "id_aa64dfr1_el1"),
        (6, 0, "id_aa64isar0_el1"),
        (6, 1, "id_aa64isar1_el1"),
        (6, 2, "S3_0_C0_C6_2"),
        (7, 0, "id_aa64mmfr0_el1"),
        (7, 1, "id_aa64mmfr1_el1"),
        (7, 2, "S3_0_C0_C7_2")
    )
}

/// Size and geometry of a cache (CCSIDR_EL1), for a value of CSSELR_EL1, which is then as firmware left it.
pub fn cache(selector: u64) -> Option<u64> {
    let size: u64;
    // SAFETY: one register selects which cache the other tells of, and is put back; neither touches the caches. Firmware's
    // exception level may do both. An interrupt in between, if it selects, too, does the same.
    unsafe {
        asm!(
            "mrs {old}, csselr_el1", "msr csselr_el1, {new}", "isb",
            "mrs {size}, ccsidr_el1", "msr csselr_el1, {old}", "isb",
            old = out(reg) _, new = in(reg) selector, size = out(reg) size, options(nomem, nostack)
        )
    };
    Some(size)
}
