//! What a task may not do, done.

use abi::layout;
use runtime::child::Run;

/// The deeds, with the kind of fault each must end in (`abi::system::info::Fault`) and the address, if it is known.
pub const DEEDS: &[(&str, u64, Option<u64>)] = &[
    ("reading the nucleus", 1, Some(layout::NUCLEUS)),
    (
        "reading RAM through the direct map",
        1,
        Some(layout::DIRECT_MAP + 0x10_0000),
    ),
    ("writing the nucleus", 2, Some(layout::NUCLEUS)),
    ("writing its own code", 2, Some(layout::PROGRAM)),
    ("reading nothing", 1, Some(0)),
    ("writing nothing", 2, Some(0x7000_0000)),
    ("running its stack", 3, Some(layout::STACK_TOP - 16)),
    ("running the nucleus", 3, Some(layout::NUCLEUS)),
    ("an illegal instruction", 4, None),
    #[cfg(target_arch = "x86_64")]
    ("an I/O port", 5, Some(0x64)),
    #[cfg(target_arch = "x86_64")]
    ("a privileged instruction", 6, None),
    #[cfg(target_arch = "aarch64")]
    ("a privileged instruction", 4, None),
    ("floating point", 4, None),
];

pub struct Deed;

impl Run for Deed {
    fn run(argument: u64) {
        let (name, _, address) = DEEDS[argument as usize];
        let at = address.unwrap_or(0);
        // SAFETY: none of these succeeds; the nucleus stops this task.
        unsafe {
            match name {
                _ if name.starts_with("reading") => drop((at as *const u64).read_volatile()),
                _ if name.starts_with("writing") => (at as *mut u64).write_volatile(1),
                _ if name.starts_with("running") => jump(at),
                "an illegal instruction" => illegal(),
                #[cfg(target_arch = "x86_64")]
                "an I/O port" => core::arch::asm!("in al, dx", in("dx") at as u16, out("al") _),
                "a privileged instruction" => privileged(),
                _ => floating_point(),
            }
        }
    }
}

/// # Safety
/// What is at `at` must not be carried out: the nucleus stops this task.
unsafe fn jump(at: u64) {
    // SAFETY: the caller's promise.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        core::arch::asm!("call {}", in(reg) at, clobber_abi("C"))
    };
    // SAFETY: the caller's promise.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        core::arch::asm!("blr {}", in(reg) at, clobber_abi("C"))
    };
}

fn illegal() {
    // SAFETY: no processor carries it out; the nucleus stops this task.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        core::arch::asm!("ud2")
    };
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        core::arch::asm!("udf #0")
    };
}

fn privileged() {
    // SAFETY: a program may not; the nucleus stops this task.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        core::arch::asm!("cli")
    };
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        core::arch::asm!("msr vbar_el1, xzr")
    };
}

fn floating_point() {
    // SAFETY: the register is used by nothing in a program that is compiled without floating point, should the nucleus let
    // the instruction through.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        core::arch::asm!("xorps xmm0, xmm0")
    };
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        core::arch::asm!(".arch armv8-a+fp", "fmov d0, xzr")
    };
}

#[cfg(target_arch = "x86_64")]
pub fn read_port(port: u16) {
    // SAFETY: the port has no effect, if it may be read at all.
    unsafe { core::arch::asm!("in al, dx", in("dx") port, out("al") _) }
}
