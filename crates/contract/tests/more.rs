//! A class more in the text, and nothing else changed: every table has it.

#[allow(dead_code)]
mod with_more {
    use contract::{Contract as Made, Operation as Listed};

    // The tables refer to these two, and to what stands beside them.
    pub struct Contract {
        pub name: &'static str,
        pub direct: bool,
        pub operations: &'static [Operation],
    }
    pub struct Operation {
        pub name: &'static str,
        pub kind: Option<Kind>,
        pub optional: bool,
        pub ticket: bool,
        pub bytes: bool,
    }

    include!(concat!(env!("OUT_DIR"), "/more.rs"));

    /// What the tables of the project say, in the same words.
    pub fn same(made: &Made, here: &Contract) -> bool {
        let listed = |o: &Listed| (o.name, o.optional, o.ticket, o.bytes, o.kind.is_some());
        let own = |o: &Operation| (o.name, o.optional, o.ticket, o.bytes, o.kind.is_some());
        made.name == here.name
            && made.direct == here.direct
            && (made.operations.iter().map(listed)).eq(here.operations.iter().map(own))
    }
}

use with_more::{default, operation, todo, Class, EntryId, Kind, CONTRACTS, ENTRIES, TAILS};

#[test]
fn the_pump_gets_the_new_class() {
    let contract = Class::Thermometer.contract();
    assert_eq!((contract.name, contract.direct), ("thermometer", false));
    let asked: Vec<_> = (contract.operations.iter())
        .map(|o| (o.name, o.kind, o.optional, o.ticket, o.bytes))
        .collect();
    assert_eq!(
        asked,
        [
            ("sample", Some(Kind::Sample), false, true, false),
            ("calibrate", Some(Kind::Calibrate), true, false, false),
            ("store", Some(Kind::Store), false, true, true),
        ]
    );
    let numbers = [
        todo::THERMOMETER_SAMPLE,
        todo::THERMOMETER_CALIBRATE,
        todo::THERMOMETER_STORE,
    ];
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(
        (
            default::thermometer::LOWEST,
            default::thermometer::RESOLUTION
        ),
        (0, 10)
    );
    assert_eq!(Kind::Sample.entry(), EntryId::Sample);
    assert!(ENTRIES.contains(&("sample.then", EntryId::SampleThen)));
    assert!(TAILS.contains(&(EntryId::Sample, EntryId::SampleThen)));
}

#[test]
fn the_nucleus_gets_the_new_operations() {
    let before = contract::operation::COUNT;
    assert_eq!(operation::COUNT, before + 2);
    assert_eq!(operation::NAMES[..before], contract::operation::NAMES);
    assert_eq!(operation::NAMES[operation::GATE_OPEN], ("gate", "open"));
    assert!(
        !operation::OPTIONAL[operation::GATE_OPEN] && operation::OPTIONAL[operation::GATE_SHUT]
    );
}

#[test]
fn the_others_stay_as_they_were() {
    assert_eq!(CONTRACTS.len(), contract::CONTRACTS.len() + 2);
    for (made, here) in contract::CONTRACTS.iter().zip(&CONTRACTS) {
        assert!(with_more::same(made, here), "{}", made.name);
    }
    assert!(Class::ALL.len() == contract::Class::ALL.len() + 1);
}

/// Entries are numbered by their place in the table, which is how a driver's code is found.
#[test]
fn entries_are_in_the_order_of_their_numbers() {
    for (at, (name, id)) in contract::ENTRIES.iter().enumerate() {
        assert_eq!(*id as usize, at, "{name}");
    }
}

/// The shipped text, as a person reads it.
#[test]
fn the_shipped_classes_are_what_the_text_says() {
    use contract::{operation, todo, Class, Kind};
    assert_eq!((todo::NIC_TRANSMIT, todo::NIC_SUPPLY), (1, 2));
    assert_eq!(
        Class::Block.request(2).map(|(kind, _)| kind),
        Some(Kind::Write)
    );
    assert_eq!(Class::Block.request(0).map(|(kind, _)| kind), None);
    assert_eq!(Class::Block.request(4).map(|(kind, _)| kind), None);
    assert_eq!(Class::of_name("block"), Some(Class::Block));
    assert_eq!(Class::of_name("clock"), None, "it is direct");
    // `put` of a serial line is the nucleus's, not the client's.
    assert!(operation::NAMES.contains(&("serial", "put")));
    assert_eq!(Class::Serial.operations().count(), 1);
}
