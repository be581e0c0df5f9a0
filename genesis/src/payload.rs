//! What the boot image carries (see build.rs).

/// Eight-byte aligned bytes.
#[repr(C, align(16))]
struct Aligned<T: ?Sized>(T);

macro_rules! carried {
    ($name:ident, $file:literal) => {
        pub static $name: &[u8] = {
            static BYTES: &Aligned<[u8]> =
                &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/", $file)));
            &BYTES.0
        };
    };
}

carried!(NUCLEUS, "nucleus.pack");
carried!(MANAGER, "manager.pack");
carried!(DRIVER, "driver.pack");
carried!(CONSOLE, "console.pack");
carried!(RULEBOOK, "rulebook.bin");
