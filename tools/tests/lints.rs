//! What compiler and clippy are to say of `unsafe`: each crate has the workspace's lints, or forbids it.

use std::fs;
use std::path::Path;
use toml::{Table, Value};

/// Whether a crate's `Cargo.toml` says that the workspace's lints hold for it.
fn inherits(manifest: &Table) -> bool {
    let lints = manifest.get("lints").and_then(Value::as_table);
    lints
        .and_then(|l| l.get("workspace"))
        .and_then(Value::as_bool)
        == Some(true)
}

/// Whether it forbids `unsafe`, also in tests, examples and build scripts.
fn forbids(manifest: &Table) -> bool {
    let word = |table: &Value, name: &str| table.get(name).cloned();
    let lints = manifest.get("lints").and_then(|l| word(l, "rust"));
    lints.and_then(|l| word(&l, "unsafe_code")) == Some(Value::String("forbid".into()))
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        // Crates inside of crates speak for themselves.
        if path.is_dir() && !path.join("Cargo.toml").exists() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(fs::read_to_string(&path).expect("a source"));
        }
    }
}

#[test]
fn every_crate_documents_unsafe_or_forbids_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &Path| -> Table {
        let text = fs::read_to_string(path).expect("a manifest");
        text.parse().expect("TOML")
    };
    let workspace = read(&root.join("Cargo.toml"));
    let members = workspace["workspace"]["members"]
        .as_array()
        .expect("members");
    let mut wrong = Vec::new();
    let (mut inherit, mut forbid) = (0, 0);
    for member in members {
        let member = member.as_str().expect("a folder");
        let manifest = read(&root.join(member).join("Cargo.toml"));
        let mut texts = Vec::new();
        sources(&root.join(member), &mut texts);
        let unsafely = ["unsafe {", "unsafe impl", "unsafe fn", "global_asm!"];
        let has = texts
            .iter()
            .any(|text| unsafely.iter().any(|word| text.contains(word)));
        match (inherits(&manifest), forbids(&manifest)) {
            (true, false) if has => inherit += 1,
            (false, true) => forbid += 1,
            // These forbid it in their libraries' heads.
            (false, false)
                if !has && texts.iter().any(|t| t.contains("#![forbid(unsafe_code)]")) =>
            {
                forbid += 1;
            }
            _ => wrong.push(member),
        }
    }
    // The parser is made of the sources of `crates/rulebook`, whose head forbids it. The specialiser's library has no
    // `unsafe`; its tests have yet to say why they have it.
    assert_eq!(wrong, ["crates/rulebook/parser", "crates/synthesis"]);
    assert!(inherit > 8 && forbid > 12, "{inherit} {forbid}");
}
