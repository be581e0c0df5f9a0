//! Calls on names: fstatat(2), mkdirat(2), mknodat(2), symlinkat(2), linkat(2), unlinkat(2), readlinkat(2),
//! fchmodat(2) and faccessat(2).
use crate::access::{Credentials, EXECUTE, WRITE};
use crate::errno::{Errno, Result};
use crate::flags::*;
use crate::node::{FileSystem, Kind, Node, Stat};
use crate::path::{checked, Last};
use crate::process::Call;
use alloc::vec::Vec;

impl<F: FileSystem> Call<'_, F> {
    /// fstatat(2), with `AT_SYMLINK_NOFOLLOW` and `AT_EMPTY_PATH`.
    pub fn fstatat(&self, dirfd: i32, path: &[u8], flags: u32) -> Result<Stat> {
        if flags & !(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH) != 0 {
            return Err(Errno::EINVAL);
        }
        let node = match self.place(dirfd, path, flags)? {
            Some(node) => node,
            None => self.find(dirfd, path, flags & AT_SYMLINK_NOFOLLOW == 0, false)?,
        };
        self.vfs.fs.stat(node)
    }

    /// The descriptor's own file, if the path is empty and may be.
    fn place(&self, dirfd: i32, path: &[u8], flags: u32) -> Result<Option<Node>> {
        match (path.is_empty() && flags & AT_EMPTY_PATH != 0, dirfd) {
            (false, _) => Ok(None),
            (true, AT_FDCWD) => Ok(Some(self.process.cwd)),
            (true, fd) => self.file(fd).map(|file| Some(file.node)),
        }
    }

    /// The directory and the free name for a new file: EEXIST, ENOENT.
    fn vacant(&self, dirfd: i32, path: &[u8], is_directory: bool) -> Result<(Node, Vec<u8>)> {
        let path = checked(path)?;
        let (at, last) = self.walk(self.start(dirfd, path)?).parent(path)?;
        let Last::Name { name, slash } = last else {
            return Err(Errno::EEXIST);
        };
        match self.vfs.fs.lookup(at, &name) {
            Ok(_) => Err(Errno::EEXIST),
            Err(Errno::ENOENT) if slash && !is_directory => Err(Errno::ENOENT),
            Err(Errno::ENOENT) if self.vfs.fs.stat(at)?.nlink > 0 => Ok((at, name)),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn may_create(&self, directory: Node) -> Result<()> {
        let stat = self.vfs.fs.stat(directory)?;
        if stat.nlink == 0 {
            return Err(Errno::ENOENT);
        }
        self.process.who.check(&stat, WRITE | EXECUTE)
    }

    /// That a name can be taken away, of a directory if so asked: EACCES, EPERM, ENOTDIR, EISDIR.
    pub(crate) fn may_delete(
        &self,
        directory: Node,
        victim: Node,
        is_directory: bool,
    ) -> Result<()> {
        let (above, stat) = (self.vfs.fs.stat(directory)?, self.vfs.fs.stat(victim)?);
        self.process.who.check(&above, WRITE | EXECUTE)?;
        if self.process.who.stuck(&above, &stat) {
            return Err(Errno::EPERM);
        }
        match (is_directory, stat.kind == Kind::Directory) {
            (true, false) => Err(Errno::ENOTDIR),
            (true, true) if victim == self.process.root => Err(Errno::EBUSY),
            (false, true) => Err(Errno::EISDIR),
            _ => Ok(()),
        }
    }

    fn make(
        &mut self,
        dirfd: i32,
        path: &[u8],
        kind: Kind,
        mode: u32,
        target: &[u8],
    ) -> Result<()> {
        let (at, name) = self.vacant(dirfd, path, kind == Kind::Directory)?;
        self.may_create(at)?;
        let new = self.new_node(at, kind, mode, target)?;
        self.vfs.fs.make(at, &name, new, self.now).map(|_| ())
    }

    /// mkdirat(2): of the mode, permissions and the sticky bit count.
    pub fn mkdirat(&mut self, dirfd: i32, path: &[u8], mode: u32) -> Result<()> {
        let mode = mode & 0o1777;
        self.make(dirfd, path, Kind::Directory, mode, b"")
    }

    /// mknodat(2) for regular files and FIFOs. Directories and devices are EPERM, sockets EOPNOTSUPP.
    pub fn mknodat(&mut self, dirfd: i32, path: &[u8], mode: u32) -> Result<()> {
        let kind = match mode & S_IFMT {
            0 | S_IFREG => Kind::Regular,
            S_IFIFO => Kind::Fifo,
            0o140000 => return Err(Errno::EOPNOTSUPP),
            S_IFDIR | 0o020000 | 0o060000 => return Err(Errno::EPERM),
            _ => return Err(Errno::EINVAL),
        };
        let mode = mode & 0o7777;
        self.make(dirfd, path, kind, mode, b"")
    }

    /// symlinkat(2).
    pub fn symlinkat(&mut self, target: &[u8], dirfd: i32, path: &[u8]) -> Result<()> {
        let target = checked(target)?;
        self.make(dirfd, path, Kind::Symlink, 0o777, target)
    }

    /// linkat(2) with or without `AT_SYMLINK_FOLLOW`; `AT_EMPTY_PATH` is EINVAL.
    pub fn linkat(&mut self, from: (i32, &[u8]), to: (i32, &[u8]), flags: u32) -> Result<()> {
        if flags & !AT_SYMLINK_FOLLOW != 0 {
            return Err(Errno::EINVAL);
        }
        let node = self.find(from.0, from.1, flags != 0, false)?;
        let (at, name) = self.vacant(to.0, to.1, false)?;
        let stat = self.vfs.fs.stat(node)?;
        self.vfs.protection.link(&self.process.who, &stat)?;
        self.may_create(at)?;
        if stat.kind == Kind::Directory {
            return Err(Errno::EPERM);
        }
        self.vfs.fs.link(node, at, &name, self.now)
    }

    /// unlinkat(2), with `AT_REMOVEDIR` as rmdir(2).
    pub fn unlinkat(&mut self, dirfd: i32, path: &[u8], flags: u32) -> Result<()> {
        if flags & !AT_REMOVEDIR != 0 {
            return Err(Errno::EINVAL);
        }
        let removes = flags != 0;
        let path = checked(path)?;
        let (at, last) = self.walk(self.start(dirfd, path)?).parent(path)?;
        let (name, slash) = match last {
            Last::Name { name, slash } => (name, slash),
            _ if !removes => return Err(Errno::EISDIR),
            Last::DotDot => return Err(Errno::ENOTEMPTY),
            Last::Dot => return Err(Errno::EINVAL),
            Last::Root => return Err(Errno::EBUSY),
        };
        let node = self.vfs.fs.lookup(at, &name)?;
        if slash && !removes {
            let kind = self.vfs.fs.stat(node)?.kind;
            return Err(if kind == Kind::Directory {
                Errno::EISDIR
            } else {
                Errno::ENOTDIR
            });
        }
        self.may_delete(at, node, removes)?;
        self.vfs.fs.unlink(at, &name, self.now)
    }

    /// readlinkat(2): as many bytes of the link as `size` allows; EINVAL for size 0 and for other files.
    pub fn readlinkat(&self, dirfd: i32, path: &[u8], size: usize) -> Result<Vec<u8>> {
        if size == 0 {
            return Err(Errno::EINVAL);
        }
        // An empty path means the descriptor itself, which is no link as long as links cannot be opened.
        if path.is_empty() {
            self.place(dirfd, path, AT_EMPTY_PATH)?;
            return Err(Errno::ENOENT);
        }
        let node = self.find(dirfd, path, false, false)?;
        if self.vfs.fs.stat(node)?.kind != Kind::Symlink {
            return Err(Errno::EINVAL);
        }
        let mut target = self.vfs.fs.read_link(node)?;
        target.truncate(size);
        Ok(target)
    }

    /// fchmodat(2): EPERM for files of others; a group that is not one's own loses the set-group-ID bit.
    pub fn fchmodat(&mut self, dirfd: i32, path: &[u8], mode: u32) -> Result<()> {
        let node = self.find(dirfd, path, true, false)?;
        self.change_mode(node, mode)
    }

    /// fchmod(2): EBADF, EPERM.
    pub fn fchmod(&mut self, fd: i32, mode: u32) -> Result<()> {
        self.change_mode(self.file(fd)?.node, mode)
    }

    fn change_mode(&mut self, node: Node, mode: u32) -> Result<()> {
        let (stat, who) = (self.vfs.fs.stat(node)?, &self.process.who);
        if !who.owns(&stat) {
            return Err(Errno::EPERM);
        }
        let strange = !who.in_group(stat.gid) && !who.privileged();
        let mode = if strange {
            mode & 0o7777 & !S_ISGID
        } else {
            mode & 0o7777
        };
        self.vfs.fs.set_mode(node, mode, self.now)
    }

    /// faccessat(2): as the real user, or as the effective one with `AT_EACCESS`.
    pub fn faccessat(&self, dirfd: i32, path: &[u8], mode: u32, flags: u32) -> Result<()> {
        if mode & !7 != 0 || flags & !(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
            return Err(Errno::EINVAL);
        }
        let real: Credentials;
        let who = if flags & AT_EACCESS != 0 {
            &self.process.who
        } else {
            real = self.process.who.real();
            &real
        };
        let node = match self.place(dirfd, path, flags)? {
            Some(node) => node,
            None => {
                let path = checked(path)?;
                let start = self.start(dirfd, path)?;
                self.walk_as(who, start)
                    .find(path, flags & AT_SYMLINK_NOFOLLOW == 0, false)?
            }
        };
        who.check(&self.vfs.fs.stat(node)?, mode)
    }
}
