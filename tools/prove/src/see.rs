//! `meta see --as asm`: the instructions of a driver, each run of them under the step of the graph that it comes from.

use anyhow::{anyhow, Result};
use emit::{Code, Placed, Target};
use graph::view;
use meta::see::{self, Form, Processor, SeeArguments, Shown};
use meta::terminal;
use meta::workspace::Workspace;
use std::collections::BTreeMap;

/// Runs `meta see --as asm`.
///
/// # Errors
/// As `meta see`; or when the processor has no such instructions.
pub fn run(workspace: &Workspace, arguments: &SeeArguments) -> Result<()> {
    let shown = see::find(workspace, arguments)?;
    let target = match (arguments.arch, shown.arch) {
        (Some(Processor::X86_64), _) | (None, machine::Arch::X86_64) => Target::X86_64,
        (Some(Processor::Aarch64), _) | (None, machine::Arch::Aarch64) => Target::Aarch64,
    };
    let (code, placed) = emit::emit_placed(&shown.written.residual, target)
        .map_err(|error| anyhow!("{}: {error}", shown.job.name))?;
    let text = |entry| assembly(&shown, &code, &placed, target, entry);
    if arguments.json {
        let mut all = shown.json(text)?;
        all["code"] = code.bytes.len().into();
        all["code_hash"] = blake3::hash(&code.bytes).to_hex().as_str().into();
        terminal::print(serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    let processor = match target {
        Target::X86_64 => "x86-64",
        Target::Aarch64 => "arm64",
    };
    let mut more = vec![format!(
        "code  {} bytes for {processor}, BLAKE3 {}",
        code.bytes.len(),
        blake3::hash(&code.bytes).to_hex()
    )];
    more.push("first argument: the context (crates/abi/src/context.rs); then a0, a1, …".into());
    terminal::print(shown.head(Form::Asm, &more)?.trim_end());
    for entry in &shown.entries {
        let (_, size) = code.entries[*entry];
        let name = &shown.written.residual.entries[*entry].name;
        terminal::print(format!(
            "\n{name}: {size} bytes\n{}",
            text(*entry).trim_end()
        ));
    }
    let stubs = disassembly::stubs(&code, target, 0);
    if !stubs.is_empty() {
        terminal::print(format!("\n{}", stubs.trim_end()));
    }
    Ok(())
}

fn assembly(shown: &Shown, code: &Code, placed: &[Placed], target: Target, entry: usize) -> String {
    let (offset, size) = code.entries[entry];
    let end = offset.saturating_add(size);
    let mut lines: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (step, line) in view::steps(&shown.written.residual, entry, &shown.names) {
        lines.entry(step).or_default().push(line);
    }
    let inside = |p: &&Placed| p.at >= offset && p.at < end;
    let mut steps = placed.iter().filter(inside).peekable();
    let mut last = None;
    let bytes = code.bytes.get(offset as usize..end as usize);
    disassembly::noted(
        bytes.unwrap_or_default(),
        target,
        offset.into(),
        |at, text| {
            let at = offset + at as u32;
            while let Some(run) = steps.next_if(|p| p.at <= at) {
                if last == Some(run.step) || run.at + run.size <= at {
                    continue;
                }
                last = Some(run.step);
                for line in lines.get(&run.step).into_iter().flatten() {
                    *text += &format!("          ; {line}\n");
                }
            }
        },
    )
}
