//! The same random calls to Linux, in a fresh temporary directory, and to the crate: results, errors, data and what
//! fstatat(2) says are compared after each call, and the whole tree at the end. Paths that would leave the directory are
//! left out, which a resolution beforehand finds.
mod calls;
mod real;
mod tree;
mod words;

use noise::Random;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use vfs::flags::{AT_FDCWD, O_DIRECTORY};
use vfs::{Call, Credentials, Errno, Memory, Process, Protection, Vfs, Walk};

/// Descriptors 0 to 2 are the test's own.
const MOST_FILES: i32 = 12;
const CALLS: usize = 250;

pub struct Both {
    pub vfs: Vfs<Memory>,
    pub process: Process,
    pub random: Random,
    pub base: PathBuf,
    pub inodes: HashMap<u64, u64>,
    pub users: bool,
    /// Whether links of directories and holes are counted there as tmpfs and ext4 count them.
    pub exact: bool,
    pub log: Vec<String>,
    pub calls: usize,
    pub fine: usize,
}

fn setting(name: &str) -> u32 {
    let text =
        std::fs::read_to_string(format!("/proc/sys/fs/protected_{name}")).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

fn protection() -> Protection {
    Protection {
        hardlinks: setting("hardlinks") != 0,
        symlinks: setting("symlinks") != 0,
        regular: setting("regular"),
        fifos: setting("fifos"),
    }
}

impl Both {
    fn new(base: PathBuf, seed: u64, users: bool) -> Both {
        let mut random = Random::new(seed);
        let mode = random.pick(&[0o777, 0o1777, 0o755, 0o2777, 0o3777]);
        real::plain(libc::SYS_umask, 0o22, 0, 0).unwrap();
        std::fs::create_dir_all(&base).unwrap();
        std::fs::set_permissions(&base, std::fs::Permissions::from_mode(mode)).unwrap();
        let stat = std::fs::metadata(&base).unwrap();
        let exact = real::counts_exactly(&base);
        let memory = Memory::new(stat.mode(), stat.uid(), stat.gid(), 100_000, 10_000, 0);
        let mut vfs = Vfs::new(memory, protection());
        let (uid, gid) = real::ids();
        let groups = real::getgroups();
        let who = Credentials {
            uid,
            gid,
            fsuid: uid,
            fsgid: gid,
            groups,
        };
        let mut process = vfs.process(who, MOST_FILES);
        process.umask = 0o22;
        let mut call = Call {
            vfs: &mut vfs,
            process: &mut process,
            now: 0,
        };
        for fd in 0..4 {
            assert_eq!(call.openat(AT_FDCWD, b".", O_DIRECTORY, 0), Ok(fd));
        }
        real::chdir(base.as_os_str().as_bytes()).unwrap();
        assert_eq!(
            real::at(libc::SYS_openat, AT_FDCWD, b".", O_DIRECTORY.into(), 0),
            Ok(3)
        );
        Both {
            vfs,
            process,
            random,
            base,
            inodes: HashMap::new(),
            users,
            exact,
            log: Vec::new(),
            calls: 0,
            fine: 0,
        }
    }

    pub fn call(&mut self) -> Call<'_, Memory> {
        Call {
            vfs: &mut self.vfs,
            process: &mut self.process,
            now: 1,
        }
    }

    /// Both results are the same, or the test fails and shows what led there.
    pub fn same<T: PartialEq + std::fmt::Debug>(
        &mut self,
        real: Result<T, i32>,
        ours: Result<T, Errno>,
    ) -> Option<T> {
        let ours = ours.map_err(|error| error.0);
        if real != ours {
            let from = self.log.len().saturating_sub(60);
            panic!(
                "Linux: {real:?}\nhere: {ours:?}\nafter:\n{}",
                self.log[from..].join("\n")
            );
        }
        self.calls += 1;
        self.fine += usize::from(real.is_ok());
        real.ok()
    }

    /// Whether a path stays below the root, whoever walks it.
    pub fn stays(&mut self, fd: i32, path: &[u8]) -> bool {
        let all = Credentials::default();
        let call = self.call();
        let Ok(start) = call.start(fd, path) else {
            return true;
        };
        [true, false].iter().all(|&follow| {
            let mut walk = Walk::new(&call.vfs.fs, &all, Protection::default(), start);
            walk.beneath = true;
            walk.find(path, follow, false) != Err(Errno::EXDEV)
        })
    }

    fn end(mut self) -> (usize, usize) {
        self.become_user(real::ids());
        for fd in 3..MOST_FILES {
            let ours = self.call().close(fd).map(|()| 0);
            self.same(real::plain(libc::SYS_close, fd.into(), 0, 0), ours);
        }
        real::chdir(b"/").unwrap();
        tree::compare(&mut self);
        (self.calls, self.fine)
    }

    pub fn become_user(&mut self, (uid, gid): (u32, u32)) {
        if self.users {
            real::plain(libc::SYS_setfsuid, 0, 0, 0).unwrap();
            let groups = [self.random.pick(&[1001, 1002, 1003])];
            real::setgroups(&groups).unwrap();
            real::plain(libc::SYS_setfsgid, gid.into(), 0, 0).unwrap();
            real::plain(libc::SYS_setfsuid, uid.into(), 0, 0).unwrap();
            self.process.who.groups = groups.to_vec();
            self.process.who.fsuid = uid;
            self.process.who.fsgid = gid;
        }
    }
}

/// A chain of links, each to the one before: how many are followed, random names would hardly show.
fn chain(both: &mut Both) {
    for link in 0..45 {
        let (target, name) = (format!("x{link}"), format!("x{}", link + 1));
        let target = if link == 0 { "." } else { &target };
        let ours = both
            .call()
            .symlinkat(target.as_bytes(), AT_FDCWD, name.as_bytes());
        both.same(
            real::symlinkat(target.as_bytes(), AT_FDCWD, name.as_bytes()),
            ours.map(|()| 0),
        );
        for path in [name.clone(), format!("{name}/x1/.")] {
            let real = real::stat(AT_FDCWD, path.as_bytes(), 0).map(|_| ());
            let ours = both
                .call()
                .fstatat(AT_FDCWD, path.as_bytes(), 0)
                .map(|_| ());
            both.same(real, ours);
        }
    }
}

/// All sequences, in a thread of its own place, mask and descriptors.
fn run(top: &Path) -> (usize, usize) {
    let alone = i64::from(libc::CLONE_FS | libc::CLONE_FILES);
    real::plain(libc::SYS_unshare, alone, 0, 0).unwrap();
    real::plain(libc::SYS_close_range, 3, u32::MAX.into(), 0).unwrap();
    let users = real::ids().0 == 0 && real::setgroups(&[]).is_ok();
    if !users {
        println!("The share with other users is left out: it needs the right to change users.");
    }
    let mut sum = (0, 0);
    for sequence in 0..noise::rounds(160) {
        let base = top.join(format!("{sequence}/1/2/3/4"));
        let mut both = Both::new(
            base,
            noise::seeded(0x5eed).word() ^ (sequence * 0x9e37_79b9),
            users && sequence % 2 == 1,
        );
        if sequence == 0 {
            chain(&mut both);
        }
        for _ in 0..CALLS {
            calls::step(&mut both);
        }
        let (calls, fine) = both.end();
        sum = (sum.0 + calls, sum.1 + fine);
    }
    sum
}

#[test]
fn random_calls_do_what_linux_does() {
    let top = std::env::temp_dir().join(format!("vfs-linux-{}", std::process::id()));
    std::fs::create_dir_all(&top).unwrap();
    let before = real::limit_files(MOST_FILES as u64);
    let there = top.clone();
    let done = std::thread::spawn(move || run(&there)).join();
    real::limit_files(before);
    tree::remove(&top);
    let (calls, fine) = done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    println!("{calls} calls, {fine} of them without error");
    assert!(fine * 4 > calls, "too few calls succeed to mean much");
    assert!(calls >= 20_000 || noise::rounds(160) < 160);
}
