//! Gathers what the door carries: `META_PAYLOAD` names the folder with the packed genesis and the rulebook. A file that
//! is missing there is carried as an empty one, and the door says so when it runs.

use std::{env, fs, path::Path};

const PAYLOAD: [&str; 2] = ["genesis.load", "rulebook.bin"];

fn main() {
    println!("cargo:rerun-if-env-changed=META_PAYLOAD");
    let out = env::var("OUT_DIR").unwrap_or_default();
    // The linker puts the time into the file unless told otherwise.
    println!("cargo:rustc-link-arg-bins=/Brepro");
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
