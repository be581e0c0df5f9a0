//! Keyboards: keys pressed at the emulator.

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

#[test]
fn ps2_keyboard_tells_which_key() {
    let (machine, written) = keyboard();
    let mut device = proof::running(&machine, &written);
    let mut driver = device.pump(Class::Input, proof::facts(&written)).unwrap();
    assert_eq!(
        driver.selftest(Effort::Thorough).unwrap(),
        Outcome::Verified
    );
    ::proof::outside::input(&mut driver).unwrap();
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
    let mut probe = device_tests::Opening::new(&machine).unwrap();
    let verdict = synthesis::match_device(subject, Some(&mut probe));
    assert!(verdict.chosen.is_empty(), "{verdict:?}");
}

#[test]
fn interpreter_and_code_touch_the_keyboard_alike() {
    proof::same_trace(Class::Input, keyboard);
}
