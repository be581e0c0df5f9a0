//! mmap, munmap, mprotect and brk, with the checks and their order as `mm/mmap.c` and `mm/mprotect.c` of Linux have them.
use crate::{aligned, map_flags, pages, protection, Area, Areas, Backing, Errno, PAGE, STACK_GAP};

/// A file to map, as it was opened.
#[derive(Clone, Copy, Debug)]
pub struct File {
    pub id: u64,
    pub readable: bool,
    pub writable: bool,
    /// It lies where nothing may be executed (`MS_NOEXEC` of mount(2)).
    pub no_exec: bool,
}

/// The arguments of mmap(2). `file` is looked at without `MAP_ANONYMOUS` only.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub address: u64,
    pub length: u64,
    pub protection: u32,
    pub flags: u32,
    pub offset: u64,
    pub file: Option<File>,
    /// The number that shared anonymous memory gets: one that nothing else has.
    pub fresh: u64,
}

impl Areas {
    /// mmap(2): the address of the new area.
    ///
    /// # Errors
    /// Those of mmap(2), and `EBADF` (9) when a file is wanted and none is given.
    pub fn mmap(&mut self, request: &Request) -> Result<u64, Errno> {
        let Request { flags, offset, .. } = *request;
        if !aligned(offset) {
            return Err(Errno::EINVAL);
        }
        let file = if flags & map_flags::ANONYMOUS != 0 {
            None
        } else {
            Some(request.file.ok_or(Errno(9))?)
        };
        if request.length == 0 {
            return Err(Errno::EINVAL);
        }
        let length = pages(request.length);
        if length == 0 {
            return Err(Errno::ENOMEM);
        }
        if (offset / PAGE).checked_add(length / PAGE).is_none() {
            return Err(Errno::EOVERFLOW);
        }
        if self.count() > self.bounds.areas || length > self.bounds.end {
            return Err(Errno::ENOMEM);
        }
        let fixed = flags & (map_flags::FIXED | map_flags::FIXED_NOREPLACE) != 0;
        let hint = request.address;
        let start = if fixed {
            self.insist(hint, length)?
        } else {
            self.place(self.hint(hint), length)?
        };
        let end = start + length;
        if flags & map_flags::FIXED_NOREPLACE != 0 && self.within(start, end).is_some() {
            return Err(Errno::EEXIST);
        }
        let area = self.wanted(request, file, start, end)?;
        let limit = self
            .at(start)
            .is_some_and(|old| old.start < start && end < old.end);
        if limit && self.count() >= self.bounds.areas {
            return Err(Errno::ENOMEM);
        }
        if !self.may_expand(length - self.mapped_in(start, end)) {
            return Err(Errno::ENOMEM);
        }
        self.cut(start, end)?;
        self.insert(area);
        Ok(start)
    }

    /// Linux's `round_hint_to_min`: a hint below the lowest address means that address, and none means none.
    fn hint(&self, address: u64) -> u64 {
        let address = address & !(PAGE - 1);
        if address != 0 && address < self.bounds.low {
            self.bounds.low
        } else {
            address
        }
    }

    /// The area that is asked for, once its place is known.
    fn wanted(
        &self,
        request: &Request,
        file: Option<File>,
        start: u64,
        end: u64,
    ) -> Result<Area, Errno> {
        let Request {
            flags,
            protection: asked,
            ..
        } = *request;
        let grows_down = flags & map_flags::GROWS_DOWN != 0;
        let prot = asked & protection::ALL;
        let kind = flags & map_flags::TYPE;
        let shared = kind != map_flags::PRIVATE;
        if !matches!(
            (kind, file),
            (map_flags::SHARED | map_flags::PRIVATE, _) | (map_flags::SHARED_VALIDATE, Some(_))
        ) {
            return Err(Errno::EINVAL);
        }
        let mut may = protection::ALL;
        let backing = match file {
            Some(file) => {
                check_file(&file, end - start, request, &mut may)?;
                Backing::Object {
                    id: file.id,
                    offset: request.offset,
                }
            }
            None if shared => Backing::Object {
                id: request.fresh,
                offset: 0,
            },
            None => Backing::Anonymous,
        };
        if grows_down && (shared || file.is_some()) {
            return Err(Errno::EINVAL);
        }
        let no_reserve = flags & map_flags::NO_RESERVE != 0;
        let accounted = !no_reserve && !shared && prot & protection::WRITE != 0;
        let advice = 0;
        Ok(Area {
            start,
            end,
            protection: prot,
            may,
            shared,
            backing,
            grows_down,
            accounted,
            no_reserve,
            advice,
        })
    }

    /// munmap(2).
    ///
    /// # Errors
    /// `EINVAL` for an address within a page, no length, or what lies beyond the end; `ENOMEM` for an area too many.
    pub fn munmap(&mut self, address: u64, length: u64) -> Result<(), Errno> {
        let end = self.bounds.end;
        if !aligned(address) || address > end || length > end - address || length == 0 {
            return Err(Errno::EINVAL);
        }
        self.cut(address, address + pages(length))
    }

    /// mprotect(2). What lies before a hole is changed although the call fails, as in Linux.
    ///
    /// # Errors
    /// `EINVAL`, `ENOMEM` and `EACCES` as in mprotect(2).
    pub fn mprotect(&mut self, address: u64, length: u64, asked: u32) -> Result<(), Errno> {
        let grows = asked & (protection::GROWS_DOWN | protection::GROWS_UP);
        let prot = asked & !grows;
        if grows == protection::GROWS_DOWN | protection::GROWS_UP || !aligned(address) {
            return Err(Errno::EINVAL);
        }
        if length == 0 {
            return Ok(());
        }
        let end = address.wrapping_add(pages(length));
        if end <= address {
            return Err(Errno::ENOMEM);
        }
        if prot & !(protection::ALL | protection::SEM) != 0 {
            return Err(Errno::EINVAL);
        }
        let first = *self.within(address, end).ok_or(Errno::ENOMEM)?;
        let mut start = address;
        if grows == protection::GROWS_DOWN {
            start = first.start;
            if !first.grows_down {
                return Err(Errno::EINVAL);
            }
        } else if first.start > start {
            return Err(Errno::ENOMEM);
        } else if grows == protection::GROWS_UP {
            return Err(Errno::EINVAL);
        }
        let prot = prot & protection::ALL;
        while start < end {
            let area = *self.at(start).ok_or(Errno::ENOMEM)?;
            if prot & !area.may != 0 {
                return Err(Errno::EACCES);
            }
            let stop = area.end.min(end);
            self.change(start, stop, |area| protect(area, prot))?;
            start = stop;
        }
        Ok(())
    }

    /// Where the break begins: after the program's data. The break itself stands there.
    pub fn set_break(&mut self, address: u64) {
        self.break_start = address.min(self.bounds.end);
        self.break_now = self.break_start;
    }

    /// brk(2) as the system call is: the break after it, which is the old one if it cannot be moved.
    pub fn brk(&mut self, to: u64) -> u64 {
        if to >= self.break_start && to <= self.bounds.end && self.move_break(to).is_some() {
            self.break_now = to;
        }
        self.break_now
    }

    fn move_break(&mut self, to: u64) -> Option<()> {
        let (old, new) = (pages(self.break_now), pages(to));
        if new <= old {
            if new < old {
                self.within(new, old)?;
                self.cut(new, old).ok()?;
            }
            return Some(());
        }
        let length = new - old;
        self.insist(old, length).ok()?;
        let next = self.within(old, new.saturating_add(PAGE + STACK_GAP));
        if next.is_some_and(|next| new + PAGE > next.start_with_gap()) || !self.may_expand(length) {
            return None;
        }
        if self.count() > self.bounds.areas {
            return None;
        }
        self.insert(Area {
            start: old,
            end: new,
            protection: protection::READ | protection::WRITE,
            may: protection::ALL,
            shared: false,
            backing: Backing::Anonymous,
            grows_down: false,
            accounted: true,
            no_reserve: false,
            advice: 0,
        });
        Some(())
    }
}

/// What mprotect does to an area: beside the protection, whether its pages count as promised (`mprotect_fixup`).
fn protect(area: &mut Area, prot: u32) {
    if prot == area.protection {
        return;
    }
    if prot & protection::WRITE == 0 {
        area.accounted &= area.backing != Backing::Anonymous;
    } else if area.protection & protection::WRITE == 0 && !area.shared && !area.no_reserve {
        area.accounted = true;
    }
    area.protection = prot;
}

/// Whether a file that was opened so may be mapped so, and what mprotect may do to it later.
fn check_file(file: &File, length: u64, request: &Request, may: &mut u32) -> Result<(), Errno> {
    let Request {
        flags,
        protection: prot,
        offset,
        ..
    } = *request;
    // Files end at 2^63 - 1 bytes (`file_mmap_ok`).
    let most = (i64::MAX as u64) & !(PAGE - 1);
    if length > most || offset > most - length {
        return Err(Errno::EOVERFLOW);
    }
    let kind = flags & map_flags::TYPE;
    if kind != map_flags::PRIVATE {
        if kind == map_flags::SHARED_VALIDATE && flags & !map_flags::LEGACY != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        if prot & protection::WRITE != 0 && !file.writable {
            return Err(Errno::EACCES);
        }
        if !file.writable {
            *may &= !protection::WRITE;
        }
    }
    if !file.readable {
        return Err(Errno::EACCES);
    }
    if file.no_exec {
        if prot & protection::EXEC != 0 {
            return Err(Errno::EPERM);
        }
        *may &= !protection::EXEC;
    }
    Ok(())
}
