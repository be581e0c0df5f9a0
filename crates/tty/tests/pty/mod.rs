//! A pseudo-terminal of the machine that runs the test. It is nobody's controlling terminal, and no call of it waits.

use tty::termios::Termios;
use tty::{Flush, When};

const TCGETS: libc::c_ulong = 0x5401;
const TCSETS: libc::c_ulong = 0x5402;
const TCFLSH: libc::c_ulong = 0x540b;
const FIONREAD: libc::c_ulong = 0x541b;
const TIOCSPTLCK: libc::c_ulong = 0x4004_5431;
const TIOCGPTPEER: libc::c_ulong = 0x5441;

pub struct Pty {
    master: i32,
    slave: i32,
}

fn done(result: isize) -> Result<usize, i32> {
    usize::try_from(result).map_err(|_| std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

fn read(from: i32, count: usize) -> Result<Vec<u8>, i32> {
    let mut to = vec![0; count];
    // SAFETY: `to` is `count` bytes that may be written.
    let got = done(unsafe { libc::read(from, to.as_mut_ptr().cast(), count) })?;
    to.truncate(got);
    Ok(to)
}

fn write(to: i32, bytes: &[u8]) -> Result<usize, i32> {
    // SAFETY: `bytes` can be read for its length.
    done(unsafe { libc::write(to, bytes.as_ptr().cast(), bytes.len()) })
}

fn unread(of: i32) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes one `int`.
    let result = unsafe { libc::ioctl(of, FIONREAD as _, &mut count) };
    assert_eq!(result, 0);
    count as usize
}

fn polled(of: i32) -> (bool, bool) {
    let mut entry = libc::pollfd {
        fd: of,
        events: libc::POLLIN | libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: there is one entry, and a timeout of 0 does not wait.
    unsafe { libc::poll(&mut entry, 1, 0) };
    (
        entry.revents & libc::POLLIN != 0,
        entry.revents & libc::POLLOUT != 0,
    )
}

impl Pty {
    pub fn open() -> Pty {
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_NONBLOCK;
        // SAFETY: no memory is involved.
        let master = unsafe { libc::posix_openpt(flags) };
        assert!(
            master >= 0,
            "there is no pseudo-terminal: {}",
            std::io::Error::last_os_error()
        );
        let unlocked: libc::c_int = 0;
        // SAFETY: TIOCSPTLCK reads one `int`, and TIOCGPTPEER takes flags and opens a descriptor.
        let slave = unsafe {
            libc::ioctl(master, TIOCSPTLCK as _, &unlocked);
            libc::ioctl(master, TIOCGPTPEER as _, flags)
        };
        assert!(
            slave >= 0,
            "the slave does not open: {}",
            std::io::Error::last_os_error()
        );
        Pty { master, slave }
    }

    #[allow(dead_code)] // Not each test that has this module hands it to other processes.
    pub fn slave(&self) -> i32 {
        self.slave
    }

    pub fn write_master(&self, bytes: &[u8]) -> Result<usize, i32> {
        write(self.master, bytes)
    }

    pub fn write_slave(&self, bytes: &[u8]) -> Result<usize, i32> {
        write(self.slave, bytes)
    }

    pub fn read_master(&self, count: usize) -> Result<Vec<u8>, i32> {
        read(self.master, count)
    }

    pub fn read_slave(&self, count: usize) -> Result<Vec<u8>, i32> {
        read(self.slave, count)
    }

    pub fn get(&self) -> Termios {
        let mut bytes = [0; Termios::SIZE];
        // SAFETY: TCGETS writes the kernel's `struct termios`, which is 36 bytes.
        let result = unsafe { libc::ioctl(self.slave, TCGETS as _, bytes.as_mut_ptr()) };
        assert_eq!(result, 0);
        Termios::from_bytes(&bytes)
    }

    pub fn set(&self, settings: &Termios, when: When) -> Result<(), i32> {
        let bytes = settings.to_bytes();
        let request = TCSETS + when as libc::c_ulong;
        // SAFETY: TCSETS and the two after it read the kernel's `struct termios`, which is 36 bytes.
        done(unsafe { libc::ioctl(self.slave, request as _, bytes.as_ptr()) } as isize).map(drop)
    }

    pub fn flush(&self, what: Flush) -> Result<(), i32> {
        // SAFETY: TCFLSH takes a number.
        done(unsafe { libc::ioctl(self.slave, TCFLSH as _, what as libc::c_ulong) } as isize)
            .map(drop)
    }

    /// Bytes that the slave and the master can read, whether poll says that the slave can be read and written, and the
    /// master read.
    pub fn state(&self) -> (usize, usize, bool, bool, bool) {
        // Polling a side that has nothing makes the kernel move what is on its way, so it comes before counting.
        let ((slave_in, slave_out), (master_in, _)) = (polled(self.slave), polled(self.master));
        (
            unread(self.slave),
            unread(self.master),
            slave_in,
            slave_out,
            master_in,
        )
    }

    pub fn close_master(&mut self) {
        close(&mut self.master);
    }

    pub fn close_slave(&mut self) {
        close(&mut self.slave);
    }
}

fn close(what: &mut i32) {
    if *what >= 0 {
        // SAFETY: the descriptor is this terminal's own and is not used after this.
        unsafe { libc::close(*what) };
    }
    *what = -1;
}

impl Drop for Pty {
    fn drop(&mut self) {
        self.close_master();
        self.close_slave();
    }
}
