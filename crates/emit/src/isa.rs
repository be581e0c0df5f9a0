//! The compiler's settings for each target.

use crate::{Error, Target};
use alloc::format;
use cranelift_codegen::{
    isa::{self, OwnedTargetIsa},
    settings::{self, Configurable},
};

/// No instruction beyond the architecture's base level, no probes, no tables: what runs anywhere, and needs nobody.
///
/// What is `cold` runs seldom: compiling it quickly is worth more than what it costs.
pub(crate) fn of(target: Target, cold: bool) -> Result<OwnedTargetIsa, Error> {
    let triple = match target {
        Target::X86_64 => "x86_64-unknown-none-elf",
        Target::Aarch64 => "aarch64-unknown-none-elf",
    };
    let unsupported = |why: &dyn core::fmt::Display| Error::Unsupported(format!("{triple}: {why}"));
    let mut flags = settings::builder();
    let verify = if cfg!(debug_assertions) {
        "true"
    } else {
        "false"
    };
    let (level, allocator) = match cold {
        true => ("none", "single_pass"),
        false => ("speed", "backtracking"),
    };
    for (name, value) in [
        ("opt_level", level),
        ("regalloc_algorithm", allocator),
        ("enable_verifier", verify),
        ("enable_probestack", "false"),
        ("unwind_info", "false"),
        ("is_pic", "true"),
    ] {
        flags.set(name, value).map_err(|e| unsupported(&e))?;
    }
    isa::lookup_by_name(triple)
        .map_err(|e| unsupported(&e))?
        .finish(settings::Flags::new(flags))
        .map_err(|e| unsupported(&e))
}
