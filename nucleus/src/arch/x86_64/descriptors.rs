//! Segments, the task state segment and the interrupt table (SDM 3A, chapters 3, 6 and 8).

use core::arch::asm;
use core::cell::UnsafeCell;
use nucleus_core::kernel::Kernel;

pub const NUCLEUS_CODE: u16 = 0x08;
const TASK_STATE: u16 = 0x28;
/// Bytes of the I/O permission bitmap, and the byte of ones behind it.
const BITMAP: usize = 8192;

#[repr(C, packed(4))]
struct TaskState {
    reserved0: u32,
    /// Stacks for entries from user mode: `stacks[0]` is where the running thread's registers end.
    stacks: [u64; 3],
    reserved1: u64,
    /// Stacks of exceptions that come at any moment.
    separate: [u64; 7],
    reserved2: u64,
    reserved3: u16,
    bitmap_at: u16,
    bitmap: [u8; BITMAP + 1],
}

/// Written only here and by `ports`, with interrupts off.
#[repr(C, align(16))]
struct Table<T>(Kernel<UnsafeCell<T>>);

impl<T> Table<T> {
    const fn new(value: T) -> Table<T> {
        // SAFETY: tables are private to this module, whose functions run in the nucleus alone.
        Table(unsafe { Kernel::new(UnsafeCell::new(value)) })
    }
}

#[no_mangle]
static NUCLEUS_TSS: Table<TaskState> = Table::new(TaskState {
    reserved0: 0,
    stacks: [0; 3],
    reserved1: 0,
    separate: [0; 7],
    reserved2: 0,
    reserved3: 0,
    bitmap_at: NO_BITMAP,
    bitmap: [0xff; BITMAP + 1],
});
/// Outside of the segment: no port is allowed.
const NO_BITMAP: u16 = size_of::<TaskState>() as u16;
const BITMAP_AT: u16 = core::mem::offset_of!(TaskState, bitmap) as u16;

static SEGMENTS: Table<[u64; 7]> = Table::new([
    0,
    0x00af_9a00_0000_ffff, // nucleus code
    0x00cf_9200_0000_ffff, // nucleus data
    0x00cf_f200_0000_ffff, // user data: sysret wants it before the code
    0x00af_fa00_0000_ffff, // user code
    0,                     // task state, set below
    0,
]);

static INTERRUPTS: Table<[[u64; 2]; 256]> = Table::new([[0; 2]; 256]);

/// A stack for each of [`ANYTIME`]: one of them may come while another is worked on.
static SEPARATE: Table<[[u8; 4096]; ANYTIME.len()]> = Table::new([[0; 4096]; ANYTIME.len()]);

#[repr(C, packed(2))]
struct Pointer {
    limit: u16,
    base: u64,
}

extern "C" {
    /// The first instructions of each vector, 16 bytes apart.
    static nucleus_vectors: u8;
}

/// Non-maskable interrupt, double fault and machine check: each on a stack of its own, since they come at any moment, also
/// while the stack pointer is still a program's.
const ANYTIME: [usize; 3] = [2, 8, 18];

/// `int3`: the one gate that programs may pass.
const BREAKPOINT: usize = 3;

fn gate(vector: usize) -> [u64; 2] {
    let entry = &raw const nucleus_vectors as u64 + 16 * vector as u64;
    let anytime = ANYTIME.iter().position(|anytime| *anytime == vector);
    let stack = anytime.map_or(0, |n| n as u64 + 1);
    let user = if vector == BREAKPOINT { 3 } else { 0 };
    let kind = 0x8e00 | user << 13;
    let low = (entry & 0xffff) | u64::from(NUCLEUS_CODE) << 16 | stack << 32 | kind << 32;
    [low | (entry >> 16 & 0xffff) << 48, entry >> 32]
}

/// Loads all of it.
pub fn load() {
    let tss = NUCLEUS_TSS.0.get();
    let base = tss as u64;
    let limit = size_of::<TaskState>() as u64 - 1;
    // SAFETY: the tables are static and written here before they are loaded; one CPU, interrupts off. The gates lead
    // to the entry code, the segments are those the entry code assumes.
    unsafe {
        for n in 0..ANYTIME.len() {
            (*tss).separate[n] = SEPARATE.0.get() as u64 + 4096 * (n as u64 + 1);
        }
        let low = limit & 0xffff
            | (base & 0xff_ffff) << 16
            | 0x89 << 40
            | (limit >> 16) << 48
            | (base >> 24 & 0xff) << 56;
        (*SEGMENTS.0.get())[5] = low;
        (*SEGMENTS.0.get())[6] = base >> 32;
        for vector in 0..256 {
            (*INTERRUPTS.0.get())[vector] = gate(vector);
        }
        let segments = Pointer {
            limit: size_of::<[u64; 7]>() as u16 - 1,
            base: SEGMENTS.0.get() as u64,
        };
        let interrupts = Pointer {
            limit: size_of::<[[u64; 2]; 256]>() as u16 - 1,
            base: INTERRUPTS.0.get() as u64,
        };
        asm!(
            "lgdt [{segments}]",
            "lidt [{interrupts}]",
            "push {code}", "lea {scratch}, [rip + 2f]", "push {scratch}", "retfq", "2:",
            "mov ds, {zero:e}", "mov es, {zero:e}", "mov fs, {zero:e}", "mov gs, {zero:e}", "mov ss, {data:e}",
            "ltr {state:x}",
            segments = in(reg) &raw const segments, interrupts = in(reg) &raw const interrupts,
            code = in(reg) u64::from(NUCLEUS_CODE), data = in(reg) 0x10, zero = in(reg) 0, scratch = out(reg) _,
            state = in(reg) TASK_STATE,
        );
    }
}

/// Lets user mode look at the bitmap, or at none.
pub fn allow_bitmap(yes: bool) {
    // SAFETY: a plain field of the static task state; one CPU, interrupts off.
    unsafe { (*NUCLEUS_TSS.0.get()).bitmap_at = if yes { BITMAP_AT } else { NO_BITMAP } }
}

/// Allows or forbids a range of ports in the bitmap.
pub fn set_ports(first: u16, count: u16, allowed: bool) {
    for port in usize::from(first)..usize::from(first) + usize::from(count) {
        // SAFETY: as above; a port number is below 8 times the bitmap's length.
        let byte = unsafe { &mut (&mut (*NUCLEUS_TSS.0.get()).bitmap)[port / 8] };
        *byte = if allowed {
            *byte & !(1 << (port % 8))
        } else {
            *byte | 1 << (port % 8)
        };
    }
}
