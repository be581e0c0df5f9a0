//! Cards that are pulled out of a running machine, and put in: its drivers end, its people are told, and nothing hangs.

use crate::boots::{image, machine, workspace, PATIENCE};
use crate::monitor::{Connected, Monitor};
use meta::emulator;
use meta::machines::Machine;
use meta::prompt::Guest;

/// A machine whose network card `card` and disk `store` stand in slots, at its prompt, with its monitor.
fn start(machine: &Machine) -> (Guest, Monitor, Connected) {
    let image = image(machine.arch);
    let monitor = Monitor::new(&format!("hotplug-{}", machine.name));
    let command = emulator::command(&workspace(), machine, &image, "stdio", &monitor.arguments())
        .expect("the emulator's command");
    let mut guest = Guest::start(command).expect("the machine starts");
    let connected = monitor.connect();
    if let Err(error) = guest.wait_for_prompt(PATIENCE) {
        panic!("{error:#}\nit printed:\n{}", guest.transcript());
    }
    (guest, monitor, connected)
}

fn ask(guest: &mut Guest, line: &str) -> String {
    match guest.ask(line, PATIENCE) {
        Ok(answer) => answer,
        Err(error) => panic!("{line}: {error:#}\nit printed:\n{}", guest.transcript()),
    }
}

fn hears(guest: &mut Guest, text: &str) {
    if let Err(error) = guest.wait_for(text, PATIENCE) {
        panic!("{error:#}\nit printed:\n{}", guest.transcript());
    }
}

/// At a prompt again, whatever was printed in between, and in whichever order.
fn settle(guest: &mut Guest) {
    guest.say("stages").expect("typed");
    hears(guest, "install ");
    hears(guest, "meta> ");
}

fn has(answer: &str, texts: &[&str]) {
    for text in texts {
        assert!(answer.contains(text), "no {text:?} in:\n{answer}");
    }
}

/// The state of a task, from `tasks`.
fn state(guest: &mut Guest, task: &str) -> String {
    let answer = ask(guest, "tasks");
    let line = answer
        .lines()
        .find(|line| line.split_whitespace().next() == Some(task));
    let line = line.unwrap_or_else(|| panic!("no task {task}:\n{answer}"));
    line.split_whitespace().nth(1).unwrap_or("").to_owned()
}

fn pulled_out_and_put_in(machine: &Machine) {
    let (mut guest, _monitor, mut monitor) = start(machine);
    let sector = ask(&mut guest, "read 1");
    has(&ask(&mut guest, "send 10.0.2.2"), &["10.0.2.2 is at"]);
    let devices = ask(&mut guest, "devices");
    has(
        &devices,
        &["pcie-port", "pcie-port-2", "virtio-net", "nvme"],
    );
    assert!(!devices.contains("plugged in and"), "{devices}");

    // The network card: the emulator presses the slot's button, and waits until it is let go.
    monitor.device_del("card");
    hears(
        &mut guest,
        "somebody wants back what stands behind it; ended: virtio-net",
    );
    monitor.wait_for("DEVICE_DELETED", "card");
    hears(&mut guest, "is gone");
    let refused = ask(&mut guest, "send 10.0.2.2");
    has(&refused, &["error: virtio-net was pulled out"]);
    assert_eq!(state(&mut guest, "virtio-net"), "gone");
    has(
        &ask(&mut guest, "kill virtio-net"),
        &["error: virtio-net was pulled out"],
    );
    has(
        &ask(&mut guest, "devices"),
        &["plugged in and pulled out:", "was pulled out"],
    );
    // The other slot has nothing to do with it.
    assert_eq!(ask(&mut guest, "read 1"), sector);
    assert_eq!(state(&mut guest, "nvme"), "running");

    // Another card into the same place: nobody writes a driver any more.
    monitor.device_add("e1000e", "other", "way1");
    hears(
        &mut guest,
        "8086:10d3 (class 020000) came, and has no driver",
    );
    has(
        &ask(&mut guest, "devices"),
        &["8086:10d3", "came later and has no driver", "restart"],
    );
    // And out again, and the first one in.
    monitor.device_del("other");
    hears(&mut guest, "8086:10d3 (class 020000) is gone");
    monitor.wait_for("DEVICE_DELETED", "other");
    monitor.device_add("virtio-net-pci,disable-legacy=on", "again", "way1");
    hears(&mut guest, "1af4:1041 (class 020000) is back");
    has(
        &ask(&mut guest, "send 10.0.2.2"),
        &["error: virtio-net was pulled out"],
    );

    // The disk, while requests are made of it.
    guest.say("read nvme:0 128").expect("typed");
    hears(&mut guest, "00000200");
    monitor.device_del("store");
    hears(&mut guest, "; ended: nvme");
    monitor.wait_for("DEVICE_DELETED", "store");
    settle(&mut guest);
    has(&ask(&mut guest, "read 1"), &["error: nvme was pulled out"]);
    assert_eq!(state(&mut guest, "nvme"), "gone");
    // A bus whose driver starts anew says again what stands behind it: nothing new.
    ask(&mut guest, "kill pcie-port");
    assert_eq!(state(&mut guest, "pcie-port"), "running");
    let log = ask(&mut guest, "log");
    assert_eq!(log.matches("is back").count(), 1, "{log}");
    assert!(!log.contains("stopped:"), "{log}");
    has(&ask(&mut guest, "memory"), &["free"]);
}

#[test]
fn cards_of_a_pc_come_and_go() {
    pulled_out_and_put_in(&machine("q35-hotplug"));
}

/// Slot control of the port at `path` (bus 0), as the machine's own model knows it, by PCI's address port.
fn slot_control(guest: &mut Guest, path: &str) -> u32 {
    let model = ask(guest, "machine");
    let model: serde_json::Value = serde_json::from_str(model.trim()).expect("a model");
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let devices = list(&model["devices"]);
    let device = devices.iter().find(|device| device["path"] == path);
    let capabilities = list(&device.expect("the port")["capabilities"]);
    let express = capabilities.iter().find(|c| c["id"] == 0x10);
    let at = express.and_then(|c| c["at"].as_u64()).expect("its place");
    let place = path.strip_prefix("pci/00:").and_then(|p| p.split_once('.'));
    let (device, function) = place.expect("a path");
    let device = u32::from_str_radix(device, 16).expect("a number");
    let function: u32 = function.parse().expect("a number");
    1 << 31 | device << 11 | function << 8 | (at as u32 + 0x18)
}

/// The slot's power goes, and with it the card, while requests are made of it. QEMU 7.2 itself crashes now and then when a disk's
/// model goes with requests in flight: nothing then.
fn torn_out(machine: &Machine) -> Option<(Guest, Monitor, Connected)> {
    let (mut guest, other, mut monitor) = start(machine);
    let place = slot_control(&mut guest, "pci/00:02.0");
    guest.say("read nvme:0 128").expect("typed");
    hears(&mut guest, "00000200");
    // Power and lamp off; presence, link and button still raise interrupts.
    monitor.port_out('w', 0xcf8, place);
    monitor.port_out('h', 0xcfc, 0x17e9);
    match guest.wait_for("is gone; ended: nvme", PATIENCE) {
        Ok(_) => Some((guest, other, monitor)),
        Err(error) => match guest.crashed() {
            Some(signal) => {
                eprintln!("the emulator crashed (signal {signal}); once more");
                None
            }
            None => panic!("{error:#}\nit printed:\n{}", guest.transcript()),
        },
    }
}

/// Nobody asked for it.
#[test]
fn a_card_that_is_torn_out_is_missed() {
    let machine = machine("q35-hotplug");
    let (mut guest, _monitor, mut monitor) = (0..4)
        .find_map(|_| torn_out(&machine))
        .expect("the emulator crashed each time");
    settle(&mut guest);
    has(&ask(&mut guest, "read 1"), &["error: nvme was pulled out"]);
    assert!(!guest.transcript().contains("wants back"));
    has(&ask(&mut guest, "send 10.0.2.2"), &["10.0.2.2 is at"]);
    // Another into its place.
    monitor.device_add("e1000e", "other", "way2");
    hears(
        &mut guest,
        "8086:10d3 (class 020000) came, and has no driver",
    );
}

/// The same slots on an arm64 board, whose ports have wires, and whose firmware set up nothing.
#[test]
fn cards_of_an_arm_board_come_and_go() {
    let pc = machine("q35-hotplug");
    let mut board = machine("virt-gicv3");
    let slots = pc.arguments.iter().position(|word| word == "-device");
    let slots = &pc.arguments[slots.expect("slots")..];
    board.arguments.extend_from_slice(slots);
    (board.network, board.disk) = (pc.network.clone(), pc.disk.clone());
    pulled_out_and_put_in(&board);
}
