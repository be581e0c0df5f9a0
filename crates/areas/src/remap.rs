//! mremap(2), as `mm/mremap.c` of Linux 6.18 has it: several areas move together when neither end is resized.
use crate::{aligned, pages, remap_flags, Area, Areas, Errno};

/// The arguments once lengths are rounded.
#[derive(Clone, Copy)]
struct Remap {
    address: u64,
    old: u64,
    new: u64,
    flags: u32,
    to: u64,
}

impl Remap {
    fn has_target(&self) -> bool {
        self.flags & (remap_flags::FIXED | remap_flags::DONT_UNMAP) != 0
    }
}

impl Areas {
    /// mremap(2): where the memory is after it. `to` counts with `MREMAP_FIXED` and, as a hint, with `MREMAP_DONTUNMAP`.
    ///
    /// # Errors
    /// `EINVAL`, `EFAULT` and `ENOMEM` as in mremap(2).
    pub fn mremap(
        &mut self,
        address: u64,
        old: u64,
        new: u64,
        flags: u32,
        to: u64,
    ) -> Result<u64, Errno> {
        let remap = Remap {
            address,
            old: pages(old),
            new: pages(new),
            flags,
            to,
        };
        self.check_remap(&remap)?;
        if flags & remap_flags::FIXED != 0 && remap.old == remap.new {
            return self.move_all(&remap);
        }
        let area = *self.at(address).ok_or(Errno::EFAULT)?;
        self.check_area(&remap, &area)?;
        if remap.has_target() {
            return self.move_to(remap);
        }
        if remap.new <= remap.old {
            if remap.new < remap.old {
                self.munmap(address + remap.new, remap.old - remap.new)?;
            }
            return Ok(address);
        }
        self.expand(&remap, &area)
    }

    fn check_remap(&self, remap: &Remap) -> Result<(), Errno> {
        let Remap {
            address,
            old,
            new,
            flags,
            to,
        } = *remap;
        let known = remap_flags::MAY_MOVE | remap_flags::FIXED | remap_flags::DONT_UNMAP;
        let end = self.bounds.end;
        if flags & !known != 0 || !aligned(address) || new == 0 || new > end {
            return Err(Errno::EINVAL);
        }
        if !remap.has_target() {
            return Ok(());
        }
        let resized = flags & remap_flags::DONT_UNMAP != 0 && old != new;
        let overlaps = address.wrapping_add(old) > to && to.wrapping_add(new) > address;
        if to > end - new
            || !aligned(to)
            || flags & remap_flags::MAY_MOVE == 0
            || resized
            || overlaps
        {
            return Err(Errno::EINVAL);
        }
        if self.count() + 2 >= self.bounds.areas.saturating_sub(3) {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }

    /// Linux's `check_prep_vma`.
    fn check_area(&self, remap: &Remap, area: &Area) -> Result<(), Errno> {
        let Remap {
            address, old, new, ..
        } = *remap;
        if new <= old && !remap.has_target() {
            return Ok(());
        }
        if old == 0 && !area.shared {
            return Err(Errno::EINVAL);
        }
        // What a move cuts off may lie in other areas.
        if old.min(new) > area.end - address {
            return Err(Errno::EFAULT);
        }
        if new > old && !self.may_expand(new - old) {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }

    fn expand(&mut self, remap: &Remap, area: &Area) -> Result<u64, Errno> {
        let Remap {
            address, old, new, ..
        } = *remap;
        let end = area.end.saturating_add(new - old);
        let free = end <= self.bounds.end && self.within(area.end, end).is_none();
        if old == area.end - address && free {
            self.insert(area.part(area.end, end));
            return Ok(address);
        }
        if remap.flags & remap_flags::MAY_MOVE == 0 {
            return Err(Errno::ENOMEM);
        }
        let to = self.place(0, new)?;
        self.relocate(&Remap { to, ..*remap })
    }

    /// Moves each area of the range; the holes between them stay holes. There may be none at the start.
    fn move_all(&mut self, remap: &Remap) -> Result<u64, Errno> {
        let end = remap.address.wrapping_add(remap.old);
        let mut at = remap.address;
        let mut seen = false;
        while let Some(area) = self.within(at, end).copied() {
            if !seen && remap.address < area.start {
                return Err(Errno::EFAULT);
            }
            let start = area.start.max(remap.address);
            let stop = area.end.min(end);
            let to = remap.to.wrapping_add(start - remap.address);
            let length = stop - start;
            let one = Remap {
                address: start,
                old: length,
                new: length,
                to,
                ..*remap
            };
            self.check_area(&one, &area)?;
            self.move_to(one)?;
            seen = true;
            at = stop;
        }
        if seen {
            Ok(remap.to)
        } else {
            Err(Errno::EFAULT)
        }
    }

    fn move_to(&mut self, mut remap: Remap) -> Result<u64, Errno> {
        let fixed = remap.flags & remap_flags::FIXED != 0;
        if fixed {
            self.munmap(remap.to, remap.new)?;
            if self.at(remap.address).is_none() {
                return Err(Errno::EFAULT);
            }
        }
        if remap.old > remap.new {
            self.munmap(remap.address + remap.new, remap.old - remap.new)?;
            remap.old = remap.new;
        }
        if remap.flags & remap_flags::DONT_UNMAP != 0 && !self.may_expand(remap.new) {
            return Err(Errno::ENOMEM);
        }
        remap.to = if fixed {
            self.insist(remap.to, remap.new)?
        } else {
            self.place(remap.to, remap.new)?
        };
        self.relocate(&remap)
    }

    /// The move itself, to a place that is free.
    fn relocate(&mut self, remap: &Remap) -> Result<u64, Errno> {
        let Remap {
            address,
            old,
            new,
            flags,
            to,
        } = *remap;
        if self.count() >= self.bounds.areas.saturating_sub(3) {
            return Err(Errno::ENOMEM);
        }
        let area = *self.at(address).ok_or(Errno::EFAULT)?;
        self.insert(area.moved(to, to + new, address));
        if flags & remap_flags::DONT_UNMAP == 0 && old != 0 {
            self.munmap(address, old)?;
        }
        Ok(to)
    }
}
