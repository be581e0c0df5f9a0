//! The first instructions of a packed boot image. All of it is assembly: it is entered where nothing that Rust expects is
//! there yet, stands in memory that it writes over, and is gone when genesis runs.
#![no_std]
#![no_main]

#[cfg(all(target_arch = "x86_64", target_os = "none"))]
core::arch::global_asm!(include_str!("x86_64.s"), options(raw));
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
core::arch::global_asm!(include_str!("aarch64.s"));

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
