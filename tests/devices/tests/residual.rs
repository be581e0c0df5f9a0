//! What remains of a rule: every choice that facts decide is gone, and nothing came from elsewhere.
//!
//! For each device model, and so for each way of each rule that a model here takes: each branch that is left looks at something
//! that only a run can know; the same graph comes of a rulebook without the rules of all other devices; shared memory is
//! published and acquired. And every name that is left (windows, failures, upcalls) is one of the chosen rules', of their
//! parts' or of their class's. `tests/system/same.rs` asks the same of every driver of every machine.

use proof::stand::{Outside, Stand};
use proof::{models, residue};
use std::collections::BTreeSet;

/// Names that the text of the chosen rules, their parts and classes contains.
fn words(texts: &[(String, String)], files: &[&str]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (file, text) in texts {
        if file == "classes.rule" || files.contains(&file.as_str()) {
            let parts = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            all.extend(parts.map(str::to_owned));
        }
    }
    all
}

#[test]
fn no_choice_that_facts_decide_is_left() {
    let book = device_tests::rulebook();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(folder.join("models.toml")).unwrap();
    let texts: Vec<(String, String)> = book
        .files
        .iter()
        .map(|file| {
            let path = device_tests::rules_folder().join(file);
            (file.clone(), std::fs::read_to_string(path).unwrap())
        })
        .collect();
    let mut branches = 0;
    for model in models::read(&list).unwrap() {
        if model.elsewhere.is_some() {
            continue;
        }
        let outside = Outside::new(&model).unwrap();
        let mut stand = Stand::start(&model, &outside).unwrap();
        let written = stand.write(&book, &model.class).unwrap();
        let residual = &written.residual;
        branches += residue::choices(residual).len();
        let faults = stand.faults(&book, &written);
        assert!(faults.is_empty(), "{}: {}", model.name, faults.join("; "));
        // Parts are rules as well; those of the transport's file may be used by its functions.
        let files: Vec<&str> = written
            .choice
            .rules
            .iter()
            .map(|rule| book.files[usize::from(book.rules[*rule].place.file)].as_str())
            .collect();
        let mut files = files;
        let parts = book.rules.iter().filter(|rule| !rule.parameters.is_empty());
        files.extend(parts.map(|rule| book.files[usize::from(rule.place.file)].as_str()));
        let known = words(&texts, &files);
        let names = residual.windows.iter().map(|w| &w.name);
        let names = names.chain(&residual.failures).chain(&residual.upcalls);
        for name in names {
            let all_known = name
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .filter(|part| !part.is_empty() && part.parse::<u64>().is_err())
                .all(|part| known.contains(part));
            assert!(all_known, "{}: whose is `{name}`?", model.name);
        }
    }
    assert!(branches > 300, "only {branches} branches were looked at");
}
