//! Interrupts by message in whole machines: the driver hears them, and does not look at its device instead.

use crate::boots::boot;

/// Devices whose drivers have messages, by machine, and what makes them send.
const SENDERS: [(&str, &[(&str, &str)]); 3] = [
    (
        "q35-nvme",
        &[("nvme", "read 1"), ("virtio-net", "send 10.0.2.2")],
    ),
    (
        "q35-virtio",
        &[("virtio-blk", "read 1"), ("virtio-net", "send 10.0.2.2")],
    ),
    (
        "virt-gicv2",
        &[("virtio-blk", "read 1"), ("virtio-net", "send 10.0.2.2")],
    ),
];

/// Interrupts that the driver heard, and its looks without one.
pub fn came(told: &str) -> (u64, u64) {
    let line = told.lines().find(|line| line.starts_with("heard"));
    let line = line.unwrap_or_else(|| panic!("no session:\n{told}"));
    let numbers: Vec<u64> = line.split(' ').filter_map(|w| w.parse().ok()).collect();
    (numbers[0], numbers[1])
}

#[test]
fn messages_bring_completions() {
    for (machine, senders) in SENDERS {
        let mut booted = boot(machine);
        for (driver, request) in senders {
            booted.ask_well(request);
            let before = booted.ask_well(&format!("devices {driver}"));
            assert!(before.contains("\nmessage  0"), "{machine}:\n{before}");
            assert!(before.contains("entry    message:"), "{machine}:\n{before}");
            assert!(!before.contains("\nwire "), "{machine}:\n{before}");
            for _ in 0..5 {
                booted.ask_well(request);
            }
            let after = booted.ask_well(&format!("devices {driver}"));
            let (heard, looked) = came(&before);
            let (now_heard, now_looked) = came(&after);
            assert!(now_heard >= heard + 5, "{machine} {driver}: {after}");
            // Where its rule says how long a request may rest, it looks once as one begins; who polls looks each millisecond.
            assert!(now_looked <= looked + 5, "{machine} {driver}: {after}");
        }
        let log = booted.ask_well("log");
        assert!(!log.contains("looks every millisecond"), "{machine}: {log}");
    }
}

/// A started-anew driver hears its messages again: what they are bound to was kept.
#[test]
fn messages_survive_their_driver() {
    let mut booted = boot("q35-nvme");
    let first = booted.ask_well("read 1");
    booted.ask_well("kill nvme");
    assert_eq!(booted.ask_well("read 1"), first);
    let before = came(&booted.ask_well("devices nvme"));
    booted.ask_well("read 2");
    let after = came(&booted.ask_well("devices nvme"));
    assert!(
        after.0 > before.0 && after.1 <= before.1 + 1,
        "{before:?} {after:?}"
    );
}
