//! What a file system must offer so that the calls can work on it. It decides about names, contents and space;
//! resolution of paths, permissions and flags are decided above it, the same way for each file system.
use crate::errno::Result;
use crate::flags::{S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG};
use alloc::vec::Vec;

/// A file's number within its file system (`st_ino`).
pub type Node = u64;

/// Nanoseconds since 1970, given by the caller.
pub type Time = u64;

/// The kinds of file that exist here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Regular,
    Directory,
    Symlink,
    Fifo,
}

impl Kind {
    /// The bits of `st_mode` under `S_IFMT`.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Kind::Regular => S_IFREG,
            Kind::Directory => S_IFDIR,
            Kind::Symlink => S_IFLNK,
            Kind::Fifo => S_IFIFO,
        }
    }
}

/// What inode(7) says of a file. `mode` holds the twelve permission bits only, `size` is in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub node: Node,
    pub kind: Kind,
    pub mode: u32,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    pub accessed: Time,
    pub modified: Time,
    pub changed: Time,
}

impl Stat {
    /// `st_mode`: kind and permission bits.
    #[must_use]
    pub const fn st_mode(&self) -> u32 {
        self.kind.bits() | self.mode
    }
}

/// A file to be made. `target` is a symbolic link's text, else empty.
#[derive(Clone, Copy, Debug)]
pub struct NewNode<'a> {
    pub kind: Kind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub target: &'a [u8],
}

/// One name of a directory. Reading goes on after `cookie`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    pub cookie: u64,
    pub name: Vec<u8>,
    pub node: Node,
    pub kind: Kind,
}

/// A file system. A name given to it is neither empty nor `.` nor `..` and has no slash; it may be too long
/// (ENAMETOOLONG). Permissions have been checked. Calls that need a directory fail with ENOTDIR on others, and with
/// ENOENT for names in a removed directory.
pub trait FileSystem {
    fn root(&self) -> Node;
    fn stat(&self, node: Node) -> Result<Stat>;
    /// The file of that name: ENOENT, ENAMETOOLONG.
    fn lookup(&self, directory: Node, name: &[u8]) -> Result<Node>;
    /// The directory that holds this one, or held it when it was removed; the root's is itself.
    fn parent(&self, directory: Node) -> Result<Node>;
    /// Makes a file: EEXIST, ENOSPC.
    fn make(&mut self, directory: Node, name: &[u8], new: NewNode<'_>, now: Time) -> Result<Node>;
    /// One more name for a file that is no directory: EEXIST, EMLINK; ENOENT if it has no name left.
    fn link(&mut self, node: Node, directory: Node, name: &[u8], now: Time) -> Result<()>;
    /// Takes a name away: ENOENT; ENOTEMPTY if it is that of a directory with names in it.
    fn unlink(&mut self, directory: Node, name: &[u8], now: Time) -> Result<()>;
    /// Gives `from` the name `to`, in place of what was there: ENOTEMPTY. The caller made sure that no directory comes into itself
    /// and that kinds fit. With `exchange` both exist and change places.
    fn rename(
        &mut self,
        from: (Node, &[u8]),
        to: (Node, &[u8]),
        exchange: bool,
        now: Time,
    ) -> Result<()>;
    fn read_link(&self, node: Node) -> Result<Vec<u8>>;
    /// Fills as much of `into` as the file has from `offset` on, and returns how many bytes that is.
    fn read(&self, node: Node, offset: u64, into: &mut [u8]) -> Result<usize>;
    /// ENOSPC, EFBIG.
    fn write(&mut self, node: Node, offset: u64, bytes: &[u8], now: Time) -> Result<usize>;
    fn truncate(&mut self, node: Node, size: u64, now: Time) -> Result<()>;
    /// The first offset from `offset` on that has data (or that is in a hole): ENXIO at and after the end.
    fn seek(&self, node: Node, offset: u64, data: bool) -> Result<u64>;
    /// Sets the twelve permission bits.
    fn set_mode(&mut self, node: Node, mode: u32, now: Time) -> Result<()>;
    /// The name after `cookie`, 0 for the first; `.` and `..` are among them.
    fn entry_after(&self, directory: Node, cookie: u64) -> Result<Option<DirEntry>>;
    /// Keeps a file although it has no name, until as many calls of `release`.
    fn hold(&mut self, node: Node);
    fn release(&mut self, node: Node);
}
