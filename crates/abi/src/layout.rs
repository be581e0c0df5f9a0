//! Where things lie in virtual memory. The same on both architectures.

/// All RAM, at its physical address plus this, in the kernel's half.
pub const DIRECT_MAP: u64 = 0xffff_8000_0000_0000;
/// Device windows of platform operations, mapped uncached by genesis, one after another.
pub const PLATFORM_WINDOWS: u64 = 0xffff_c000_0000_0000;
/// The nucleus image is linked here.
pub const NUCLEUS: u64 = 0xffff_ffff_8000_0000;
/// User addresses are below this.
pub const USER_END: u64 = 0x0000_7fff_ffff_f000;

pub const PAGE: u64 = 4096;

/// Every user program is linked here.
pub const PROGRAM: u64 = 0x0040_0000;
/// The stack of a task's first thread ends here (grows down).
pub const STACK_TOP: u64 = 0x0800_0000;
/// Startup page (read-only): `program::Startup`.
pub const STARTUP: u64 = STACK_TOP + (16 << 20);

// A driver's task.
/// The residual: read and execute.
pub const CODE: u64 = 0x1000_0000;
pub const STATE: u64 = 0x1200_0000;
pub const ARENA: u64 = 0x1300_0000;
pub const RINGS: u64 = 0x1400_0000;
pub const POOL: u64 = 0x1500_0000;
/// Window `n` is at `WINDOWS + n * WINDOW_STRIDE`.
pub const WINDOWS: u64 = 0x2000_0000;
pub const WINDOW_STRIDE: u64 = 0x0100_0000;

// A client's task (the console): the rings and pool of its session `n`.
pub const SESSION_RINGS: u64 = 0x3000_0000;
pub const SESSION_POOL: u64 = 0x3800_0000;
pub const SESSION_STRIDE: u64 = 0x0040_0000;

// What a program may be shown, read-only, each one module.
pub const INVENTORY: u64 = 0x6000_0000;
pub const CODES: u64 = 0x6400_0000;
pub const GRAPHS: u64 = 0x6800_0000;
/// Program modules, for the manager: module `n` at `MODULES + n * MODULE_STRIDE`.
pub const MODULES: u64 = 0x7000_0000;
pub const MODULE_STRIDE: u64 = 0x0100_0000;
/// Heap of a program that asks for one.
pub const HEAP: u64 = 0x1_0000_0000;
