//! Real device models on the host: an emulator without a guest, whose devices tests drive directly.
//!
//! * [`Machine`] starts the emulator, halts its processor, and reads and writes the machine's ports and memory.
//!   Its RAM is shared with the test, so DMA really happens.
//!   A machine of [`Config::emulated`] is rather as its own firmware leaves it, and can be asked about itself.
//! * [`pci`] finds the functions on the bus and gives them addresses, as firmware would.
//! * [`peer`] is what stands outside: the other end of a network card, of a serial line, a disk's bytes.
//! * [`Live`] is [`graph::Access`] on a device: for the interpreter and for the first run of `init`.
//! * [`run::Device`] runs emitted machine code as it is: its device accesses fault and are redirected to the model.
//!   With [`classes::Pump`] around it, a test pushes requests and gets answers.
//!
//! ```no_run
//! use qtest::{pci, peer, run, Config, Live, Machine};
//! # fn specialised(_: &pci::Function, _: &mut Live) -> graph::Residual { unimplemented!() }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let disk = peer::Disk::new(&[0; 1 << 20])?;
//! let config = Config::q35().args(disk.drive("d0")).args(["-device", "some-disk,drive=d0"]);
//! let machine = Machine::start(config)?;
//! let found = pci::scan(&machine)?;
//! let function = found.iter().find(|f| f.class >> 16 == 1).ok_or("no disk")?;
//!
//! // The first run of `init` learns what is learned; then the rule is specialised and emitted.
//! let windows = vec![function.bar(0).ok_or("no registers")?.window("r")];
//! let mut live = Live::with(&machine, windows, 4096, 65536, 4096)?;
//! let residual = specialised(function, &mut live);
//! live.check()?;
//! let code = emit::emit(&residual, emit::Target::X86_64)?;
//!
//! let blob = run::Blob::new(&residual, &code.bytes, &code.entries);
//! let mut device = run::Device::attach(&machine, blob)?;
//! let facts = classes::Facts { sectors: 2048, ..Default::default() };
//! let mut driver = device.pump(classes::Class::Block, facts)?;
//! driver.start()?;
//! let answer = driver.ask(abi::ring::todo::BLOCK_READ, 0, 512, 7)?; // offset, length, block
//! assert_eq!(answer.ok, 1);
//! let mut sector = [0; 512];
//! assert!(driver.pool().read(0, &mut sector));
//! assert_eq!(sector, disk.bytes()?[7 * 512..8 * 512]);
//! assert!(!driver.trace().is_empty());
//! # Ok(()) }
//! ```
//!
//! What this cannot reach (the processor's own interrupt controller, system registers, time that stands still while the
//! processor is halted) is said where it matters.

mod config;
mod firmware;
#[cfg(all(feature = "run", target_arch = "x86_64", target_os = "linux"))]
mod guard;
mod live;
mod machine;
mod memory;
mod messages;
mod monitor;
pub mod pci;
pub mod peer;
mod plug;
mod protocol;
#[cfg(all(feature = "run", target_arch = "x86_64", target_os = "linux"))]
pub mod run;
mod window;

pub use config::{Arch, Config};
pub use live::{Heard, Live};
pub use machine::Machine;
pub use memory::Ram;
pub use messages::Capture;
pub use plug::Card;
pub use window::{Touch, Window};

use std::fmt;

/// Why a test's machine did not do what was asked.
#[derive(Debug)]
pub enum Error {
    Io(std::io::Error),
    /// The emulator ended, or said nothing for too long; with what it wrote to its error output.
    Gone(String),
    /// It refused a command.
    Refused {
        command: String,
        answer: String,
    },
    /// Something else, in words.
    Other(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Error::Io(error) => write!(f, "{error}"),
            Error::Gone(said) => write!(f, "the emulator is gone: {said}"),
            Error::Refused { command, answer } => write!(f, "`{command}` was answered `{answer}`"),
            Error::Other(what) => write!(f, "{what}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        Error::Io(error)
    }
}

pub type Result<T> = std::result::Result<T, Error>;
