//! PCI functions that are odd, broken or hostile: capabilities, registers, bridges, what is assigned, and changed bytes.

mod fake;

use discovery::{bus_master, discover, Firmware, Messages, Options, Request};
use fake::{arm, device, noted, Fake, Function};
use machine::{
    Arch, Candidate, Device, Machine, MemoryKind, MemoryRange, Source, Value, WindowKind,
};

const PC: &[u8] = include_bytes!("fixtures/q35.acpi");
const READS: u64 = 200_000;

fn pc() -> (Fake, u64) {
    let (mut fake, root) = Fake::acpi(PC);
    fake.mapped = Some(0xb000_0000);
    (fake, root)
}

fn acpi(fake: &mut Fake, root: u64) -> Machine {
    let request = Request {
        firmware: Firmware::Acpi(root),
        ..Request::new(Arch::X86_64)
    };
    let machine = discover(fake, request);
    assert!(fake.reads < READS, "{} reads", fake.reads);
    machine
}

fn number(device: &Device, name: &str) -> Option<u64> {
    match device.fact(name) {
        Some(Value::Number(n)) => Some(*n),
        _ => None,
    }
}

/// With a list of capabilities: offset, ID, next.
fn listed(list: &[(u8, u8, u8)]) -> Function {
    let mut function = Function::new(0x1234, 1, 0x02_0000);
    function.config[6] |= 0x10;
    function.config[0x34] = list.first().map_or(0, |c| c.0);
    for (at, id, next) in list {
        function.config[*at as usize] = *id;
        function.config[*at as usize + 1] = *next;
    }
    function
}

#[test]
fn capabilities_stand_in_their_order_with_what_is_cheap_to_know() {
    let (mut fake, root) = pc();
    let mut function = listed(&[(0x40, 0x05, 0x60), (0x60, 0x11, 0x80), (0x80, 0x10, 0)]);
    function.config[0x42] = 3 << 1;
    function.put(0x60, 3 << 16 | 0x8011);
    function.put(0x64, 0x2004);
    function.put(0x68, 0x3004);
    function.config[0x82] = 0x02;
    function.put(0x8c, 4 << 4 | 2);
    function.put(0x90, (4 << 4 | 1) << 16);
    fake.pci.insert((0, 2, 0), function);
    let place = (0, 2, 0);
    fake.extended.insert((place, 0x100), 0x1402_0001);
    fake.extended.insert((place, 0x140), 0x0001_0003);
    let machine = acpi(&mut fake, root);
    let function = device(&machine, "pci/00:02.0");
    let found: Vec<(u16, bool, u16)> = function
        .capabilities
        .iter()
        .map(|c| (c.id, c.extended, c.at))
        .collect();
    assert_eq!(
        found,
        [
            (5, false, 0x40),
            (0x11, false, 0x60),
            (0x10, false, 0x80),
            (1, true, 0x100),
            (3, true, 0x140)
        ]
    );
    for (name, value) in [
        ("msi", 8),
        ("msix", 4),
        ("msix_bar", 4),
        ("msix_at", 0x2000),
        ("msix_pending_at", 0x3000),
        ("express", 0),
        ("link_most_width", 4),
        ("link_speed", 1),
    ] {
        assert_eq!(number(function, name), Some(value), "{name}");
    }
}

#[test]
fn capabilities_that_loop_or_lead_nowhere_are_cut_with_a_note() {
    for (list, note) in [
        (
            &[(0x40, 5, 0x48), (0x48, 9, 0x40)][..],
            "comes back to 0x40",
        ),
        (&[(0x40, 5, 0x40)][..], "comes back to 0x40"),
        (&[(0x40, 5, 0x10)][..], "leads to 0x10"),
        (&[(0x40, 0xff, 0xff)][..], "leads to 0x40"),
    ] {
        let (mut fake, root) = pc();
        fake.pci.insert((0, 2, 0), listed(list));
        let machine = acpi(&mut fake, root);
        noted(&machine, note);
        assert!(device(&machine, "pci/00:02.0").capabilities.len() <= 2);
    }
}

#[test]
fn extended_capabilities_that_loop_are_cut_with_a_note() {
    for (words, note) in [
        (
            &[(0x100, 0x1401_0001u32), (0x140, 0x1001_0003)][..],
            "comes back to 0x100",
        ),
        (&[(0x100, 0x0401_0001)][..], "comes back to 0x40"),
        (
            &[(0x100, 0x2001_0001)][..],
            "leads to 0x200, where nothing is",
        ),
    ] {
        let (mut fake, root) = pc();
        fake.pci.insert((0, 2, 0), listed(&[(0x40, 0x10, 0)]));
        for (at, word) in words {
            fake.extended.insert(((0, 2, 0), *at), *word);
        }
        let machine = acpi(&mut fake, root);
        noted(&machine, note);
    }
}

#[test]
fn a_function_of_all_ones_is_none() {
    let (mut fake, root) = pc();
    let mut gone = Function::new(0xffff, 0xffff, 0xff_ffff);
    gone.config.fill(0xff);
    fake.pci.insert((0, 2, 0), gone);
    let machine = acpi(&mut fake, root);
    assert!(machine.devices.iter().all(|d| d.bus != "pci"));
}

#[test]
fn registers_without_size_are_none_and_without_end_have_no_room() {
    let (mut fake, root) = pc();
    let mut function = Function::new(0x1234, 1, 0x02_0000);
    // All bits read back, whatever is written: 4 ports at the end of the space.
    function.put(0x14, u32::MAX);
    fake.pci.insert((0, 2, 0), function);
    // 64 bits of which only the highest can be set.
    let huge = Function::new(0x1234, 2, 0x02_0000).bar(0, 1 << 63, 4, 0);
    fake.pci.insert((0, 3, 0), huge);
    let machine = acpi(&mut fake, root);
    assert_eq!(device(&machine, "pci/00:02.0").windows.len(), 1);
    noted(&machine, "pci/00:03.0: BAR 0 has no place");
}

#[test]
fn roms_are_sized_and_stay_off() {
    let (mut fake, root) = pc();
    let mut function = Function::new(0x1234, 1, 0x02_0000);
    function.writable.insert(0x30, 0xffff_0001);
    function.put(0x30, 0xfeb0_0000);
    fake.pci.insert((0, 2, 0), function);
    let machine = acpi(&mut fake, root);
    let function = device(&machine, "pci/00:02.0");
    assert_eq!(
        function.fact("bars"),
        Some(&Value::Texts(vec!["rom memory 0x10000".into()]))
    );
    assert!(function.windows.is_empty(), "it answers nowhere");
    assert_eq!(fake.pci[&(0, 2, 0)].get(0x30), 0xfeb0_0000);
}

/// A bridge whose window for memory is 2 MiB at `at`.
fn bridge_at(at: u32) -> Function {
    let mut bridge = Function::new(0x1234, 8, 0x06_0400).bridge(1, 1);
    bridge.put(0x20, at >> 16 | (at + 0x10_0000));
    bridge
}

#[test]
fn a_single_register_gets_a_gap_in_the_window_of_its_bridge() {
    let (mut fake, root) = pc();
    fake.pci.insert((0, 1, 0), bridge_at(0xfe00_0000));
    let placed = Function::new(0x1234, 1, 0x01_0000).bar(0, 0x1000, 0, 0xfe00_0000);
    fake.pci.insert((1, 0, 0), placed);
    let left = Function::new(0x1234, 2, 0x01_0000).bar(0, 0x1000, 0, 0);
    fake.pci.insert((1, 1, 0), left);
    let stray = Function::new(0x1234, 3, 0x01_0000).bar(0, 0x1000, 0, 0xd000_0000);
    fake.pci.insert((1, 2, 0), stray);
    let machine = acpi(&mut fake, root);
    noted(
        &machine,
        "pci/01:02.0: BAR 0 at 0xd0000000 is not passed on",
    );
    let base = |path| device(&machine, path).windows[0].base;
    assert_eq!(base("pci/01:00.0"), 0xfe00_0000);
    assert_eq!(base("pci/01:01.0"), 0xfe00_1000);
    assert_eq!(base("pci/01:02.0"), 0xfe00_2000);
    let window = &device(&machine, "pci/01:01.0").windows[0];
    assert_eq!(window.source, Source::Assigned);
    assert_eq!(fake.pci[&(1, 1, 0)].get(0x10), 0xfe00_1000);
    assert_eq!(
        device(&machine, "pci/01:00.0").parent.as_deref(),
        Some("pci/00:01.0")
    );
    assert_eq!(fake.pci[&(0, 1, 0)].get(0x20), 0xfe10_fe00, "as it was");
}

#[test]
fn nothing_is_assigned_over_what_others_claim() {
    let mut fake = Fake::default();
    for (n, size) in [(1u8, 0x1000u64), (2, 0x100_0000), (3, 0x20)] {
        let function = Function::new(0x1234, n as u16, 0x02_0000).bar(0, size, 0, 0);
        fake.pci.insert((0, n, 0), function);
    }
    // One has a place in the middle of the host bridge's range already.
    let placed = Function::new(0x1234, 9, 0x02_0000).bar(0, 0x1000, 0, 0x1000_0000);
    fake.pci.insert((0, 9, 0), placed);
    let machine = arm(&mut fake);
    let mut all: Vec<(u64, u64)> = machine
        .devices
        .iter()
        .flat_map(|d| &d.windows)
        .filter(|w| w.kind == WindowKind::Memory && w.base >= 0x1000_0000 && w.base < 1 << 30)
        .map(|w| (w.base, w.size))
        .collect();
    all.sort_unstable();
    assert_eq!(all.len(), 4, "{all:x?}");
    assert!(
        all.windows(2).all(|p| p[0].0 + p[0].1 <= p[1].0),
        "{all:x?}"
    );
    assert_eq!(fake.pci[&(0, 9, 0)].get(0x10), 0x1000_0000);
}

#[test]
fn a_driver_turns_mastering_on_for_its_device_and_the_bridges_above() {
    let (mut fake, root) = pc();
    fake.pci.insert((0, 1, 0), bridge_at(0xfe00_0000));
    let behind = Function::new(0x1234, 1, 0x01_0000).bar(0, 0x1000, 0, 0xfe00_0000);
    fake.pci.insert((1, 0, 0), behind);
    let other = Function::new(0x1234, 2, 0x01_0000).bar(0, 0x1000, 0, 0xfe00_1000);
    fake.pci.insert((1, 1, 0), other);
    let machine = acpi(&mut fake, root);
    let master = |fake: &Fake, at| fake.pci[&at].get(4) >> 2 & 1;
    assert_eq!(master(&fake, (1, 0, 0)), 0);
    assert!(bus_master(&mut fake, &machine, "pci/01:00.0", true));
    let on = [(1, 0, 0), (0, 1, 0), (1, 1, 0)].map(|at| master(&fake, at));
    assert_eq!(on, [1, 1, 0]);
    bus_master(&mut fake, &machine, "pci/01:00.0", false);
    let on = [(1, 0, 0), (0, 1, 0)].map(|at| master(&fake, at));
    assert_eq!(on, [0, 1], "others may be behind the bridge");
    assert!(!bus_master(&mut fake, &machine, "acpi/FACP", true));
}

/// A function with three messages: table and pending bits in its only register, at 0x800 and 0xc00.
fn sender(table: u32) -> Function {
    let mut function = listed(&[(0x60, 0x11, 0)]).bar(0, 0x1000, 0, 0xfe00_0000);
    function.put(0x60, 2 << 16 | 0x11);
    function.put(0x64, table);
    function.put(0x68, 0xc00);
    function.writable.insert(0x60, 0xc000_0000);
    function
}

#[test]
fn messages_are_held_back_until_all_is_said() {
    let (mut fake, root) = pc();
    fake.pci.insert((0, 2, 0), sender(0x800));
    let machine = acpi(&mut fake, root);
    let table = 0xfe00_0800;
    // Firmware left the second entry open.
    let words = (0..12).map(|n| (table + 4 * n, u32::from(n != 7 && n % 4 == 3)));
    fake.registers.extend(words);
    let messages = Messages::of(&machine, "pci/00:02.0").expect("it has a table");
    assert_eq!(messages.places, [(table, 48), (0xfe00_0c00, 8)]);
    let state = |fake: &Fake| {
        let function = &fake.pci[&(0, 2, 0)];
        (function.get(0x60) >> 30, function.get(4) >> 10 & 1)
    };
    messages.hold(&mut fake);
    assert_eq!(state(&fake), (0b11, 1), "on, held, and the wire silent");
    assert_eq!(fake.registers[&(table + 28)], 1, "masked");
    assert!(messages.set(&mut fake, 2, 0x1_fee0_1000, 0x83));
    assert!(!messages.set(&mut fake, 3, 0, 0), "there are three");
    let third: Vec<u32> = (8..12).map(|n| fake.registers[&(table + 4 * n)]).collect();
    assert_eq!(third, [0xfee0_1000, 1, 0x83, 0]);
    messages.release(&mut fake);
    assert_eq!(state(&fake), (0b10, 1));
    messages.off(&mut fake);
    assert_eq!(state(&fake), (0, 0));
}

#[test]
fn a_table_that_lies_outside_is_none() {
    // Beyond the register; in a register that is not there; over its end.
    for table in [0x1000, 0x801, 0xfd8] {
        let (mut fake, root) = pc();
        fake.pci.insert((0, 2, 0), sender(table));
        let machine = acpi(&mut fake, root);
        assert!(
            Messages::of(&machine, "pci/00:02.0").is_none(),
            "{table:#x}"
        );
    }
}

#[test]
fn memory_is_an_account_of_every_address() {
    let (mut fake, root) = pc();
    let range = |base, size, kind| MemoryRange {
        base,
        size,
        kind,
        source: Source::Firmware(*b"e820"),
        facts: vec![],
    };
    let request = Request {
        firmware: Firmware::Acpi(root),
        memory: vec![
            range(0x10_0000, 0xff0_0000, MemoryKind::Ram),
            range(0, 0xa_0000, MemoryKind::Ram),
            range(0xff0_0000, 0x20_0000, MemoryKind::Reserved),
        ],
        ..Request::new(Arch::X86_64)
    };
    let machine = discover(&mut fake, request);
    let mut at = 0;
    for range in &machine.memory {
        assert_eq!(range.base, at);
        at += range.size;
    }
    assert_eq!(at, 1 << 36, "this processor says nothing wider");
    noted(
        &machine,
        "memory: Reserved at 0xff00000 lies over Ram at 0x100000",
    );
    let kind = |at: u64| {
        let found = machine
            .memory
            .iter()
            .find(|r| at >= r.base && at - r.base < r.size);
        found.map(|r| r.kind)
    };
    assert_eq!(kind(0x8_0000), Some(MemoryKind::Ram));
    assert_eq!(kind(0xff0_0000), Some(MemoryKind::Reserved));
    assert_eq!(kind(0xfee0_0000), Some(MemoryKind::Mmio));
    assert_eq!(kind(0xf_0000_0000), Some(MemoryKind::Void));
}

#[test]
fn blind_no_table_is_read_and_places_of_rules_are_looked_at() {
    let (mut fake, root) = Fake::acpi(PC);
    let nic = Function::new(0x1234, 1, 0x02_0000)
        .bar(0, 0x1000, 0, 0xfe00_0000)
        .pin(1);
    fake.pci.insert((0, 2, 0), nic);
    let candidates = [Candidate {
        more: Vec::new(),
        kind: WindowKind::Memory,
        base: 0xfed0_0000,
        size: 0x400,
        line: None,
    }];
    let request = |blind| Request {
        firmware: Firmware::Acpi(root),
        candidates: &candidates,
        options: Options {
            blind,
            ..Options::default()
        },
        ..Request::new(Arch::X86_64)
    };
    let machine = discover(&mut fake, request(true));
    assert!(machine.devices.iter().all(|d| !d.path.starts_with("acpi/")));
    assert_eq!(device(&machine, "memory/fed00000").windows[0].size, 0x400);
    let nic = device(&machine, "pci/00:02.0");
    assert_eq!((nic.windows.len(), nic.wires.len()), (1, 0));
    assert!(machine
        .unknown
        .iter()
        .any(|u| u.contains("interrupt wires")));
    // Of several things that may begin at one place, each is there to be recognised; what is said twice, once.
    let other = Candidate {
        more: vec![(WindowKind::Memory, 0xfed0_1000, 0x400)],
        ..candidates[0].clone()
    };
    let candidates = [&candidates[0], &other, &other, &candidates[0]].map(Clone::clone);
    let (mut fake, _) = Fake::acpi(PC);
    let machine = discover(
        &mut fake,
        Request {
            candidates: &candidates,
            ..request(true)
        },
    );
    let here: Vec<(&str, usize)> = (machine.devices.iter())
        .filter(|d| d.path.starts_with("memory/"))
        .map(|d| (d.path.as_str(), d.windows.len()))
        .collect();
    assert_eq!(here, [("memory/fed00000", 1), ("memory/fed00000.1", 2)]);
    // With the tables, memory that they do not name is not looked at.
    let (mut fake, _) = Fake::acpi(PC);
    let machine = discover(&mut fake, request(false));
    assert!(machine
        .devices
        .iter()
        .all(|d| !d.path.starts_with("memory/")));
}

#[test]
fn masked_a_place_that_only_a_nameless_device_claims_is_looked_at() {
    // On this machine a device of the namespace claims the one place, and a function's register the other.
    let candidate = |base| Candidate {
        kind: WindowKind::Port,
        base,
        size: 8,
        line: None,
        more: Vec::new(),
    };
    let candidates = [candidate(0xc000), candidate(0x3f8), candidate(0x3f8)];
    let (mut fake, root) = pc();
    let nic = Function::new(0x1234, 1, 0x02_0000).bar(0, 0x40, 1, 0xc000);
    fake.pci.insert((0, 2, 0), nic);
    let request = Request {
        firmware: Firmware::Acpi(root),
        candidates: &candidates,
        options: Options {
            masked: true,
            ..Options::default()
        },
        ..Request::new(Arch::X86_64)
    };
    let machine = discover(&mut fake, request);
    let places: Vec<&str> = (machine.devices.iter())
        .filter(|d| d.fact("candidate").is_some())
        .map(|d| d.path.as_str())
        .collect();
    assert_eq!(
        places,
        ["isa/3f8"],
        "once, and not where a function's register is"
    );
    assert_eq!(device(&machine, "pci/00:02.0").fact("vendor"), None);
}

/// Bytes of configuration space and of the bits that can be written change at random: it ends, in a model whose account of
/// memory is whole.
#[test]
fn functions_with_other_bytes() {
    let mut random = noise::Random::new(0x9e37_79b9_7f4a_7c15);
    for round in 0..300 {
        let (mut fake, root) = pc();
        fake.pci.insert((0, 1, 0), bridge_at(0xfe00_0000));
        let chain = listed(&[(0x40, 0x05, 0x60), (0x60, 0x11, 0x80), (0x80, 0x10, 0)]);
        fake.pci
            .insert((1, 0, 0), chain.bar(0, 0x1000, 0, 0xfe00_0000).pin(1));
        fake.pci.insert(
            (0, 3, 0),
            Function::new(0x1234, 3, 0x02_0000).bar(0, 0x4000, 4, 0),
        );
        fake.extended
            .insert(((1, 0, 0), 0x100), random.word() as u32);
        for _ in 0..1 + random.below(12) {
            let which = random.below(3);
            let (_, function) = fake.pci.iter_mut().nth(which).expect("three functions");
            match random.below(4) {
                0 => drop(
                    function
                        .writable
                        .insert(4 * random.below(16) as u16, random.word() as u32),
                ),
                _ => function.config[random.below(256)] = random.below(256) as u8,
            }
        }
        let machine = acpi(&mut fake, root);
        let total: u64 = machine.memory.iter().map(|r| r.size).sum();
        assert_eq!(total, 1 << 36, "round {round}");
    }
}
