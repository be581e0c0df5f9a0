//! Every strategy: each arm of each rule that facts choose is taken by some device model here, and with it by all that is
//! proved of that model. What no model takes stands below, with the reason. (Rules that the host cannot try at all are tried
//! in machines.)

use proof::arms::{self, Side};
use proof::stand::{Outside, Stand, Written};
use proof::{models, residue};
use rulebook::tree::Book;

/// Arms that no model takes: file, words of the line, side, and why.
const NEVER: [(&str, &str, Side, &str); 4] = [
    (
        "block/ahci.rule",
        "command: 0x25",
        Side::When,
        "the emulator's drives all have queues",
    ),
    (
        "block/ahci.rule",
        "command: 0x35",
        Side::When,
        "the emulator's drives all have queues",
    ),
    (
        "nic/rtl8139.rule",
        "quirk asleep",
        Side::When,
        "the emulator's chip is a later one",
    ),
    (
        "timer/hpet.rule",
        "!wide",
        Side::When,
        "the emulator's counter has 64 bits",
    ),
];

fn taken(book: &Book, number: usize, rule: usize, stands: &[(Stand, Written)]) -> bool {
    let without = arms::without(book, number);
    stands.iter().any(|(stand, written)| {
        residue::rules(book, &written.choice).contains(&rule) && !stand.agrees(&without, written)
    })
}

#[test]
fn every_arm_is_taken_by_a_model() {
    let book = device_tests::rulebook();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(folder.join("models.toml")).unwrap();
    let list = models::read(&list).unwrap();
    let mut stands = Vec::new();
    for model in list.iter().filter(|model| model.elsewhere.is_none()) {
        let outside = Outside::new(model).unwrap();
        let mut stand = Stand::start(model, &outside).unwrap();
        let written = stand.write(&book, &model.class).unwrap();
        stands.push((stand, written));
    }
    let tried: Vec<usize> = (0..book.rules.len())
        .filter(|rule| {
            (stands.iter())
                .any(|(_, written)| residue::rules(&book, &written.choice).contains(rule))
        })
        .collect();
    let (mut never, mut excused) = (Vec::new(), Vec::new());
    let all = arms::all(&book);
    assert!(all.len() > 50, "only {} arms", all.len());
    for (number, arm) in all.iter().enumerate() {
        if !tried.contains(&arm.rule) || taken(&book, number, arm.rule, &stands) {
            continue;
        }
        let file = &book.files[usize::from(arm.place.file)];
        let text = std::fs::read_to_string(device_tests::rules_folder().join(file)).unwrap();
        let line = text.lines().nth(arm.place.line as usize - 1).unwrap();
        let known = NEVER.iter().position(|(known, words, side, _)| {
            known == file && line.contains(words) && *side == arm.side
        });
        match known {
            Some(known) => excused.push(known),
            None => never.push(format!("{file}: {:?} of {}", arm.side, line.trim())),
        }
    }
    assert!(
        never.is_empty(),
        "no model takes these: give one to models.toml\n{}",
        never.join("\n")
    );
    excused.sort_unstable();
    let all: Vec<usize> = (0..NEVER.len()).collect();
    assert_eq!(excused, all, "an arm that is taken, or gone, is excused");
}
