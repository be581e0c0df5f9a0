//! `pack IN.elf OUT.pack`: what the build does to each freestanding program.

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let from = arguments.next().context("pack IN.elf OUT.pack")?;
    let to = arguments.next().context("pack IN.elf OUT.pack")?;
    let elf = std::fs::read(&from).with_context(|| format!("reading {from}"))?;
    std::fs::write(&to, meta::pack::pack(&elf)?).with_context(|| format!("writing {to}"))
}
