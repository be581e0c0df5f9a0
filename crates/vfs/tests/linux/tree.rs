//! The comparison of whole trees at a sequence's end, and the removal of what a test made.
use crate::{real, Both};
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use vfs::{FileSystem, Kind, Memory, Node};

/// The names of a directory there, without `.` and `..`.
fn names(fs: &Memory, directory: Node) -> BTreeMap<Vec<u8>, Node> {
    let (mut names, mut cookie) = (BTreeMap::new(), 2);
    while let Some(entry) = fs.entry_after(directory, cookie).unwrap() {
        cookie = entry.cookie;
        names.insert(entry.name, entry.node);
    }
    names
}

pub fn compare(both: &mut Both) {
    let (base, root) = (both.base.clone(), both.vfs.fs.root());
    let mut seen = BTreeMap::new();
    below(both, &base, root, &mut seen);
}

fn below(both: &mut Both, path: &Path, node: Node, seen: &mut BTreeMap<Node, u64>) {
    let stat = both.vfs.fs.stat(node).unwrap();
    let meta = std::fs::symlink_metadata(path).unwrap();
    // A file that was made accessible under one name shows it under the next.
    if let Some(&inode) = seen.get(&node) {
        assert_eq!(inode, meta.ino(), "{path:?}");
        return;
    }
    seen.insert(node, meta.ino());
    let counted = both.exact || stat.kind != Kind::Directory;
    let links = if counted {
        meta.nlink() as u32
    } else {
        stat.nlink
    };
    let real = (meta.mode(), meta.uid(), meta.gid(), links);
    let ours = (stat.st_mode(), stat.uid, stat.gid, stat.nlink);
    assert_eq!(real, ours, "{path:?}\n{}", both.log.join("\n"));
    if stat.kind != Kind::Directory {
        assert_eq!(meta.size(), stat.size, "{path:?}");
    }
    if real::ids().0 != 0 && stat.kind != Kind::Symlink {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    match stat.kind {
        Kind::Regular => {
            let mut ours = vec![0; stat.size as usize];
            assert_eq!(both.vfs.fs.read(node, 0, &mut ours), Ok(ours.len()));
            assert!(
                std::fs::read(path).unwrap() == ours,
                "{path:?}\n{}",
                both.log.join("\n")
            );
        }
        Kind::Symlink => {
            let target = std::fs::read_link(path).unwrap();
            assert_eq!(
                target.as_os_str().as_bytes(),
                both.vfs.fs.read_link(node).unwrap()
            );
        }
        Kind::Fifo => {}
        Kind::Directory => {
            let ours = names(&both.vfs.fs, node);
            let entries: Vec<_> = std::fs::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            let real: std::collections::BTreeSet<&[u8]> =
                entries.iter().map(|name| name.as_bytes()).collect();
            assert!(
                real.iter().copied().eq(ours.keys().map(|name| &name[..])),
                "{path:?}\n{}",
                both.log.join("\n")
            );
            for (name, node) in ours {
                below(
                    both,
                    &path.join(std::ffi::OsStr::from_bytes(&name)),
                    node,
                    seen,
                );
            }
        }
    }
}

/// Removes all, whatever modes a test left.
pub fn remove(path: &Path) {
    open(path);
    std::fs::remove_dir_all(path).unwrap();
}

fn open(path: &Path) {
    let Ok(meta) = std::fs::symlink_metadata(path) else {
        return;
    };
    if !meta.is_dir() {
        return;
    }
    let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700));
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        open(&entry.path());
    }
}
