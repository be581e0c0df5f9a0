//! The same locks, drawn at random, on a file of Linux through several open file descriptions, and here.

use locks::{Error, Kind, Range, RangeLocks, WholeLocks};
use noise::Random;
use std::fs::{File, OpenOptions};
use std::io::Error as IoError;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

const OWNERS: usize = 4;

/// A file with several open file descriptions, which goes with the test.
struct Opened {
    path: PathBuf,
    files: Vec<File>,
}

impl Opened {
    fn new(name: &str) -> Opened {
        let name = format!("metaos-locks-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let open = |_| {
            let mut options = OpenOptions::new();
            let options = options.read(true).write(true).create(true).truncate(false);
            options.open(&path).expect("a file that can be written")
        };
        let files = (0..OWNERS).map(open).collect();
        Opened { path, files }
    }

    fn descriptor(&self, owner: usize) -> i32 {
        self.files[owner].as_raw_fd()
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // Leaving a file behind is no reason to fail.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn answer(result: i32) -> Result<(), i32> {
    if result < 0 {
        return Err(IoError::last_os_error().raw_os_error().expect("an errno"));
    }
    Ok(())
}

fn kind(random: &mut Random) -> Option<Kind> {
    random.pick(&[None, Some(Kind::Shared), Some(Kind::Exclusive)])
}

fn word(kind: Option<Kind>) -> i32 {
    match kind {
        None => libc::F_UNLCK,
        Some(Kind::Shared) => libc::F_RDLCK,
        Some(Kind::Exclusive) => libc::F_WRLCK,
    }
}

/// An offset or length: small ones meet each other, and a few stand at the limits.
fn offset(random: &mut Random) -> i64 {
    match random.below(20) {
        0 => random.pick(&[-1, i64::MAX, i64::MAX - 1, i64::MIN, i64::MIN + 1]),
        1 => -(random.below(12) as i64),
        _ => random.below(40) as i64,
    }
}

fn fcntl(descriptor: i32, command: i32, lock: &mut libc::flock) -> Result<(), i32> {
    // SAFETY: the structure lives across the call.
    answer(unsafe { libc::fcntl(descriptor, command, lock) })
}

#[test]
fn ranges_are_locked_as_under_linux() {
    let mut random = noise::seeded(0x6c6f_636b);
    for _ in 0..noise::rounds(60) {
        let opened = Opened::new("range");
        let mut ours = RangeLocks::new(1000);
        for _ in 0..300 {
            let owner = random.below(OWNERS);
            let (wanted, start, length) =
                (kind(&mut random), offset(&mut random), offset(&mut random));
            // SAFETY: zeros are a struct flock: from the file's begin, and by no process.
            let mut lock: libc::flock = unsafe { std::mem::zeroed() };
            lock.l_start = start;
            lock.l_len = length;
            lock.l_type = word(wanted) as i16;
            let range = Range::new(start, length);
            let said = format!("{owner} {wanted:?} {start} {length}");
            if let (0, Some(kind)) = (random.below(2), wanted) {
                let linux = fcntl(opened.descriptor(owner), libc::F_OFD_GETLK, &mut lock);
                let linux = linux.map(|()| (i32::from(lock.l_type), lock.l_start, lock.l_len));
                let free = (libc::F_UNLCK, start, length);
                let ours = range.map_err(Error::number).map(|range| {
                    let found = ours.conflict(owner, kind, range);
                    found.map_or(free, |found| {
                        let (start, length) = found.range.start_and_length();
                        (word(Some(found.kind)), start, length)
                    })
                });
                assert_eq!(ours, linux, "asked: {said}");
            } else {
                let linux = fcntl(opened.descriptor(owner), libc::F_OFD_SETLK, &mut lock);
                let ours = range.and_then(|range| ours.set(owner, wanted, range));
                assert_eq!(ours.map(drop).map_err(Error::number), linux, "set: {said}");
            }
        }
    }
}

#[test]
fn whole_files_are_locked_as_under_linux() {
    let mut random = noise::seeded(0x666c_6f63);
    let opened = Opened::new("whole");
    let mut ours = WholeLocks::default();
    for _ in 0..noise::rounds(5000) {
        let (owner, wanted) = (random.below(OWNERS), kind(&mut random));
        let operation = match wanted {
            None => libc::LOCK_UN,
            Some(Kind::Shared) => libc::LOCK_SH,
            Some(Kind::Exclusive) => libc::LOCK_EX,
        };
        // SAFETY: flock takes numbers only.
        let linux =
            answer(unsafe { libc::flock(opened.descriptor(owner), operation | libc::LOCK_NB) });
        let (ours, _) = ours.set(owner, wanted);
        assert_eq!(ours.map_err(Error::number), linux, "{owner} {wanted:?}");
    }
}

#[test]
fn there_are_never_more_than_allowed() {
    let range = |start| Range::new(start, 1).expect("a range");
    let mut locks = RangeLocks::new(2);
    assert_eq!(locks.set(1, Some(Kind::Shared), range(0)), Ok(false));
    assert_eq!(locks.set(1, Some(Kind::Shared), range(9)), Ok(false));
    assert_eq!(
        locks.set(2, Some(Kind::Shared), range(0)),
        Err(Error::TooMany)
    );
    assert_eq!(locks.set(1, Some(Kind::Exclusive), range(9)), Ok(true));
    assert_eq!(locks.set(1, None, range(0)), Ok(true));
    assert_eq!(locks.set(2, Some(Kind::Shared), range(0)), Ok(false));
}
