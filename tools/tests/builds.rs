//! What is built together is built once.

use meta::image::{Arch, TOGETHER};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// The crates with their features that building these words takes: "name version features".
fn crates(arch: Arch, words: &[&str]) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new("cargo")
        .current_dir(root)
        .args(["tree", "--locked", "-e", "normal,build", "--prefix", "none"])
        .args(["-f", "{p} {f}", "--target", arch.target()])
        .args(words)
        .output()
        .expect("cargo starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8_lossy(&output.stdout);
    // What was shown before is marked, and not shown again.
    let lines = text
        .lines()
        .map(|line| line.trim_end_matches(" (*)").trim());
    lines.map(str::to_owned).collect()
}

/// Cargo would compile a library again for genesis, were it to want other features of it than the programs that are
/// built before, and the compiler is such a library.
#[test]
fn the_programs_leave_nothing_for_genesis_to_build() {
    for arch in Arch::ALL {
        let packages = TOGETHER.iter().flat_map(|&package| ["-p", package]);
        let features = ["--no-default-features", "--features", arch.emitted()];
        let words: Vec<&str> = packages.chain(features).collect();
        let together = crates(arch, &words);
        let genesis = crates(arch, &["-p", "genesis"]);
        assert!(genesis
            .iter()
            .any(|line| line.starts_with("cranelift-codegen ")));
        let left: Vec<&String> = genesis.difference(&together).collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(left[0].starts_with("genesis "), "{left:?}");
    }
}
