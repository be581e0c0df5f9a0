//! What is shown of a function ends at its last instruction: padding is no code, and constants are data.

use disassembly::function;
use emit::{emit_placed, Target};
use graph::{sample, Residual};

const BOTH: [Target; 2] = [Target::X86_64, Target::Aarch64];

/// Address and text of each line.
fn lines(text: &str) -> Vec<(u64, String)> {
    let line = |line: &str| {
        let (address, rest) = line.trim_start().split_once("  ").expect("an address");
        // Bytes in pairs of digits come before the text.
        let bytes = |word: &&str| word.len() == 2 && u8::from_str_radix(word, 16).is_ok();
        let words: Vec<&str> = rest.split_whitespace().skip_while(bytes).collect();
        (
            u64::from_str_radix(address, 16).expect("a number"),
            words.join(" "),
        )
    };
    text.lines().map(line).collect()
}

fn texts(bytes: &[u8], target: Target) -> Vec<String> {
    let lines = lines(&function(bytes, target, 0));
    lines.into_iter().map(|(_, text)| text).collect()
}

#[test]
fn padding_is_not_shown() {
    assert_eq!(texts(&[0xc3, 0xcc, 0xcc, 0, 0], Target::X86_64), ["ret"]);
    let ret = 0xd65f_03c0_u32.to_le_bytes();
    let bytes: Vec<u8> = ret.into_iter().chain([0; 12]).collect();
    assert_eq!(texts(&bytes, Target::Aarch64).len(), 1);
}

#[test]
fn what_is_jumped_to_is_shown() {
    // jz over a return, which is followed by another.
    let shown = texts(&[0x74, 0x01, 0xc3, 0xc3, 0x90], Target::X86_64);
    assert_eq!(shown.len(), 3, "{shown:?}");
    // cbz x0, 8; ret; ret; padding
    let words = [0xb400_0040_u32, 0xd65f_03c0, 0xd65f_03c0, 0];
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    assert_eq!(texts(&bytes, Target::Aarch64).len(), 3);
    // A jump that nothing leads to any more: ret; jmp -0x10; padding
    let shown = texts(&[0xc3, 0xe9, 0xf0, 0xff, 0xff, 0xff, 0, 0], Target::X86_64);
    assert_eq!(shown.len(), 2, "{shown:?}");
    // A call leads away, and is no reason to go on: call 0x100; ret; padding
    let shown = texts(&[0xe8, 0xfb, 0, 0, 0, 0xc3, 0xcc], Target::X86_64);
    assert_eq!(shown.len(), 2, "{shown:?}");
}

#[test]
fn constants_are_data() {
    // mov rax, [rip + 9]; ret; eight bytes of padding; the constant
    let mut bytes = vec![0x48, 0x8b, 0x05, 9, 0, 0, 0, 0xc3];
    bytes.extend([0; 8]);
    bytes.extend(0x1122_3344_5566_7788_u64.to_le_bytes());
    let shown = lines(&function(&bytes, Target::X86_64, 0));
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert_eq!(shown[2], (16, "(constant)".to_owned()));
}

/// Every instruction that the compiler says comes from a step of the graph is shown, and the last line leaves the function.
#[test]
fn nothing_of_a_function_is_left_out() {
    for seed in 0..60 {
        let residual: Residual = sample::residual(seed);
        for target in BOTH {
            let Ok((code, placed)) = emit_placed(&residual, target) else {
                continue;
            };
            for (at, size) in &code.entries {
                let end = at + size;
                let text = function(
                    &code.bytes[*at as usize..end as usize],
                    target,
                    u64::from(*at),
                );
                let shown = lines(&text);
                let code: Vec<&(u64, String)> =
                    shown.iter().filter(|l| l.1 != "(constant)").collect();
                let (last, words) = code.last().expect("an instruction");
                let leaves = ["ret", "jmp", "ud2", "b ", "udf", "brk"];
                assert!(
                    leaves.iter().any(|word| words.starts_with(word)),
                    "seed {seed}, {target:?}: ends with {words:?}\n{text}"
                );
                let inside = |p: &&emit::Placed| p.at >= *at && p.at < end;
                for run in placed.iter().filter(inside) {
                    assert!(
                        u64::from(run.at) <= *last,
                        "seed {seed}, {target:?}: {:#x} is not shown\n{text}",
                        run.at
                    );
                }
            }
        }
    }
}
