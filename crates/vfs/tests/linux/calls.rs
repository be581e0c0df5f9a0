//! One random call, made on both sides.
use crate::{real, Both};
use libc::*;
use std::os::unix::ffi::OsStrExt;
use vfs::{FileSystem, Stat};

pub fn step(both: &mut Both) {
    match both.random.below(34) {
        0..=5 => openat(both),
        6..=8 => files(both),
        9..=14 => data(both),
        15 => ftruncate(both),
        16 => lseek(both),
        17..=19 => make(both),
        20 => symlinkat(both),
        21 => linkat(both),
        22..=23 => unlinkat(both),
        24..=26 => renameat(both),
        27 => mode(both),
        28 => faccessat(both),
        29 => place(both),
        30 => readlinkat(both),
        31 => getdents(both),
        32 => {
            let user = both.random.pick(&[0, 1001, 1001, 1002]);
            let group = if user == 0 {
                0
            } else {
                both.random.pick(&[1001, 1002])
            };
            both.become_user((user, group));
        }
        _ => stat(both),
    }
}

fn openat(both: &mut Both) {
    let (fd, path) = both.path();
    let mut flags = both.random.pick(&[O_RDONLY, O_RDWR, O_RDWR, O_WRONLY]);
    let some = [
        O_CREAT,
        O_CREAT,
        O_EXCL,
        O_TRUNC,
        O_APPEND,
        O_NOFOLLOW,
        O_DIRECTORY,
        O_CLOEXEC,
        O_NONBLOCK,
    ];
    for _ in 0..both.random.below(4) {
        flags |= both.random.pick(&some);
    }
    let mode = both.mode();
    // What is found at a FIFO is another matter, and may wait.
    let fifo = |stat: libc::stat| stat.st_mode & S_IFMT == S_IFIFO;
    if real::stat(fd, &path, 0).is_ok_and(fifo) {
        return;
    }
    both.note(format!(
        "openat {fd} {} {flags:o} {mode:o}",
        path.escape_ascii()
    ));
    let real = real::at(SYS_openat, fd, &path, flags.into(), mode.into());
    let ours = both
        .call()
        .openat(fd, &path, flags as u32, mode)
        .map(i64::from);
    both.same(real, ours);
}

fn files(both: &mut Both) {
    let (fd, to) = (both.fd(), both.random.below(14) as i32 - 1);
    let what = both.random.below(10);
    if (0..3).contains(&to) || (0..3).contains(&fd) {
        return;
    }
    both.note(format!("files {what} {fd} {to}"));
    let (a, b) = (i64::from(fd), i64::from(to));
    let (real, ours) = match what {
        0 => (real::plain(SYS_dup, a, 0, 0), both.call().dup(fd)),
        1 => (real::plain(SYS_dup3, a, b, 0), both.call().dup3(fd, to, 0)),
        2 => (
            real::plain(SYS_dup3, a, b, O_CLOEXEC.into()),
            both.call().dup3(fd, to, O_CLOEXEC as u32),
        ),
        3 => (
            real::plain(SYS_fcntl, a, F_DUPFD.into(), b),
            both.call().dup_from(fd, to, false),
        ),
        4 => (
            real::plain(SYS_fcntl, a, F_DUPFD_CLOEXEC.into(), b),
            both.call().dup_from(fd, to, true),
        ),
        5 => {
            let ours = both
                .process
                .table
                .get(fd)
                .map(|d| i32::from(d.close_on_exec));
            (real::plain(SYS_fcntl, a, F_GETFD.into(), 0), ours)
        }
        6 => {
            let ours = both
                .process
                .table
                .set_close_on_exec(fd, to & 1 != 0)
                .map(|()| 0);
            (real::plain(SYS_fcntl, a, F_SETFD.into(), b & 1), ours)
        }
        7 => {
            // O_LARGEFILE of 64-bit kernels: which bit it is depends on the processor.
            let large = if cfg!(target_arch = "aarch64") {
                0o400000
            } else {
                0o100000
            };
            let real = real::plain(SYS_fcntl, a, F_GETFL.into(), 0).map(|flags| flags & !large);
            (real, both.call().file(fd).map(|file| file.flags as i32))
        }
        8 => {
            let flags = both.random.pick(&[0, O_APPEND, O_NONBLOCK]);
            let ours = both.call().set_flags(fd, flags as u32).map(|()| 0);
            (
                real::plain(SYS_fcntl, a, F_SETFL.into(), flags.into()),
                ours,
            )
        }
        _ => (
            real::plain(SYS_close, a, 0, 0),
            both.call().close(fd).map(|()| 0),
        ),
    };
    both.same(real, ours.map(i64::from));
}

fn data(both: &mut Both) {
    let fd = both.fd();
    let size = both.random.pick(&[0, 1, 7, 100, 4096, 5000]);
    let offset = both
        .random
        .pick(&[0, 3, 4095, 4096, 9000, 20_000, -1, i64::MIN]);
    let byte = both.random.word() as u8;
    let what = both.random.below(4);
    both.note(format!("data {what} {fd} {size} {offset}"));
    let mut into = vec![0; size];
    let bytes = vec![byte; size];
    match what {
        0 => {
            let ours = both
                .call()
                .read(fd, &mut into)
                .map(|count| into[..count].to_vec());
            both.same(real::fill(SYS_read, fd, size, 0), ours);
        }
        1 => {
            let ours = both
                .call()
                .pread(fd, &mut into, offset)
                .map(|count| into[..count].to_vec());
            both.same(real::fill(SYS_pread64, fd, size, offset), ours);
        }
        2 => {
            let ours = both.call().write(fd, &bytes).map(|count| count as i64);
            both.same(real::put(SYS_write, fd, &bytes, 0), ours);
        }
        _ => {
            let ours = both
                .call()
                .pwrite(fd, &bytes, offset)
                .map(|count| count as i64);
            both.same(real::put(SYS_pwrite64, fd, &bytes, offset), ours);
        }
    }
}

fn ftruncate(both: &mut Both) {
    let (fd, size) = (
        both.fd(),
        both.random.pick(&[0, 0, 5, 4096, 4097, 15_000, -1]),
    );
    both.note(format!("ftruncate {fd} {size}"));
    let ours = both.call().ftruncate(fd, size).map(|()| 0);
    both.same(real::plain(SYS_ftruncate, fd.into(), size, 0), ours);
}

fn lseek(both: &mut Both) {
    let fd = both.fd();
    let directory = both
        .call()
        .fstat(fd)
        .is_ok_and(|stat| stat.kind == vfs::Kind::Directory);
    let whence = if directory {
        0
    } else {
        both.random.pick(if both.exact {
            &[0, 1, 2, 3, 4, 5, 6]
        } else {
            &[0, 1, 2]
        })
    };
    let offset = both
        .random
        .pick(&[0, 1, 4096, 5000, 12_288, -1, -4000, i64::MAX, i64::MIN]);
    // How far a directory or a file may reach depends on the file system.
    let offset = if directory || (whence < 3 && offset == i64::MAX) {
        0
    } else {
        offset
    };
    both.note(format!("lseek {fd} {offset} {whence}"));
    let ours = both.call().lseek(fd, offset, whence).map(|to| to as i64);
    both.same(
        real::plain(SYS_lseek, fd.into(), offset, whence.into()),
        ours,
    );
}

fn make(both: &mut Both) {
    let ((fd, path), mode) = (both.path(), both.mode());
    let kind = both
        .random
        .pick(&[0, 0, S_IFDIR, S_IFDIR, S_IFDIR, S_IFREG, S_IFIFO]);
    let mkdir = kind == S_IFDIR && both.random.below(9) > 0;
    both.note(format!(
        "make {fd} {} {mode:o} {kind:o} {mkdir}",
        path.escape_ascii()
    ));
    let all = i64::from(mode | kind);
    let (real, ours) = if mkdir {
        (
            real::at(SYS_mkdirat, fd, &path, all, 0),
            both.call().mkdirat(fd, &path, mode | kind),
        )
    } else {
        (
            real::at(SYS_mknodat, fd, &path, all, 0),
            both.call().mknodat(fd, &path, mode | kind),
        )
    };
    both.same(real, ours.map(|()| 0));
}

fn symlinkat(both: &mut Both) {
    let ((fd, path), target) = (both.path(), both.text());
    both.note(format!(
        "symlinkat {} {fd} {}",
        target.escape_ascii(),
        path.escape_ascii()
    ));
    let ours = both.call().symlinkat(&target, fd, &path).map(|()| 0);
    both.same(real::symlinkat(&target, fd, &path), ours);
}

fn linkat(both: &mut Both) {
    let ((from, a), (to, b)) = (both.path(), both.path());
    let flags = both.random.pick(&[0, 0, 0x400, 1]);
    both.note(format!(
        "linkat {from} {} {to} {} {flags:x}",
        a.escape_ascii(),
        b.escape_ascii()
    ));
    let ours = both.call().linkat((from, &a), (to, &b), flags).map(|()| 0);
    both.same(real::two(SYS_linkat, (from, &a), (to, &b), flags), ours);
}

fn unlinkat(both: &mut Both) {
    let ((fd, path), flags) = (both.path(), both.random.pick(&[0, 0x200, 0x200, 1]));
    both.note(format!("unlinkat {fd} {} {flags:x}", path.escape_ascii()));
    let ours = both.call().unlinkat(fd, &path, flags).map(|()| 0);
    both.same(real::at(SYS_unlinkat, fd, &path, flags.into(), 0), ours);
}

fn renameat(both: &mut Both) {
    let ((from, a), (to, b)) = (both.path(), both.path());
    let flags = both.random.pick(&[0, 0, 0, 1, 2, 2, 3, 8]);
    both.note(format!(
        "renameat2 {from} {} {to} {} {flags}",
        a.escape_ascii(),
        b.escape_ascii()
    ));
    let ours = both
        .call()
        .renameat2((from, &a), (to, &b), flags)
        .map(|()| 0);
    both.same(real::two(SYS_renameat2, (from, &a), (to, &b), flags), ours);
}

fn mode(both: &mut Both) {
    let ((fd, path), mode) = (both.path(), both.mode());
    both.note(format!("mode {fd} {} {mode:o}", path.escape_ascii()));
    match both.random.below(4) {
        0 => {
            let fd = both.fd();
            both.note(format!("fchmod {fd} {mode:o}"));
            let ours = both.call().fchmod(fd, mode).map(|()| 0);
            both.same(real::plain(SYS_fchmod, fd.into(), mode.into(), 0), ours);
        }
        1 => {
            let before = both.call().umask(mode);
            both.same(real::plain(SYS_umask, mode.into(), 0, 0), Ok(before.into()));
        }
        _ => {
            let ours = both.call().fchmodat(fd, &path, mode).map(|()| 0);
            both.same(real::at(SYS_fchmodat, fd, &path, mode.into(), 0), ours);
        }
    }
}

fn faccessat(both: &mut Both) {
    let ((fd, path), mode) = (both.path(), both.random.below(9));
    let flags = both.random.pick(&[0, 0x200, 0x300, 0x1200, 0x1100, 1]);
    both.note(format!(
        "faccessat {fd} {} {mode} {flags:x}",
        path.escape_ascii()
    ));
    let ours = both
        .call()
        .faccessat(fd, &path, mode as u32, flags)
        .map(|()| 0);
    both.same(
        real::at(SYS_faccessat2, fd, &path, mode as i64, flags.into()),
        ours,
    );
}

fn place(both: &mut Both) {
    let ((_, path), fd) = (both.path(), both.fd());
    both.note(format!("place {fd} {}", path.escape_ascii()));
    match both.random.below(4) {
        0 if both.stays(AT_FDCWD, &path) => {
            let ours = both.call().chdir(&path).map(|()| 0);
            both.same(real::chdir(&path), ours);
        }
        1 | 2 => {
            let ours = both.call().fchdir(fd).map(|()| 0);
            both.same(real::plain(SYS_fchdir, fd.into(), 0, 0), ours);
        }
        _ => {
            let base = both.base.as_os_str().as_bytes().to_vec();
            let ours = both
                .call()
                .getcwd(5000)
                .map(|path| [&base[..], if path == b"/" { b"" } else { &path }].concat());
            both.same(real::getcwd(5000), ours);
        }
    }
}

fn readlinkat(both: &mut Both) {
    let ((fd, path), size) = (both.path(), both.random.pick(&[0, 1, 5000]));
    both.note(format!("readlinkat {fd} {} {size}", path.escape_ascii()));
    let ours = both.call().readlinkat(fd, &path, size);
    both.same(real::readlinkat(fd, &path, size), ours);
}

/// The names with their kinds, sorted, and the inodes among the names.
fn records(bytes: &[u8]) -> Vec<(Vec<u8>, u8, u64)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let length = usize::from(u16::from_le_bytes([bytes[at + 16], bytes[at + 17]]));
        let name = bytes[at + 19..at + length]
            .split(|&byte| byte == 0)
            .next()
            .unwrap();
        let inode = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        found.push((name.to_vec(), bytes[at + 18], inode));
        at += length;
    }
    found.sort();
    found
}

fn getdents(both: &mut Both) {
    let fd = both.fd();
    both.note(format!("getdents {fd}"));
    let ours = both.call().lseek(fd, 0, 0).map(|to| to as i64);
    both.same(real::plain(SYS_lseek, fd.into(), 0, 0), ours);
    let mut into = vec![0; 20_000];
    let ours = both
        .call()
        .getdents64(fd, &mut into)
        .map(|count| records(&into[..count]));
    let real = real::fill(SYS_getdents64, fd, 20_000, 0).map(|bytes| records(&bytes));
    // What offset the end of a directory has is the file system's matter, and shows in read(2).
    let back = both.call().lseek(fd, 0, 0).map(|to| to as i64);
    both.same(real::plain(SYS_lseek, fd.into(), 0, 0), back);
    let root = both.vfs.fs.root();
    let above = both.call().fstat(fd).is_ok_and(|stat| stat.node == root);
    for (a, b) in real.iter().flatten().zip(ours.iter().flatten()) {
        if !above || a.0 != b".." {
            both.inode(a.2, b.2);
        }
    }
    let plain = |found: Vec<(Vec<u8>, u8, u64)>| {
        found
            .into_iter()
            .map(|(name, kind, _)| (name, kind))
            .collect::<Vec<_>>()
    };
    both.same(real.map(plain), ours.map(plain));
}

impl Both {
    /// Equal inodes there are equal nodes here, among files that still exist.
    fn inode(&mut self, real: u64, node: u64) {
        let fs = &self.vfs.fs;
        self.inodes.retain(|_, &mut node| fs.stat(node).is_ok());
        let known = *self.inodes.entry(real).or_insert(node);
        let other = self
            .inodes
            .iter()
            .find(|(_, &known)| known == node)
            .map(|(&real, _)| real);
        assert_eq!(
            (known, other),
            (node, Some(real)),
            "{}",
            self.log.join("\n")
        );
    }
}

fn stat(both: &mut Both) {
    let (mut fd, mut path) = both.path();
    let mut flags = both.random.pick(&[0, 0x100, 0x100, 1]);
    if both.random.below(3) == 0 {
        (fd, path, flags) = (both.fd(), Vec::new(), 0x1000);
    }
    both.note(format!("stat {fd} {} {flags:x}", path.escape_ascii()));
    let real = real::stat(fd, &path, flags);
    let ours = both.call().fstatat(fd, &path, flags);
    if let (Ok(real), Ok(ours)) = (&real, &ours) {
        both.inode(real.st_ino, ours.node);
    }
    let exact = both.exact;
    let shown = |mode: u32, links: u32, uid: u32, gid: u32, size: u64| match mode & S_IFMT {
        S_IFDIR => (mode, if exact { links } else { 0 }, uid, gid, 0),
        _ => (mode, links, uid, gid, size),
    };
    let real = real.map(|s| {
        shown(
            s.st_mode,
            s.st_nlink as u32,
            s.st_uid,
            s.st_gid,
            s.st_size as u64,
        )
    });
    let ours = ours.map(|s: Stat| shown(s.st_mode(), s.nlink, s.uid, s.gid, s.size));
    both.same(real, ours);
}
