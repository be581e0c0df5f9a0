//! How programs are packed for the boot image, and what a program finds when it starts.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// First words of a packed program: header, then `segments` of [`Segment`], then the bytes.
/// The host tool makes it from an ELF file, so that nothing parses ELF in the machine.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq, Eq)]
pub struct Header {
    pub magic: u64,
    /// Virtual address of the first instruction.
    pub entry: u64,
    pub segments: u64,
    pub reserved: u64,
}
pub const MAGIC: u64 = u64::from_le_bytes(*b"MetaProg");

#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq, Eq)]
pub struct Segment {
    /// Virtual address, page aligned.
    pub address: u64,
    /// Bytes in memory, a multiple of the page size; bytes after `file_size` are zero.
    pub size: u64,
    /// Byte offset in the packed program, page aligned.
    pub file_offset: u64,
    pub file_size: u64,
    /// `system::map` flags.
    pub flags: u64,
}

impl Header {
    /// The header at the start of a packed program, if it is one.
    pub fn of(packed: &[u8]) -> Option<Header> {
        let (header, _) = Header::read_from_prefix(packed).ok()?;
        (header.magic == MAGIC).then_some(header)
    }
}

impl Segment {
    /// The description of segment `n`; what it says is still to be checked.
    pub fn of(packed: &[u8], n: u64) -> Option<Segment> {
        let before = usize::try_from(n).ok()?.checked_mul(size_of::<Segment>())?;
        let at = before.checked_add(size_of::<Header>())?;
        let (segment, _) = Segment::read_from_prefix(packed.get(at..)?).ok()?;
        Some(segment)
    }

    /// The bytes of the packed program that it begins with, if they are in it.
    pub fn contents<'a>(&self, packed: &'a [u8]) -> Option<&'a [u8]> {
        let from = usize::try_from(self.file_offset).ok()?;
        let length = usize::try_from(self.file_size).ok()?;
        packed.get(from..from.checked_add(length)?)
    }
}

/// At `layout::STARTUP` in each task that the manager makes; its threads are created with that address as argument.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct Startup {
    /// Index of the device in the inventory (driver tasks), else u64::MAX. For people: a driver sees no other record.
    pub device: u64,
    /// What the task waits on.
    pub notification: u32,
    /// Its client's notification (driver), or u32::MAX.
    pub client: u32,
    /// Portal to the manager (console), or u32::MAX.
    pub manager: u32,
    pub sessions: u32,
    /// A platform right with which it may write to the log, and a client ask about the machine; nothing else.
    pub platform: u32,
    /// Not 0: the task makes its device quiet, and no more (driver).
    pub quiet: u32,
    /// Physical addresses and sizes for DMA (driver).
    pub arena_dma: u64,
    pub arena_size: u64,
    pub pool_dma: u64,
    pub pool_size: u64,
    /// Interrupt lines (driver); line `n` notifies with bit `LINE << n`.
    pub lines: [u32; INTERRUPTS],
    pub line_count: u64,
    /// Messages (driver), instead of lines: message `n` notifies with bit `LINE << n`, and needs no answer.
    pub message_count: u64,
    /// Bytes of code and graph modules where they are mapped, and of the inventory: a driver is shown the record of its own
    /// device alone (`inventory::Installed`).
    pub inventory_size: u64,
    pub codes_size: u64,
    pub graphs_size: u64,
    /// Bytes of heap mapped at `layout::HEAP`, 0 for none.
    pub heap_size: u64,
    /// The sessions of a client: class and device of each.
    pub session: [Session; SESSIONS],
    /// Rights of a program that may make tasks of its own (a boot module of kind `Other`): its own task, and a
    /// memory object with its size in bytes; u32::MAX and 0 for all others.
    pub own_task: u32,
    pub memory: u32,
    pub memory_size: u64,
}

/// Most interrupts of one driver, lines or messages.
pub const INTERRUPTS: usize = 4;

/// Most sessions of one client.
pub const SESSIONS: usize = 8;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct Session {
    /// Index of the device in the inventory.
    pub device: u32,
    /// The driver's notification: the doorbell.
    pub bell: u32,
    pub pool_size: u64,
}

/// Bits of notifications.
pub mod bit {
    /// The other side put something into a ring.
    pub const RING: u64 = 1;
    /// The driver was started anew.
    pub const RESTARTED: u64 = 2;
    /// To a driver: its device was taken away.
    pub const GONE: u64 = 4;
    /// To a driver: its device will be taken away. It is still there, and to be made quiet.
    pub const LEAVING: u64 = 8;
    /// Interrupt line or message `n`.
    pub const LINE: u64 = 1 << 8;
}

/// Words of the manager's portal: w0 is the request, w1 its argument.
pub mod manager {
    /// (index of a task) → state (0 no such task, 1 running, 2 stopped, 3 failed, 4 its device was taken away), restarts, donated bytes, mapped bytes, CPU ns,
    /// index of its device in the inventory (or `u64::MAX`), and the name as 16 bytes in w6, w7.
    pub const TASK: u64 = 1;
    /// (index of a task): destroys it and starts it anew. → 0 or an error.
    pub const RESTART: u64 = 2;
    /// Powers the machine off.
    pub const OFF: u64 = 3;
    /// → bytes of the memory that the manager gives out: free, all; donated to the nucleus for tasks, private to tasks, in rings
    /// and pools, shared with devices, given to a program for tasks of its own.
    pub const MEMORY: u64 = 4;
    pub const RESET: u64 = 5;
    /// (a number from 0) → state of what stands in a place of a bus ([`child`]; 0: there are no more), index of the bus in the
    /// inventory, number of the place, ID, kind and variant, as the bus's class says them.
    pub const CHILD: u64 = 6;

    pub mod child {
        //! How the child of a bus fares.
        /// It was there when the machine started.
        pub const THERE: u64 = 1;
        /// It was, and it was taken out.
        pub const GONE: u64 = 2;
        /// It came later: nobody wrote a driver for it.
        pub const CAME: u64 = 3;
        /// The one that was there at first came back, without what its driver knew of it.
        pub const BACK: u64 = 4;
        /// Nothing stands there, and nothing did at first.
        pub const EMPTY: u64 = 5;
    }
}

/// The packed nucleus: [`Header`] whose `reserved` is the byte offset of this, then `calls` of [`CallSite`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq, Eq)]
pub struct NucleusTable {
    /// Virtual address and bytes of the room in section `.platform` for generated code (executable) …
    pub code_at: u64,
    pub code_size: u64,
    /// … and for contexts, state and arenas of platform operations (writable).
    pub data_at: u64,
    pub data_size: u64,
    /// Virtual address of `platform_contexts`: `boot::OPERATIONS` words.
    pub contexts_at: u64,
    pub calls: u64,
}

/// One call instruction in the nucleus that genesis patches: x86-64 `call`/`jmp rel32` (address of the 4-byte
/// displacement), arm64 `bl`/`b` (address of the instruction).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq, Eq)]
pub struct CallSite {
    /// `boot::operation`
    pub operation: u64,
    pub address: u64,
}
