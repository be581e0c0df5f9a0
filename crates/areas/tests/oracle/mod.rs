//! Linux's side: the calls, and the lines of `/proc/self/maps` that lie in the window.
use areas::{Areas, Backing, PAGE};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;

/// Far below where Linux places anything by itself, and within 39 bits, which every arm64 kernel has.
pub const BASE: u64 = 0x20_0000_0000;
pub const PAGES: i64 = 64;
pub const FILE_PAGES: u64 = 4096;
#[cfg(target_arch = "x86_64")]
pub const TASK_END: u64 = 0x7fff_ffff_f000;
#[cfg(not(target_arch = "x86_64"))]
pub const TASK_END: u64 = 1 << 48;

/// Start, end, permissions, offset, and whether an object is behind it.
pub type Line = (u64, u64, String, u64, bool);

pub struct Linux {
    files: [File; 2],
    pipe: [i32; 2],
    /// mremap moves several areas at once (Linux 6.17).
    pub moves_many: bool,
}

#[derive(Clone, Copy)]
pub enum Touch {
    Read,
    Write(u8),
}

/// What stands in each byte of that page of the file.
pub fn byte_of(page: u64) -> u8 {
    if page < 200 {
        page as u8 + 1
    } else {
        0
    }
}

impl Linux {
    pub fn new() -> Linux {
        let path = std::env::temp_dir().join(format!("areas-{}", std::process::id()));
        let mut written = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .unwrap();
        let read = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        for page in 0..200 {
            written.write_all(&[byte_of(page); PAGE as usize]).unwrap();
        }
        written.set_len(FILE_PAGES * PAGE).unwrap();
        let mut pipe = [0; 2];
        // SAFETY: `pipe` has room for the two descriptors.
        assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let mut numbers = release
            .split(['.', '-'])
            .map_while(|part| part.trim().parse::<u32>().ok());
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let linux = Linux {
            files: [written, read],
            pipe,
            moves_many: version >= (6, 17),
        };
        let around = (BASE - PAGE, (PAGES as u64 + 2) * PAGE);
        let free = linux.mmap(around.0, around.1, 0, 0x0010_0022, 0, None);
        assert_eq!(free, Ok(around.0), "the window is free");
        linux
    }

    fn call(&self, number: i64, arguments: [u64; 6]) -> Result<u64, i32> {
        let [a, b, c, d, e, f] = arguments;
        // SAFETY: the callers name ranges in the window, or ranges that Linux refuses; nothing of Rust's lies there.
        let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
        if result == -1 {
            return Err(std::io::Error::last_os_error().raw_os_error().unwrap());
        }
        Ok(result as u64)
    }

    pub fn mmap(
        &self,
        at: u64,
        length: u64,
        prot: u32,
        flags: u32,
        offset: u64,
        file: Option<usize>,
    ) -> Result<u64, i32> {
        let file = file.map_or(u64::MAX, |file| self.files[file].as_raw_fd() as u64);
        self.call(
            libc::SYS_mmap,
            [at, length, prot.into(), flags.into(), file, offset],
        )
    }

    pub fn munmap(&self, at: u64, length: u64) -> Result<u64, i32> {
        self.call(libc::SYS_munmap, [at, length, 0, 0, 0, 0])
    }

    pub fn mprotect(&self, at: u64, length: u64, prot: u32) -> Result<u64, i32> {
        self.call(libc::SYS_mprotect, [at, length, prot.into(), 0, 0, 0])
    }

    pub fn mremap(&self, at: u64, old: u64, new: u64, flags: u32, to: u64) -> Result<u64, i32> {
        self.call(libc::SYS_mremap, [at, old, new, flags.into(), to, 0])
    }

    pub fn madvise(&self, at: u64, length: u64, advice: u32) -> Result<u64, i32> {
        self.call(libc::SYS_madvise, [at, length, advice.into(), 0, 0, 0])
    }

    pub fn msync(&self, at: u64, length: u64, flags: u32) -> Result<u64, i32> {
        self.call(libc::SYS_msync, [at, length, flags.into(), 0, 0, 0])
    }

    pub fn mincore(&self, at: u64, length: u64) -> Result<u64, i32> {
        let mut pages = [0u8; PAGES as usize + 2];
        self.call(
            libc::SYS_mincore,
            [at, length, pages.as_mut_ptr() as u64, 0, 0, 0],
        )
    }

    /// One byte out of the window or into it, by way of a pipe.
    pub fn touch(&self, at: u64, touch: Touch) -> Result<u8, ()> {
        let [out, into] = self.pipe.map(|end| end as u64);
        let mut byte = if let Touch::Write(byte) = touch {
            byte
        } else {
            0
        };
        let own = &raw mut byte as u64;
        match touch {
            Touch::Read => {
                self.call(libc::SYS_write, [into, at, 1, 0, 0, 0])
                    .map_err(|_| ())?;
                self.call(libc::SYS_read, [out, own, 1, 0, 0, 0]).unwrap();
            }
            Touch::Write(_) => {
                self.call(libc::SYS_write, [into, own, 1, 0, 0, 0]).unwrap();
                if self.call(libc::SYS_read, [out, at, 1, 0, 0, 0]).is_err() {
                    // The byte may still be in the pipe, which must be empty for the next touch.
                    let mut waits = 0i32;
                    self.call(
                        libc::SYS_ioctl,
                        [out, libc::FIONREAD, &raw mut waits as u64, 0, 0, 0],
                    )
                    .unwrap();
                    if waits > 0 {
                        self.call(libc::SYS_read, [out, own, 1, 0, 0, 0]).unwrap();
                    }
                    return Err(());
                }
            }
        }
        Ok(byte)
    }

    pub fn map(&self) -> Vec<Line> {
        let text = std::fs::read_to_string("/proc/self/maps").unwrap();
        let lines = text.lines().filter_map(line);
        lines
            .filter(|line| line.0 < BASE + (PAGES as u64 + 1) * PAGE && line.1 > BASE - PAGE)
            .collect()
    }
}

fn line(text: &str) -> Option<Line> {
    let mut words = text.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let permissions = words.next()?.to_string();
    let offset = hex(words.next()?)?;
    let object = words.nth(1)? != "0";
    Some((hex(start)?, hex(end)?, permissions, offset, object))
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// The crate's areas as lines.
pub fn lines(areas: &Areas) -> Vec<Line> {
    let lines = areas.iter().map(|area| {
        let mut permissions: String = [(1, 'r'), (2, 'w'), (4, 'x')]
            .map(|(bit, letter)| {
                if area.protection & bit != 0 {
                    letter
                } else {
                    '-'
                }
            })
            .iter()
            .collect();
        permissions.push(if area.shared { 's' } else { 'p' });
        let (offset, object) = match area.backing {
            Backing::Anonymous => (0, false),
            Backing::Object { offset, .. } => (offset, true),
        };
        (area.start, area.end, permissions, offset, object)
    });
    lines.collect()
}
