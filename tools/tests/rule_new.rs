//! `./meta rule new`: what it makes of descriptions and of nothing passes `rule check` but for what is to be filled in.

use meta::rule_new::skeleton::{self, Bus};
use meta::rule_new::{description::Description, rdl, svd};
use rulebook::tree::Effects;
use std::path::Path;

/// How many descriptions there are with the reference compiler's account.
const FILES: usize = 16;

const SVD: &str = include_str!("descriptions/dogs.svd");
const RDL: &str = include_str!("descriptions/dog.rdl");
const FROM_SVD: &str = include_str!("descriptions/dogs.skeleton");
const FROM_RDL: &str = include_str!("descriptions/dog.skeleton");

/// The shipped rules, and how many complaints there are when `text` is one of them; all must be about what is missing.
fn missing(text: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let mut files = meta::rules::files(&root).expect("the rules can be read");
    files.push(("new.rule".into(), text.into()));
    let texts: Vec<(&str, &str)> = files
        .iter()
        .map(|(p, t)| (p.as_str(), t.as_str()))
        .collect();
    let problems = rulebook::read(&texts).expect_err("it is not finished");
    let shown: Vec<String> = problems.iter().map(|p| p.render("", &texts)).collect();
    for (problem, shown) in problems.iter().zip(&shown) {
        assert!(
            problem.reason.starts_with("not written yet: "),
            "{shown}\n{text}"
        );
    }
    problems.into_iter().map(|p| p.reason).collect()
}

fn rule(class: &str, bus: Bus, from: &Description) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let book = meta::rules::book(&root).expect("the rules are right");
    let classes = &book.classes;
    let class = classes
        .iter()
        .find(|c| book.name(c.name) == class)
        .expect("a class");
    skeleton::rule(&book, class, "dog", bus, from)
}

#[test]
fn an_svd_file_becomes_registers() {
    let dog = svd::read(SVD, Some("DOG")).expect("it is read");
    let text = rule("watchdog", Bus::Platform, &dog);
    assert_eq!(text, FROM_SVD);
    assert_eq!(missing(&text).len(), 5);
    let cat = svd::read(SVD, Some("CAT")).expect("it is derived");
    assert_eq!(cat.registers.len(), dog.registers.len());
}

#[test]
fn an_rdl_file_becomes_registers() {
    let dog = rdl::read(RDL, None).expect("it is read");
    let text = rule("watchdog", Bus::Platform, &dog);
    assert_eq!(text, FROM_RDL);
    assert_eq!(missing(&text).len(), 5);
}

/// Every class, on every bus, from nothing.
#[test]
fn every_class_has_a_skeleton() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let book = meta::rules::book(&root).expect("the rules are right");
    for class in &book.classes {
        for bus in [Bus::Pci, Bus::Platform, Bus::Cpu] {
            let text = skeleton::rule(&book, class, "dog", bus, &Description::default());
            assert!(missing(&text).len() >= 2, "{text}");
        }
    }
}

fn refused(read: anyhow::Result<Description>) -> String {
    format!("{:#}", read.expect_err("it is refused"))
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    assert_eq!(
        refused(svd::read(SVD, None)),
        "name one of its peripherals with --peripheral: DOG, CAT"
    );
    let wide = SVD.replace("<size>0x10</size>", "<size>24</size>");
    assert_eq!(
        refused(svd::read(&wide, Some("DOG"))),
        "24:9: <register> CAUSE: register CAUSE is 24 bits wide; 8, 16, 32 and 64 can be accessed"
    );
    let overlapping = SVD.replace("[3:1]", "[3:0]");
    assert_eq!(
        refused(svd::read(&overlapping, Some("DOG"))),
        "14:9: <register> CTRL: CTRL.mode overlaps another field"
    );
    let beyond = SVD.replace("<bitWidth>20<", "<bitWidth>99999999999999999999<");
    assert!(refused(svd::read(&beyond, Some("DOG"))).contains("is no number of 64 bits"));
    assert!(refused(svd::read("<device><peripherals>", None)).starts_with("this is no XML"));
    assert!(refused(svd::read("<html/>", None)).starts_with("1:1: <html>: <html> is no SVD file"));

    let cases = [
        (
            "addrmap a { nothing r; };",
            "1:21: there is no component `nothing`",
        ),
        (
            "addrmap a { reg {} r @ 4 4; };",
            "1:26: `;`, `,`, `@`, `+=`, `%=` or `=` is expected; here stands 4",
        ),
        (
            "addrmap a { `include \"b\"",
            "1:13: other files are not read: put what `include names into this one",
        ),
        (
            "addrmap a { <% print 1 %>",
            "1:13: Perl (`<% … %>`) is not run: expand it first",
        ),
        (
            "addrmap a { reg {} r @ 4 / 0; };",
            "1:20: r: a division by 0",
        ),
        (
            "addrmap a { reg {} r[5000]; };",
            "1:20: r: an array has from 1 to 4096 elements",
        ),
        (
            "addrmap a { reg { field {} x; } r;",
            "1:35: `}` is missing; here stands the end of the file",
        ),
        ("", "1:1: there is no `addrmap` in this file"),
    ];
    for (text, why) in cases {
        assert_eq!(refused(rdl::read(text, None)), why, "{text}");
    }
}

/// What one field or register has wrong is left out and told; the file is read.
#[test]
fn what_no_rule_can_say_is_left_out() {
    let cases = [
        (
            "addrmap a { reg { field {} x[33]; } r; };",
            "1:28: left out: r.x has 33 bits from bit 0, but r has 32",
        ),
        (
            "addrmap a { reg { field { sw = odd; } x; } r; };",
            "1:39: left out: r.x: `sw = odd` is no access",
        ),
    ];
    for (text, why) in cases {
        let read = rdl::read(text, None).expect("it is read");
        assert_eq!(
            (read.left_out, read.registers.len()),
            (vec![why.to_owned()], 1)
        );
    }
}

/// Nesting, chains and macros that would take a stack or a memory of their own are refused.
#[test]
fn what_is_too_large_is_refused() {
    let at = |e: &str| format!("addrmap a {{ reg {{}} r @ {e}; }};");
    let cases = [
        at(&"(".repeat(100_000)),
        at(&"1+".repeat(100_000)),
        at(&"~".repeat(100_000)),
        at(&"{1{".repeat(100_000)),
        at(&"x[".repeat(100_000)),
        at(&"'{".repeat(100_000)),
        "regfile { ".repeat(100_000),
        "addrmap a { a x; };".into(),
        "`define a `a `a\naddrmap b { `a };".into(),
        at(&format!("{}1{}", "{".repeat(39), "{1}}".repeat(39))),
    ];
    rdl::read(&at(&format!("{}0", "0+".repeat(140))), None).expect("a long sum is read");
    for text in cases {
        assert!(
            rdl::read(&text, None).is_err(),
            "{}",
            &text[..40.min(text.len())]
        );
    }
}

/// What the reference compiler (descriptions/reference.py) finds in the same files.
#[test]
fn the_reference_compiler_finds_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/descriptions/reference");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|e| e != "rdl") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("the description");
        let told = std::fs::read_to_string(path.with_extension("account")).expect("its account");
        let told: Vec<&str> = told.lines().filter(|l| !l.starts_with('#')).collect();
        let read = rdl::read(&text, None).unwrap_or_else(|e| panic!("{}: {e:#}", path.display()));
        assert_eq!(
            account(&read),
            told,
            "{}: {:?}",
            path.display(),
            read.left_out
        );
        assert!(!told.is_empty());
        files += 1;
    }
    assert!(files >= FILES, "{files}");
}

/// A line of each register (name, address, bytes) and field (name, lowest bit, width, access, reset).
fn account(of: &Description) -> Vec<String> {
    let mut all = Vec::new();
    for r in &of.registers {
        for n in 0..r.several.map_or(1, |(count, _)| count) {
            let step = r.several.map_or(0, |(_, step)| step);
            let element = r.several.map_or_else(String::new, |_| format!("[{n}]"));
            let (at, bytes) = (r.offset + n * step, r.bits / 8);
            let mut text = format!("{:010x} {}{element} {bytes}", at, r.name);
            for f in &r.fields {
                let none = format!("TODO {}: software has no access", f.name);
                let access = match f.effects & (Effects::RO | Effects::WO) {
                    _ if r.unknown.contains(&none) => "na",
                    Effects::RO => "r",
                    Effects::WO => "w",
                    _ => "rw",
                };
                let reset = f.reset.map_or("-".into(), |n| n.to_string());
                text += &format!("; {} {} {} {access} {reset}", f.name, f.low, f.width);
                for (name, n) in &f.values {
                    text += &format!(" {name}={n}");
                }
            }
            all.push(text);
        }
    }
    all.sort();
    all
}

/// Pieces of good files, in any order and cut anywhere, give an answer or an error, soon.
#[test]
fn noise_is_refused_and_never_panics() {
    let mut random = noise::Random::new(1);
    let mut dice = |n: usize| random.below(n);
    for _ in 0..4000 {
        for (text, svd) in [(SVD, true), (RDL, false)] {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..1 + dice(4) {
                if bytes.is_empty() {
                    break;
                }
                let (at, from) = (dice(bytes.len()), dice(bytes.len()));
                let length = dice(40).min(bytes.len() - from);
                let piece = bytes[from..from + length].to_vec();
                match dice(3) {
                    0 => bytes.truncate(at),
                    1 => drop(bytes.splice(at..at, piece)),
                    _ => bytes[at] = dice(128) as u8,
                }
            }
            let Ok(text) = String::from_utf8(bytes) else {
                continue;
            };
            let _ = if svd {
                svd::read(&text, Some("DOG"))
            } else {
                rdl::read(&text, None)
            };
        }
    }
    // Arrays of arrays of nothing take no time either.
    let nested = "regfile { ".repeat(12) + &"} x[4096]; ".repeat(12);
    let error = refused(rdl::read(&format!("addrmap a {{ {nested} }};"), None));
    assert!(
        error.contains("too many instances") || error.contains("64 bits"),
        "{error}"
    );
}
