//! Accesses that may fault, as values.

use crate::arch;

/// Nothing answered, or the processor refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub address: u64,
}

fn value(address: u64, probe: arch::Probe) -> Result<u64, Fault> {
    match probe.failed {
        0 => Ok(probe.value),
        _ => Err(Fault { address }),
    }
}

/// Reads `bits` (8, 16, 32 or 64) at an address of genesis's own tables.
pub fn read(address: u64, bits: u32) -> Result<u64, Fault> {
    value(address, arch::probe_read(address, bits))
}

/// Writes the low `bits` of `data`.
///
/// # Safety
/// The address must not be memory that Rust values live in.
pub unsafe fn write(address: u64, bits: u32, data: u64) -> Result<(), Fault> {
    // SAFETY: the caller vouches for the address.
    value(address, unsafe { arch::probe_write(address, bits, data) }).map(|_| ())
}

/// Reads, or writes if there is a value, a model-specific register (x86) or system register (arm64: op0<<14 | op1<<11 |
/// CRn<<7 | CRm<<3 | op2). `None` when the processor has no such register.
pub fn register(number: u32, write: Option<u64>) -> Option<u64> {
    let probe = arch::probe_register(number, write);
    (probe.failed == 0).then_some(probe.value)
}
