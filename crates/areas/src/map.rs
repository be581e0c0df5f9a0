//! The areas themselves: found, split, joined and removed. The calls of the other files are made of these steps.
use crate::{aligned, Errno, PAGE, STACK_GAP};
use alloc::collections::BTreeMap;

/// Where the bytes of an area come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// Zeros, private to the program.
    Anonymous,
    /// A file or shared anonymous memory: the number that the user of this crate gave it, and the byte at the area's start.
    Object { id: u64, offset: u64 },
}

/// One area: `start..end`, whole pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    pub start: u64,
    pub end: u64,
    /// `protection::READ | WRITE | EXEC`.
    pub protection: u32,
    /// What mprotect may make of it.
    pub may: u32,
    pub shared: bool,
    pub backing: Backing,
    /// It grows down when something below it is touched: a stack.
    pub grows_down: bool,
    /// Linux counts its pages as promised (`VM_ACCOUNT`); areas that differ in this do not join.
    pub accounted: bool,
    pub no_reserve: bool,
    /// What madvise has said of it, as bits of the advice numbers.
    pub advice: u32,
}

impl Area {
    /// The part from `start` to `end`, both within the area or beyond its end.
    pub(crate) fn part(&self, start: u64, end: u64) -> Area {
        self.moved(start, end, start)
    }

    /// What stands at `from`, with its bytes, but at `start..end`.
    pub(crate) fn moved(&self, start: u64, end: u64, from: u64) -> Area {
        let backing = match self.backing {
            Backing::Anonymous => Backing::Anonymous,
            Backing::Object { id, offset } => Backing::Object {
                id,
                offset: offset.wrapping_add(from.wrapping_sub(self.start)),
            },
        };
        Area {
            start,
            end,
            backing,
            ..*self
        }
    }

    /// Whether the area and the one that begins where it ends are one.
    fn joins(&self, next: &Area) -> bool {
        self.end == next.start && self.part(next.start, next.end) == *next
    }

    /// Its start, less what has to stay free below a stack.
    pub(crate) fn start_with_gap(&self) -> u64 {
        if self.grows_down {
            self.start.saturating_sub(STACK_GAP)
        } else {
            self.start
        }
    }

    pub(crate) fn length(&self) -> u64 {
        self.end - self.start
    }
}

/// What an address space is limited to. Addresses and sizes are in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The lowest address that may be mapped (`mmap_min_addr`).
    pub low: u64,
    /// Places are looked for downwards from here.
    pub high: u64,
    /// The end of what a program can address (`TASK_SIZE`).
    pub end: u64,
    /// How many areas there may be (`vm.max_map_count`; 65,530 unless told).
    pub areas: usize,
    /// How many bytes may be mapped (`RLIMIT_AS`).
    pub bytes: u64,
    /// How long a stack may become (`RLIMIT_STACK`).
    pub stack: u64,
}

impl Bounds {
    /// Linux's on x86-64 with 47-bit addresses, without the random part.
    #[must_use]
    pub const fn usual() -> Bounds {
        let end = 0x7fff_ffff_f000;
        Bounds {
            low: 65_536,
            high: end - (256 << 20),
            end,
            areas: 65_530,
            bytes: u64::MAX,
            stack: 8 << 20,
        }
    }
}

/// The areas of one program.
#[derive(Clone, Debug)]
pub struct Areas {
    pub(crate) areas: BTreeMap<u64, Area>,
    pub(crate) bounds: Bounds,
    pub(crate) bytes: u64,
    pub(crate) break_start: u64,
    pub(crate) break_now: u64,
}

impl Areas {
    /// An empty address space. Bounds that contradict each other make every placement fail; nothing panics.
    #[must_use]
    pub fn new(bounds: Bounds) -> Areas {
        let end = bounds.end & !(PAGE - 1);
        let low = pages_within(bounds.low, end);
        let bounds = Bounds {
            low,
            end,
            high: bounds.high.min(end) & !(PAGE - 1),
            ..bounds
        };
        Areas {
            areas: BTreeMap::new(),
            bounds,
            bytes: 0,
            break_start: 0,
            break_now: 0,
        }
    }

    /// The areas, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = &Area> {
        self.areas.values()
    }

    /// The area that holds this address.
    #[must_use]
    pub fn at(&self, address: u64) -> Option<&Area> {
        self.areas
            .range(..=address)
            .next_back()
            .map(|(_, area)| area)
            .filter(|area| address < area.end)
    }

    /// How many areas there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.areas.len()
    }

    /// How many bytes are mapped.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The first area that ends above this address (Linux's `find_vma`).
    pub(crate) fn from(&self, address: u64) -> Option<&Area> {
        self.at(address)
            .or_else(|| self.areas.range(address..).next().map(|(_, area)| area))
    }

    /// The first area that has a byte in `start..end`.
    pub(crate) fn within(&self, start: u64, end: u64) -> Option<&Area> {
        self.from(start)
            .filter(|area| start < end && area.start < end)
    }

    pub(crate) fn may_expand(&self, by: u64) -> bool {
        self.bytes
            .checked_add(by)
            .is_some_and(|bytes| bytes <= self.bounds.bytes)
    }

    /// Bytes mapped in `start..end`.
    pub(crate) fn mapped_in(&self, start: u64, end: u64) -> u64 {
        let first = self.at(start).map_or(start, |area| area.start);
        let parts = self
            .areas
            .range(first..end.max(first))
            .map(|(_, area)| area);
        parts
            .map(|area| area.end.min(end).saturating_sub(area.start.max(start)))
            .sum()
    }

    /// Makes an area begin at this address if one goes over it.
    pub(crate) fn split(&mut self, address: u64) {
        let Some(area) = self
            .at(address)
            .filter(|area| area.start < address)
            .copied()
        else {
            return;
        };
        self.areas
            .insert(area.start, area.part(area.start, address));
        self.areas.insert(address, area.part(address, area.end));
    }

    /// Adds an area where nothing is, and joins it with its neighbours.
    pub(crate) fn insert(&mut self, area: Area) {
        self.bytes += area.length();
        self.areas.insert(area.start, area);
        self.join(area.end);
        self.join(area.start);
    }

    /// Joins what ends and what begins at this address, if they go together.
    pub(crate) fn join(&mut self, address: u64) {
        let Some(next) = self.areas.get(&address).copied() else {
            return;
        };
        let Some((_, before)) = self.areas.range_mut(..address).next_back() else {
            return;
        };
        if before.joins(&next) {
            before.end = next.end;
            self.areas.remove(&address);
        }
    }

    /// Removes `start..end`.
    ///
    /// # Errors
    /// `ENOMEM` when one area would become two and there are as many as there may be.
    pub(crate) fn cut(&mut self, start: u64, end: u64) -> Result<(), Errno> {
        let splits = self
            .at(start)
            .is_some_and(|area| area.start < start && end < area.end);
        if splits && self.count() >= self.bounds.areas {
            return Err(Errno::ENOMEM);
        }
        self.split(start);
        self.split(end);
        while let Some(area) = self.within(start, end).copied() {
            self.areas.remove(&area.start);
            self.bytes -= area.length();
        }
        Ok(())
    }

    /// Changes what is said of `start..end`, which lies within one area, and joins the result with its neighbours.
    ///
    /// # Errors
    /// `ENOMEM` when it would be an area more than there may be. One side may be split off then, as in Linux.
    pub(crate) fn change(
        &mut self,
        start: u64,
        end: u64,
        to: impl Fn(&mut Area),
    ) -> Result<(), Errno> {
        let Some(old) = self.at(start).copied() else {
            return Err(Errno::ENOMEM);
        };
        let mut new = old.part(start, end);
        to(&mut new);
        if new == old.part(start, end) {
            return Ok(());
        }
        let before = self
            .areas
            .range(..start)
            .next_back()
            .is_some_and(|(_, area)| area.joins(&new));
        let after = self.areas.get(&end).is_some_and(|area| new.joins(area));
        for (at, edge) in [(start, old.start), (end, old.end)] {
            if at == edge {
                continue;
            }
            if !before && !after && self.count() >= self.bounds.areas {
                return Err(Errno::ENOMEM);
            }
            self.split(at);
        }
        self.areas.insert(start, new);
        self.join(end);
        self.join(start);
        Ok(())
    }

    /// A free place of so many bytes: at the hint if it can be, else the highest below `high`, else the lowest above it.
    ///
    /// # Errors
    /// `ENOMEM` when there is none.
    pub(crate) fn place(&self, hint: u64, length: u64) -> Result<u64, Errno> {
        let hint = hint & !(PAGE - 1);
        let fits = hint >= self.bounds.low
            && hint
                .checked_add(length)
                .is_some_and(|end| end <= self.bounds.end);
        if fits
            && self
                .from(hint)
                .is_none_or(|area| hint + length <= area.start_with_gap())
        {
            return Ok(hint);
        }
        let mut top = self.bounds.high;
        for area in self.areas.values().rev() {
            // What lies above the search's top takes nothing from it but the gap below it.
            if area.end <= top && top - area.end >= length {
                break;
            }
            top = top.min(area.start_with_gap());
        }
        let lowest = top
            .checked_sub(length)
            .filter(|start| *start >= self.bounds.low);
        lowest.map_or_else(|| self.place_above(length), Ok)
    }

    fn place_above(&self, length: u64) -> Result<u64, Errno> {
        let mut start = self.bounds.high.max(self.bounds.low);
        while let Some(area) = self.from(start) {
            if area.start_with_gap() > start && area.start_with_gap() - start >= length {
                break;
            }
            start = area.end;
        }
        let end = start
            .checked_add(length)
            .filter(|end| *end <= self.bounds.end);
        end.map(|_| start).ok_or(Errno::ENOMEM)
    }

    /// A place that the caller insists on.
    ///
    /// # Errors
    /// `ENOMEM` beyond the end of addresses, `EINVAL` if it is no whole page, `EPERM` below the lowest address.
    pub(crate) fn insist(&self, address: u64, length: u64) -> Result<u64, Errno> {
        if length > self.bounds.end || address > self.bounds.end - length {
            return Err(Errno::ENOMEM);
        }
        if !aligned(address) {
            return Err(Errno::EINVAL);
        }
        if address < self.bounds.low {
            return Err(Errno::EPERM);
        }
        Ok(address)
    }
}

fn pages_within(address: u64, end: u64) -> u64 {
    crate::pages(address.min(end)).max(PAGE)
}
