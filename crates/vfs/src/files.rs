//! Calls on open files: read(2), write(2), pread(2), lseek(2), ftruncate(2), fstat(2).
use crate::errno::{Errno, Result};
use crate::flags::*;
use crate::node::{FileSystem, Kind, Node, Stat};
use crate::process::Call;

const END: u64 = i64::MAX as u64;

impl<F: FileSystem> Call<'_, F> {
    /// read(2) from the description's offset: EBADF, EISDIR.
    pub fn read(&mut self, fd: i32, into: &mut [u8]) -> Result<usize> {
        let offset = self.file(fd)?.offset;
        let count = self.read_at(fd, into, offset)?;
        self.file_mut(fd)?.offset = offset + count as u64;
        Ok(count)
    }

    /// pread(2): EINVAL for a negative offset, before all else.
    pub fn pread(&mut self, fd: i32, into: &mut [u8], offset: i64) -> Result<usize> {
        self.read_at(fd, into, u64::try_from(offset).map_err(|_| Errno::EINVAL)?)
    }

    fn read_at(&self, fd: i32, into: &mut [u8], offset: u64) -> Result<usize> {
        let file = self.file(fd)?;
        if file.flags & O_ACCMODE == O_WRONLY {
            return Err(Errno::EBADF);
        }
        in_range(offset, into.len())?;
        if self.vfs.fs.stat(file.node)?.kind == Kind::Directory {
            return Err(Errno::EISDIR);
        }
        self.vfs.fs.read(file.node, offset, into)
    }

    /// write(2) at the description's offset, or at the end for `O_APPEND`: EBADF, EFBIG, ENOSPC.
    pub fn write(&mut self, fd: i32, bytes: &[u8]) -> Result<usize> {
        let offset = self.file(fd)?.offset;
        let (count, end) = self.write_at(fd, bytes, offset)?;
        self.file_mut(fd)?.offset = end;
        Ok(count)
    }

    /// pwrite(2); with `O_APPEND` it appends all the same, which that page lists as a bug.
    pub fn pwrite(&mut self, fd: i32, bytes: &[u8], offset: i64) -> Result<usize> {
        let offset = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
        self.write_at(fd, bytes, offset).map(|(count, _)| count)
    }

    /// How many bytes were written, and where the offset stands then.
    fn write_at(&mut self, fd: i32, bytes: &[u8], offset: u64) -> Result<(usize, u64)> {
        let file = self.file(fd)?;
        let (node, flags) = (file.node, file.flags);
        if flags & O_ACCMODE == 0 {
            return Err(Errno::EBADF);
        }
        in_range(offset, bytes.len())?;
        if bytes.is_empty() {
            return Ok((0, offset));
        }
        let stat = self.vfs.fs.stat(node)?;
        let offset = if flags & O_APPEND != 0 {
            stat.size
        } else {
            offset
        };
        if offset >= END {
            return Err(Errno::EFBIG);
        }
        let room = usize::try_from(END - offset).unwrap_or(usize::MAX);
        self.strip(&stat)?;
        let count = self
            .vfs
            .fs
            .write(node, offset, &bytes[..bytes.len().min(room)], self.now)?;
        Ok((count, offset + count as u64))
    }

    /// Takes set-ID bits from a file that is about to be changed.
    fn strip(&mut self, stat: &Stat) -> Result<()> {
        let mode = self.process.who.written(stat);
        if mode == stat.mode {
            Ok(())
        } else {
            self.vfs.fs.set_mode(stat.node, mode, self.now)
        }
    }

    pub(crate) fn resize(&mut self, node: Node, size: u64) -> Result<()> {
        let stat = self.vfs.fs.stat(node)?;
        self.strip(&stat)?;
        self.vfs.fs.truncate(node, size, self.now)
    }

    /// ftruncate(2): EINVAL for a negative length or a file that is not open for writing, EBADF.
    pub fn ftruncate(&mut self, fd: i32, size: i64) -> Result<()> {
        let size = u64::try_from(size).map_err(|_| Errno::EINVAL)?;
        let file = self.file(fd)?;
        let (node, writes) = (file.node, file.flags & O_ACCMODE != 0);
        if !writes || self.vfs.fs.stat(node)?.kind != Kind::Regular {
            return Err(Errno::EINVAL);
        }
        self.resize(node, size)
    }

    /// lseek(2), with SEEK_DATA and SEEK_HOLE for regular files: EBADF, EINVAL, ENXIO.
    pub fn lseek(&mut self, fd: i32, offset: i64, whence: u32) -> Result<u64> {
        let file = self.file(fd)?;
        let stat = self.vfs.fs.stat(file.node)?;
        let to = match whence {
            SEEK_SET => Some(offset),
            SEEK_CUR => offset.checked_add_unsigned(file.offset),
            SEEK_END if stat.kind == Kind::Regular => offset.checked_add_unsigned(stat.size),
            SEEK_DATA | SEEK_HOLE if stat.kind == Kind::Regular => {
                let from = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
                i64::try_from(self.vfs.fs.seek(file.node, from, whence == SEEK_DATA)?).ok()
            }
            _ => None,
        };
        let to = to
            .and_then(|to| u64::try_from(to).ok())
            .ok_or(Errno::EINVAL)?;
        self.file_mut(fd)?.offset = to;
        Ok(to)
    }

    /// fstat(2): EBADF.
    pub fn fstat(&self, fd: i32) -> Result<Stat> {
        self.vfs.fs.stat(self.file(fd)?.node)
    }
}

/// That an offset and a length end where a file can end: EINVAL.
fn in_range(offset: u64, length: usize) -> Result<()> {
    match offset.checked_add(length as u64) {
        Some(end) if end <= END => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}
