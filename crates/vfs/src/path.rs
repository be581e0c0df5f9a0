//! From a path to a file, as path_resolution(7) and openat(2) say: one component after another, links followed up to
//! forty in all, each directory searched with permission. The errors come in the order in which Linux finds them.
use crate::access::{Credentials, Protection, EXECUTE};
use crate::errno::{Errno, Result};
use crate::flags::PATH_MAX;
use crate::node::{FileSystem, Kind, Node};
use alloc::vec::Vec;

/// path_resolution(7): how many links one resolution follows.
const MOST_LINKS: u32 = 40;

/// Where a path begins: the directory for `/`, and the one for all others.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub root: Node,
    pub from: Node,
}

/// A path's last component, not looked up yet. `slash` says that a slash follows the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Last {
    Name { name: Vec<u8>, slash: bool },
    Dot,
    DotDot,
    Root,
}

/// One resolution. It changes nothing in the file system.
pub struct Walk<'a, F: FileSystem> {
    pub fs: &'a F,
    pub who: &'a Credentials,
    pub protection: Protection,
    pub start: Start,
    /// Whether `..` above the root, or a path from it, is EXDEV (`RESOLVE_BENEATH` of openat2(2)) instead of staying there.
    pub beneath: bool,
    links: u32,
}

/// Length and emptiness of a path, which Linux checks before all else: ENOENT, ENAMETOOLONG.
pub(crate) fn checked(path: &[u8]) -> Result<&[u8]> {
    // A path ends at its first NUL, as everywhere in C.
    let path = path.split(|&byte| byte == 0).next().unwrap_or(b"");
    match path.len() {
        0 => Err(Errno::ENOENT),
        PATH_MAX.. => Err(Errno::ENAMETOOLONG),
        _ => Ok(path),
    }
}

fn slashes(path: &[u8]) -> &[u8] {
    let first = path
        .iter()
        .position(|&byte| byte != b'/')
        .unwrap_or(path.len());
    &path[first..]
}

impl<'a, F: FileSystem> Walk<'a, F> {
    pub fn new(
        fs: &'a F,
        who: &'a Credentials,
        protection: Protection,
        start: Start,
    ) -> Walk<'a, F> {
        Walk {
            fs,
            who,
            protection,
            start,
            beneath: false,
            links: 0,
        }
    }

    /// The file that a path names: ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG.
    pub fn find(&mut self, path: &[u8], follow: bool, directory: bool) -> Result<Node> {
        let (mut follow, mut directory) = (follow, directory);
        let (mut at, mut last) = self.parent(checked(path)?)?;
        let node = loop {
            let (name, slash) = match &last {
                Last::Name { name, slash } => (name, *slash),
                Last::DotDot => break self.up(at)?,
                Last::Dot | Last::Root => break at,
            };
            follow |= slash;
            directory |= slash;
            let node = self.fs.lookup(at, name)?;
            if !follow || self.fs.stat(node)?.kind != Kind::Symlink {
                break node;
            }
            (at, last) = self.follow_last(at, node)?;
        };
        if directory && self.fs.stat(node)?.kind != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        Ok(node)
    }

    /// The directory in which a path's last component is to be looked up. The path has been `checked`.
    pub fn parent(&mut self, path: &[u8]) -> Result<(Node, Last)> {
        let from = if path.first() == Some(&b'/') {
            self.jump()?
        } else {
            self.start.from
        };
        self.walk(from, path)
    }

    fn jump(&self) -> Result<Node> {
        if self.beneath {
            Err(Errno::EXDEV)
        } else {
            Ok(self.start.root)
        }
    }

    pub(crate) fn up(&self, node: Node) -> Result<Node> {
        if node != self.start.root {
            return self.fs.parent(node);
        }
        self.jump()
    }

    /// Goes on at a link that is a path's last component, in `directory`.
    pub(crate) fn follow_last(&mut self, directory: Node, link: Node) -> Result<(Node, Last)> {
        self.count()?;
        self.protection
            .follow(self.who, &self.fs.stat(directory)?, &self.fs.stat(link)?)?;
        let target = self.fs.read_link(link)?;
        let from = if target.first() == Some(&b'/') {
            self.jump()?
        } else {
            directory
        };
        self.walk(from, &target)
    }

    fn count(&mut self) -> Result<()> {
        if self.links >= MOST_LINKS {
            return Err(Errno::ELOOP);
        }
        self.links += 1;
        Ok(())
    }

    /// Walks to the last component. What remains of a path when a link comes in between waits in `rest`, as long
    /// as links are counted, at most forty of them.
    fn walk(&mut self, mut at: Node, path: &[u8]) -> Result<(Node, Last)> {
        let mut path = slashes(path).to_vec();
        if path.is_empty() {
            return Ok((at, Last::Root));
        }
        let mut rest: Vec<Vec<u8>> = Vec::new();
        loop {
            self.who.check(&self.fs.stat(at)?, EXECUTE)?;
            let end = path
                .iter()
                .position(|&byte| byte == b'/')
                .unwrap_or(path.len());
            let name = path[..end].to_vec();
            let slash = end < path.len();
            path = slashes(&path[end..]).to_vec();
            if path.is_empty() {
                match rest.pop() {
                    Some(outer) => path = outer,
                    None => return Ok((at, last(name, slash))),
                }
            }
            let node = match &name[..] {
                b"." => at,
                b".." => self.up(at)?,
                name => self.fs.lookup(at, name)?,
            };
            match self.fs.stat(node)?.kind {
                Kind::Directory => at = node,
                Kind::Symlink => {
                    self.count()?;
                    let target = self.fs.read_link(node)?;
                    if target.first() == Some(&b'/') {
                        at = self.jump()?;
                    }
                    let inner = slashes(&target).to_vec();
                    // A link to `/` alone has no component of its own.
                    if !inner.is_empty() {
                        rest.push(core::mem::replace(&mut path, inner));
                    }
                }
                Kind::Regular | Kind::Fifo => return Err(Errno::ENOTDIR),
            }
        }
    }
}

fn last(name: Vec<u8>, slash: bool) -> Last {
    match &name[..] {
        b"." => Last::Dot,
        b".." => Last::DotDot,
        _ => Last::Name { name, slash },
    }
}
