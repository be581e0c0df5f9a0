//! Whatever text or bytes they are given, parser, checker and `unpack` give an answer: no panic, no endless loop, no
//! stack overflow. `FUZZ_ROUNDS=200000 FUZZ_SEED=7 cargo test --release -p rulebook --features text --test hostile` looks
//! for long; without these, a few rounds are run, the same each time.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// Many times what the longest text takes, even unoptimised on a busy computer.
const LONGEST: Duration = Duration::from_secs(20);

fn texts() -> Vec<String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let mut out = Vec::new();
    let folders = ["pass", "fail"].map(|name| tests.join(name));
    let shipped = ["", "nic", "transport", "interrupt", "serial"].map(|name| rules.join(name));
    for folder in folders.iter().chain(&shipped) {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.extension().is_some_and(|end| end == "rule") {
                out.push(fs::read_to_string(path).expect("the text can be read"));
            }
        }
    }
    out.sort();
    out
}

const PIECES: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    " when ",
    " else ",
    " if ",
    "\n  ",
    "\n",
    " in ",
    " at most ",
    "0x",
    "\"",
    "@",
    ":",
    " each k in 0..4 where x\n",
    " use x = wick(1)\n",
    " 18446744073709551615 ",
    " .. ",
    "~",
    " as 2x32 ",
    " in [1, x] ",
    " step 3 ",
    " via X.page = 1 ",
    " space c = r + 4, r = c\n",
    "§",
];

#[test]
fn broken_texts_give_an_answer() {
    let texts = texts();
    let mut random = noise::seeded(0x6d65_7461_6f73);
    for round in 0..noise::rounds(3000) {
        let mut text = texts[random.below(texts.len())].clone();
        for _ in 0..=random.below(4) {
            let mut at = random.below(text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            match random.below(3) {
                0 => text.insert_str(at, PIECES[random.below(PIECES.len())]),
                1 => text.truncate(at),
                _ => {
                    let mut end = (at + random.below(12)).min(text.len());
                    while !text.is_char_boundary(end) {
                        end += 1;
                    }
                    text.replace_range(at..end, "");
                }
            }
        }
        let name = format!("round{round}");
        let files = [(name.as_str(), text.as_str())];
        let start = Instant::now();
        let read = rulebook::read(&files);
        assert!(start.elapsed() < LONGEST, "{text}");
        match read {
            Ok(book) => assert_eq!(rulebook::unpack(&rulebook::pack(&book)), Ok(book)),
            Err(problems) => {
                assert!(!problems.is_empty());
                for problem in problems {
                    assert!(problem.render("", &files).contains("help: "));
                }
            }
        }
    }
}

#[test]
fn damaged_bytes_give_an_error_or_a_book_that_stands() {
    let texts = texts();
    let mut random = noise::seeded(0x0072_756c_6573);
    let mut refused = 0;
    for _ in 0..noise::rounds(3000) {
        let text = &texts[random.below(texts.len())];
        let Ok(book) = rulebook::syntax::parse(&[("x", text)]) else {
            continue;
        };
        let mut bytes = rulebook::pack(&book);
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            match random.below(3) {
                0 => bytes[at] = random.word() as u8,
                1 => bytes.truncate(at + 1),
                _ => bytes.insert(at, random.word() as u8),
            }
        }
        match rulebook::unpack(&bytes) {
            // What is still a tree must be safe to look at.
            Ok(book) => {
                let start = Instant::now();
                drop(rulebook::check::check(&book));
                assert!(start.elapsed() < LONGEST, "{text}");
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 500, "damage is noticed: {refused}");
}

/// `work` on a stack of the size that small systems have.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(work);
    thread
        .expect("a thread can be made")
        .join()
        .expect("it ends well");
}

#[test]
fn deep_texts_do_not_overflow_the_stack() {
    on_a_small_stack(|| {
        let open = "class c\n  op a(x)\nrule r : c on pci\n  op a(x) { return ";
        let deep = 100_000;
        let nest = |start: &str, end: &str| format!("{}x{}", start.repeat(deep), end.repeat(deep));
        let hostile = [
            format!("{open}{} }}\n", nest("(", ")")),
            format!("{open}{} }}\n", nest("!", "")),
            format!("{open}{} }}\n", nest("dma (", ")")),
            format!("{open}{} }}\n", nest("x[", "]")),
            format!("{open}{} }}\n", nest("x(", ")")),
            format!("{open}{} }}\n", nest("", "[x]")),
            format!("{open}{} }}\n", nest("", " + x")),
            format!("{open}{} }}\n", nest("", ".x")),
            format!("{open}{} }}\n", nest("{ x: ", "}")),
            format!("{open}{} }}\n", nest("", " when x else x")),
            format!("{open}x; {} }}\n", nest("if x {", "}")),
            format!("{open}x; if x {{ }} {} }}\n", "else if x { }".repeat(deep)),
            format!("{open}x; let y = x {} }}\n", "else check x ".repeat(deep)),
            format!("{open}x }}\n  reg X 0:8 {}\n", nest("{ a@0 ", "}")),
            format!("{open}x }}\n  {}\n", nest("each k in x { ", "}")),
            format!("{open}x }}\n  state s: 8[{}]\n", nest("x[", "]")),
        ];
        for text in hostile {
            let problems = rulebook::syntax::parse(&[("deep", &text)]).expect_err("too deep");
            let start: String = text.chars().skip(40).take(60).collect();
            assert!(
                problems[0].reason.contains("deep"),
                "{start}: {}",
                problems[0].reason
            );
        }
    });
}

#[test]
fn the_deepest_text_that_is_read_is_also_unpacked() {
    on_a_small_stack(|| {
        let patterns = [
            ("!", ""),
            ("x(", ")"),
            ("{ x: ", "}"),
            ("x[", "]"),
            ("", ".x"),
            ("(", ")"),
            ("x if x else ", ""),
        ];
        for blocks in (0..32).step_by(5) {
            for (before, after) in patterns {
                let deepest = (0..60).rev().find_map(|count| {
                    let text = format!(
                        "class c\n  op a(x)\nrule r : c on pci\n  op a(x) {{ {} let y = {}x{} {} }}\n",
                        "if x {".repeat(blocks),
                        before.repeat(count),
                        after.repeat(count),
                        "}".repeat(blocks),
                    );
                    rulebook::syntax::parse(&[("deep", &text)]).ok()
                });
                if let Some(book) = deepest {
                    assert_eq!(rulebook::unpack(&rulebook::pack(&book)), Ok(book));
                } else {
                    assert!(blocks > 20, "{blocks} blocks are few");
                }
            }
        }
    });
}

#[test]
fn deep_bytes_do_not_overflow_the_stack() {
    on_a_small_stack(|| {
        // Each of these, repeated, nests one tree into the next as long as the bytes last.
        for pattern in 0..=255u8 {
            for second in [0, 1, 2, 5, 8, pattern] {
                let mut bytes = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
                bytes.extend([pattern, second].repeat(200_000));
                assert!(rulebook::unpack(&bytes).is_err());
            }
        }
    });
}
