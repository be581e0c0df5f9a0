//! Every length up to [`LONGEST`] at every alignment within 16 bytes, and every overlap, against loops over single bytes.
//! `tests/devices/tests/copy.rs` runs this in `qemu-aarch64`. It ends with 0 if all is well, or else with the number of
//! the function that is wrong, as `wrong` gives them.
#![no_std]
#![no_main]

use copy as _;
use core::arch::{asm, global_asm};
use core::ffi::{c_int, c_void};

mod wrong {
    pub const COPY: u64 = 1;
    pub const MOVE: u64 = 2;
    pub const SET: u64 = 3;
    pub const COMPARE: u64 = 4;
    pub const PANIC: u64 = 5;
}

extern "C" {
    fn memcpy(to: *mut c_void, from: *const c_void, bytes: usize) -> *mut c_void;
    fn memmove(to: *mut c_void, from: *const c_void, bytes: usize) -> *mut c_void;
    fn memset(to: *mut c_void, byte: c_int, bytes: usize) -> *mut c_void;
    fn memcmp(a: *const c_void, b: *const c_void, bytes: usize) -> c_int;
}

global_asm!(".globl _start", "_start:", "bl start");

/// Past everything that is handled in one piece, and several rounds of each loop.
const LONGEST: usize = 330;
/// Alignments tried, and what lies before and behind the range, which must stay as it is.
const ALIGN: usize = 16;
const ROOM: usize = LONGEST + 2 * ALIGN + 64;

type Room = [u8; ROOM];

fn end(code: u64) -> ! {
    loop {
        // SAFETY: Linux's `exit` does not return and touches no memory.
        unsafe { asm!("svc #0", in("x8") 94, in("x0") code, options(nostack)) };
    }
}

/// Bytes that do not repeat within a range.
fn pattern(n: usize) -> u8 {
    (n.wrapping_mul(167) >> 3 ^ n) as u8
}

/// Written byte by byte, and so that the compiler cannot make one of the functions under test out of it.
fn each(room: &mut Room, byte: impl Fn(usize) -> u8) {
    for (n, place) in room.iter_mut().enumerate() {
        // SAFETY: the place is the caller's.
        unsafe { core::ptr::from_mut(place).write_volatile(byte(n)) };
    }
}

fn is(room: &Room, byte: impl Fn(usize) -> u8) -> bool {
    // SAFETY: the place is the caller's.
    let read = |place: &u8| unsafe { core::ptr::from_ref(place).read_volatile() };
    room.iter()
        .enumerate()
        .all(|(n, place)| read(place) == byte(n))
}

fn inside(n: usize, start: usize, length: usize) -> bool {
    n >= start && n - start < length
}

fn copies(from: &mut Room, to: &mut Room, length: usize, source: usize, target: usize) -> bool {
    each(from, pattern);
    each(to, |n| !pattern(n));
    let place = to.as_mut_ptr().wrapping_add(target).cast();
    // SAFETY: both ranges are inside of rooms: offsets are at most 2 * ALIGN, and lengths LONGEST.
    let gave = unsafe { memcpy(place, from.as_ptr().wrapping_add(source).cast(), length) };
    gave == place
        && is(to, |n| match inside(n, target, length) {
            true => pattern(n - target + source),
            false => !pattern(n),
        })
}

fn moves(room: &mut Room, length: usize, source: usize, target: usize) -> bool {
    each(room, pattern);
    let start = room.as_mut_ptr();
    // SAFETY: as in `copies`; `memmove` allows an overlap.
    unsafe {
        let (to, from) = (start.wrapping_add(target), start.wrapping_add(source));
        memmove(to.cast(), from.cast(), length)
    };
    is(room, |n| match inside(n, target, length) {
        true => pattern(n - target + source),
        false => pattern(n),
    })
}

fn sets(room: &mut Room, length: usize, target: usize, byte: u8) -> bool {
    each(room, |n| !pattern(n));
    // Only the low byte of the number counts.
    let number = c_int::from(byte) | 0x5a00;
    let place = room.as_mut_ptr().wrapping_add(target).cast();
    // SAFETY: as in `copies`.
    let gave = unsafe { memset(place, number, length) };
    gave == place
        && is(room, |n| match inside(n, target, length) {
            true => byte,
            false => !pattern(n),
        })
}

fn compares(a: &mut Room, b: &mut Room, length: usize, first: usize, second: usize) -> bool {
    each(a, |n| pattern(n.wrapping_sub(first)));
    each(b, |n| pattern(n.wrapping_sub(second)));
    // What lies around the ranges differs.
    a[first + length] = 1;
    b[second + length] = 2;
    let compare = |a: &Room, b: &Room| {
        let (a, b) = (
            a.as_ptr().wrapping_add(first),
            b.as_ptr().wrapping_add(second),
        );
        // SAFETY: as in `copies`.
        unsafe { memcmp(a.cast(), b.cast(), length) }
    };
    if compare(a, b) != 0 {
        return false;
    }
    for at in [0, length / 3, length / 2, length.saturating_sub(1)] {
        if at >= length {
            continue;
        }
        let kept = b[second + at];
        // The greater byte decides, and not what comes behind it.
        b[second + at] = kept.wrapping_add(1);
        let expected = kept.cmp(&b[second + at]) as c_int;
        let last = b[second + length - 1];
        if at + 1 < length {
            b[second + length - 1] = match expected {
                -1 => 0,
                _ => 255,
            };
        }
        if compare(a, b).signum() != expected {
            return false;
        }
        b[second + length - 1] = last;
        b[second + at] = kept;
    }
    true
}

#[no_mangle]
extern "C" fn start() -> ! {
    let (mut a, mut b) = ([0; ROOM], [0; ROOM]);
    for length in 0..=LONGEST {
        for source in 0..ALIGN {
            // All alignments of both for short lengths; for long ones those that differ from the source's by an odd number.
            let step = if length > 80 { 5 } else { 1 };
            for target in (0..ALIGN).step_by(step) {
                if !copies(&mut a, &mut b, length, source, target) {
                    end(wrong::COPY);
                }
                if !compares(&mut a, &mut b, length, source, target) {
                    end(wrong::COMPARE);
                }
            }
            for byte in [0, 0xa5] {
                if !sets(&mut a, length, source, byte) {
                    end(wrong::SET);
                }
            }
            for distance in [0, 1, 7, 8, 15, 16, 31, 63] {
                let other = source + distance;
                if !moves(&mut a, length, source, other) || !moves(&mut a, length, other, source) {
                    end(wrong::MOVE);
                }
            }
        }
    }
    end(0)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    end(wrong::PANIC)
}
