//! The rules that MetaOS ships pass every check, and keep their binary form.

use std::{fs, path::Path};

/// Every rule file under the folder, as path relative to `rules/` and text.
fn gather(folder: &Path, prefix: &str, out: &mut Vec<(String, String)>) {
    let entries = fs::read_dir(folder).expect("the folder of the rules is there");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    paths.sort();
    for path in paths {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            gather(&path, &format!("{prefix}{name}/"), out);
        } else if name.ends_with(".rule") {
            let text = fs::read_to_string(&path).expect("the text can be read");
            out.push((format!("{prefix}{name}"), text));
        }
    }
}

#[test]
fn the_shipped_rules_are_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let mut files = Vec::new();
    gather(&folder, "", &mut files);
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let book = rulebook::read(&files).unwrap_or_else(|problems| {
        let shown: Vec<String> = problems
            .iter()
            .map(|p| p.render("rules/", &files))
            .collect();
        panic!("{}", shown.concat());
    });
    assert!(
        book.rules.len() >= 15 && book.classes.len() >= 8,
        "all of them were read"
    );
    let bytes = rulebook::pack(&book);
    assert_eq!(rulebook::unpack(&bytes), Ok(book));
    let again = rulebook::read(&files).map(|book| rulebook::pack(&book));
    assert_eq!(again, Ok(bytes), "the same texts give the same bytes");
}

/// What a function's transport does for it counts: its doorbell, and the cause that it reads.
#[test]
fn the_worst_case_of_a_function_holds_what_carries_it() {
    let text = "class wire\n  op ring(n: 8)\n  up news\n\
        rule copper : wire on pci\n  match vendor == 1 score 9\n  space r = le bar(0)\n  reg BELL 0:32 in r\n  \
        reg CAUSE 4:32 ro\n  op ring(n) { BELL = n }\n  event irq { let c = CAUSE;  claim c != 0;  up news }\n\
        class lamp\n  op glow(n: 8)\n\
        rule lantern : lamp on wire\n  match vendor == 1 score 9\n  op glow(n) { then { ring(n) } }\n  event news { ring(1) }\n";
    let book = rulebook::read(&[("lantern.rule", text)]).unwrap_or_else(|p| panic!("{p:?}"));
    let lantern = book.rules.iter().find(|r| book.name(r.name) == "lantern");
    let lantern = lantern.expect("the rule is there");
    let carriers = rulebook::worst::carriers(&book, lantern);
    assert_eq!(carriers.len(), 1);
    let alone = rulebook::worst::worst(&book, lantern, None);
    assert_eq!(alone[0].tail.accesses.number(), Some(0));
    let carried = rulebook::worst::worst(&book, lantern, Some(carriers[0]));
    let shown: Vec<(&str, Option<u64>, Option<u64>)> = (carried.iter())
        .map(|w| {
            (
                &*w.entry,
                w.cost.accesses.number(),
                w.tail.accesses.number(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [("glow", Some(0), Some(1)), ("irq", Some(2), Some(0))]
    );
}

/// Each piece of a register is an access, and has those before it that choose it.
#[test]
fn the_worst_case_counts_pieces_and_what_chooses_them() {
    let operations = [
        ("A = n", 2),
        ("up seen(A)", 2),
        ("A.low = 1", 4),
        ("A += 1", 4),
        ("up seen(D)", 8),
        ("PAGED[1] = n", 12),
        ("up seen(PAGED[1])", 12),
        ("INNER = n", 4),
        ("PICK = n", 1),
        ("EACH[n % 2] = n", 2),
        ("up seen(EACH[n % 2])", 2),
        ("up seen(EACH[0] + EACH[1])", 4),
        ("r.EACH[n % 2] = n", 2),
        ("up seen(r.A)", 2),
        ("up seen(r.A.low)", 2),
        ("r.A.low = 1", 4),
        ("i.INNER = n", 4),
        ("BANKED = n", 6),
        ("up seen(BANKED)", 6),
    ];
    for (body, wanted) in operations {
        let text = format!(
            "class lamp\n  op glow(n: 8)\n  up seen(n: 64)\nrule lantern : lamp on pci\n  match vendor == 1 score 9\n\
             \x20 space r = le bar(0), i = r + 0x40 via PICK = at, p = r via CR.page = 1\n  reg PICK 0:8 in r\n\
             \x20 reg CR 1:8 {{ on@0 page@1:2; else 0 }}\n  reg A 2:16 as 2x8 {{ low@0:8 high@8:8 }}\n\
             \x20 reg PAGED[k] 8:32 as 4x8 via CR.page = k\n  reg D 0x10:64 as 8x8\n  reg EACH[2] 0x20:16 as 2x8\n\
             \x20 reg INNER 3:32 as 2x16 in i\n  reg BANKED 0x30:16 as 2x8 in p\n  op glow(n) {{ {body} }}\n"
        );
        let book = rulebook::read(&[("lantern.rule", &text)]).unwrap_or_else(|p| panic!("{p:?}"));
        let worst = rulebook::worst::worst(&book, &book.rules[0], None);
        assert_eq!(worst[0].cost.accesses.number(), Some(wanted), "{body}");
    }
}
