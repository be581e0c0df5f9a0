//! Code for a processor that has nothing to do: in place of the firmware, or as the kernel that the firmware starts.

use crate::Arch;

/// Where the kernel lies on x86: its first address (1 MiB).
const KERNEL: u32 = 0x10_0000;
/// cli; hlt; back to it
const HALT: [u8; 4] = [0xfa, 0xf4, 0xeb, 0xfd];
/// wfi; back to it
const WAIT: [u8; 8] = [0x7f, 0x20, 0x03, 0xd5, 0xff, 0xff, 0xff, 0x17];

/// Code that halts the processor for good: at the reset vector.
pub(crate) fn halting(arch: Arch) -> Vec<u8> {
    match arch {
        Arch::X86_64 => {
            let mut image = vec![0xf4; 0x10000];
            image[0xfff0..0xfff4].copy_from_slice(&HALT);
            image
        }
        Arch::Aarch64 => {
            let mut image = vec![0; 0x10000];
            image[..WAIT.len()].copy_from_slice(&WAIT);
            image
        }
    }
}

/// A kernel that does nothing, in the form that the machine's firmware or loader wants: an ELF file with a PVH note
/// (Xen, `docs/misc/pvh.pandoc`), or an arm64 `Image` (Linux, `arch/arm64/booting.rst`).
pub(crate) fn halting_kernel(arch: Arch) -> Vec<u8> {
    match arch {
        Arch::X86_64 => pvh(),
        Arch::Aarch64 => {
            let mut image = vec![0; 64];
            image[..WAIT.len()].copy_from_slice(&WAIT);
            image[56..60].copy_from_slice(b"ARM\x64");
            image
        }
    }
}

fn pvh() -> Vec<u8> {
    const HEADER: u32 = 52;
    const PROGRAM: u32 = 32;
    let code = HEADER + 2 * PROGRAM;
    let note = code + HALT.len() as u32;
    // Name size, size, type (XEN_ELFNOTE_PHYS32_ENTRY), name, entry.
    let notes = [4, 4, 18, u32::from_le_bytes(*b"Xen\0"), KERNEL];
    let mut words = vec![
        u32::from_le_bytes(*b"\x7fELF"),
        // 32 bits, little endian, version 1.
        0x0001_0101,
        0,
        0,
        // Executable; i386.
        0x0003_0002,
        1,
        KERNEL,
        HEADER,
        0,
        0,
        // Sizes of header, program header; two of those.
        PROGRAM << 16 | HEADER,
        2,
        0,
    ];
    let halt = HALT.len() as u32;
    // Loaded, readable and executable.
    words.extend([1, code, KERNEL, KERNEL, halt, halt, 5, 1]);
    let size = 4 * notes.len() as u32;
    words.extend([4, note, 0, 0, size, size, 4, 4]);
    words.push(u32::from_le_bytes(HALT));
    words.extend(notes);
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// What was handed to the halting kernel, if the processor stands in it: from the monitor's `info registers`.
pub(crate) fn handed_over(arch: Arch, registers: &str) -> Option<u64> {
    let register = |name: &str| {
        let (_, rest) = registers.split_once(name)?;
        let digits = rest.split(|c: char| !c.is_ascii_hexdigit()).next()?;
        u64::from_str_radix(digits, 16).ok()
    };
    match arch {
        Arch::X86_64 => {
            let at = register("EIP=")?;
            let inside = (u64::from(KERNEL)..u64::from(KERNEL) + 4).contains(&at);
            (inside && registers.contains("HLT=1"))
                .then(|| register("EBX="))
                .flatten()
        }
        Arch::Aarch64 => {
            // The loader's own few instructions stand at the start of RAM; the kernel is put behind them.
            let (at, given) = (register("PC=")?, register("X00=")?);
            (at >= 0x4008_0000 && given != 0).then_some(given)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_over_is_told_only_inside_the_kernel() {
        let told = |at: &str, halted: u8| {
            format!("EAX=00000000 EBX=000021e0 ECX=0\nEIP={at} EFL=00000006 [-----P-] HLT={halted}")
        };
        let found = |at, halted| handed_over(Arch::X86_64, &told(at, halted));
        assert_eq!(found("00100002", 1), Some(0x21e0));
        assert_eq!(found("00100002", 0), None);
        assert_eq!(found("000f1234", 1), None);
        let told = " PC=0000000040080004 X00=0000000048000000 X01=0000000000000000";
        assert_eq!(handed_over(Arch::Aarch64, told), Some(0x4800_0000));
        assert_eq!(
            handed_over(Arch::Aarch64, &told.replace("40080004", "40000008")),
            None
        );
    }
}
