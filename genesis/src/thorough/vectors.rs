//! The processor's part of interrupt control: what is sent comes, once; what is not ended keeps others away.

use super::{Bench, Result};
use alloc::string::{String, ToString};

/// A pause in which nothing may come, and one in which it must.
const MOMENT: u64 = 500_000;
const PATIENCE: u64 = 100_000_000;

/// Interrupts that the processor can send itself: one, and one that goes before it where they differ in rank.
#[cfg(target_arch = "x86_64")]
const SENT: (u64, u64) = (0x62, 0x93);
/// Interrupts between processors have the numbers 0 to 15; all have one rank.
#[cfg(target_arch = "aarch64")]
const SENT: (u64, u64) = (1, 2);

/// Whether the second of them comes while the first has not been ended.
const RANKED: bool = cfg!(target_arch = "x86_64");

pub fn run(bench: &mut Bench) -> Result<String> {
    let (lower, higher) = SENT;
    bench.silent(MOMENT, "nothing was sent")?;
    for sent in [lower, higher] {
        bench.send(sent)?;
        bench.comes(sent, PATIENCE, "sent")?;
        bench.end(sent)?;
        bench.silent(MOMENT, "ended")?;
    }
    bench.send(higher)?;
    bench.comes(higher, PATIENCE, "sent")?;
    bench.send(lower)?;
    bench.silent(MOMENT, "another was not ended")?;
    bench.end(higher)?;
    bench.comes(lower, PATIENCE, "the other was ended")?;
    if RANKED {
        bench.send(higher)?;
        bench.comes(higher, PATIENCE, "sent while a lower one was not ended")?;
        bench.end(higher)?;
    }
    bench.end(lower)?;
    bench.silent(MOMENT, "all were ended")?;
    Ok(match RANKED {
        true => "what is sent comes once; not ended, it keeps a lower one away and no higher one",
        false => "what is sent comes once; not ended, it keeps others away",
    }
    .to_string())
}
