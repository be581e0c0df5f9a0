//! Devices that break at any moment, in every way: a driver stays inside its memory and its contract, and comes back
//! within the accesses that its operations and events are bounded to.

use proof::faults::{self, End, Kind};
use proof::models;
use std::collections::BTreeMap;

/// Reads after which the device breaks: in the first half of `init`, or when it works.
const AFTER: [u64; 2] = [7, 60];

#[test]
#[ignore = "takes long"]
fn a_broken_device_breaks_no_driver() {
    let book = device_tests::rulebook();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models.toml");
    let list = models::read(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut wrong = Vec::new();
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    let mut tried: Vec<&str> = Vec::new();
    for model in list.iter().filter(|model| model.elsewhere.is_none()) {
        // Each chain of rules once.
        if tried.contains(&model.rules.as_str()) {
            continue;
        }
        tried.push(&model.rules);
        for (number, kind) in Kind::ALL.into_iter().enumerate() {
            let after = AFTER[(tried.len() + number) % AFTER.len()];
            let end = match faults::run(&book, model, kind, after) {
                Ok(End::Well) => "well",
                Ok(End::Failed(_)) => "failed by a name",
                Ok(End::Noticed(_)) => "noticed",
                Ok(End::Busy(_)) => "busy",
                Err(error) => {
                    wrong.push(format!("{}: {error}", model.name));
                    "wrong"
                }
            };
            *ends.entry(end).or_default() += 1;
        }
    }
    assert!(wrong.is_empty(), "{ends:?}\n{}", wrong.join("\n"));
    assert!(
        ends.get("failed by a name").is_some_and(|n| *n > 10),
        "{ends:?}"
    );
}
