//! Names and open files of a Linux personality: path resolution, permissions, descriptors and the calls over them,
//! without any I/O of its own. A file server implements [`FileSystem`]; [`Memory`] is one that keeps everything in
//! memory. Results, errors and the order in which errors are found are Linux's; the tests compare with Linux itself.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod access;
mod directory;
mod errno;
mod files;
pub mod flags;
mod memory;
mod names;
mod node;
mod open;
mod pages;
mod path;
mod process;
mod rename;
mod table;

pub use access::{Credentials, Protection};
pub use errno::{Errno, Result};
pub use memory::Memory;
pub use node::{DirEntry, FileSystem, Kind, NewNode, Node, Stat, Time};
pub use path::{Last, Start, Walk};
pub use process::{Call, OpenFile, Process, Vfs};
pub use table::{Descriptor, Table};
