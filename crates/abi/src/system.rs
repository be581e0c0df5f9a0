//! System calls. One page each under `docs/abi/`. Handles index the calling task's table of port rights.
//!
//! Registers. x86-64 `syscall`: the number goes in rax and the status (0 or an [`Error`]) comes back in it; words
//! w0..w7 are rdi, rsi, rdx, r10, r8, r9, r12, r13, and the result is w0; rcx and r11 are lost, the rest is kept.
//! arm64 `svc #0`: number and status in x8, words in x0..x7, the rest is kept.
//! PORTAL_CALL alone takes its portal in r14 or x9 and keeps nothing but the stack pointer. A portal's entry finds
//! the words in the same registers, the badge in r14 or x9, the portal's stack, and zero everywhere else.

/// Index into a task's table of rights.
pub type Handle = u32;

/// Numbers of the system calls.
pub mod call {
    /// (portal, w0..w7) → w0..w7. The calling thread runs in the server's task until it replies.
    pub const PORTAL_CALL: u64 = 0;
    /// (w0..w7): ends the activation; does not return. In a handler's activation: the thread goes on where it was
    /// (see [`super::event`]).
    pub const PORTAL_REPLY: u64 = 1;
    /// (notification, bits): ors the bits in and wakes a waiter.
    pub const NOTIFY: u64 = 2;
    /// (notification, deadline in ns or u64::MAX) → bits, which become 0.
    pub const WAIT: u64 = 3;
    /// () → nanoseconds since the nucleus started.
    pub const NOW: u64 = 4;
    pub const YIELD: u64 = 5;
    /// (donated memory, ceiling) → task. The nucleus keeps the task's own objects in that memory until it is destroyed; none of
    /// its threads has a higher priority than the ceiling, which is at most its maker's.
    pub const TASK_CREATE: u64 = 6;
    /// (task): stops its threads, unmaps everything, gives the donated memory back to its right's holder.
    pub const TASK_DESTROY: u64 = 7;
    /// (task, entry, stack top, argument, priority 0..32, at most the task's ceiling) → thread.
    pub const THREAD_CREATE: u64 = 8;
    /// (entry, stack top, badge) → portal into the calling task. One activation at a time.
    pub const PORTAL_CREATE: u64 = 9;
    /// () → notification.
    pub const NOTIFICATION_CREATE: u64 = 10;
    /// (memory, offset, length) → a right to a part of it.
    pub const MEMORY_PART: u64 = 11;
    /// (task, memory, offset, length, address, flags): see [`super::map`].
    pub const MEMORY_MAP: u64 = 12;
    /// (task, address, length)
    pub const MEMORY_UNMAP: u64 = 13;
    /// (platform, physical base, length) → memory object of device registers. Never RAM.
    pub const MEMORY_DEVICE: u64 = 14;
    /// (memory) → physical address of its first byte (for DMA), if the right allows it.
    pub const MEMORY_ADDRESS: u64 = 15;
    /// (task, handle, what may be done with it: see [`super::may`]) → handle in that task's table.
    pub const RIGHT_COPY: u64 = 16;
    pub const RIGHT_DROP: u64 = 17;
    /// (platform, line, flags: see [`super::trigger`]; notification, bits): interrupts of the line notify; the line
    /// stays masked from each interrupt until INTERRUPT_DONE by every task it notified. A message instead of a line is
    /// never masked, and needs no INTERRUPT_DONE.
    pub const INTERRUPT_BIND: u64 = 18;
    /// (notification, line)
    pub const INTERRUPT_DONE: u64 = 19;
    /// (platform, task, first port, count): the task may use these I/O ports.
    pub const PORTS_GRANT: u64 = 20;
    /// (task, notification, bits): notified when the task is stopped by a fault that no handler took (HANDLER_BIND).
    pub const FAULT_BIND: u64 = 21;
    /// (platform, 0 off / 1 reset)
    pub const POWER: u64 = 22;
    /// (platform, pointer, length ≤ 256): appends to the log, and to the platform's console.
    pub const LOG: u64 = 23;
    /// (task or platform, what, pointer, length) → bytes written: see [`super::info`].
    pub const INFO: u64 = 24;
    /// Ends the calling thread; inside of a call, that call; in a handler, the thread that it handles.
    pub const EXIT: u64 = 25;
    /// Does nothing: measures the way in and out.
    pub const NULL: u64 = 26;
    /// (platform or a part, kind: see [`super::part`]; first number, count) → a right to these alone.
    pub const PLATFORM_PART: u64 = 27;
    /// (entry, stack top) → handler in the calling task: a portal that is entered by events ([`super::event`]) alone. One
    /// activation at a time.
    pub const HANDLER_CREATE: u64 = 28;
    /// (task or thread, set of events, handler or u64::MAX for none, cookie): who handles these events of it from now on. The
    /// first handler of [`super::event::CALLS`] of a task that has no thread yet makes it a foreign task, for good.
    pub const HANDLER_BIND: u64 = 29;
    /// In a handler: writes the whole frame of the thread to its frame page ([`crate::frame`]).
    pub const HANDLER_FRAME: u64 = 30;
    /// In a handler: the thread goes on with all registers as its frame page has them.
    pub const HANDLER_RESUME: u64 = 31;
    /// In a handler (deadline in r14 or x9): the thread sleeps where it was, its frame in its frame page.
    pub const HANDLER_SLEEP: u64 = 32;
    /// In a handler: somebody else shall handle it: the task's handler after the thread's, and after that nobody, so that the
    /// task is stopped.
    pub const HANDLER_PASS: u64 = 33;
    /// (thread, memory, offset): the thread's frame page.
    pub const FRAME_BIND: u64 = 34;
    /// (thread) → 1 if it slept (HANDLER_SLEEP) and goes on now as its frame page says, 0 if it did not sleep.
    pub const THREAD_WAKE: u64 = 35;
    /// (thread): a sleeping or foreign thread comes to its handler with the code KICKED, at once or, if it is in a handler, when
    /// that is done.
    pub const THREAD_KICK: u64 = 36;
    /// (memory) → 1 if there is more to do, 0 if not: takes back everything that was made from this right, whoever has it: rights
    /// (MEMORY_PART, RIGHT_COPY), what is mapped with them, frame pages, and tasks that live in it. Each call does a bounded
    /// step. The right itself, and what is mapped with it, stays.
    pub const MEMORY_REVOKE: u64 = 37;
    /// (task, memory, offset, length, address, flags): what may be done with pages that show this part of the memory, from now on.
    pub const MEMORY_PROTECT: u64 = 38;
    /// (task, which has no thread yet): its threads may use floating-point and SIMD registers, in its own code.
    pub const FLOAT_ALLOW: u64 = 39;
    /// (thread, 0 stores, 1 loads): its floating-point and SIMD registers, in its frame page ([`crate::frame::FLOAT`]).
    pub const FLOAT_FRAME: u64 = 40;
    pub const COUNT: u64 = 41;
}

/// What may be done with a right, one bit a deed. RIGHT_COPY leaves of these what both the right and the call have, so that a
/// right that is passed on is never more than it was. Bits that mean nothing for the kind of object are ignored.
pub mod may {
    /// Any: pass it on, make a part of it.
    pub const COPY: u32 = 1;
    /// Notification: NOTIFY, and have interrupts or faults ring it.
    pub const RING: u32 = 1 << 1;
    /// Notification: WAIT and INTERRUPT_DONE.
    pub const WAIT: u32 = 1 << 2;
    /// Task: MEMORY_MAP, MEMORY_PROTECT and MEMORY_UNMAP in it.
    pub const MAP: u32 = 1 << 3;
    /// Task: THREAD_CREATE and FLOAT_ALLOW.
    pub const START: u32 = 1 << 4;
    /// Task: RIGHT_COPY and PORTS_GRANT to it.
    pub const GIVE: u32 = 1 << 5;
    pub const DESTROY: u32 = 1 << 6;
    /// Task: FAULT_BIND and HANDLER_BIND. Thread: HANDLER_BIND, FRAME_BIND, FLOAT_FRAME, THREAD_WAKE and
    /// THREAD_KICK.
    pub const FAULTS: u32 = 1 << 7;
    /// Task and platform: INFO.
    pub const TELL: u32 = 1 << 8;
    /// Memory: MEMORY_MAP at all, writable, to be executed.
    pub const READ: u32 = 1 << 9;
    pub const WRITE: u32 = 1 << 10;
    pub const EXECUTE: u32 = 1 << 11;
    /// Memory: MEMORY_ADDRESS.
    pub const ADDRESS: u32 = 1 << 12;
    /// Memory: TASK_CREATE in it.
    pub const DONATE: u32 = 1 << 13;
    /// Platform: INTERRUPT_BIND, of lines and of messages; PORTS_GRANT; MEMORY_DEVICE.
    pub const LINES: u32 = 1 << 14;
    pub const MESSAGES: u32 = 1 << 15;
    pub const PORTS: u32 = 1 << 16;
    pub const DEVICES: u32 = 1 << 17;
    pub const POWER: u32 = 1 << 18;
    pub const LOG: u32 = 1 << 19;
    /// All that there is for its kind of object.
    pub const ALL: u32 = u32::MAX;
}

/// What a handler is entered for. It runs on the thread itself, in the handler's task, on the handler's stack, with the code in
/// r15 (x10) and the cookie of HANDLER_BIND in r14 (x9); for a fault also the address in rax (x8), where a system call has its
/// number. All other registers are the thread's own, on the way in and on the way back (PORTAL_REPLY); of those that the handler
/// cannot keep (x86-64: rax, rcx, r11, r14, r15; arm64: x8 to x11), the nucleus does. The result of a system call is what r14
/// (arm64: x0) holds at PORTAL_REPLY, and goes to rax (x0). Kinds of [`info::Fault`] are the same numbers.
pub mod event {
    // Codes.
    pub const READ: u64 = 1;
    pub const WRITE: u64 = 2;
    pub const EXECUTE: u64 = 3;
    /// Also floating point where a thread may not use it (FLOAT_ALLOW).
    pub const ILLEGAL: u64 = 4;
    /// The address is the port.
    pub const PORT: u64 = 5;
    pub const OTHER: u64 = 6;
    /// x86-64 alone: arm64 divides by 0.
    pub const DIVISION: u64 = 7;
    pub const DEBUG: u64 = 8;
    /// `syscall` or `svc` of a foreign task, whatever its number.
    pub const SYSTEM_CALL: u64 = 9;
    /// x86-64: `int 0x80` of a foreign task.
    pub const INTERRUPT_CALL: u64 = 10;
    /// THREAD_KICK.
    pub const KICKED: u64 = 11;
    /// The deadline of HANDLER_SLEEP passed.
    pub const EXPIRED: u64 = 12;
    /// As a kind of fault alone: the handler's task ended in the middle of it.
    pub const ORPHANED: u64 = 13;

    // Sets of events, for HANDLER_BIND.
    /// [`READ`], [`WRITE`], [`EXECUTE`].
    pub const PAGES: u64 = 1;
    pub const ILLEGALS: u64 = 1 << 1;
    pub const DIVISIONS: u64 = 1 << 2;
    pub const DEBUGS: u64 = 1 << 3;
    /// [`PORT`] and [`OTHER`].
    pub const OTHERS: u64 = 1 << 4;
    /// [`SYSTEM_CALL`] and [`INTERRUPT_CALL`].
    pub const CALLS: u64 = 1 << 5;
    /// [`KICKED`] and [`EXPIRED`].
    pub const KICKS: u64 = 1 << 6;
    pub const ALL: u64 = (1 << 7) - 1;
}

/// Kinds of PLATFORM_PART. A range of device registers is a memory object (MEMORY_DEVICE, MEMORY_PART).
pub mod part {
    pub const LINES: u64 = 1;
    pub const MESSAGES: u64 = 2;
    pub const PORTS: u64 = 3;
}

/// Why a call was refused. Returned as a negative word in the status register (rax, x8).
#[repr(i64)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// No such system call.
    NoCall = -1,
    /// The handle names nothing, or something of another kind.
    BadHandle = -2,
    /// The right does not allow this.
    Denied = -3,
    /// A number is out of range, misaligned, or a pointer is not the caller's.
    BadArgument = -4,
    /// The donated memory, or a table, is full.
    NoRoom = -5,
    /// Something is already there.
    Exists = -6,
    /// The deadline passed.
    Timeout = -7,
    /// The server died, or the call was cut off.
    Interrupted = -8,
    /// The portal's server is the caller itself, or the chain of calls is too deep.
    TooDeep = -9,
}

impl Error {
    pub const fn from_word(word: i64) -> Option<Error> {
        Some(match word {
            -1 => Error::NoCall,
            -2 => Error::BadHandle,
            -3 => Error::Denied,
            -4 => Error::BadArgument,
            -5 => Error::NoRoom,
            -6 => Error::Exists,
            -7 => Error::Timeout,
            -8 => Error::Interrupted,
            -9 => Error::TooDeep,
            _ => return None,
        })
    }
}

/// Flags of MEMORY_MAP. A mapping is never writable and executable at once.
pub mod map {
    pub const WRITE: u64 = 1;
    pub const EXECUTE: u64 = 2;
    /// Device memory: uncached, strongly ordered.
    pub const DEVICE: u64 = 4;
    /// Most bytes of one MEMORY_MAP, MEMORY_PROTECT or MEMORY_UNMAP: a call is not preempted.
    pub const MOST: u64 = 0x100_0000;
}

/// Flags of INTERRUPT_BIND.
pub mod trigger {
    /// The line is level triggered, not by an edge.
    pub const LEVEL: u64 = 1;
    /// It is active low.
    pub const LOW: u64 = 2;
    /// Not a line but a message, by its number: one of those that genesis set up. Alone.
    pub const MESSAGE: u64 = 4;
}

/// Rights that the first task (the manager) finds in its table. It starts with argument 0, a stack of `STACK_SIZE`
/// bytes below `layout::STACK_TOP`, `HEAP_SIZE` bytes at `layout::HEAP`, and `boot::BootInfo` read-only at
/// `layout::STARTUP`. Every other task finds [`SELF`] alone, and what its maker copied to it.
pub mod root {
    use super::Handle;
    pub const STACK_SIZE: u64 = 0x1_0000;
    pub const HEAP_SIZE: u64 = 0x8_0000;
    /// The task itself (in every task), …
    pub const SELF: Handle = 0;
    /// … and what it may do with itself: not destroy itself, and not say who hears of its faults.
    pub const SELF_MAY: u32 = {
        use super::may::{COPY, GIVE, MAP, START, TELL};
        COPY | MAP | START | GIVE | TELL
    };
    /// All free RAM as one memory object (the largest free range).
    pub const MEMORY: Handle = 1;
    /// Interrupts, I/O ports, device memory, power.
    pub const PLATFORM: Handle = 2;
    /// Module `n` of the boot information (read-only memory objects).
    pub const MODULE_0: Handle = 8;
}

/// What INFO tells; each fills the structure of that name.
pub mod info {
    use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

    /// [`Memory`] of the whole machine. This and all others but [`TASK`] and [`FAULT`] ask for a platform right.
    pub const MEMORY: u64 = 0;
    /// [`Task`] of the given task.
    pub const TASK: u64 = 1;
    /// [`Fault`] of the given task's last fault.
    pub const FAULT: u64 = 2;
    /// The module table, `[boot::Module; boot::MODULES]`; right `root::MODULE_0 + n` is entry `n`. Entries that
    /// are not there are zero.
    pub const MODULES: u64 = 3;
    /// The newest bytes of the log, as many as fit, oldest first.
    pub const LOG: u64 = 4;
    /// [`Date`].
    pub const DATE: u64 = 5;

    /// What the machine's calendar says at this moment.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
    pub struct Date {
        /// Seconds since 1970 began, by UTC; 0 when no calendar is bound, or it does not know.
        pub seconds: u64,
    }

    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
    pub struct Memory {
        /// Bytes of RAM.
        pub total: u64,
        /// Bytes of nucleus image: code, read-only data, data (with bss).
        pub nucleus_text: u64,
        pub nucleus_rodata: u64,
        pub nucleus_data: u64,
        /// Bytes of page tables of the kernel's half.
        pub kernel_tables: u64,
        /// Bytes genesis used, overwritten and given back.
        pub genesis_returned: u64,
        /// Bytes of what else genesis kept for the nucleus: the boot information.
        pub kept: u64,
        /// Bytes of modules (programs, residual code, graphs, inventory), in whole pages.
        pub modules: u64,
        /// Bytes of the nucleus's table of page frames.
        pub frame_table: u64,
        /// Bytes that the nucleus made the first task of.
        pub first_task: u64,
        /// Bytes of free ranges other than the largest, which nobody uses.
        pub small_ranges: u64,
        /// Bytes handed to the first task as free memory. All RAM is the sum of these and of what stands above, apart from
        /// what genesis used.
        pub free_at_start: u64,
        /// Bytes that can be executed now: the nucleus's code, what is mapped of the room for generated code, and each page once
        /// that any task has mapped to be executed.
        pub executable: u64,
        /// Guest instructions or counter ticks at nucleus entry and at the first user instruction.
        pub ticks_nucleus: u64,
        pub ticks_user: u64,
    }

    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
    pub struct Task {
        pub threads: u32,
        pub rights: u32,
        /// Bytes mapped.
        pub mapped: u64,
        /// Bytes of donated memory, and used of it.
        pub donated: u64,
        pub donated_used: u64,
        /// Nanoseconds of CPU time.
        pub time: u64,
        /// 1 running, 2 stopped by a fault.
        pub state: u32,
        pub reserved: u32,
    }

    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
    pub struct Fault {
        /// 0 none, else a code of [`super::event`]: 1 read, 2 write, 3 execute, 4 illegal instruction, 5 I/O port, 6 other ...
        pub kind: u64,
        pub address: u64,
        /// Instruction pointer.
        pub at: u64,
    }
}
