//! What a user program stands on: its start, system calls, portals, heap, shared memory, time and the log.
//!
//! All `unsafe` of user space that is not a residual's lives here, so that programs can forbid it:
//!
//! ```ignore
//! #![no_std]
//! #![no_main]
//! #![forbid(unsafe_code)]
//! runtime::program!(main);
//! fn main(_argument: u64) {
//!     runtime::println!("hello");
//! }
//! ```
//! The program's `build.rs` names the shared linker script, `servers/program.ld`.
#![no_std]
#[cfg(target_os = "none")]
extern crate alloc;

// Its functions take the place of the compiler's.
use copy as _;

#[cfg(target_os = "none")]
pub mod child;
#[cfg(feature = "device")]
pub mod device;
pub mod handler;
pub mod log;
pub mod memory;
pub mod portal;
pub mod sync;
pub mod sys;
pub mod time;

mod heap;
#[cfg(target_os = "none")]
mod start;
mod trap;

#[cfg(target_os = "none")]
pub use start::{boot_info, startup};

/// Names the program's `fn(argument: u64)`. When it returns, the thread ends.
#[macro_export]
macro_rules! program {
    ($main:path) => {
        #[no_mangle]
        extern "C" fn program_main(argument: u64) {
            let main: fn(u64) = $main;
            main(argument)
        }
    };
}
