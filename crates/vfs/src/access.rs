//! Who may do what to a file: the checks of path_resolution(7) and capabilities(7), where user 0 of the file system
//! has all capabilities and nobody else has any.
use crate::errno::{Errno, Result};
use crate::flags::{S_ISGID, S_ISUID, S_ISVTX, S_IXGRP};
use crate::node::{Kind, Stat};
use alloc::vec::Vec;

pub(crate) const READ: u32 = 4;
pub(crate) const WRITE: u32 = 2;
pub(crate) const EXECUTE: u32 = 1;

/// A process's identity, credentials(7). `fsuid` and `fsgid` decide about files, the real `uid` and `gid` about access(2).
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    pub uid: u32,
    pub gid: u32,
    pub fsuid: u32,
    pub fsgid: u32,
    pub groups: Vec<u32>,
}

/// The settings of `/proc/sys/fs/protected_*`, proc_sys_fs(5).
#[derive(Clone, Copy, Debug, Default)]
pub struct Protection {
    pub hardlinks: bool,
    pub symlinks: bool,
    pub regular: u32,
    pub fifos: u32,
}

impl Credentials {
    pub(crate) fn privileged(&self) -> bool {
        self.fsuid == 0
    }

    pub(crate) fn in_group(&self, gid: u32) -> bool {
        self.fsgid == gid || self.groups.contains(&gid)
    }

    /// What access(2) asks as.
    pub(crate) fn real(&self) -> Credentials {
        Credentials {
            fsuid: self.uid,
            fsgid: self.gid,
            ..self.clone()
        }
    }

    pub(crate) fn owns(&self, stat: &Stat) -> bool {
        self.fsuid == stat.uid || self.privileged()
    }

    /// EACCES unless all of `mask` (4 read, 2 write, 1 execute or search) is allowed.
    pub(crate) fn check(&self, stat: &Stat, mask: u32) -> Result<()> {
        let class = match () {
            () if self.fsuid == stat.uid => stat.mode >> 6,
            () if self.in_group(stat.gid) => stat.mode >> 3,
            () => stat.mode,
        };
        if mask & !class & 7 == 0 {
            return Ok(());
        }
        let runs = mask & EXECUTE == 0 || stat.kind == Kind::Directory || stat.mode & 0o111 != 0;
        if self.privileged() && runs {
            Ok(())
        } else {
            Err(Errno::EACCES)
        }
    }

    /// Whether a sticky directory forbids taking away the name of `victim`.
    pub(crate) fn stuck(&self, directory: &Stat, victim: &Stat) -> bool {
        directory.mode & S_ISVTX != 0
            && self.fsuid != victim.uid
            && self.fsuid != directory.uid
            && !self.privileged()
    }

    /// The mode after somebody wrote to a file: set-ID bits do not outlive a change by the unprivileged.
    pub(crate) fn written(&self, stat: &Stat) -> u32 {
        let mut mode = stat.mode;
        if self.privileged() || stat.kind != Kind::Regular {
            return mode;
        }
        mode &= !S_ISUID;
        if mode & S_IXGRP != 0 || !self.in_group(stat.gid) {
            mode &= !S_ISGID;
        }
        mode
    }
}

impl Protection {
    /// Whether a link to a file of somebody else is allowed: EPERM.
    pub(crate) fn link(&self, who: &Credentials, stat: &Stat) -> Result<()> {
        if !self.hardlinks || who.owns(stat) {
            return Ok(());
        }
        let set_id =
            stat.mode & S_ISUID != 0 || stat.mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP;
        let safe = stat.kind == Kind::Regular && !set_id && who.check(stat, READ | WRITE).is_ok();
        if safe {
            Ok(())
        } else {
            Err(Errno::EPERM)
        }
    }

    /// Whether a symbolic link at a path's end may be followed: EACCES in a shared sticky directory.
    pub(crate) fn follow(&self, who: &Credentials, directory: &Stat, link: &Stat) -> Result<()> {
        let shared = directory.mode & (S_ISVTX | 2) == S_ISVTX | 2;
        if !self.symlinks || !shared || who.fsuid == link.uid || directory.uid == link.uid {
            return Ok(());
        }
        Err(Errno::EACCES)
    }

    /// Whether O_CREAT may open what is already there: EACCES in a shared sticky directory.
    pub(crate) fn create(&self, who: &Credentials, directory: &Stat, stat: &Stat) -> Result<()> {
        let level = match stat.kind {
            Kind::Regular => self.regular,
            Kind::Fifo => self.fifos,
            // No setting is asked for a link that is not followed: it is refused there before it is ELOOP.
            Kind::Directory | Kind::Symlink => 1,
        };
        if level == 0
            || directory.mode & S_ISVTX == 0
            || stat.uid == directory.uid
            || stat.uid == who.fsuid
        {
            return Ok(());
        }
        let open_to_many = directory.mode & 2 != 0 || (level >= 2 && directory.mode & 0o20 != 0);
        if open_to_many {
            Err(Errno::EACCES)
        } else {
            Ok(())
        }
    }
}
