//! One function in front of several: its first argument says which of them is meant.
//!
//! Several devices may offer one operation, each for a range of numbers. What calls the operation calls one address, so
//! the choice stands there: a few instructions that compare the number, take the context of the device that has it, and go
//! on in its code with all arguments as they came.

use crate::Target;
use alloc::vec::Vec;

/// One of the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supplier {
    /// The least first argument that is meant for it.
    pub first: u32,
    /// Address of its context, the argument before.
    pub context: u64,
    /// Address of the function.
    pub entry: u64,
}

/// Code that goes on in the last supplier whose `first` is not above the first argument after the context, or in the
/// first of all. `suppliers` are sorted by `first`. The code may be copied to any address that is a multiple of 16.
pub fn choose(target: Target, suppliers: &[Supplier]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (place, supplier) in suppliers.iter().enumerate().rev() {
        match target {
            Target::X86_64 => x86(&mut bytes, supplier, place == 0),
            Target::Aarch64 => arm(&mut bytes, supplier, place == 0),
        }
    }
    bytes
}

/// Intel SDM volume 2: CMP, JB, MOV, JMP.
fn x86(out: &mut Vec<u8>, supplier: &Supplier, always: bool) {
    if !always {
        // cmp rsi, first (numbers above 2^31 would be signed: no controller has so many); jb past the jump
        out.extend([0x48, 0x81, 0xfe]);
        out.extend((supplier.first & 0x7fff_ffff).to_le_bytes());
        out.extend([0x72, 22]);
    }
    // mov rdi, context; mov rax, entry; jmp rax
    out.extend([0x48, 0xbf]);
    out.extend(supplier.context.to_le_bytes());
    out.extend([0x48, 0xb8]);
    out.extend(supplier.entry.to_le_bytes());
    out.extend([0xff, 0xe0]);
}

/// Arm ARM, chapter C6: LDR (literal), CMP, B.cond, BR. The numbers stand behind the instructions.
fn arm(out: &mut Vec<u8>, supplier: &Supplier, always: bool) {
    const NOP: u32 = 0xd503_201f;
    // ldr w9, first; cmp x1, x9; b.lo next
    let test = match always {
        true => [NOP; 3],
        false => [0x1800_0009 | 6 << 5, 0xeb09_003f, 0x5400_0003 | 10 << 5],
    };
    // ldr x0, context; ldr x16, entry; br x16
    let go = [0x5800_0000 | 5 << 5, 0x5800_0010 | 6 << 5, 0xd61f_0200];
    for word in test.into_iter().chain(go).chain([supplier.first, 0]) {
        out.extend(word.to_le_bytes());
    }
    out.extend(supplier.context.to_le_bytes());
    out.extend(supplier.entry.to_le_bytes());
}
