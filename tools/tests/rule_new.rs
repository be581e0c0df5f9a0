//! `./meta rule new`: what it makes of descriptions and of nothing passes `rule check` but for what is to be filled in.

use meta::rule_new::skeleton::{self, Bus};
use meta::rule_new::{description::Description, rdl, svd};
use std::path::Path;

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
            "addrmap a { enum b { x; }; };",
            "1:13: `enum` is not understood here: leave it out",
        ),
        (
            "addrmap a { reg { field {} x[0:3]; } r; };",
            "1:28: x: bits are written from the highest to the lowest: [7:0]",
        ),
        (
            "addrmap a { reg { field {} x[33]; } r; };",
            "1:37: r: r.x has 33 bits from bit 0, but r has 32",
        ),
        (
            "addrmap a { nothing r; };",
            "1:13: there is no component `nothing`",
        ),
        (
            "addrmap a { reg {} r @ 4 + 4; };",
            "1:26: `;`, `,`, `@`, `+=` or `=` is expected; here stands `+`",
        ),
        (
            "addrmap a { `include \"b\"",
            "1:13: preprocessor directives are not understood: expand them first",
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
