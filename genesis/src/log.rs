//! Genesis's log. Lines go to a ring in memory, and also to a console as soon as there is a serial driver.
//!
//! The ring stands behind the words `MetaLog!` (8 bytes), bytes written so far (8 bytes) and its size (8 bytes), so that a
//! memory dump shows it; see `tests/boot.py`.

use crate::single::Single;
use core::fmt::{self, Write};

const SIZE: usize = 16 * 1024;

#[repr(C)]
struct Ring {
    magic: u64,
    written: u64,
    size: u64,
    bytes: [u8; SIZE],
}

impl Ring {
    /// Volatile, since who reads the ring is outside of the program.
    fn put(&mut self, byte: u8) {
        let at = self.written as usize % SIZE;
        // SAFETY: both places are fields of this structure, borrowed exclusively.
        unsafe {
            (&raw mut self.bytes[at]).write_volatile(byte);
            (&raw mut self.written).write_volatile(self.written + 1);
        }
    }
}

/// Written out one byte at a time.
pub type Put = fn(u8);

struct Log {
    ring: Ring,
    console: Option<Put>,
}

static LOG: Single<Log> = Single::new(Log {
    ring: Ring {
        magic: 0,
        written: 0,
        size: SIZE as u64,
        bytes: [0; SIZE],
    },
    console: None,
});

/// Makes the ring findable in a memory dump.
pub fn start() {
    LOG.with(|log| {
        log.ring.magic = u64::from_le_bytes(*b"MetaLog!");
        log.ring.size = SIZE as u64;
    });
}

/// From now on everything also goes to `put`; what the ring holds is written out first.
pub fn console(put: Put) {
    LOG.with(|log| {
        let written = log.ring.written as usize;
        for n in written.saturating_sub(SIZE)..written {
            put(log.ring.bytes[n % SIZE]);
        }
        log.console = Some(put);
    });
}

struct Writer<'a>(&'a mut Log);

impl Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0.ring.put(byte);
            if let Some(put) = self.0.console {
                put(byte);
            }
        }
        Ok(())
    }
}

/// One line.
pub fn line(arguments: fmt::Arguments) {
    LOG.with(|log| {
        let mut writer = Writer(log);
        // A ring cannot refuse.
        let _ = writer.write_fmt(arguments);
        let _ = writer.write_str("\n");
    });
}

#[macro_export]
macro_rules! log {
    ($($part:tt)*) => { $crate::log::line(format_args!($($part)*)) };
}

/// Says why nothing goes on, and stops the machine.
pub fn stop(arguments: fmt::Arguments) -> ! {
    line(format_args!("genesis stopped: {arguments}"));
    crate::arch::halt()
}

#[macro_export]
macro_rules! stop {
    ($($part:tt)*) => { $crate::log::stop(format_args!($($part)*)) };
}
