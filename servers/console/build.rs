//! Links the program where every user program lies.

fn main() {
    // Of this run, not of the run that compiled this script: a build folder may have been copied with its checkout.
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let script = format!("{here}/../program.ld");
    println!("cargo:rerun-if-changed={script}");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo:rustc-link-arg-bins=-T{script}");
        println!("cargo:rustc-link-arg-bins=--no-pie");
        println!("cargo:rustc-link-arg-bins=--gc-sections");
    }
}
