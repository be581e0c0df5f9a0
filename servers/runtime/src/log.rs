//! `print!` to the log.

use core::fmt::{self, Write};

/// Gathers text so that a line is one system call.
struct Line {
    bytes: [u8; 256],
    used: usize,
}

impl Line {
    fn flush(&mut self) {
        crate::sys::log(&self.bytes[..self.used]);
        self.used = 0;
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            if self.used == self.bytes.len() {
                self.flush();
            }
            self.bytes[self.used] = byte;
            self.used += 1;
        }
        Ok(())
    }
}

#[doc(hidden)]
pub fn print(arguments: fmt::Arguments) {
    let mut line = Line {
        bytes: [0; 256],
        used: 0,
    };
    let _ = line.write_fmt(arguments);
    line.flush();
}

#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => { $crate::log::print(core::format_args!($($argument)*)) };
}

#[macro_export]
macro_rules! println {
    () => { $crate::log::print(core::format_args!("\n")) };
    ($($argument:tt)*) => { $crate::log::print(core::format_args!("{}\n", core::format_args!($($argument)*))) };
}
