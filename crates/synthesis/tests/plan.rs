//! Which drivers a machine gets, and what its devices are told of each other.

use machine::{Arch, Device, Fact, Machine, Source, Value};
use synthesis::{match_device, plan};

const RULES: &str = "
class lines
  fact cost = 1000
  fact pin = false tells cpu line_pin
  op mask(n: 8)
rule old : lines on pci
  match vendor == 1 score 9
  fact pin = true, cost = 900
  op mask(n) { }
rule new : lines on pci
  match vendor == 2 score 9
  fact cost = 100
  op mask(n) { }
";

fn device(path: &str, bus: &str, vendor: Option<u64>) -> Device {
    let mut device = Device::new(path.into(), bus);
    device.facts.extend(vendor.map(|vendor| Fact {
        name: "vendor".into(),
        value: Value::Number(vendor),
        source: Source::Configuration,
    }));
    device
}

/// What each device of the bus `cpu` has learned, after a plan for devices by these vendors.
fn told(vendors: &[u64]) -> Vec<Vec<(String, Value)>> {
    let book = match rulebook::read(&[("lines.rule", RULES)]) {
        Ok(book) => book,
        Err(problems) => panic!("{problems:?}"),
    };
    let mut devices = vec![device("cpu/0", "cpu", None), device("cpu/1", "cpu", None)];
    for vendor in vendors {
        devices.push(device(&format!("pci/{vendor}"), "pci", Some(*vendor)));
    }
    let mut machine = Machine {
        devices,
        ..Machine::new(Arch::X86_64)
    };
    // A model that has been through a plan before is told nothing twice.
    for _ in 0..2 {
        let plan = plan(&book, &mut machine, |subject| match_device(subject, None));
        assert_eq!(plan.jobs.len(), vendors.len());
    }
    let cpus = machine.devices.iter().filter(|d| d.bus == "cpu");
    cpus.map(|d| {
        let learned = d.learned.iter();
        learned.map(|f| (f.name.clone(), f.value.clone())).collect()
    })
    .collect()
}

#[test]
fn a_class_tells_the_devices_of_a_bus_what_serves() {
    let pin = vec![("line_pin".to_string(), Value::Number(1))];
    assert_eq!(told(&[1]), [pin.clone(), pin]);
    // Not what is dearer, whichever comes first.
    assert_eq!(told(&[1, 2]), [vec![], vec![]]);
    assert_eq!(told(&[2, 1]), [vec![], vec![]]);
    assert_eq!(told(&[]), [vec![], vec![]]);
}

/// Clues may have any score: their sum and how near a rule came end where numbers do.
#[test]
fn a_score_may_be_as_large_as_a_number() {
    let all = "score 4294967295";
    let text = format!(
        "class lamp\n  op glow(n: 8)\nrule one : lamp on pci\n  match vendor == 1 {all}\n  match vendor == 1 {all}\n  \
         match vendor == 1 and revision == 7 {all}\n  op glow(n) {{ }}\n\
         rule two : lamp on pci\n  match vendor == 2 and revision == 7 and header == 9 {all}\n  op glow(n) {{ }}\n"
    );
    let book = rulebook::read(&[("lamp.rule", &text)]).unwrap_or_else(|p| panic!("{p:?}"));
    let verdict = |vendor| {
        let device = device("pci/0", "pci", Some(vendor));
        let machine = Machine::new(Arch::X86_64);
        let subject = synthesis::Subject {
            book: &book,
            machine: &machine,
            device: &device,
            given: &[],
        };
        match_device(subject, None)
    };
    assert_eq!(verdict(1).chosen[0].score, u32::MAX);
    let nearest = verdict(2).nearest;
    assert_eq!(nearest, Some(("two".into(), "revision == 7".into())));
}

/// Firmware lists devices in whatever order it likes; which is the first of its class does not depend on that.
#[test]
fn the_console_is_first_and_then_the_lowest_number() {
    let book = match rulebook::read(&[("lines.rule", RULES)]) {
        Ok(book) => book,
        Err(problems) => panic!("{problems:?}"),
    };
    let order = |facts: &[(Option<u64>, bool)]| -> Vec<usize> {
        let devices = facts.iter().enumerate().map(|(n, (uid, console))| {
            let mut device = device(&format!("pci/{n}"), "pci", Some(2));
            let fact = |name: &str, value| Fact {
                name: name.into(),
                value,
                source: Source::Configuration,
            };
            let uid = uid.map(|uid| fact("uid", Value::Number(uid)));
            let console = console.then(|| fact("console", Value::Flag(true)));
            device.facts.extend(uid.into_iter().chain(console));
            device
        });
        let mut machine = Machine {
            devices: devices.collect(),
            ..Machine::new(Arch::X86_64)
        };
        let plan = plan(&book, &mut machine, |subject| match_device(subject, None));
        plan.jobs.iter().map(|job| job.device).collect()
    };
    assert_eq!(order(&[(Some(2), false), (Some(1), false)]), [1, 0]);
    assert_eq!(
        order(&[(None, false), (Some(7), false), (None, false)]),
        [1, 0, 2]
    );
    assert_eq!(
        order(&[(Some(3), false), (Some(1), false), (Some(2), true)]),
        [2, 1, 0]
    );
}
