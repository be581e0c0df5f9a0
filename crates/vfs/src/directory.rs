//! A process's place, and reading directories: chdir(2), fchdir(2), getcwd(2), umask(2), getdents64(2).
use crate::access::EXECUTE;
use crate::errno::{Errno, Result};
use crate::flags::PATH_MAX;
use crate::node::{DirEntry, FileSystem, Kind, Node};
use crate::process::Call;
use alloc::vec::Vec;

/// Bytes of a `struct linux_dirent64` before its name.
const HEAD: usize = 19;

impl<F: FileSystem> Call<'_, F> {
    /// chdir(2): EACCES without permission to search.
    pub fn chdir(&mut self, path: &[u8]) -> Result<()> {
        let node = self.find(crate::flags::AT_FDCWD, path, true, true)?;
        self.go(node)
    }

    /// fchdir(2): EBADF, ENOTDIR, EACCES.
    pub fn fchdir(&mut self, fd: i32) -> Result<()> {
        let node = self.file(fd)?.node;
        if self.vfs.fs.stat(node)?.kind != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        self.go(node)
    }

    fn go(&mut self, node: Node) -> Result<()> {
        self.process.who.check(&self.vfs.fs.stat(node)?, EXECUTE)?;
        self.vfs.fs.hold(node);
        let before = core::mem::replace(&mut self.process.cwd, node);
        self.vfs.fs.release(before);
        Ok(())
    }

    /// getcwd(2) without the final NUL, which `size` counts: ENOENT in a removed directory, ERANGE, ENAMETOOLONG.
    pub fn getcwd(&self, size: usize) -> Result<Vec<u8>> {
        let mut node = self.process.cwd;
        if node != self.process.root && self.vfs.fs.stat(node)?.nlink == 0 {
            return Err(Errno::ENOENT);
        }
        let mut names = Vec::new();
        let mut length = 1;
        while node != self.process.root {
            let parent = self.vfs.fs.parent(node)?;
            if parent == node {
                return Err(Errno::ENOENT);
            }
            let name = self.name_in(parent, node)?;
            length += name.len() + 1;
            if length > PATH_MAX {
                return Err(Errno::ENAMETOOLONG);
            }
            names.push(name);
            node = parent;
        }
        let mut path = Vec::new();
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        if path.is_empty() {
            path.push(b'/');
        }
        if path.len() < size {
            Ok(path)
        } else {
            Err(Errno::ERANGE)
        }
    }

    fn name_in(&self, directory: Node, node: Node) -> Result<Vec<u8>> {
        // The first two entries are `.` and `..`.
        let mut cookie = 2;
        while let Some(entry) = self.vfs.fs.entry_after(directory, cookie)? {
            if entry.node == node {
                return Ok(entry.name);
            }
            cookie = entry.cookie;
        }
        Err(Errno::ENOENT)
    }

    /// umask(2): the mask before.
    pub fn umask(&mut self, mask: u32) -> u32 {
        core::mem::replace(&mut self.process.umask, mask & 0o777)
    }

    /// getdents64(2): whole records in Linux's layout, as many as fit; EINVAL if the first does not fit, ENOTDIR, ENOENT
    /// in a removed directory. Names come in the order in which they were made, which nobody should rely on.
    pub fn getdents64(&mut self, fd: i32, into: &mut [u8]) -> Result<usize> {
        let (node, mut cookie) = (self.file(fd)?.node, self.file(fd)?.offset);
        let stat = self.vfs.fs.stat(node)?;
        if stat.kind != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        if stat.nlink == 0 {
            return Err(Errno::ENOENT);
        }
        let mut used = 0;
        while let Some(entry) = self.vfs.fs.entry_after(node, cookie)? {
            let length = (HEAD + entry.name.len() + 1).next_multiple_of(8);
            let Some(record) = into.get_mut(used..used + length) else {
                if used == 0 {
                    return Err(Errno::EINVAL);
                }
                break;
            };
            put(record, &entry);
            used += length;
            cookie = entry.cookie;
        }
        self.file_mut(fd)?.offset = cookie;
        Ok(used)
    }
}

fn put(record: &mut [u8], entry: &DirEntry) {
    record.fill(0);
    let length = record.len() as u16;
    record[..8].copy_from_slice(&entry.node.to_le_bytes());
    record[8..16].copy_from_slice(&entry.cookie.to_le_bytes());
    record[16..18].copy_from_slice(&length.to_le_bytes());
    // The type is the mode's kind, as in `IFTODT` of <dirent.h>.
    record[18] = (entry.kind.bits() >> 12) as u8;
    record[HEAD..HEAD + entry.name.len()].copy_from_slice(&entry.name);
}
