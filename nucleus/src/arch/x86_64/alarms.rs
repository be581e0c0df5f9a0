//! What hardware says at any moment: non-maskable interrupts and machine checks (SDM 3A, 6.7 and 15). They come in the middle of
//! whatever the nucleus does, so they only leave word; it is said when an interrupt comes next.

use super::model::{read, write};
use crate::println;
use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

extern "C" {
    /// Non-maskable interrupts that came; the entry code counts them.
    static nucleus_alarms: AtomicU64;
}

/// Of these that many were said.
static SAID: AtomicU64 = AtomicU64::new(0);

/// The machine check that was gone on from last: bank + 1 (0: it was said), status, address.
static CHECK: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

// Model-specific registers (SDM 3A, 15.3).
const CAPABILITIES: u32 = 0x179;
const STATUS: u32 = 0x17a;
const CONTROL: u32 = 0x17b;
/// Of bank 0; those of the next follow four later.
const BANK_CONTROL: u32 = 0x400;
const BANK_STATUS: u32 = BANK_CONTROL + 1;
const BANK_ADDRESS: u32 = BANK_CONTROL + 2;

/// Of a bank's status.
const VALID: u64 = 1 << 63;
const UNCORRECTED: u64 = 1 << 61;
const HAS_ADDRESS: u64 = 1 << 58;
const CORRUPT: u64 = 1 << 57;
const ACTION: u64 = 1 << 55;
/// Of the capabilities: there is a control register; errors that need no action are told apart.
const HAS_CONTROL: u64 = 1 << 8;
const RECOVERS: u64 = 1 << 24;
/// Of the status: the instruction pointer is where the program can go on.
const RESTARTS: u64 = 1;

fn banks() -> u32 {
    read(CAPABILITIES) as u32 & 0xff
}

/// Lets machine checks come in, where the processor tells of them: without, they reset the machine without a word. Bank 0 is left
/// as firmware has it: on old processors it is not the system's (SDM 3A, 15.3.2.1).
pub fn start() {
    const CHECKS: u32 = 1 << 7 | 1 << 14;
    if super::cpuid(1).edx & CHECKS != CHECKS {
        return;
    }
    if read(CAPABILITIES) & HAS_CONTROL != 0 {
        write(CONTROL, u64::MAX);
    }
    for bank in 0..banks() {
        if bank > 0 {
            write(BANK_CONTROL + 4 * bank, u64::MAX);
        }
        write(BANK_STATUS + 4 * bank, 0);
    }
    // SAFETY: the bit lets an exception in for which there is a gate.
    unsafe { asm!("mov {0}, cr4", "or {0}, 0x40", "mov cr4, {0}", out(reg) _, options(nostack)) };
}

/// From the entry code: a machine check. It returns if the program can go on.
#[no_mangle]
extern "C" fn nucleus_machine_check() {
    let recovers = read(CAPABILITIES) & RECOVERS != 0;
    let mut fatal = read(STATUS) & RESTARTS == 0;
    let mut found = [0; 3];
    for bank in 0..banks() {
        let status = read(BANK_STATUS + 4 * bank);
        if status & VALID == 0 {
            continue;
        }
        let spoilt = status & UNCORRECTED != 0 && !(recovers && status & (CORRUPT | ACTION) == 0);
        if fatal && !spoilt && found[0] != 0 {
            continue;
        }
        fatal |= spoilt;
        let address = match status & HAS_ADDRESS {
            0 => 0,
            _ => read(BANK_ADDRESS + 4 * bank),
        };
        found = [u64::from(bank) + 1, status, address];
        if !fatal {
            write(BANK_STATUS + 4 * bank, 0);
        }
    }
    if fatal {
        let [bank, status, address] = found;
        println!(
            "nucleus: machine check: bank {}, status {status:#x}, address {address:#x}: the processor cannot go on",
            bank.saturating_sub(1)
        );
        crate::platform::power_off();
        super::halt()
    }
    for (to, from) in CHECK.iter().zip(found) {
        to.store(from, Relaxed);
    }
    write(STATUS, 0);
}

/// Says what came since it was called last.
#[inline]
pub fn say() {
    // SAFETY: a word of the entry code's data.
    let came = unsafe { nucleus_alarms.load(Relaxed) };
    if came != SAID.load(Relaxed) || CHECK[0].load(Relaxed) != 0 {
        tell(came);
    }
}

#[cold]
fn tell(came: u64) {
    if came != SAID.swap(came, Relaxed) {
        println!(
            "nucleus: non-maskable interrupt (NMI), {came} so far: somebody asked for it, or hardware is failing; going on"
        );
    }
    let bank = CHECK[0].swap(0, Relaxed);
    if bank != 0 {
        let [status, address] = [1, 2].map(|n| CHECK[n].load(Relaxed));
        println!(
            "nucleus: machine check: bank {}, status {status:#x}, address {address:#x}: nothing that runs depends on it; going on",
            bank - 1
        );
    }
}

/// From the entry code: something ended a rest.
#[no_mangle]
extern "C" fn nucleus_alarmed() {
    say();
}
