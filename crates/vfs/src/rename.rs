//! renameat2(2), whose checks outnumber those of all other calls on names.
use crate::access::WRITE;
use crate::errno::{Errno, Result};
use crate::flags::{RENAME_EXCHANGE, RENAME_NOREPLACE};
use crate::node::{FileSystem, Kind, Node};
use crate::path::{checked, Last};
use crate::process::Call;

/// A name found for renaming. `node` is missing only where a new name is free.
struct Named {
    at: Node,
    name: alloc::vec::Vec<u8>,
    slash: bool,
    node: Option<Node>,
}

impl<F: FileSystem> Call<'_, F> {
    /// renameat2(2) with no flag, `RENAME_NOREPLACE` or `RENAME_EXCHANGE`; others are EINVAL.
    pub fn renameat2(&mut self, from: (i32, &[u8]), to: (i32, &[u8]), flags: u32) -> Result<()> {
        if !matches!(flags, 0 | RENAME_NOREPLACE | RENAME_EXCHANGE) {
            return Err(Errno::EINVAL);
        }
        let exchange = flags == RENAME_EXCHANGE;
        let old = self.rename_parent(from)?;
        let new = self.rename_parent(to)?;
        let mut old = named(old, Errno::EBUSY)?;
        let mut new = named(
            new,
            if flags == RENAME_NOREPLACE {
                Errno::EEXIST
            } else {
                Errno::EBUSY
            },
        )?;
        let node = self.vfs.fs.lookup(old.at, &old.name)?;
        old.node = Some(node);
        new.node = match self.vfs.fs.lookup(new.at, &new.name) {
            Ok(_) if flags == RENAME_NOREPLACE => return Err(Errno::EEXIST),
            Ok(there) => Some(there),
            Err(Errno::ENOENT) if !exchange && self.vfs.fs.stat(new.at)?.nlink > 0 => None,
            Err(error) => return Err(error),
        };
        self.rename_slashes(&old, &new, exchange)?;
        self.rename_loops(&old, &new, exchange)?;
        if new.node == Some(node) {
            return Ok(());
        }
        self.rename_permission(&old, &new, exchange)?;
        self.vfs
            .fs
            .rename((old.at, &old.name), (new.at, &new.name), exchange, self.now)
    }

    fn rename_parent(&self, (dirfd, path): (i32, &[u8])) -> Result<(Node, Last)> {
        let path = checked(path)?;
        self.walk(self.start(dirfd, path)?).parent(path)
    }

    fn is_directory(&self, node: Option<Node>) -> Result<bool> {
        match node {
            Some(node) => Ok(self.vfs.fs.stat(node)?.kind == Kind::Directory),
            None => Ok(false),
        }
    }

    /// A slash after a name wants a directory: ENOTDIR.
    fn rename_slashes(&self, old: &Named, new: &Named, exchange: bool) -> Result<()> {
        let old_is = self.is_directory(old.node)?;
        let new_fails = new.slash
            && if exchange {
                !self.is_directory(new.node)?
            } else {
                !old_is
            };
        if new_fails || (old.slash && !old_is) {
            Err(Errno::ENOTDIR)
        } else {
            Ok(())
        }
    }

    /// A directory does not come into itself: EINVAL, or ENOTEMPTY where the target holds the source.
    fn rename_loops(&self, old: &Named, new: &Named, exchange: bool) -> Result<()> {
        if old.at == new.at {
            return Ok(());
        }
        if self.holds(old.node, new.at)? {
            return Err(Errno::EINVAL);
        }
        if self.holds(new.node, old.at)? {
            return Err(if exchange {
                Errno::EINVAL
            } else {
                Errno::ENOTEMPTY
            });
        }
        Ok(())
    }

    /// Whether `above` is `node` or one of the directories that hold it.
    fn holds(&self, above: Option<Node>, mut node: Node) -> Result<bool> {
        if !self.is_directory(above)? {
            return Ok(false);
        }
        loop {
            if Some(node) == above {
                return Ok(true);
            }
            let parent = self.vfs.fs.parent(node)?;
            if parent == node {
                return Ok(false);
            }
            node = parent;
        }
    }

    fn rename_permission(&self, old: &Named, new: &Named, exchange: bool) -> Result<()> {
        let Some(node) = old.node else {
            return Err(Errno::ENOENT);
        };
        let old_is = self.is_directory(old.node)?;
        self.may_delete(old.at, node, old_is)?;
        match new.node {
            None => self.may_create(new.at)?,
            Some(there) => self.may_delete(
                new.at,
                there,
                if exchange {
                    self.is_directory(new.node)?
                } else {
                    old_is
                },
            )?,
        }
        if old.at == new.at {
            return Ok(());
        }
        // A directory's `..` changes, so it must be writable itself.
        if old_is {
            self.process.who.check(&self.vfs.fs.stat(node)?, WRITE)?;
        }
        match new.node {
            Some(there) if exchange && self.is_directory(new.node)? => {
                self.process.who.check(&self.vfs.fs.stat(there)?, WRITE)
            }
            _ => Ok(()),
        }
    }
}

fn named((at, last): (Node, Last), otherwise: Errno) -> Result<Named> {
    match last {
        Last::Name { name, slash } => Ok(Named {
            at,
            name,
            slash,
            node: None,
        }),
        Last::Dot | Last::DotDot | Last::Root => Err(otherwise),
    }
}
