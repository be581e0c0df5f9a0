//! `tests/cases/specialiser`: a rule that the specialiser once got wrong in three ways.

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
