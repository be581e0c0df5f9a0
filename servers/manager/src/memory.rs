//! Free memory: carved out of the root memory object, zeroed before anyone sees it.

use crate::trouble::{Context, Trouble};
use abi::layout;
use abi::system::{map, root};
use manager::regions::{Region, Regions};
use runtime::{memory::Shared, sys};

/// Where the manager maps what it fills for others, one at a time.
const SCRATCH: u64 = layout::MODULES + 16 * layout::MODULE_STRIDE;

pub struct Memory {
    regions: Regions,
    /// Physical address of the root memory object.
    base: u64,
}

impl Memory {
    pub fn new(size: u64) -> Result<Memory, Trouble> {
        Ok(Memory {
            regions: Regions::new(size),
            base: sys::memory_address(root::MEMORY).because("no address of free memory")?,
        })
    }

    pub fn free(&self) -> u64 {
        self.regions.free()
    }

    pub fn total(&self) -> u64 {
        self.regions.total()
    }

    /// As it was left: for the nucleus, which clears what it uses.
    pub fn raw(&mut self, size: u64) -> Result<Region, Trouble> {
        self.regions
            .take(size, self.base, layout::PAGE)
            .ok_or(Trouble::new("memory is full"))
    }

    /// Zeroed, physically contiguous and aligned.
    pub fn zeroed(&mut self, size: u64, align: u64) -> Result<Region, Trouble> {
        let region = self
            .regions
            .take(size, self.base, align)
            .ok_or(Trouble::new("memory is full"))?;
        match self.with(region, |bytes| bytes.fill(0)) {
            Ok(()) => Ok(region),
            Err(trouble) => {
                self.give(region);
                Err(trouble)
            }
        }
    }

    pub fn give(&mut self, region: Region) {
        self.regions.give(region);
    }

    pub fn physical(&self, region: Region) -> u64 {
        self.base + region.offset
    }

    /// Works on a region here, while nobody else does.
    pub fn with<T>(&self, region: Region, work: impl FnOnce(&Shared) -> T) -> Result<T, Trouble> {
        sys::memory_map(
            root::SELF,
            root::MEMORY,
            region.offset,
            region.size,
            SCRATCH,
            map::WRITE,
        )
        .because("mapping memory to fill it")?;
        let result = work(&Shared::new(SCRATCH, region.size as usize));
        sys::memory_unmap(root::SELF, SCRATCH, region.size).because("unmapping filled memory")?;
        Ok(result)
    }
}
