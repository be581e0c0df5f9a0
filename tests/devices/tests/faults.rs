//! Devices that break at any moment, in every way: a driver stays inside its memory and its contract, and comes back.

use proof::faults::{self, End, Kind};
use proof::models;
use std::collections::BTreeMap;

/// Accesses after which the device breaks: during `init`, right after it, and later.
const AFTER: [u64; 4] = [0, 7, 40, 90];

#[test]
fn a_broken_device_breaks_no_driver() {
    let book = device_tests::rulebook();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models.toml");
    let list = models::read(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut wrong = Vec::new();
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    for model in list.iter().filter(|model| model.elsewhere.is_none()) {
        for kind in Kind::ALL {
            for after in AFTER {
                let end = match faults::run(&book, model, kind, after) {
                    Ok(End::Well) => "well",
                    Ok(End::Failed(_)) => "failed by a name",
                    Ok(End::Noticed(_)) => "noticed",
                    Ok(End::Waiting(_)) => "waiting",
                    Err(error) => {
                        wrong.push(format!("{}: {error}", model.name));
                        "wrong"
                    }
                };
                *ends.entry(end).or_default() += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{ends:?}\n{}", wrong.join("\n"));
    assert!(
        ends.get("failed by a name").is_some_and(|n| *n > 20),
        "{ends:?}"
    );
}
