//! Chooses the linker script and gathers the payload that genesis carries.
//!
//! `META_PAYLOAD` names the folder with the packed programs and the rulebook. A file that is missing there is carried
//! as an empty one, and genesis says at boot what it could not find.

use std::{env, fs, path::Path};

const PAYLOAD: [&str; 5] = [
    "nucleus.pack",
    "manager.pack",
    "driver.pack",
    "console.pack",
    "rulebook.bin",
];

fn main() {
    println!("cargo:rerun-if-env-changed=META_PAYLOAD");
    println!("cargo:rerun-if-changed=link");
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let root = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let out = env::var("OUT_DIR").unwrap_or_default();
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        for argument in arguments(&arch) {
            println!("cargo:rustc-link-arg-bins={argument}");
        }
        println!("cargo:rustc-link-arg-bins=-T{root}/link/{arch}.ld");
        println!("cargo:rustc-link-arg-bins=-Map={out}/genesis.map");
    }
    for name in PAYLOAD {
        let to = Path::new(&out).join(name);
        let bytes = match env::var("META_PAYLOAD") {
            Ok(folder) => {
                let from = Path::new(&folder).join(name);
                println!("cargo:rerun-if-changed={}", from.display());
                fs::read(&from).unwrap_or_default()
            }
            Err(_) => Vec::new(),
        };
        fs::write(&to, bytes).unwrap_or_else(|e| panic!("cannot write {}: {e}", to.display()));
    }
}

fn arguments(arch: &str) -> &'static [&'static str] {
    match arch {
        // Loaded where the ELF file says, or where a loader likes; the door applies the packed relocations.
        "x86_64" => &[
            "-pie",
            "--no-dynamic-linker",
            "--pack-dyn-relocs=relr",
            "-znotext",
            "-zmax-page-size=4096",
            "--build-id=none",
            "--strip-all",
        ],
        // A flat file that may be loaded at any 2 MiB boundary; the door applies the packed relocations.
        "aarch64" => &[
            "-pie",
            "--no-dynamic-linker",
            "--pack-dyn-relocs=relr",
            "-znotext",
            "-zmax-page-size=4096",
            "--build-id=none",
            "--oformat=binary",
        ],
        _ => &[],
    }
}
