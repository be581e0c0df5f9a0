//! Rule texts that must pass, and rule texts that must fail with the message beside them, word for word.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn texts(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let mut out: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder of rule texts is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|end| end == "rule"))
        .collect();
    out.sort();
    out
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[test]
fn what_must_pass_passes() {
    let paths = texts("pass");
    assert!(!paths.is_empty());
    for path in paths {
        let text = fs::read_to_string(&path).expect("the text can be read");
        let name = file_name(&path);
        let files = [(name.as_str(), text.as_str())];
        match rulebook::read(&files) {
            Ok(book) => {
                let bytes = rulebook::pack(&book);
                assert_eq!(
                    rulebook::unpack(&bytes).as_ref(),
                    Ok(&book),
                    "{name} survives its binary form"
                );
            }
            Err(problems) => {
                let shown: Vec<String> = problems.iter().map(|p| p.render("", &files)).collect();
                panic!("{name}:\n{}", shown.concat());
            }
        }
    }
}

/// With `BLESS=1` in the environment, writes the messages instead of comparing them.
#[test]
fn what_must_fail_says_why() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for path in texts("fail") {
        let text = fs::read_to_string(&path).expect("the text can be read");
        let name = file_name(&path);
        let files = [(name.as_str(), text.as_str())];
        let found: String = match rulebook::read(&files) {
            Ok(_) => String::from("no complaint\n"),
            Err(problems) => problems
                .iter()
                .map(|p| p.render("rules/", &files))
                .collect(),
        };
        let beside = path.with_extension("message");
        if bless {
            fs::write(&beside, &found).expect("the message can be written");
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        if found != expected || found == "no complaint\n" {
            wrong.push(format!("{name}: expected\n{expected}\nfound\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each check by the words that the names of its texts begin with: what docs/rules.md lists.
const CHECKS: [(&str, &[&str]); 23] = [
    ("syntax", &["syntax-", "slip-"]),
    (
        "names",
        &["name-", "call-", "type-", "twice", "rule-", "upcall-"],
    ),
    ("bits", &["bits-", "width", "pieces"]),
    ("places", &["place-", "over-"]),
    ("records", &["record-"]),
    (
        "effects",
        &["write-", "read-", "partial-", "fit-", "index", "claim-"],
    ),
    ("identification", &["match-"]),
    ("bounds", &["await-", "while-", "time-"]),
    ("binding times", &["when-", "quirk-", "op-", "event-calls"]),
    ("contracts", &["class-", "bus-", "reg-", "space-"]),
    ("events", &["event-", "part-event"]),
    ("double fetch", &["fetch-"]),
    ("arms", &["arm-"]),
    ("lists", &["list-"]),
    ("failures", &["fail-", "recover-"]),
    ("parts", &["part-", "use-"]),
    ("ways", &["way-"]),
    ("quiet", &["quiet-"]),
    ("children of a class", &["child-none-"]),
    (
        "children that come and go",
        &["child-neither", "child-comes", "child-goes"],
    ),
    ("facts of a child", &["child-missing"]),
    (
        "other facts of a child",
        &["child-twice", "child-unknown", "child-near", "child-path"],
    ),
    ("values of a child", &["child-value", "child-fit"]),
];

#[test]
fn each_check_has_three_texts() {
    let names: Vec<String> = texts("fail").iter().map(|path| file_name(path)).collect();
    for (check, words) in CHECKS {
        let of = |name: &&String| words.iter().any(|word| name.starts_with(word));
        let count = names.iter().filter(of).count();
        assert!(count >= 3, "{check}: only {count} texts");
    }
    let instances = names
        .iter()
        .filter(|name| name.starts_with("each-"))
        .count();
    assert!(instances >= 3, "instances: only {instances} texts");
}
