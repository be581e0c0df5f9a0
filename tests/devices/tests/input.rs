//! Keyboards: keys pressed at the emulator.

use abi::ring::done;
use classes::selftest::{Effort, Outcome};
use classes::Class;
use device_tests::{fact, platform_device, proof};
use machine::{Device, Source, Value, Window, WindowKind};
use qtest::{Config, Machine};
use synthesis::Written;

/// The place where a PC has its keyboard, as a candidate.
fn place() -> Device {
    let window = Window {
        index: 0,
        kind: WindowKind::Port,
        base: 0x60,
        size: 5,
        source: Source::Candidate,
    };
    let candidate = fact("candidate", Value::Flag(true));
    platform_device("isa/60", vec![candidate], vec![window])
}

fn keyboard() -> (Machine, Written) {
    let machine = Machine::start(Config::q35()).unwrap();
    let written = proof::written(&machine, &mut place(), "input", "ps2_keyboard");
    (machine, written)
}

fn press(machine: &Machine, key: &str, down: bool) {
    let key = serde_json::json!({ "type": "qcode", "data": key });
    let event = serde_json::json!({ "type": "key", "data": { "down": down, "key": key } });
    machine
        .ask("input-send-event", serde_json::json!({ "events": [event] }))
        .unwrap();
}

#[test]
fn ps2_keyboard_tells_which_key() {
    let (machine, written) = keyboard();
    let mut device = proof::running(&machine, &written);
    let mut driver = device.pump(Class::Input, proof::facts(&written)).unwrap();
    assert_eq!(
        driver.selftest(Effort::Thorough).unwrap(),
        Outcome::Verified
    );
    // Keys and their set 2 codes: plain, with the prefix, held together.
    let script = [
        ("a", true, 0x1c),
        ("a", false, 0x1c),
        ("shift", true, 0x12),
        ("right", true, 0x174),
        ("right", false, 0x174),
        ("shift", false, 0x12),
        ("kp_enter", true, 0x15a),
        ("kp_enter", false, 0x15a),
        ("f9", true, 0x01),
        ("f9", false, 0x01),
    ];
    for (key, down, code) in script {
        press(&machine, key, down);
        let got = driver.wait(|e| e.kind == done::KEY).unwrap();
        assert_eq!((got.value, got.ok == 1), (code, down), "{key}");
    }
    // More at once than one turn takes.
    for _ in 0..5 {
        press(&machine, "b", true);
        press(&machine, "b", false);
    }
    for k in 0..10 {
        let got = driver.wait(|e| e.kind == done::KEY).unwrap();
        assert_eq!((got.value, got.ok == 1), (0x32, k % 2 == 0));
    }
}

/// Nothing is taken for a keyboard where there is none.
#[test]
fn an_empty_place_has_no_keyboard() {
    let config = Config::q35().machine("microvm");
    let machine = Machine::start(config).unwrap();
    let book = device_tests::rulebook();
    let device = place();
    let model = device_tests::machine_of(machine::Arch::X86_64, &device);
    let subject = synthesis::Subject {
        book: &book,
        machine: &model,
        device: &device,
        given: &[],
    };
    let live = qtest::Live::with(&machine, Vec::new(), 4096, 1 << 20, 4096).unwrap();
    let mut probe = device_tests::Opening(live);
    let verdict = synthesis::match_device(subject, Some(&mut probe));
    assert!(verdict.chosen.is_empty(), "{verdict:?}");
}

#[test]
fn interpreter_and_code_touch_the_keyboard_alike() {
    proof::same_trace(Class::Input, keyboard);
}
