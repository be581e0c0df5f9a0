//! One function in front of several: run on this processor, read back for the other.

// Only its executable pages are needed.
#[allow(dead_code)]
mod native;

use disassembly::disassemble;
use emit::{choose, Supplier, Target};

extern "C" fn told(context: u64, line: u64, a: u64, b: u64, c: u64) -> u64 {
    context.wrapping_add(line.wrapping_mul(1000)) + a * 100 + b * 10 + c
}

extern "C" fn told_twice(context: u64, line: u64, a: u64, b: u64, c: u64) -> u64 {
    told(context, line, a, b, c).wrapping_mul(2)
}

const FIRSTS: [u32; 3] = [0, 24, 120];

fn suppliers() -> Vec<Supplier> {
    let entries = [told as *const () as u64, told_twice as *const () as u64];
    let of = |(place, first): (usize, &u32)| Supplier {
        first: *first,
        context: 0x10_0000 << place,
        entry: entries[place % 2],
    };
    FIRSTS.iter().enumerate().map(of).collect()
}

#[test]
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn each_number_goes_where_it_belongs_with_all_words() {
    let pages = native::Pages::new(&choose(Target::X86_64, &suppliers()));
    // SAFETY: the code goes on in one of the functions above, which have this shape.
    let call: extern "C" fn(u64, u64, u64, u64, u64) -> u64 =
        unsafe { std::mem::transmute(pages.address()) };
    for line in [0, 1, 23, 24, 25, 119, 120, 4000, u64::MAX >> 8] {
        let place = FIRSTS.iter().rposition(|first| line >= u64::from(*first));
        let place = place.expect("the first begins at 0");
        let once = (0x10_0000u64 << place)
            .wrapping_add(line.wrapping_mul(1000))
            .wrapping_add(345);
        let wanted = once.wrapping_mul(1 + place as u64 % 2);
        assert_eq!(call(7, line, 3, 4, 5), wanted, "line {line}");
    }
}

#[test]
fn the_other_processor_compares_takes_and_goes_on() {
    let code = choose(Target::Aarch64, &suppliers());
    // Six instructions and three numbers for each, the highest first.
    assert_eq!(code.len(), 3 * 48);
    for (block, first) in code.chunks(48).zip([120u32, 24, 0]) {
        let text = disassemble(&block[..24], Target::Aarch64, 0);
        let words: Vec<&str> = text.split_whitespace().collect();
        for wanted in ["ldr", "br", "x16,", "x0,"] {
            let there = words
                .iter()
                .any(|w| w.trim_end_matches(',') == wanted.trim_end_matches(','));
            assert!(there, "no {wanted} in\n{text}");
        }
        assert_eq!(text.contains("cmp"), first != 0, "{text}");
        assert_eq!(block[24..28], first.to_le_bytes());
        let context = 0x10_0000u64
            << FIRSTS
                .iter()
                .position(|f| *f == first)
                .expect("one of them");
        assert_eq!(block[32..40], context.to_le_bytes());
    }
    // The numbers are where the instructions look: 24, 32 and 40 bytes from the block's beginning.
    let text = disassemble(&code[..24], Target::Aarch64, 0);
    println!("{text}");
}
