//! The serial port and the clock that every PC has, through emitted machine code.

use classes::Class;
use device_tests::proof::{facts, pattern, running};
use device_tests::*;
use qtest::{peer, Config, Machine};

#[test]
fn uart16550_speaks_both_ways() {
    let line = peer::Line::new().unwrap();
    let machine = Machine::start(
        Config::q35()
            .args(line.chardev("c0"))
            .args(["-device", "isa-serial,chardev=c0"]),
    )
    .unwrap();
    let book = rulebook();
    let facts_given = vec![fact("candidate", machine::Value::Flag(true))];
    let window = machine::Window {
        index: 0,
        kind: machine::WindowKind::Port,
        base: 0x3f8,
        size: 8,
        source: machine::Source::Candidate,
    };
    let mut found = platform_device("isa/3f8", facts_given, vec![window]);
    let (_, written) = write_driver(&book, &machine, &mut found, "serial", &[]);
    let mut device = running(&machine, &written);
    let mut driver = device.pump(Class::Serial, facts(&written)).unwrap();
    driver.start().unwrap();
    let text = pattern(300);
    driver.pool().write(0, &text);
    let answer = driver.ask(abi::ring::todo::SERIAL_SEND, 0, 300, 0).unwrap();
    assert_eq!(answer.ok, 1);
    assert_eq!(
        line.receive(300, std::time::Duration::from_secs(5))
            .unwrap(),
        text
    );
    // Eight bytes are what the FIFO waits for; the pause that would tell of fewer never ends while the machine's clock stands.
    line.send(b"MetaOS!\n").unwrap();
    let got: Vec<u8> = (0..8)
        .map(|_| {
            driver
                .wait(|e| e.kind == abi::ring::done::RECEIVED)
                .unwrap()
                .value as u8
        })
        .collect();
    assert_eq!(got, b"MetaOS!\n");
}

#[test]
fn hpet_goes_forward() {
    let machine = Machine::start(Config::q35().real_time()).unwrap();
    let book = rulebook();
    let window = machine::Window {
        index: 0,
        kind: machine::WindowKind::Memory,
        base: 0xfed0_0000,
        size: 0x400,
        source: machine::Source::Candidate,
    };
    let mut found = platform_device(
        "acpi/HPET",
        vec![fact("acpi", machine::Value::Text("HPET".into()))],
        vec![window],
    );
    let (_, written) = write_driver(&book, &machine, &mut found, "clock", &[]);
    let mut device = running(&machine, &written);
    let mut clock = device.direct().unwrap();
    assert_eq!(clock.start().unwrap(), abi::status::OK);
    let before = clock.call("now", &[]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2));
    let passed = clock.call("now", &[]).unwrap() - before;
    // A tick is 10 ns; the host's time passes too.
    assert!(
        passed >= 100_000,
        "{passed} ticks in more than a millisecond"
    );
}
