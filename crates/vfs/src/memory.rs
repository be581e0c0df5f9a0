//! A file system that keeps everything in memory, as tmpfs(5) does, up to a limit of pages and files.
use crate::errno::{Errno, Result};
use crate::flags::NAME_MAX;
use crate::node::{DirEntry, FileSystem, Kind, NewNode, Node, Stat, Time};
use crate::pages::Pages;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

const ROOT: Node = 1;
const MOST_LINKS: u32 = 65_000;
const FIRST_COOKIE: u64 = 3;

#[derive(Clone)]
struct Folder {
    parent: Node,
    names: BTreeMap<Vec<u8>, (Node, u64)>,
    order: BTreeMap<u64, Vec<u8>>,
    next: u64,
}

#[derive(Clone)]
enum Body {
    Folder(Folder),
    Pages(Pages),
    Target(Vec<u8>),
    Nothing,
}

#[derive(Clone)]
struct File {
    stat: Stat,
    held: u64,
    body: Body,
}

/// The file system. It never holds more than the limits that it was made with: ENOSPC.
#[derive(Clone)]
pub struct Memory {
    files: BTreeMap<Node, File>,
    next: Node,
    pages: u64,
    most_pages: u64,
    most_files: usize,
}

impl Folder {
    fn new(parent: Node) -> Folder {
        Folder {
            parent,
            names: BTreeMap::new(),
            order: BTreeMap::new(),
            next: FIRST_COOKIE,
        }
    }

    fn put(&mut self, name: &[u8], node: Node) {
        match self.names.get_mut(name) {
            Some(entry) => entry.0 = node,
            None => {
                self.names.insert(name.to_vec(), (node, self.next));
                self.order.insert(self.next, name.to_vec());
                self.next += 1;
            }
        }
    }

    fn take(&mut self, name: &[u8]) {
        if let Some((_, cookie)) = self.names.remove(name) {
            self.order.remove(&cookie);
        }
    }
}

impl Memory {
    /// An empty root directory with that owner and mode. A page has 4096 bytes; symbolic links count as files only.
    #[must_use]
    pub fn new(
        mode: u32,
        uid: u32,
        gid: u32,
        most_pages: u64,
        most_files: usize,
        now: Time,
    ) -> Memory {
        let mut memory = Memory {
            files: BTreeMap::new(),
            next: ROOT,
            pages: 0,
            most_pages,
            most_files,
        };
        let new = NewNode {
            kind: Kind::Directory,
            mode,
            uid,
            gid,
            target: b"",
        };
        memory.add(ROOT, new, now);
        memory
    }

    fn add(&mut self, parent: Node, new: NewNode<'_>, now: Time) -> Node {
        let node = self.next;
        self.next += 1;
        let (body, nlink) = match new.kind {
            Kind::Directory => (Body::Folder(Folder::new(parent)), 2),
            Kind::Regular => (Body::Pages(Pages::default()), 1),
            Kind::Symlink => (Body::Target(new.target.to_vec()), 1),
            Kind::Fifo => (Body::Nothing, 1),
        };
        let (kind, mode, size) = (new.kind, new.mode & 0o7777, new.target.len() as u64);
        let times = Stat {
            node,
            kind,
            mode,
            nlink,
            uid: new.uid,
            gid: new.gid,
            size,
            accessed: now,
            modified: now,
            changed: now,
        };
        self.files.insert(
            node,
            File {
                stat: times,
                held: 0,
                body,
            },
        );
        node
    }

    fn file(&self, node: Node) -> Result<&File> {
        self.files.get(&node).ok_or(Errno::ENOENT)
    }

    fn file_mut(&mut self, node: Node) -> Result<&mut File> {
        self.files.get_mut(&node).ok_or(Errno::ENOENT)
    }

    fn folder(&self, node: Node) -> Result<&Folder> {
        match &self.file(node)?.body {
            Body::Folder(folder) => Ok(folder),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn folder_mut(&mut self, node: Node) -> Result<&mut Folder> {
        match &mut self.file_mut(node)?.body {
            Body::Folder(folder) => Ok(folder),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// That a name can be made there.
    fn vacant(&self, directory: Node, name: &[u8]) -> Result<()> {
        match self.lookup(directory, name) {
            Ok(_) => Err(Errno::EEXIST),
            Err(Errno::ENOENT) if self.file(directory)?.stat.nlink > 0 => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn touch(&mut self, node: Node, modified: bool, now: Time) {
        if let Some(file) = self.files.get_mut(&node) {
            file.stat.changed = now;
            if modified {
                file.stat.modified = now;
            }
        }
    }

    fn links(&mut self, node: Node, change: impl FnOnce(u32) -> u32) {
        if let Some(file) = self.files.get_mut(&node) {
            file.stat.nlink = change(file.stat.nlink);
        }
    }

    /// What happens to a file that lost a name: a directory is dead, another file has a link less.
    fn lose(&mut self, node: Node, now: Time) {
        self.touch(node, false, now);
        if let Ok(parent) = self.parent(node) {
            self.links(node, |_| 0);
            self.links(parent, |n| n.saturating_sub(1));
            // `..` of a removed directory still leads there (path_resolution(7) says nothing; Linux does).
            self.hold(parent);
        } else {
            self.links(node, |n| n.saturating_sub(1));
        }
        self.reap(node);
    }

    /// Forgets a file without names and holders, and what it alone kept.
    fn reap(&mut self, mut node: Node) {
        while let Some(file) = self.files.get(&node) {
            if file.stat.nlink > 0 || file.held > 0 {
                return;
            }
            let Some(file) = self.files.remove(&node) else {
                return;
            };
            match file.body {
                Body::Pages(pages) => self.pages -= pages.count(),
                Body::Folder(folder) => {
                    node = folder.parent;
                    if let Some(parent) = self.files.get_mut(&node) {
                        parent.held = parent.held.saturating_sub(1);
                    }
                    continue;
                }
                Body::Target(_) | Body::Nothing => {}
            }
            return;
        }
    }

    /// Lets a directory's `..` lead to its new parent.
    fn moved(&mut self, node: Node, from: Node, to: Node) {
        if let Ok(folder) = self.folder_mut(node) {
            folder.parent = to;
            self.links(from, |n| n.saturating_sub(1));
            self.links(to, |n| n.saturating_add(1));
        }
    }
}

impl FileSystem for Memory {
    fn root(&self) -> Node {
        ROOT
    }

    fn stat(&self, node: Node) -> Result<Stat> {
        self.file(node).map(|file| file.stat)
    }

    fn lookup(&self, directory: Node, name: &[u8]) -> Result<Node> {
        let folder = self.folder(directory)?;
        if self.file(directory)?.stat.nlink == 0 {
            return Err(Errno::ENOENT);
        }
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        folder
            .names
            .get(name)
            .map(|&(node, _)| node)
            .ok_or(Errno::ENOENT)
    }

    fn parent(&self, directory: Node) -> Result<Node> {
        self.folder(directory).map(|folder| folder.parent)
    }

    fn make(&mut self, directory: Node, name: &[u8], new: NewNode<'_>, now: Time) -> Result<Node> {
        self.vacant(directory, name)?;
        if self.files.len() >= self.most_files {
            return Err(Errno::ENOSPC);
        }
        if new.kind == Kind::Directory && self.file(directory)?.stat.nlink >= MOST_LINKS {
            return Err(Errno::EMLINK);
        }
        let node = self.add(directory, new, now);
        self.folder_mut(directory)?.put(name, node);
        if new.kind == Kind::Directory {
            self.links(directory, |n| n + 1);
        }
        self.touch(directory, true, now);
        Ok(node)
    }

    fn link(&mut self, node: Node, directory: Node, name: &[u8], now: Time) -> Result<()> {
        self.vacant(directory, name)?;
        match self.file(node)?.stat.nlink {
            0 => return Err(Errno::ENOENT),
            MOST_LINKS.. => return Err(Errno::EMLINK),
            _ => {}
        }
        self.folder_mut(directory)?.put(name, node);
        self.links(node, |n| n + 1);
        self.touch(node, false, now);
        self.touch(directory, true, now);
        Ok(())
    }

    fn unlink(&mut self, directory: Node, name: &[u8], now: Time) -> Result<()> {
        let node = self.lookup(directory, name)?;
        if self
            .folder(node)
            .is_ok_and(|folder| !folder.names.is_empty())
        {
            return Err(Errno::ENOTEMPTY);
        }
        self.folder_mut(directory)?.take(name);
        self.touch(directory, true, now);
        self.lose(node, now);
        Ok(())
    }

    fn rename(
        &mut self,
        from: (Node, &[u8]),
        to: (Node, &[u8]),
        exchange: bool,
        now: Time,
    ) -> Result<()> {
        let node = self.lookup(from.0, from.1)?;
        let there = match self.lookup(to.0, to.1) {
            Ok(there) => Some(there),
            Err(Errno::ENOENT) if !exchange => None,
            Err(error) => return Err(error),
        };
        if there == Some(node) {
            return Ok(());
        }
        if exchange {
            let other = there.ok_or(Errno::ENOENT)?;
            self.folder_mut(from.0)?.put(from.1, other);
            self.moved(other, to.0, from.0);
            self.touch(other, false, now);
        } else {
            if there.is_some_and(|there| {
                self.folder(there)
                    .is_ok_and(|folder| !folder.names.is_empty())
            }) {
                return Err(Errno::ENOTEMPTY);
            }
            self.folder_mut(from.0)?.take(from.1);
        }
        self.folder_mut(to.0)?.put(to.1, node);
        self.moved(node, from.0, to.0);
        for (touched, modified) in [(node, false), (from.0, true), (to.0, true)] {
            self.touch(touched, modified, now);
        }
        if let (Some(there), false) = (there, exchange) {
            self.lose(there, now);
        }
        Ok(())
    }

    fn read_link(&self, node: Node) -> Result<Vec<u8>> {
        match &self.file(node)?.body {
            Body::Target(target) => Ok(target.clone()),
            _ => Err(Errno::EINVAL),
        }
    }

    fn read(&self, node: Node, offset: u64, into: &mut [u8]) -> Result<usize> {
        let file = self.file(node)?;
        let Body::Pages(pages) = &file.body else {
            return Err(Errno::EINVAL);
        };
        let take = file.stat.size.saturating_sub(offset).min(into.len() as u64) as usize;
        pages.read(offset, &mut into[..take]);
        Ok(take)
    }

    fn write(&mut self, node: Node, offset: u64, bytes: &[u8], now: Time) -> Result<usize> {
        let room = self.most_pages - self.pages;
        let file = self.files.get_mut(&node).ok_or(Errno::ENOENT)?;
        let Body::Pages(pages) = &mut file.body else {
            return Err(Errno::EINVAL);
        };
        if offset
            .checked_add(bytes.len() as u64)
            .is_none_or(|end| end > i64::MAX as u64)
        {
            return Err(Errno::EFBIG);
        }
        let before = pages.count();
        let written = pages.write(offset, bytes, room);
        self.pages += pages.count() - before;
        if written == 0 && !bytes.is_empty() {
            return Err(Errno::ENOSPC);
        }
        if written > 0 {
            file.stat.size = file.stat.size.max(offset + written as u64);
            self.touch(node, true, now);
        }
        Ok(written)
    }

    fn truncate(&mut self, node: Node, size: u64, now: Time) -> Result<()> {
        let file = self.files.get_mut(&node).ok_or(Errno::ENOENT)?;
        let Body::Pages(pages) = &mut file.body else {
            return Err(Errno::EINVAL);
        };
        let before = pages.count();
        pages.cut(size);
        self.pages -= before - pages.count();
        file.stat.size = size;
        self.touch(node, true, now);
        Ok(())
    }

    fn seek(&self, node: Node, offset: u64, data: bool) -> Result<u64> {
        let file = self.file(node)?;
        let Body::Pages(pages) = &file.body else {
            return Err(Errno::EINVAL);
        };
        let size = file.stat.size;
        let found = if offset < size {
            pages.seek(offset, size, data)
        } else {
            size
        };
        if offset >= size || (data && found >= size) {
            Err(Errno::ENXIO)
        } else {
            Ok(found)
        }
    }

    fn set_mode(&mut self, node: Node, mode: u32, now: Time) -> Result<()> {
        self.file_mut(node)?.stat.mode = mode & 0o7777;
        self.touch(node, false, now);
        Ok(())
    }

    fn entry_after(&self, directory: Node, cookie: u64) -> Result<Option<DirEntry>> {
        let folder = self.folder(directory)?;
        if cookie < 2 {
            let (name, node) = if cookie == 0 {
                (&b"."[..], directory)
            } else {
                (&b".."[..], folder.parent)
            };
            return Ok(Some(DirEntry {
                cookie: cookie + 1,
                name: name.to_vec(),
                node,
                kind: Kind::Directory,
            }));
        }
        let Some(from) = cookie.checked_add(1) else {
            return Ok(None);
        };
        let Some((&cookie, name)) = folder.order.range(from..).next() else {
            return Ok(None);
        };
        let &(node, _) = folder.names.get(name).ok_or(Errno::ENOENT)?;
        Ok(Some(DirEntry {
            cookie,
            name: name.clone(),
            node,
            kind: self.file(node)?.stat.kind,
        }))
    }

    fn hold(&mut self, node: Node) {
        if let Some(file) = self.files.get_mut(&node) {
            file.held += 1;
        }
    }

    fn release(&mut self, node: Node) {
        if let Some(file) = self.files.get_mut(&node) {
            file.held = file.held.saturating_sub(1);
            self.reap(node);
        }
    }
}
