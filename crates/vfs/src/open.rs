//! openat(2), close(2) and the calls that copy descriptors.
use crate::access::{EXECUTE, READ, WRITE};
use crate::errno::{Errno, Result};
use crate::flags::*;
use crate::node::{FileSystem, Kind, NewNode, Node};
use crate::path::{checked, Last};
use crate::process::Call;

/// What F_SETFL may change.
const CHANGEABLE: u32 = O_APPEND | O_NONBLOCK;
/// What F_GETFL no longer shows.
const ONCE: u32 = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;
const KNOWN: u32 = O_ACCMODE | ONCE | CHANGEABLE | O_DIRECTORY | O_NOFOLLOW;

enum Found {
    /// A file that was there, and the directory in which it was found.
    There(Node, Node),
    Made(Node),
}

impl<F: FileSystem> Call<'_, F> {
    /// openat(2): the lowest free descriptor. `O_PATH`, `O_TMPFILE` and access mode 3 are EOPNOTSUPP; a FIFO is ENXIO.
    pub fn openat(&mut self, dirfd: i32, path: &[u8], flags: u32, mode: u32) -> Result<i32> {
        if flags & (O_PATH | O_TMPFILE_BIT) != 0 || flags & O_ACCMODE == O_ACCMODE {
            return Err(Errno::EOPNOTSUPP);
        }
        let flags = flags & KNOWN;
        if flags & O_CREAT != 0 && flags & O_DIRECTORY != 0 {
            return Err(Errno::EINVAL);
        }
        let path = checked(path)?;
        let fd = self.process.table.free(0)?;
        let found = self.open_last(dirfd, path, flags, mode)?;
        let node = self.permit_open(found, flags)?;
        let file = self.vfs.open_file(node, flags & !ONCE);
        self.install(fd, file, flags & O_CLOEXEC != 0);
        Ok(fd)
    }

    fn open_last(&mut self, dirfd: i32, path: &[u8], flags: u32, mode: u32) -> Result<Found> {
        let start = self.start(dirfd, path)?;
        let create = flags & O_CREAT != 0;
        let mut follow = flags & O_NOFOLLOW == 0 && !(create && flags & O_EXCL != 0);
        let mut directory = flags & O_DIRECTORY != 0;
        let mut walk = self.walk(start);
        let (mut at, mut last) = walk.parent(path)?;
        let missing = loop {
            let (name, slash) = match last {
                Last::Name { name, slash } => (name, slash),
                Last::DotDot => return Ok(Found::There(walk.up(at)?, at)),
                Last::Dot | Last::Root => return Ok(Found::There(at, at)),
            };
            if create && slash {
                return Err(Errno::EISDIR);
            }
            follow |= slash;
            directory |= slash;
            let node = match walk.fs.lookup(at, &name) {
                Err(Errno::ENOENT) if create && walk.fs.stat(at)?.nlink > 0 => break name,
                other => other?,
            };
            let kind = walk.fs.stat(node)?.kind;
            if !follow || kind != Kind::Symlink {
                // A symbolic link that is not followed is refused as such only when a directory was not asked for.
                if directory && kind != Kind::Directory {
                    return Err(Errno::ENOTDIR);
                }
                return Ok(Found::There(node, at));
            }
            (at, last) = walk.follow_last(at, node)?;
        };
        self.process
            .who
            .check(&self.vfs.fs.stat(at)?, WRITE | EXECUTE)?;
        let new = self.new_node(at, Kind::Regular, mode & 0o7777, b"")?;
        self.vfs
            .fs
            .make(at, &missing, new, self.now)
            .map(Found::Made)
    }

    /// A file's owner, group and mode, the latter two as the directory's set-group-ID bit wants: inode(7).
    pub(crate) fn new_node<'b>(
        &self,
        directory: Node,
        kind: Kind,
        mode: u32,
        target: &'b [u8],
    ) -> Result<NewNode<'b>> {
        let (above, who) = (self.vfs.fs.stat(directory)?, &self.process.who);
        let mut new = NewNode {
            kind,
            mode,
            uid: who.fsuid,
            gid: who.fsgid,
            target,
        };
        if above.mode & S_ISGID != 0 {
            new.gid = above.gid;
            if kind == Kind::Directory {
                new.mode |= S_ISGID;
            } else if mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP
                && !who.in_group(above.gid)
                && !who.privileged()
            {
                new.mode &= !S_ISGID;
            }
        }
        // The mask comes last: Linux looks at the group's right to execute as it was asked for.
        if kind != Kind::Symlink {
            new.mode &= !self.process.umask;
        }
        Ok(new)
    }

    fn permit_open(&mut self, found: Found, flags: u32) -> Result<Node> {
        let (node, directory) = match found {
            Found::Made(node) => return Ok(node),
            Found::There(node, directory) => (node, directory),
        };
        let stat = self.vfs.fs.stat(node)?;
        let who = &self.process.who;
        if flags & O_CREAT != 0 {
            if flags & O_EXCL != 0 {
                return Err(Errno::EEXIST);
            }
            if stat.kind == Kind::Directory {
                return Err(Errno::EISDIR);
            }
            self.vfs
                .protection
                .create(who, &self.vfs.fs.stat(directory)?, &stat)?;
        }
        let writes = flags & O_ACCMODE != 0;
        let truncates = flags & O_TRUNC != 0;
        match stat.kind {
            Kind::Symlink => return Err(Errno::ELOOP),
            Kind::Directory if writes || truncates => return Err(Errno::EISDIR),
            _ => {}
        }
        let reads = if flags & O_ACCMODE == O_WRONLY {
            0
        } else {
            READ
        };
        who.check(
            &stat,
            if writes || truncates {
                WRITE | reads
            } else {
                reads
            },
        )?;
        if stat.kind == Kind::Fifo {
            return Err(Errno::ENXIO);
        }
        if truncates {
            self.resize(node, 0)?;
        }
        Ok(node)
    }

    /// close(2): EBADF.
    pub fn close(&mut self, fd: i32) -> Result<()> {
        let descriptor = self.process.table.take(fd)?;
        self.vfs.drop_file(descriptor.file);
        Ok(())
    }

    /// dup(2): EBADF, EMFILE.
    pub fn dup(&mut self, fd: i32) -> Result<i32> {
        let file = self.process.table.get(fd)?.file;
        let to = self.process.table.free(0)?;
        self.copy(file, to, false)
    }

    /// dup2(2): EBADF.
    pub fn dup2(&mut self, fd: i32, to: i32) -> Result<i32> {
        if fd == to {
            return self.process.table.get(fd).map(|_| fd);
        }
        self.dup3(fd, to, 0)
    }

    /// dup3(2): EINVAL for equal numbers or flags other than `O_CLOEXEC`, EBADF.
    pub fn dup3(&mut self, fd: i32, to: i32, flags: u32) -> Result<i32> {
        if flags & !O_CLOEXEC != 0 || fd == to {
            return Err(Errno::EINVAL);
        }
        if to < 0 || to >= self.process.table.limit {
            return Err(Errno::EBADF);
        }
        let file = self.process.table.get(fd)?.file;
        self.copy(file, to, flags & O_CLOEXEC != 0)
    }

    /// F_DUPFD and F_DUPFD_CLOEXEC of fcntl(2): EBADF, EINVAL, EMFILE.
    pub fn dup_from(&mut self, fd: i32, from: i32, close_on_exec: bool) -> Result<i32> {
        let file = self.process.table.get(fd)?.file;
        if from < 0 || from >= self.process.table.limit {
            return Err(Errno::EINVAL);
        }
        let to = self.process.table.free(from)?;
        self.copy(file, to, close_on_exec)
    }

    fn copy(&mut self, file: u64, to: i32, close_on_exec: bool) -> Result<i32> {
        self.vfs.share(file);
        self.install(to, file, close_on_exec);
        Ok(to)
    }

    /// F_SETFL of fcntl(2), for `O_APPEND` and `O_NONBLOCK`: EBADF.
    pub fn set_flags(&mut self, fd: i32, flags: u32) -> Result<()> {
        let file = self.file_mut(fd)?;
        file.flags = file.flags & !CHANGEABLE | flags & CHANGEABLE;
        Ok(())
    }
}
