//! Network cards on the emulator's devices.

use classes::Class;
use device_tests::{pci_device, proof};
use qtest::{pci, peer, Config, Machine};
use synthesis::Written;

/// The card, and its driver. `ports`: without its memory BARs, so that it is driven by I/O ports.
fn card(options: &str, rule: &str, outside: &[String], ports: bool) -> (Machine, Written) {
    let config = Config::q35().args(outside.iter().cloned());
    let device = format!("{options},netdev=n0,mac=52:54:00:12:34:56");
    let machine = Machine::start(config.args(["-device", &device])).unwrap();
    let found = pci::scan(&machine).unwrap();
    let function = found.iter().find(|f| f.class >> 16 == 2).unwrap();
    function.bus_master(true).unwrap();
    let mut device = pci_device(function);
    if ports {
        device
            .windows
            .retain(|w| w.kind == machine::WindowKind::Port);
        assert!(!device.windows.is_empty());
    }
    let written = proof::written(&machine, &mut device, "nic", rule);
    (machine, written)
}

fn user() -> [String; 2] {
    ["-netdev", "user,id=n0"].map(String::from)
}

fn proved(options: &str, rule: &str, ports: bool) {
    let cable = peer::Cable::new().unwrap();
    let (machine, written) = card(options, rule, &cable.netdev("n0"), ports);
    proof::nic(&machine, &written, &cable);
    drop(machine);
    let (machine, written) = card(options, rule, &user(), ports);
    proof::nic_answers(&machine, &written);
    drop(machine);
    proof::same_trace(Class::Nic, || card(options, rule, &user(), ports));
}

#[test]
fn rtl8139_by_memory() {
    proved("rtl8139", "rtl8139", false);
}

#[test]
fn rtl8139_by_ports() {
    proved("rtl8139", "rtl8139", true);
}

#[test]
fn e1000_by_memory() {
    proved("e1000", "e1000", false);
}

#[test]
fn e1000_relatives() {
    proved("e1000-82544gc", "e1000", false);
    proved("e1000-82545em", "e1000", false);
}

#[test]
fn e1000_on_pci_express() {
    proved("e1000e", "e1000", false);
}

fn confined(options: &str, rule: &str, ports: bool) {
    let cable = peer::Cable::new().unwrap();
    let (machine, written) = card(options, rule, &cable.netdev("n0"), ports);
    proof::no_frame_is_too_long(&machine, &written, &cable);
}

#[test]
fn rtl8139_stores_within_its_memory() {
    confined("rtl8139", "rtl8139", false);
}

#[test]
fn e1000_and_its_relatives_store_within_their_memory() {
    for options in ["e1000", "e1000-82544gc", "e1000e"] {
        confined(options, "e1000", false);
    }
}

#[test]
fn virtio_stores_within_its_memory() {
    confined(
        "virtio-net-pci,disable-legacy=on",
        "virtio_net on virtio_pci",
        false,
    );
}

/// A card that answers nothing any more, as one that was pulled out, ends its driver with that reason. By ports: in
/// memory that no one answers for the emulator reads 0, where hardware reads all ones.
#[test]
fn cards_that_are_gone_are_given_up() {
    let virtio = "virtio-net-pci,disable-modern=on,disable-legacy=off";
    for (options, rule) in [("rtl8139", "rtl8139"), (virtio, "virtio_net on virtio_old")] {
        let (machine, written) = card(options, rule, &user(), true);
        let mut device = proof::running(&machine, &written);
        let mut driver = device.pump(Class::Nic, proof::facts(&written)).unwrap();
        driver.start().unwrap();
        driver.turn(true).unwrap();
        let found = pci::scan(&machine).unwrap();
        let function = found.iter().find(|f| f.class >> 16 == 2).unwrap();
        function.write(4, graph::Width::B16, 0).unwrap();
        let answer = driver.turn(true).unwrap_err().to_string();
        assert_eq!(answer, classes::Failure::Gone.to_string(), "{options}");
    }
}
