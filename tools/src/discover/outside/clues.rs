//! The registers of a device, for the clues of rules that read them.

use graph::{Access, Conduit, Fence, Late, Space, Width, Window, WindowKind};
use synthesis::LiveAccess;

/// A device that is only asked: it has windows, and neither memory nor a client.
pub struct Clues {
    emulator: qtest::Machine,
    windows: Vec<Option<Window>>,
}

impl Clues {
    pub fn new(emulator: &qtest::Machine) -> Clues {
        Clues {
            emulator: emulator.clone(),
            windows: Vec::new(),
        }
    }

    /// The place in the machine, inside a window.
    fn place(&self, window: u8, at: u64, width: Width) -> Option<(WindowKind, u64)> {
        let window = self.windows.get(usize::from(window))?.as_ref()?;
        let end = at.checked_add(width.bytes().into())?;
        (end <= window.size).then(|| (window.kind, window.base.wrapping_add(at)))
    }
}

impl LiveAccess for Clues {
    fn open(&mut self, index: u8, window: &Window) -> bool {
        let index = usize::from(index);
        if self.windows.len() <= index {
            self.windows.resize(index + 1, None);
        }
        self.windows[index] = Some(window.clone());
        matches!(window.kind, WindowKind::Memory | WindowKind::Port)
    }
}

impl Access for Clues {
    fn read(&mut self, window: u8, at: u64, width: Width) -> u64 {
        let value = match self.place(window, at, width) {
            Some((WindowKind::Memory, address)) => self.emulator.read(address, width).ok(),
            Some((WindowKind::Port, port)) => u16::try_from(port)
                .ok()
                .and_then(|port| self.emulator.port_in(port, width).ok()),
            _ => None,
        };
        value.unwrap_or(width.mask())
    }

    fn write(&mut self, window: u8, at: u64, width: Width, value: u64) {
        // What cannot be written reads back otherwise, and the clue fails.
        let _ = match self.place(window, at, width) {
            Some((WindowKind::Memory, address)) => self.emulator.write(address, width, value),
            Some((WindowKind::Port, port)) => match u16::try_from(port) {
                Ok(port) => self.emulator.port_out(port, width, value),
                Err(_) => Ok(()),
            },
            _ => Ok(()),
        };
    }

    fn load(&mut self, _: Space, _: u64, _: Width) -> u64 {
        0
    }
    fn store(&mut self, _: Space, _: u64, _: Width, _: u64) {}
    fn fence(&mut self, _: Fence) {}
    fn late(&mut self, _: Late) -> u64 {
        0
    }
    fn clock(&mut self) -> u64 {
        self.emulator.clock()
    }
    fn pause(&mut self, ns: u64) {
        self.emulator.pause(ns);
    }
    fn up(&mut self, _: u8, _: &[u64]) -> u64 {
        0
    }
    fn firmware(&mut self, _: Conduit, _: [u64; 4]) -> u64 {
        u64::MAX
    }
}
