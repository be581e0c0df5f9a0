//! What calls work on: the file system with its open file descriptions, and a process with its place and its
//! descriptors. fork(2) and execve(2) are here, as far as they concern files.
use crate::access::{Credentials, Protection};
use crate::errno::{Errno, Result};
use crate::flags::AT_FDCWD;
use crate::node::{FileSystem, Kind, Node, Time};
use crate::path::{Start, Walk};
use crate::table::{Descriptor, Table};
use alloc::collections::BTreeMap;

/// An open file description, open(2): shared by all descriptors that were copied from one.
#[derive(Clone, Debug)]
pub struct OpenFile {
    pub node: Node,
    /// Status flags and access mode, as F_GETFL of fcntl(2) gives them.
    pub flags: u32,
    pub offset: u64,
    pub(crate) users: u64,
}

/// A file system and the open file descriptions in it.
#[derive(Clone)]
pub struct Vfs<F: FileSystem> {
    pub fs: F,
    pub protection: Protection,
    pub(crate) files: BTreeMap<u64, OpenFile>,
    next: u64,
}

/// What a process has of names and files. It is given back with [`Vfs::exit`].
#[derive(Clone, Debug)]
pub struct Process {
    pub who: Credentials,
    pub umask: u32,
    pub table: Table,
    pub(crate) root: Node,
    pub(crate) cwd: Node,
}

/// One process's calls, at one time.
pub struct Call<'a, F: FileSystem> {
    pub vfs: &'a mut Vfs<F>,
    pub process: &'a mut Process,
    pub now: Time,
}

impl<F: FileSystem> Vfs<F> {
    #[must_use]
    pub fn new(fs: F, protection: Protection) -> Vfs<F> {
        Vfs {
            fs,
            protection,
            files: BTreeMap::new(),
            next: 1,
        }
    }

    /// A process in the root directory, without descriptors, that may have `limit` of them.
    pub fn process(&mut self, who: Credentials, limit: i32) -> Process {
        let root = self.fs.root();
        self.fs.hold(root);
        self.fs.hold(root);
        Process {
            who,
            umask: 0o22,
            table: Table::new(limit),
            root,
            cwd: root,
        }
    }

    /// fork(2): the child's descriptors share the parent's descriptions.
    pub fn fork(&mut self, parent: &Process) -> Process {
        for (_, descriptor) in parent.table.used() {
            self.share(descriptor.file);
        }
        self.fs.hold(parent.root);
        self.fs.hold(parent.cwd);
        parent.clone()
    }

    /// execve(2): closes the descriptors that have FD_CLOEXEC.
    pub fn exec(&mut self, process: &mut Process) {
        for fd in process.table.closed_by_exec() {
            if let Ok(descriptor) = process.table.take(fd) {
                self.drop_file(descriptor.file);
            }
        }
    }

    /// _exit(2): closes all.
    pub fn exit(&mut self, process: Process) {
        for (_, descriptor) in process.table.used() {
            self.drop_file(descriptor.file);
        }
        self.fs.release(process.cwd);
        self.fs.release(process.root);
    }

    pub(crate) fn share(&mut self, file: u64) {
        if let Some(file) = self.files.get_mut(&file) {
            file.users += 1;
        }
    }

    pub(crate) fn drop_file(&mut self, id: u64) {
        let Some(file) = self.files.get_mut(&id) else {
            return;
        };
        file.users -= 1;
        if file.users == 0 {
            let node = file.node;
            self.files.remove(&id);
            self.fs.release(node);
        }
    }

    pub(crate) fn open_file(&mut self, node: Node, flags: u32) -> u64 {
        self.fs.hold(node);
        let id = self.next;
        self.next += 1;
        self.files.insert(
            id,
            OpenFile {
                node,
                flags,
                offset: 0,
                users: 1,
            },
        );
        id
    }

    /// How many descriptions are open.
    #[must_use]
    pub fn open_files(&self) -> usize {
        self.files.len()
    }
}

impl<F: FileSystem> Call<'_, F> {
    /// The description behind a descriptor: EBADF.
    pub fn file(&self, fd: i32) -> Result<&OpenFile> {
        let id = self.process.table.get(fd)?.file;
        self.vfs.files.get(&id).ok_or(Errno::EBADF)
    }

    pub(crate) fn file_mut(&mut self, fd: i32) -> Result<&mut OpenFile> {
        let id = self.process.table.get(fd)?.file;
        self.vfs.files.get_mut(&id).ok_or(Errno::EBADF)
    }

    /// Where a path given with a directory descriptor begins: EBADF, ENOTDIR, neither of them if it begins with a slash.
    pub fn start(&self, dirfd: i32, path: &[u8]) -> Result<Start> {
        let root = self.process.root;
        if path.first() == Some(&b'/') {
            return Ok(Start { root, from: root });
        }
        if dirfd == AT_FDCWD {
            return Ok(Start {
                root,
                from: self.process.cwd,
            });
        }
        let from = self.file(dirfd)?.node;
        if self.vfs.fs.stat(from)?.kind != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        Ok(Start { root, from })
    }

    pub(crate) fn walk_as<'b>(&'b self, who: &'b Credentials, start: Start) -> Walk<'b, F> {
        Walk::new(&self.vfs.fs, who, self.vfs.protection, start)
    }

    pub(crate) fn walk(&self, start: Start) -> Walk<'_, F> {
        self.walk_as(&self.process.who, start)
    }

    /// The file that a path names, as this process.
    pub(crate) fn find(
        &self,
        dirfd: i32,
        path: &[u8],
        follow: bool,
        directory: bool,
    ) -> Result<Node> {
        let path = crate::path::checked(path)?;
        self.walk(self.start(dirfd, path)?)
            .find(path, follow, directory)
    }

    pub(crate) fn install(&mut self, fd: i32, file: u64, close_on_exec: bool) {
        if let Some(old) = self.process.table.put(
            fd,
            Descriptor {
                file,
                close_on_exec,
            },
        ) {
            self.vfs.drop_file(old.file);
        }
    }
}
