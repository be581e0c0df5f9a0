//! Emitted machine code, run as it is against a device model; and beside it the interpreter and what a C compiler made
//! of the C view, which are driven the same way.
//!
//! The code lies in executable memory; each memory window is a range that may not be touched, each port instruction is
//! forbidden to a user program anyway. Both fault, and [`fault`] carries the access out on the model. Arena and pool are
//! the machine's RAM. Code for the other processor runs in a process [`beside`], on the same memory. What the code touches outside its windows ends the entry with `status::VIOLATION` and is told
//! by the call as an error.

mod beside;
mod body;
mod device;
mod driver;
mod fault;
mod lanes;
mod platform;
mod text;

pub use body::{Carrier, Disturb, Event, Library};
pub use device::{Blob, Device};
pub use driver::Driver;
pub use lanes::Lanes;
pub use platform::Platform;
