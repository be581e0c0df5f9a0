//! The log: a ring in memory, and the platform's console if there is one.

use crate::platform;
use core::cell::Cell;
use core::fmt::{self, Write};
use nucleus_core::kernel::Kernel;

const SIZE: usize = 16 * 1024;

struct Ring {
    bytes: [Cell<u8>; SIZE],
    put: Cell<usize>,
}

/// Found by name in a memory image of the machine.
#[no_mangle]
// SAFETY: private to this module, whose functions run in the nucleus alone.
static NUCLEUS_LOG: Kernel<Ring> = unsafe {
    Kernel::new(Ring {
        bytes: [const { Cell::new(0) }; SIZE],
        put: Cell::new(0),
    })
};

/// Appends bytes. The console's line ends are carriage return and line feed.
pub fn write(bytes: &[u8]) {
    for &byte in bytes {
        let put = NUCLEUS_LOG.put.get();
        NUCLEUS_LOG.bytes[put % SIZE].set(byte);
        NUCLEUS_LOG.put.set(put.wrapping_add(1));
        if byte == b'\n' {
            platform::console_put(b'\r');
        }
        platform::console_put(byte);
    }
}

/// Bytes that the ring holds.
pub fn length() -> u64 {
    NUCLEUS_LOG.put.get().min(SIZE) as u64
}

/// Copies bytes out, the first of them `back` bytes before the end.
pub fn read(back: u64, into: &mut [u8]) {
    let from = NUCLEUS_LOG.put.get().wrapping_sub(back as usize);
    for (n, byte) in into.iter_mut().enumerate() {
        *byte = NUCLEUS_LOG.bytes[from.wrapping_add(n) % SIZE].get();
    }
}

pub struct Log;

impl Write for Log {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(text.as_bytes());
        Ok(())
    }
}

#[macro_export]
macro_rules! println {
    ($($argument:tt)*) => {{
        use core::fmt::Write;
        let _ = writeln!($crate::log::Log, $($argument)*);
    }};
}
