//! A device's windows, and what was done to them.

use crate::{Error, Machine, Result};
use graph::{Width, WindowKind};
use std::cell::RefCell;

pub use graph::Window;

/// One access to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// Index of the window.
    pub window: u8,
    /// Offset in it, bytes or ports.
    pub at: u64,
    pub width: Width,
    pub write: bool,
    /// What was written, or what came back.
    pub value: u64,
}

/// The windows of one device on one machine, with a trace of every access.
pub(crate) struct Windows {
    pub(crate) machine: Machine,
    pub(crate) list: Vec<Window>,
    trace: RefCell<Vec<Touch>>,
}

impl Windows {
    pub(crate) fn new(machine: &Machine, list: Vec<Window>) -> Windows {
        Windows {
            machine: machine.clone(),
            list,
            trace: RefCell::new(Vec::new()),
        }
    }

    pub(crate) fn read(&self, window: u8, at: u64, width: Width) -> Result<u64> {
        let place = self.place(window, at, width)?;
        let value = match place {
            Place::Memory(address) => self.machine.read(address, width)?,
            Place::Port(port) => self.machine.port_in(port, width)?,
        } & width.mask();
        self.note(window, at, width, false, value);
        Ok(value)
    }

    pub(crate) fn write(&self, window: u8, at: u64, width: Width, value: u64) -> Result<()> {
        let value = value & width.mask();
        match self.place(window, at, width)? {
            Place::Memory(address) => self.machine.write(address, width, value)?,
            Place::Port(port) => self.machine.port_out(port, width, value)?,
        }
        self.note(window, at, width, true, value);
        Ok(())
    }

    pub(crate) fn trace(&self) -> Vec<Touch> {
        self.trace.borrow().clone()
    }

    /// How many accesses there were.
    #[cfg(feature = "run")]
    pub(crate) fn count(&self) -> usize {
        self.trace.borrow().len()
    }

    #[cfg(feature = "run")]
    pub(crate) fn clear_trace(&self) {
        self.trace.borrow_mut().clear();
    }

    fn note(&self, window: u8, at: u64, width: Width, write: bool, value: u64) {
        self.trace.borrow_mut().push(Touch {
            window,
            at,
            width,
            write,
            value,
        });
    }

    fn place(&self, window: u8, at: u64, width: Width) -> Result<Place> {
        let Some(known) = self.list.get(usize::from(window)) else {
            return Err(Error::Other(format!("there is no window {window}")));
        };
        let end = at.checked_add(u64::from(width.bytes()));
        if end.is_none_or(|end| end > known.size) {
            return Err(Error::Other(format!(
                "{} bits at {at:#x} of `{}` are outside its {:#x} bytes",
                width.bits(),
                known.name,
                known.size
            )));
        }
        let address = known.base.wrapping_add(at);
        match known.kind {
            WindowKind::Memory => Ok(Place::Memory(address)),
            WindowKind::Port => match u16::try_from(address) {
                Ok(port) => Ok(Place::Port(port)),
                Err(_) => Err(Error::Other(format!("there is no port {address:#x}"))),
            },
            WindowKind::System | WindowKind::Model => Err(Error::Other(format!(
                "`{}` holds registers of the processor, which is out of reach here",
                known.name
            ))),
        }
    }
}

enum Place {
    Memory(u64),
    Port(u16),
}
