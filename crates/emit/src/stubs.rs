//! Instructions that the compiler does not know, as functions of a few bytes. Arguments and result are in the
//! registers of the C calling convention, and only its scratch registers are touched.

use crate::{Error, Target};
use alloc::{format, vec::Vec};
use graph::{Conduit, Width};

/// Where the context has its clock, in bytes.
const CLOCK: u8 = abi::context::offset::CLOCK as u8;
const _: () = assert!(abi::context::offset::CLOCK < 128);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stub {
    /// `(port) -> value`
    PortIn(Width),
    /// `(port, value)`
    PortOut(Width),
    /// `(number) -> value`
    ModelRead,
    /// `(number, value)`
    ModelWrite,
    /// `() -> value` of the register so encoded.
    SystemRead(u16),
    /// `(value)`
    SystemWrite(u16),
    /// Data memory barrier of the outer shareable domain: stores, loads, both. The compiler's own fence reaches only
    /// the inner domain, in which a device need not be.
    BarrierStores,
    BarrierLoads,
    BarrierAll,
    /// `(function, a, b, c) -> x0`
    Firmware(Conduit),
    /// `(context, state, ns) -> state`: a look at the clock between two tests of what is waited for. The state is 0 before
    /// the first look, 1 when the next test is the last one, and else the time by which it is over, plus 2. Gives 0 when
    /// there was the last test.
    Wait,
}

impl Stub {
    /// How many words it takes, and whether it gives one.
    pub(crate) fn shape(self) -> (usize, bool) {
        match self {
            Stub::PortIn(_) | Stub::ModelRead => (1, true),
            Stub::PortOut(_) | Stub::ModelWrite => (2, false),
            Stub::SystemRead(_) => (0, true),
            Stub::SystemWrite(_) => (1, false),
            Stub::BarrierStores | Stub::BarrierLoads | Stub::BarrierAll => (0, false),
            Stub::Firmware(_) => (4, true),
            Stub::Wait => (3, true),
        }
    }

    pub(crate) fn bytes(self, target: Target) -> Result<Vec<u8>, Error> {
        let bytes = match target {
            Target::X86_64 => self.x86(),
            Target::Aarch64 => self
                .arm()
                .map(|words| words.iter().flat_map(|w| w.to_le_bytes()).collect()),
        };
        bytes.ok_or_else(|| Error::Unsupported(format!("{self:?} on {target:?}")))
    }

    /// Intel SDM volume 2: IN, OUT, RDMSR, WRMSR.
    fn x86(self) -> Option<Vec<u8>> {
        let bytes: &[u8] = match self {
            // mov edx, edi; xor eax, eax; in al, dx; ret
            Stub::PortIn(Width::B8) => &[0x89, 0xfa, 0x31, 0xc0, 0xec, 0xc3],
            // mov edx, edi; xor eax, eax; in ax, dx; ret
            Stub::PortIn(Width::B16) => &[0x89, 0xfa, 0x31, 0xc0, 0x66, 0xed, 0xc3],
            // mov edx, edi; in eax, dx; ret
            Stub::PortIn(Width::B32) => &[0x89, 0xfa, 0xed, 0xc3],
            // mov edx, edi; mov eax, esi; out dx, al; ret
            Stub::PortOut(Width::B8) => &[0x89, 0xfa, 0x89, 0xf0, 0xee, 0xc3],
            Stub::PortOut(Width::B16) => &[0x89, 0xfa, 0x89, 0xf0, 0x66, 0xef, 0xc3],
            Stub::PortOut(Width::B32) => &[0x89, 0xfa, 0x89, 0xf0, 0xef, 0xc3],
            // mov ecx, edi; rdmsr; shl rdx, 32; or rax, rdx; ret
            Stub::ModelRead => &[
                0x89, 0xf9, 0x0f, 0x32, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0, 0xc3,
            ],
            // mov ecx, edi; mov eax, esi; mov rdx, rsi; shr rdx, 32; wrmsr; ret
            Stub::ModelWrite => &[
                0x89, 0xf9, 0x89, 0xf0, 0x48, 0x89, 0xf2, 0x48, 0xc1, 0xea, 0x20, 0x0f, 0x30, 0xc3,
            ],
            // cmp rsi, 1; je zero; push rsi; push rdx; sub rsp, 8; call [rdi + CLOCK]; add rax, 2; add rsp, 8; pop rdx;
            // pop rsi; test rsi, rsi; jnz begun; mov rsi, rax; add rsi, rdx; sbb rcx, rcx; or rsi, rcx; begun:
            // cmp rax, rsi; mov eax, 1; cmovb rax, rsi; ret; zero: xor eax, eax; ret
            Stub::Wait => &[
                0x48, 0x83, 0xfe, 0x01, 0x74, 0x31, 0x56, 0x52, 0x48, 0x83, 0xec, 0x08, 0xff, 0x57,
                CLOCK, 0x48, 0x83, 0xc0, 0x02, 0x48, 0x83, 0xc4, 0x08, 0x5a, 0x5e, 0x48, 0x85,
                0xf6, 0x75, 0x0c, 0x48, 0x89, 0xc6, 0x48, 0x01, 0xd6, 0x48, 0x19, 0xc9, 0x48, 0x09,
                0xce, 0x48, 0x39, 0xf0, 0xb8, 0x01, 0x00, 0x00, 0x00, 0x48, 0x0f, 0x42, 0xc6, 0xc3,
                0x31, 0xc0, 0xc3,
            ],
            _ => return None,
        };
        Some(bytes.to_vec())
    }

    /// Arm ARM, chapter C6: MRS, MSR (register), DMB, ISB, HVC, SMC.
    fn arm(self) -> Option<Vec<u32>> {
        const RET: u32 = 0xd65f_03c0;
        const ISB: u32 = 0xd503_3fdf;
        let dmb = |domain: u32| 0xd503_30bf | domain << 8;
        let words = match self {
            Stub::SystemRead(register) => alloc::vec![0xd520_0000 | (register as u32) << 5, RET],
            // What is written is in force before the next instruction.
            Stub::SystemWrite(register) => {
                alloc::vec![0xd500_0000 | (register as u32) << 5, ISB, RET]
            }
            Stub::BarrierLoads => alloc::vec![dmb(0b0001), RET],
            Stub::BarrierStores => alloc::vec![dmb(0b0010), RET],
            Stub::BarrierAll => alloc::vec![dmb(0b0011), RET],
            Stub::Firmware(Conduit::Hvc) => alloc::vec![0xd400_0002, RET],
            Stub::Firmware(Conduit::Smc) => alloc::vec![0xd400_0003, RET],
            // cmp x1, #1; b.eq zero; stp x29, x30, [sp, #-32]!; stp x1, x2, [sp, #16]; ldr x9, [x0, #CLOCK]; blr x9;
            // add x0, x0, #2; ldp x1, x2, [sp, #16]; ldp x29, x30, [sp], #32; cbnz x1, begun; adds x1, x0, x2;
            // csinv x1, x1, xzr, lo; begun: cmp x0, x1; csinc x0, x1, xzr, lo; ret; zero: mov x0, #0; ret
            Stub::Wait => alloc::vec![
                0xf100_043f,
                0x5400_01c0,
                0xa9be_7bfd,
                0xa901_0be1,
                0xf940_0009 | (CLOCK as u32 / 8) << 10,
                0xd63f_0120,
                0x9100_0800,
                0xa941_0be1,
                0xa8c2_7bfd,
                0xb500_0061,
                0xab02_0001,
                0xda9f_3021,
                0xeb01_001f,
                0x9a9f_3420,
                RET,
                0xd280_0000,
                RET,
            ],
            _ => return None,
        };
        Some(words)
    }
}

/// The register field of MRS and MSR. Encodings with op0 below 2 are other instructions.
pub(crate) fn system_register(number: u64) -> Result<u16, Error> {
    match u16::try_from(number) {
        Ok(register) if register >> 14 >= 2 => Ok(register),
        _ => Err(Error::Unsupported(format!(
            "{number:#x} encodes no system register"
        ))),
    }
}
