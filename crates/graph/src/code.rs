//! The machine code of a residual: what `emit` writes and `disassembly` reads.

use alloc::vec::Vec;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    X86_64,
    Aarch64,
}

impl Target {
    /// The architecture that this program runs on, if it is one of them.
    pub const fn here() -> Option<Target> {
        if cfg!(target_arch = "x86_64") {
            Some(Target::X86_64)
        } else if cfg!(target_arch = "aarch64") {
            Some(Target::Aarch64)
        } else {
            None
        }
    }
}

/// One residual's machine code. It may be copied to any address that is a multiple of 16.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    pub bytes: Vec<u8>,
    /// Offset and size in bytes of each entry's function, parallel to `Residual::entries`. Entries that do the same share one.
    pub entries: Vec<(u32, u32)>,
}
