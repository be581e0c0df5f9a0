//! Step 6: lays out the nucleus, its page tables and what it keeps, binds generated code into it, and leaves.

use crate::{
    arch, memory,
    paging::{self, Access, Tables},
};
use abi::{
    boot::{self, operation, BootInfo, Module, ModuleKind, Range},
    layout,
    program::{CallSite, Header, NucleusTable, Segment},
    system::map,
};
use alloc::{boxed::Box, format, string::String, vec::Vec};
use zerocopy::FromBytes;

/// Largest segment or count that a packed program may claim.
const LARGEST: u64 = 64 << 20;

/// The machine as the nucleus will find it.
pub struct Kernel {
    tables: Tables,
    entry: u64,
    segments: Vec<Laid>,
    table: NucleusTable,
    calls: Vec<CallSite>,
    /// Bytes of the rooms used so far.
    code_used: u64,
    data_used: u64,
    next_window: u64,
    /// Operations that several devices offer, each for numbers from its own first on.
    shared: Vec<(usize, emit::Supplier)>,
    /// Clock and timer figures are the caller's to fill in.
    pub info: Box<BootInfo>,
}

/// One segment of the nucleus in memory.
struct Laid {
    address: u64,
    physical: u64,
    size: u64,
}

impl Laid {
    fn holds(&self, address: u64) -> bool {
        address.wrapping_sub(self.address) < self.size
    }
}

fn header(pack: &[u8]) -> Option<Header> {
    Header::of(pack).filter(|header| header.segments <= 16)
}

fn segment(pack: &[u8], n: u64) -> Option<(Segment, &[u8])> {
    let segment = Segment::of(pack, n)?;
    let bytes = segment.contents(pack)?;
    let whole =
        segment.address.is_multiple_of(layout::PAGE) && segment.size.is_multiple_of(layout::PAGE);
    (whole && segment.file_size <= segment.size && segment.size <= LARGEST)
        .then_some((segment, bytes))
}

fn nucleus_table(pack: &[u8], at: u64) -> Option<(NucleusTable, Vec<CallSite>)> {
    let (table, rest) =
        NucleusTable::read_from_prefix(pack.get(usize::try_from(at).ok()?..)?).ok()?;
    let bytes = usize::try_from(table.calls)
        .ok()?
        .checked_mul(size_of::<CallSite>())?;
    let sites = rest.get(..bytes)?.chunks_exact(size_of::<CallSite>());
    let sites = sites.map(|site| CallSite::read_from_bytes(site).ok());
    Some((table, sites.collect::<Option<Vec<_>>>()?))
}

fn kept_page() -> u64 {
    memory::keep(layout::PAGE, layout::PAGE, false)
}

/// Unpacks the nucleus, and maps it and all RAM.
pub fn nucleus(pack: &[u8]) -> Kernel {
    let Some(header) = header(pack) else {
        crate::stop!("this image carries no nucleus");
    };
    let Some((table, calls)) = nucleus_table(pack, header.reserved) else {
        crate::stop!("the nucleus's table of call sites is broken");
    };
    let mut tables = Tables::new(kept_page);
    let mut segments = Vec::new();
    for n in 0..header.segments {
        let Some((segment, bytes)) = segment(pack, n) else {
            crate::stop!("segment {n} of the nucleus is broken");
        };
        let physical = memory::keep(segment.size, layout::PAGE, false);
        // SAFETY: `keep` gave at least `size` bytes of RAM to this segment alone, and `bytes` is not longer.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), physical as *mut u8, bytes.len()) };
        let access = Access {
            write: segment.flags & map::WRITE != 0,
            execute: segment.flags & map::EXECUTE != 0,
            device: false,
            global: true,
        };
        if access.write && access.execute {
            crate::stop!("segment {n} of the nucleus is writable and executable");
        }
        let laid = Laid {
            address: segment.address,
            physical,
            size: segment.size,
        };
        // How much of the room for generated code is needed is known at the end.
        if !laid.holds(table.code_at) {
            tables.map(segment.address, physical, segment.size, access);
        }
        segments.push(laid);
    }
    let ram = memory::with(|memory| memory.ram);
    for range in ram.all() {
        let access = Access {
            write: true,
            execute: false,
            device: false,
            global: true,
        };
        tables.map(
            layout::DIRECT_MAP + range.base,
            range.base,
            range.size,
            access,
        );
    }
    Kernel {
        tables,
        entry: header.entry,
        segments,
        table,
        calls,
        code_used: 0,
        data_used: 0,
        next_window: layout::PLATFORM_WINDOWS,
        shared: Vec::new(),
        info: empty_info(),
    }
}

fn empty_info() -> Box<BootInfo> {
    Box::new(BootInfo {
        magic: boot::MAGIC,
        size: size_of::<BootInfo>() as u64,
        ram: [Range::default(); boot::RANGES],
        ram_count: 0,
        keep: [Range::default(); boot::RANGES],
        keep_count: 0,
        genesis: [Range::default(); boot::RANGES],
        genesis_count: 0,
        modules: [Module::default(); boot::MODULES],
        module_count: 0,
        page_root: 0,
        page_tables: 0,
        clock_hz: 0,
        clock_bits: 0,
        spurious: boot::NO_VECTOR,
        lines: [boot::Lines::default(); boot::CONTROLLERS],
        lines_count: 0,
        timer_hz: 0,
        timer_most: 0,
        timer_line: 0,
        message_first: 0,
        message_count: 0,
        bound: 0,
        ticks_start: 0,
        room_mapped: 0,
    })
}

/// Generated code of one device that the nucleus calls directly.
pub struct Platform<'a> {
    pub code: &'a [u8],
    /// (`abi::boot::operation`, offset of the entry in `code`)
    pub operations: &'a [(usize, u32)],
    pub windows: &'a [graph::Window],
    /// Its private variables as the nucleus will find them.
    pub state: &'a [u8],
    /// Where other devices may offer the same operations for other numbers: the least number that is this one's.
    pub first: Option<u32>,
}

impl Kernel {
    /// Puts a packed program or a blob into a module.
    /// Gives its physical address, if there was anything to put.
    pub fn program(&mut self, kind: ModuleKind, bytes: &[u8]) -> Option<u64> {
        if bytes.is_empty() {
            return None;
        }
        let base = memory::keep(bytes.len() as u64, layout::PAGE, true);
        // SAFETY: `keep` gave so many bytes of RAM to this module alone.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), base as *mut u8, bytes.len()) };
        self.module(kind, base, bytes.len() as u64);
        Some(base)
    }

    /// Copies what the loader was given beside the image into a module of kind `Other`.
    pub fn given(&mut self, module: Range) {
        paging::memory(module.base, module.size);
        let base = memory::keep(module.size, layout::PAGE, true);
        // SAFETY: the door reserved the source range, `keep` gave the target; they do not overlap.
        unsafe {
            core::ptr::copy_nonoverlapping(
                module.base as *const u8,
                base as *mut u8,
                module.size as usize,
            );
        }
        self.module(ModuleKind::Other, base, module.size);
    }

    fn module(&mut self, kind: ModuleKind, base: u64, size: u64) {
        let n = self.info.module_count as usize;
        let Some(slot) = self.info.modules.get_mut(n) else {
            crate::stop!("more than {} modules", boot::MODULES);
        };
        *slot = Module {
            kind: kind as u32,
            reserved: 0,
            base,
            size,
        };
        self.info.module_count += 1;
    }

    /// Where `size` bytes at the nucleus's `address` are in RAM.
    fn physical(&self, address: u64, size: u64) -> Option<u64> {
        let end = address.checked_add(size)?;
        self.segments
            .iter()
            .find(|s| address >= s.address && end <= s.address + s.size)
            .map(|s| s.physical + (address - s.address))
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), String> {
        let Some(physical) = self.physical(address, bytes.len() as u64) else {
            return Err(format!("address {address:#x} is not in the nucleus"));
        };
        // SAFETY: the range is RAM that was laid out for the nucleus, which does not run yet.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), physical as *mut u8, bytes.len()) };
        Ok(())
    }

    /// Binds the operations of one device into the nucleus: code, context, state, windows, and every call site. Gives the
    /// physical address of the code.
    ///
    /// # Errors
    /// When a room is full, an operation is unknown, or a call cannot reach.
    pub fn platform(&mut self, platform: &Platform) -> Result<u64, String> {
        let code = self.code(platform.code)?;
        let context = self.context(platform)?;
        for (operation, offset) in platform.operations {
            if *operation >= operation::COUNT || *offset as usize >= platform.code.len() {
                return Err(format!("no platform operation {operation}"));
            }
            self.write(
                self.table.contexts_at + 8 * *operation as u64,
                &context.to_le_bytes(),
            )?;
            let entry = code + *offset as u64;
            let target = match platform.first {
                None => entry,
                Some(first) => self.among(
                    *operation,
                    emit::Supplier {
                        first,
                        context,
                        entry,
                    },
                )?,
            };
            self.lead(*operation, target)?;
            self.info.bound |= 1 << operation;
        }
        self.physical(code, platform.code.len() as u64)
            .ok_or_else(|| format!("the code at {code:#x} is not in the nucleus"))
    }

    /// Has every call of an operation lead to this address.
    fn lead(&mut self, operation: usize, target: u64) -> Result<(), String> {
        let sites: Vec<u64> = (self.calls.iter())
            .filter(|call| call.operation == operation as u64)
            .map(|call| call.address)
            .collect();
        for site in sites {
            let old = self.read_u32(site)?;
            let new = arch::call_to(site, old, target)
                .ok_or_else(|| format!("the call at {site:#x} cannot be led to {target:#x}"))?;
            self.write(site, &new.to_le_bytes())?;
        }
        Ok(())
    }

    /// Where an operation is called that several devices offer: the device itself while it is alone, else code that
    /// chooses by the number.
    fn among(&mut self, operation: usize, supplier: emit::Supplier) -> Result<u64, String> {
        self.shared.push((operation, supplier));
        let of_it = self.shared.iter().filter(|(of, _)| *of == operation);
        let mut all: Vec<emit::Supplier> = of_it.map(|(_, supplier)| *supplier).collect();
        if all.len() == 1 {
            return Ok(supplier.entry);
        }
        all.sort_by_key(|supplier| supplier.first);
        let Some(target) = emit::Target::here() else {
            return Err(String::from("no code for this processor"));
        };
        self.code(&emit::choose(target, &all))
    }

    fn read_u32(&self, address: u64) -> Result<u32, String> {
        let physical = (self.physical(address, 4))
            .ok_or_else(|| format!("the call site {address:#x} is not in the nucleus"))?;
        // SAFETY: RAM laid out for the nucleus.
        Ok(unsafe { (physical as *const u32).read_unaligned() })
    }

    /// Room for code; the last 16 bytes are left for the switch of page tables.
    fn code(&mut self, bytes: &[u8]) -> Result<u64, String> {
        let at = self.table.code_at + self.code_used;
        let used = self.code_used + bytes.len().next_multiple_of(16) as u64;
        if used + 16 > self.table.code_size {
            return Err(format!(
                "generated platform code needs more than the {} bytes that the nucleus keeps for it",
                self.table.code_size
            ));
        }
        self.write(at, bytes)?;
        self.code_used = used;
        Ok(at)
    }

    fn data(&mut self, size: u64) -> Result<u64, String> {
        let at = self.table.data_at + self.data_used;
        self.data_used += size.next_multiple_of(16);
        if self.data_used > self.table.data_size {
            return Err(format!(
                "contexts and state of platform operations need more than the {} bytes that the nucleus keeps",
                self.table.data_size
            ));
        }
        Ok(at)
    }

    /// Makes the context of a platform device; direct operations never wait and call nothing, so its functions are absent.
    fn context(&mut self, platform: &Platform) -> Result<u64, String> {
        use abi::context::{offset, Context, WINDOWS};
        if platform.windows.len() > WINDOWS {
            return Err(format!("more than {WINDOWS} windows"));
        }
        let at = self.data(size_of::<Context>() as u64)?;
        let state = self.data(platform.state.len() as u64)?;
        self.write(state, platform.state)?;
        let mut bytes = [0u8; size_of::<Context>()];
        put_word(&mut bytes, offset::STATE as usize, state);
        for (n, window) in platform.windows.iter().enumerate() {
            let address = match window.kind {
                graph::WindowKind::Memory => self.window(window.base, window.size),
                graph::WindowKind::Port => window.base,
                _ => 0,
            };
            put_word(&mut bytes, offset::WINDOWS as usize + 8 * n, address);
        }
        self.write(at, &bytes)?;
        Ok(at)
    }

    /// Maps device registers into the kernel's half, with an unmapped page behind them.
    fn window(&mut self, base: u64, size: u64) -> u64 {
        let from = base / layout::PAGE * layout::PAGE;
        let whole = (base + size - from).next_multiple_of(layout::PAGE);
        let at = self.next_window;
        self.next_window += whole + layout::PAGE;
        let access = Access {
            write: true,
            execute: false,
            device: true,
            global: true,
        };
        self.tables.map(at, from, whole, access);
        at + (base - from)
    }

    /// Maps the room for generated code as far as its byte at `end` is not yet reached. The physical address of `end`, and the
    /// bytes mapped.
    fn open_room(&mut self, end: u64) -> Option<(u64, u64)> {
        let laid = self
            .segments
            .iter()
            .find(|laid| laid.holds(self.table.code_at))?;
        let used = end.checked_sub(laid.address)?;
        let mapped = used.next_multiple_of(layout::PAGE);
        if mapped > laid.size {
            return None;
        }
        let access = Access {
            write: false,
            execute: true,
            device: false,
            global: true,
        };
        self.tables.map(laid.address, laid.physical, mapped, access);
        Some((laid.physical + used, mapped))
    }

    /// Writes the last of what the nucleus is told, and jumps to it. It overwrites everything that is not kept.
    pub fn vanish(mut self, ticks_start: u64) -> ! {
        crate::door::check_stack();
        // The last 16 bytes of what is mapped are for the switch of page tables.
        let room = self.table.code_at + self.code_used + 16;
        let Some((room_physical, mapped)) = self.open_room(room) else {
            crate::stop!("the nucleus has no room for generated code");
        };
        let info_at = memory::keep(size_of::<BootInfo>() as u64, layout::PAGE, false);
        let info = &mut self.info;
        let used = memory::used();
        memory::with(|memory| {
            info.ram_count = list(&mut info.ram, memory.ram.all());
            info.keep_count = list(&mut info.keep, memory.keep.all());
            info.genesis_count = list(&mut info.genesis, used.all());
        });
        info.room_mapped = mapped;
        info.page_root = self.tables.root;
        info.page_tables = self.tables.bytes;
        info.ticks_start = ticks_start;
        // SAFETY: `keep` gave the pages to this structure alone.
        unsafe { (info_at as *mut BootInfo).write(**info) };
        for laid in &self.segments {
            arch::code_written(laid.physical, laid.size);
        }
        crate::log!("genesis: jumping to the nucleus at {:#x}", self.entry);
        // SAFETY: `self.tables` map all that was laid out for the nucleus, its entry and its room among it, and the boot
        // information was written just now. Nobody was told of the room yet.
        unsafe { arch::enter(self.tables.root, self.entry, info_at, room, room_physical) }
    }
}

fn list(to: &mut [Range; boot::RANGES], from: &[Range]) -> u64 {
    to[..from.len()].copy_from_slice(from);
    from.len() as u64
}

fn put_word(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}
