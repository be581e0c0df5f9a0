//! `memcpy`, `memmove`, `memset`, `memcmp` and `bcmp` for the freestanding arm64 programs, by pairs of registers.
//!
//! The compiler calls these functions for every large value that moves. Those that come with it are written for all
//! architectures and move eight bytes at a time, and fewer than sixteen bytes one by one. They are weak symbols, so a
//! program that names this crate (`use copy as _;`) gets these instead.
//!
//! Addresses need no alignment, but the memory must be Normal memory (Arm ARM B2.7): an unaligned access to Device memory
//! faults. Everything that a Rust reference may point to is Normal memory in all of our programs; registers of devices
//! are reached by single volatile accesses and by generated code.
//!
//! On other architectures this crate is empty: x86-64's functions use `rep movsb`.
#![no_std]

#[cfg(all(target_arch = "aarch64", target_os = "none"))]
core::arch::global_asm!(include_str!("aarch64.s"));
