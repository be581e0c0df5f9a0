//! Links the nucleus at `abi::layout::NUCLEUS`, keeping the relocations from which its call sites are listed.

fn main() {
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    // Of this run, not of the run that compiled this script: a build folder may have been copied with its checkout.
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let script = format!("{here}/link/nucleus.ld");
    println!("cargo:rerun-if-changed={script}");
    println!("cargo:rerun-if-changed=src/arch/{arch}/entry.s");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo:rustc-link-arg-bins=-T{script}");
        println!("cargo:rustc-link-arg-bins=--no-pie");
        println!("cargo:rustc-link-arg-bins=--emit-relocs");
        println!("cargo:rustc-link-arg-bins=--gc-sections");
        println!("cargo:rustc-link-arg-bins=-zmax-page-size=4096");
    }
}
