//! Writes the tables from `rules/classes.rule`; and, for a test, those of the same text with a class more.

#[path = "src/generate.rs"]
mod generate;

use std::path::Path;
use std::{env, fs};

fn main() {
    let here = env::var("CARGO_MANIFEST_DIR").expect("cargo says where the crate is");
    let out = env::var("OUT_DIR").expect("cargo says where files are written");
    let read = |path: &Path| {
        println!("cargo:rerun-if-changed={}", path.display());
        fs::read_to_string(path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()))
    };
    println!("cargo:rerun-if-changed=src/generate.rs");
    let classes = read(&Path::new(&here).join("../../rules/classes.rule"));
    let more = read(&Path::new(&here).join("tests/more.rule"));
    let texts = [
        ("tables.rs", classes.clone()),
        ("more.rs", format!("{classes}\n{more}")),
    ];
    for (name, text) in texts {
        let tables = generate::tables(&text).unwrap_or_else(|why| panic!("{why}"));
        let to = Path::new(&out).join(name);
        fs::write(&to, tables).unwrap_or_else(|e| panic!("cannot write {}: {e}", to.display()));
    }
}
