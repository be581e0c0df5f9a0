//! Rules that the specialiser once got wrong: `tests/cases/specialiser`, and what it refuses since.

use machine::{Arch, Device, Fact, Machine, Source, Value, Window, WindowKind};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/specialiser")
}

/// The rule is refused, for the one `else` that goes on, and for nothing else. With an `else` that leaves it stands in
/// `rulebook/tests/run/stops.rule` among others of its kind, where what it means and what is written for it are compared.
#[test]
fn cases_specialiser() {
    let text = std::fs::read_to_string(folder().join("three.rule")).unwrap();
    let wrong = "check a < 4 else OUT = 1";
    assert!(text.contains(wrong), "the case is as it was");
    let problems = |text: &str| match rulebook::read(&[("three.rule", text)]) {
        Ok(_) => Vec::new(),
        Err(problems) => problems
            .iter()
            .map(|problem| (problem.place.line, problem.reason.clone()))
            .collect(),
    };
    let line = 1 + text.lines().position(|line| line.contains(wrong)).unwrap();
    let found = problems(&text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(usize::from(found[0].0), line, "{found:?}");
    assert!(found[0].1.contains("else"), "{found:?}");
    let mended = text.replace(wrong, "check a < 4 else return 7");
    assert!(problems(&mended).is_empty(), "{:?}", problems(&mended));

    let stops =
        std::fs::read_to_string(folder().join("../../../crates/rulebook/tests/run/stops.rule"));
    let stops = stops.unwrap();
    for line in [
        "1 if STAT.busy else 2",
        "for k in 0..4 { if STAT.busy { stop }",
    ] {
        assert!(text.contains(line) && stops.contains(line), "{line}");
    }
}

/// Why the specialiser does not write a driver for a rule of a lamp with these items, on a device with one window of 256
/// bytes; nothing, where it does.
fn refused(items: &str) -> Option<String> {
    let text = format!(
        "class lamp\n  op glow(a: 32, b: 32, t: ticket)\n  up glowed(t: ticket)\n\
         rule lantern : lamp on pci\n  match vendor == 0x1234 score 9\n  space r = le bar(0)\n\
         \x20 reg OUT 0x00:64 in r\n  reg ROW[n] 0x40:32\n  slots S 4\n  state last: 32\n\
         \x20 recover dead {{ reset }}\n{items}\n"
    );
    let files = [("lamp.rule", text.as_str())];
    let book = rulebook::read(&files).unwrap_or_else(|problems| {
        let shown: Vec<String> = problems.iter().map(|p| p.render("", &files)).collect();
        panic!("{}", shown.concat())
    });
    let mut device = Device::new("lamp/0".into(), "pci");
    device.facts.push(Fact {
        name: "vendor".into(),
        value: Value::Number(0x1234),
        source: Source::Configuration,
    });
    device.windows.push(Window {
        index: 0,
        kind: WindowKind::Memory,
        base: 0x1000,
        size: 256,
        source: Source::Assigned,
    });
    let machine = Machine::new(Arch::X86_64);
    let subject = synthesis::Subject {
        book: &book,
        machine: &machine,
        device: &device,
        given: &[],
    };
    let verdict = synthesis::match_device(subject, None);
    let choice = verdict.chosen.first().expect("the rule is for this device");
    let error = synthesis::specialise(subject, choice).err()?;
    Some(error.show(&book))
}

#[track_caller]
fn refuses(body: &str, why: &str) {
    let found = refused(&format!("  op glow(a, b, t) {{ {body} }}"));
    let found = found.unwrap_or_else(|| panic!("this was written: {body}"));
    assert!(found.contains(why), "{body}: {found}");
}

#[track_caller]
fn writes(body: &str) {
    let found = refused(&format!("  op glow(a, b, t) {{ {body} }}"));
    assert_eq!(found, None, "{body}");
}

const NOT_EXACT: &str = "this number can be below 0, or beyond 64 bits";

/// A difference that was not compared before may be below 0: nothing but its lowest bits is good for anything.
#[test]
fn what_is_below_0_is_not_compared_or_divided() {
    for body in [
        "if a - b < 5 { OUT = 1 }",
        "if a - b { OUT = 1 }",
        "OUT = a - b >> 1",
        "OUT = (a - b) / 2",
        "OUT = (a - b) % 10",
        "OUT = 1 if a - b in 0..5 else 2",
        "OUT = min(a - b, 5)",
        "OUT = 1 if (0 if a else a - b) < 5 else 2",
        "OUT = 1 << (a - b)",
        "for k in 0..(a - b) at most 4 { OUT = k }",
        "ROW[a - b] = 1",
        "OUT = ~a >> 4",
        "last = a - b",
        "up glowed(t) ; check !(a - b) else return",
    ] {
        refuses(body, NOT_EXACT);
    }
    for body in [
        "OUT = a - b",
        "OUT = (a - b) % 16",
        "OUT = a - b & 0xff",
        "OUT = (a - b)[0..8]",
        "OUT = a - b == 0 if false else 1",
        "check b <= a else return ; OUT = a - b >> 1 ; last = a - b",
        "if a > b { OUT = (a - b) / 3 }",
        "OUT = a - min(a, b) >> 1",
        "OUT = a - (a & b) >> 1",
        "OUT = 0x100000000 - a >> 1",
        "last = ~a",
    ] {
        writes(body);
    }
}

/// A product or a sum that needs more than 64 bits is no number to go on with, either.
#[test]
fn what_is_beyond_64_bits_is_not_compared_or_divided() {
    let large = "let x = a << 32 | b";
    refuses(&format!("{large} ; OUT = x << 4 >> 3"), NOT_EXACT);
    refuses(&format!("{large} ; OUT = (x + x) / 3"), NOT_EXACT);
    refuses(&format!("{large} ; if x * 2 > 7 {{ OUT = 1 }}"), NOT_EXACT);
    writes(&format!("{large} ; OUT = x * 16"));
    writes(&format!("{large} ; OUT = x * 16 & 0xffff"));
    writes(&format!("{large} ; OUT = (x & 0xffff) << 4 >> 3"));
}

/// Of an array without a count, the window says how many there are.
#[test]
fn a_register_outside_its_window_is_refused() {
    refuses(
        "ROW[a] = 1",
        "`ROW` can be at 17179869244, outside its window of 0x100 bytes",
    );
    refuses("ROW[a % 49] = 1", "`ROW` can be at 256");
    refuses("if a <= 48 { ROW[a] = 1 }", "`ROW` can be at 256");
    writes("ROW[a % 48] = 1");
    // Nor does an address come around again at 2^64.
    let far = "  space far = le bar(0) step 9223372036854775808\n  reg FAR 2:8 in far\n  op glow(a, b, t) { FAR = 1 }";
    let found = refused(far).expect("this was written");
    assert!(
        found.contains("`FAR` can be at anything, outside its window"),
        "{found}"
    );
    writes("if a < 48 { ROW[a] = 1 }");
}

/// What was taken in a branch that is over may be taken, or not: nobody could give it back.
#[test]
fn busy_behind_a_branch_that_took_a_slot_is_refused() {
    let stays = "this slot stays taken where the operation ends as `busy`";
    refuses(
        "if a { take S keep t else busy } ; check b else busy",
        stays,
    );
    refuses(
        "if a { take S keep t else busy } ; let s = take S keep t else busy",
        stays,
    );
    refuses(
        "if a { if b { take S keep t else busy } } else { OUT = 1 } ; check b else busy",
        stays,
    );
    writes("if a { take S keep t else busy } else { take S keep t else busy } ; up glowed(t)");
    writes("if a { take S keep t else busy ; up glowed(t) ; fail dead } ; check b else busy ; up glowed(t)");
    writes("let s = take S keep t else busy ; if b { busy } ; up glowed(t)");
    writes("for k in 0..b at most 9 { let s = take S keep t else busy } ; check a else busy");
}

/// What is one of a list is not above the largest of it, and what is not may be anything.
#[test]
fn a_number_of_a_list_is_within_its_ends() {
    writes("check a in [1, 9, 47] else return ; ROW[a] = 1");
    writes("if a in [1, 9] { ROW[a] = 1 }");
    writes("check a in [4, 9] else return ; OUT = a - 4 >> 1");
    refuses("check a in [1, 48] else return ; ROW[a] = 1", "can be at");
    refuses("check a in [1, b] else return ; ROW[a] = 1", "can be at");
    refuses("check !(a in [1, 2]) else return ; ROW[a] = 1", "can be at");
    refuses(
        "if a in [1, 9] { OUT = 1 } else { ROW[a] = 1 }",
        "can be at",
    );
    refuses(
        "check a in [3, 9] else return ; OUT = a - 4 >> 1",
        NOT_EXACT,
    );
    refuses("OUT = 1 if a in [a - b, 5] else 2", NOT_EXACT);
}

/// A space that begins in another ends where that one ends.
#[test]
fn a_space_in_another_ends_with_it() {
    let with = |space: &str, at: &str| {
        let items =
            format!("  space {space}\n  reg PUT {at}:32 in c\n  op glow(a, b, t) {{ PUT = a }}");
        refused(&items)
    };
    assert_eq!(with("d = r + 0x80, c = d + 0x70", "0xc"), None);
    for (space, at) in [
        ("d = r + 0x80, c = d + 0x70", "0x10"),
        ("d = r + 0x80, c = d + 0x80", "0"),
        ("d[i] = r + 0x80 * i, c = d[1] + 0x7e", "0x2"),
        ("d = r step 4, c = d + 0x80", "32"),
        ("d = r, c = d + (0xfd when known(vendor) else 0)", "0"),
    ] {
        let found = with(space, at).expect(space);
        assert!(
            found.contains("outside its window of 0x100 bytes"),
            "{found}"
        );
    }
}

/// What a check said of a field of a field is believed behind it, and of no other.
#[test]
fn what_was_checked_of_a_part_of_a_field_is_known_of_it() {
    let cells = "  record CELL le { len:16 st:16 { end@0 err@1:7 { code@0:4 where@4:3 }; else 0 } _:32 }\n  arena M: CELL[4]\n";
    let with = |body: &str| {
        refused(&format!(
            "{cells}  op glow(a, b, t) {{ let d = M[a % 4] ; {body} }}"
        ))
    };
    for body in [
        "check d.st.end and d.st.err.code < 9 else return ; ROW[d.st.err.code * 5] = 1",
        "check d.st.err.code in [1, 9] else return ; ROW[d.st.err.code * 5] = 1",
        "let e = d.st.err ; check e.code < 9 else return ; ROW[e.code * 5] = 1",
        "if d.st.err.where < 2 { ROW[d.st.err.where * 40] = 1 }",
    ] {
        assert_eq!(with(body), None, "{body}");
    }
    for body in [
        "ROW[d.st.err.code * 5] = 1",
        "check d.st.end else return ; ROW[d.st.err.code * 5] = 1",
        "check d.st.err.where < 2 else return ; ROW[d.st.err.code * 5] = 1",
        "check d.st.err.code < 9 or b else return ; ROW[d.st.err.code * 5] = 1",
        "check d.st.err.code < 9 else return ; let e = M[b % 4] ; ROW[e.st.err.code * 5] = 1",
    ] {
        let found = with(body).expect(body);
        assert!(found.contains("outside its window"), "{body}: {found}");
    }
}

/// Of an array whose elements stand apart there is no more to lend than the array has, whichever element it is from.
#[test]
fn what_is_lent_of_elements_that_stand_apart_ends_with_the_array() {
    let lent = |bytes: u64, of: &str| {
        refused(&format!(
            "  reg AT 0x80:64 for {bytes}\n  record HEAD le {{ len:16 kind:16 }}\n  arena F: HEAD[3] step 96\n\
             \x20 arena L\n    row: HEAD[3] step 96\n  flow quiet {{ OUT = 0 }}\n  op glow(a, b, t) {{ AT = dma {of} }}"
        ))
    };
    for (bytes, of) in [
        (288, "F"),
        (288, "F[0]"),
        (192, "F[1]"),
        (96, "F[2]"),
        (96, "F[a % 3]"),
        (4, "F[1].len"),
        (96, "F[a % 3][0 : 96]"),
        (92, "F[2][4 : 92]"),
    ] {
        for of in [of.to_owned(), of.replace('F', "L.row")] {
            assert_eq!(lent(bytes, &of), None, "{bytes} bytes of {of}");
            let found = lent(bytes + 1, &of).expect(&of);
            let why = format!(
                "may use {} bytes from this address, and {bytes} are",
                bytes + 1
            );
            assert!(found.contains(&why), "{of}: {found}");
        }
    }
    for (of, why) in [
        ("F[3]", "the index can be 3"),
        ("F[a]", "the index can be"),
        ("F[2][4 : 93]", "the bytes may reach 97 and there are 96"),
        ("F[1][0 : 97]", "the bytes may reach 97 and there are 96"),
        (
            "F[a % 3][a % 97 : 1]",
            "the bytes may reach 97 and there are 96",
        ),
    ] {
        let found = lent(1, of).expect(of);
        assert!(found.contains(why), "{of}: {found}");
    }
}

/// A `step` that facts give is looked at where they are known.
#[test]
fn a_step_that_facts_give_leaves_room_for_an_element() {
    let with = |kind: &str, step: &str| {
        refused(&format!(
            "  fact far = 4\n  record HEAD le {{ len:32 kind:32 }}\n  arena F: {kind} step {step}\n\
             \x20 op glow(a, b, t) {{ F[a % 4] = 0 }}"
        ))
    };
    assert_eq!(with("HEAD[4]", "2 * far"), None);
    for (kind, step, why) in [
        ("HEAD[4]", "far", "elements of 8 bytes"),
        (
            "HEAD[4]",
            "3 * far - 2",
            "elements of 8 bytes at multiples of 4",
        ),
        ("HEAD[4]", "far - far", "elements of 8 bytes"),
        ("HEAD[4]", "(far << 28)", "larger than 1 GiB"),
        ("16[far * 4]", "(far << 40)", "larger than 1 GiB"),
    ] {
        let found = with(kind, step).expect(step);
        assert!(found.contains(why), "{step}: {found}");
    }
}

/// A write goes to one of several registers; by way of a part, which no checker follows, the specialiser says so.
#[test]
fn a_write_to_several_registers_at_once_is_refused() {
    let with = |body: &str| {
        refused(&format!(
            "  part wick(first)\n    reg SEG[4] 0x20:32 {{ low@0:8; else 0 }} in r\n    op set(a) {{ SEG[first] = a }}\n\
             \x20 use w = wick(1)\n  op glow(a, b, t) {{ w.set(7) ; {body} }}"
        ))
    };
    assert_eq!(with("w.SEG[2] = a ; w.SEG[3].low = 1"), None);
    for body in ["w.SEG = a", "w.SEG.low = 1"] {
        let found = with(body).expect(body);
        assert!(
            found.contains("`SEG` is several registers"),
            "{body}: {found}"
        );
    }
}
