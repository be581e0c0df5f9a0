//! What moves memory in the freestanding arm64 programs does to every byte what a loop over single bytes does.

use meta::image::{self, Arch};
use meta::workspace::Workspace;
use std::process::Command;

#[test]
fn every_length_alignment_and_overlap_is_right() {
    let workspace = Workspace::from_environment().unwrap();
    let program = image::build_host_program(&workspace, Arch::Aarch64, "copy-check").unwrap();
    let ended = Command::new("qemu-aarch64").arg(&program).status().unwrap();
    let what = match ended.code() {
        Some(0) => return,
        Some(1) => "memcpy is wrong".to_owned(),
        Some(2) => "memmove is wrong".to_owned(),
        Some(3) => "memset is wrong".to_owned(),
        Some(4) => "memcmp is wrong".to_owned(),
        _ => format!("the program ended with {ended}"),
    };
    panic!("{what}");
}
