//! `meta bench rules`: how long rules are, and what becomes of them.

use crate::rule_test::list as models;
use anyhow::{Context, Result};
use meta::bench::{Bench, Figures};
use meta::terminal::Progress;
use meta::workspace::Workspace;
use meta::{prove_data, rules};
use proof::stand::{Outside, Stand};
use rulebook::tree::Book;
use std::collections::BTreeSet;
use std::path::Path;

/// Measures everything; what could not be written is said on standard error.
///
/// # Errors
/// When the lists or the rules cannot be read.
pub fn measure(workspace: &Workspace) -> Result<Figures> {
    let folder = workspace.root.join("rules");
    let book = rules::book(&folder)?;
    let mut figures = Figures::of(Bench::Rules);
    lengths(workspace, &folder, &mut figures)?;
    let packed = rulebook::pack(&book);
    figures.add("rules.rulebook.bytes", packed.len() as f64);
    let small = lz4_flex::compress(&packed);
    figures.add("rules.rulebook.compressed_bytes", small.len() as f64);
    code(workspace, &book, &mut figures)?;
    Ok(figures)
}

/// Lines and tokens beside Linux's lines.
fn lengths(workspace: &Workspace, folder: &Path, figures: &mut Figures) -> Result<()> {
    let (mut ours, mut theirs, mut counted) = (0, 0, BTreeSet::new());
    let mut longer = 0;
    for driver in prove_data::drivers(workspace)? {
        let (mut lines, mut tokens) = (0, 0);
        for file in &driver.files {
            let own = length(folder, file)?;
            lines += own.lines;
            tokens += own.tokens;
            if counted.insert(file.clone()) {
                ours += own.lines;
            }
        }
        theirs += driver.linux_sloc;
        let share = lines as f64 / driver.linux_sloc as f64;
        longer += usize::from(share > SHARE && lines > LINES);
        let name = |what: &str| format!("rules.{}.{what}", driver.device);
        figures.add(name("lines"), lines as f64);
        figures.add(name("tokens"), tokens as f64);
        figures.add(name("linux_sloc"), driver.linux_sloc as f64);
        figures.add(name("share"), share);
    }
    // The others, by their files: of these nobody counted Linux's lines.
    for (file, _) in rules::files(folder)? {
        if counted.contains(&file) {
            continue;
        }
        let own = length(folder, &file)?;
        longer += usize::from(own.lines > LINES);
        let device = Path::new(&file).file_stem().unwrap_or_default();
        let name = |what: &str| format!("rules.{}.{what}", device.to_string_lossy());
        figures.add(name("lines"), own.lines as f64);
        figures.add(name("tokens"), own.tokens as f64);
    }
    figures.add("rules.longer_than_wanted", longer as f64);
    figures.add("rules.all.lines", ours as f64);
    figures.add("rules.all.linux_sloc", theirs as f64);
    figures.add("rules.all.share", ours as f64 / theirs as f64);
    Ok(())
}

/// A device's rules are to be at most this part of Linux's lines, or at most so many.
const SHARE: f64 = 0.04;
const LINES: usize = 120;

struct Length {
    lines: usize,
    tokens: usize,
}

fn length(folder: &Path, file: &str) -> Result<Length> {
    let path = folder.join(file);
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(Length {
        lines: text.lines().filter(|line| said(line)).count(),
        tokens: rulebook::syntax::tokens(&text).unwrap_or(0),
    })
}

/// Whether a line says something: neither blank nor a comment alone.
fn said(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

/// Bytes of code of every device model, whole and an operation.
fn code(workspace: &Workspace, book: &Book, figures: &mut Figures) -> Result<()> {
    let progress = Progress::start("writing the driver of each device model");
    for model in models(workspace, None)? {
        if model.elsewhere.is_some() {
            continue;
        }
        progress.detail(&model.name);
        let written = Outside::new(&model)
            .and_then(|outside| Stand::start(&model, &outside))
            .and_then(|mut stand| stand.write(book, &model.class));
        let written = match written {
            Ok(written) => written,
            Err(error) => {
                eprintln!("{}: {error}", model.name);
                continue;
            }
        };
        let targets = [
            ("x86_64", emit::Target::X86_64),
            ("aarch64", emit::Target::Aarch64),
        ];
        for (arch, target) in targets {
            // Ports are x86's alone.
            let Ok(code) = emit::emit(&written.residual, target) else {
                continue;
            };
            let name = |what: &str| format!("rules.{}.{arch}.{what}bytes", model.name);
            figures.add(name(""), code.bytes.len() as f64);
            for (entry, (_, size)) in written.residual.entries.iter().zip(&code.entries) {
                figures.add(name(&format!("{}.", entry.name)), f64::from(*size));
            }
        }
    }
    Ok(())
}
