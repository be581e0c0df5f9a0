//! Links a flat file that may lie anywhere.

fn main() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/link/flat.ld");
    println!("cargo:rerun-if-changed={script}");
    println!("cargo:rerun-if-changed=src");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo:rustc-link-arg-bins=-T{script}");
        // Otherwise the linker puts tables for a loader in front.
        println!("cargo:rustc-link-arg-bins=--no-pie");
        println!("cargo:rustc-link-arg-bins=--oformat=binary");
        println!("cargo:rustc-link-arg-bins=--build-id=none");
    }
}
