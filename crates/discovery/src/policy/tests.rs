//! A test for each thing that the policy forbids.

use super::*;
use alloc::vec;

/// Memory and ports that count what reaches them.
#[derive(Default)]
struct Counted {
    reads: Vec<u64>,
    writes: Vec<u64>,
}

impl Hardware for Counted {
    fn read(&mut self, physical: u64, _: u32) -> Option<u64> {
        self.reads.push(physical);
        (physical != 0xdead_0000).then_some(7)
    }
    fn write(&mut self, physical: u64, _: u32, _: u64) {
        self.writes.push(physical);
    }
    fn copy(&mut self, physical: u64, _: &mut [u8]) -> bool {
        self.reads.push(physical);
        true
    }
    fn port_read(&mut self, port: u16, _: u32) -> u64 {
        self.reads.push(port as u64);
        7
    }
    fn port_write(&mut self, port: u16, _: u32, _: u64) {
        self.writes.push(port as u64);
    }
    fn cpuid(&mut self, _: u32, _: u32) -> [u32; 4] {
        [0; 4]
    }
    fn register(&mut self, _: u32) -> Option<u64> {
        None
    }
    fn ram_write(&mut self, physical: u64, _: u32, _: u64) -> bool {
        self.writes.push(physical);
        true
    }
    fn what_failed(&mut self) -> Option<String> {
        Some(String::from("exception 14"))
    }
}

const RAM: u64 = 0x10_0000;
const USED: u64 = 0x20_0000;
const CONFIGURATION: u64 = 0xb000_0000;
const WINDOW: u64 = 0xfe00_0000;

/// What reached the machine, and how often the policy refused.
fn through(blind: bool, act: impl FnOnce(&mut Gate)) -> (Counted, usize) {
    let (mut machine, mut journal) = (Counted::default(), Journal::forgetful());
    let refused = {
        let mut gate = Gate::new(&mut machine, &mut journal, blind);
        gate.know(RAM, 0x40_0000, Place::Ram);
        gate.know(USED, 0x1000, Place::InUse);
        gate.know(CONFIGURATION, 0x1000_0000, Place::Configuration);
        gate.know(WINDOW, 0x1000, Place::Window);
        act(&mut gate);
        gate.refusals.len()
    };
    (machine, refused)
}

#[test]
fn every_place_has_one_row() {
    for (place, ..) in POLICY {
        assert_eq!(POLICY.iter().filter(|row| row.0 == place).count(), 1);
    }
}

#[test]
fn nothing_is_written_to_an_address_that_nothing_claims() {
    for blind in [false, true] {
        let (machine, refused) = through(blind, |gate| {
            gate.write(0xd000_0000, 32, 1);
            gate.write(0xafff_ffff, 8, 1);
            assert!(!gate.ram_write(0xd000_0000, 64, 1));
            gate.port_write(0x80, 8, 1);
        });
        assert_eq!((machine.writes, refused), (vec![], 4), "blind: {blind}");
    }
}

#[test]
fn nothing_is_written_to_ram_that_is_in_use() {
    let (machine, refused) = through(false, |gate| {
        assert!(!gate.ram_write(USED + 8, 64, 1));
        gate.write(USED, 32, 1);
        assert!(gate.ram_write(RAM, 64, 1));
    });
    assert_eq!((machine.writes, refused), (vec![RAM], 2));
}

#[test]
fn nothing_stays_written_in_ram_or_in_a_device_without_a_rule() {
    let (machine, refused) = through(false, |gate| {
        gate.write(RAM, 32, 1);
        gate.write(WINDOW, 32, 1);
    });
    assert_eq!((machine.writes, refused), (vec![], 2));
    for place in [Place::Window, Place::Candidate] {
        for blind in [false, true] {
            assert_eq!(allowed(Probe::Reset, place, blind), N);
        }
    }
}

#[test]
fn configuration_space_is_written_and_only_there() {
    let (machine, refused) = through(false, |gate| {
        gate.write(CONFIGURATION + 4, 16, 7);
        gate.port_write(0xcf8, 32, 1 << 31);
        gate.port_write(0xcfc, 32, 0);
        gate.write(CONFIGURATION + 0x1000_0000, 16, 7);
    });
    assert_eq!(machine.writes, [CONFIGURATION + 4, 0xcf8, 0xcfc]);
    assert_eq!(refused, 1);
}

#[test]
fn dma_is_for_a_device_with_a_rule() {
    for (place, documented, blind) in POLICY {
        let expected = if place == Place::Chosen { Y } else { N };
        assert_eq!(documented[Probe::Dma as usize], expected, "{place:?}");
        assert_eq!(blind[Probe::Dma as usize], expected, "{place:?}");
    }
}

#[test]
fn blind_mode_reads_nothing_unclaimed_without_the_journal() {
    let (machine, refused) = through(true, |gate| {
        assert_eq!(gate.read(0xd000_0000, 32), None);
        assert_eq!(gate.port_read(0x64, 8), 0xff);
        assert!(gate.journal().begin("memory/d0000000"));
        assert_eq!(gate.read(0xd000_0000, 32), Some(7));
        gate.journal().end();
        assert_eq!(gate.read(0xd000_0000, 32), None);
    });
    assert_eq!((machine.reads, refused), (vec![0xd000_0000], 3));
}

#[test]
fn an_empty_candidate_place_is_asked_only_under_the_journal() {
    for blind in [false, true] {
        assert_eq!(allowed(Probe::Read, Place::Candidate, blind), J);
        assert_eq!(allowed(Probe::Restore, Place::Candidate, blind), J);
    }
}

#[test]
fn what_the_processor_refuses_is_told_with_its_address() {
    let (mut machine, mut journal) = (Counted::default(), Journal::forgetful());
    let mut gate = Gate::new(&mut machine, &mut journal, false);
    gate.about = String::from("acpi");
    assert_eq!(gate.read(0xdead_0000, 32), None);
    let fault = (
        String::from("acpi"),
        0xdead_0000,
        String::from("exception 14"),
    );
    assert_eq!(gate.faults, [fault]);
}
