//! Made-up rules whose operations need more than the nucleus has: each is refused for its own reason.

use machine::{Arch, Cpu, Device, Machine, Source, Window, WindowKind};
use synthesis::{bindable, Subject, Written};

fn written(text: &str) -> (Written, bool) {
    let files = [("made_up.rule", text)];
    let book = rulebook::read(&files).unwrap_or_else(|problems| {
        let shown: Vec<String> = problems.iter().map(|p| p.render("", &files)).collect();
        panic!("{}", shown.concat())
    });
    let mut device = Device::new("test/0".into(), "platform");
    device.facts.push(machine::Fact {
        name: "hid".into(),
        value: machine::Value::Text("MADE0001".into()),
        source: Source::Inferred,
    });
    device.windows.push(Window {
        index: 0,
        kind: WindowKind::Memory,
        base: 0x1000,
        size: 0x1000,
        source: Source::Inferred,
    });
    let machine = Machine {
        cpus: vec![Cpu {
            id: 0,
            facts: Vec::new(),
        }],
        devices: vec![device.clone()],
        ..Machine::new(Arch::X86_64)
    };
    let subject = Subject {
        book: &book,
        machine: &machine,
        device: &device,
        given: &[],
    };
    let verdict = synthesis::match_device(subject, None);
    let choice = verdict.chosen.into_iter().next().expect("it is chosen");
    let written = synthesis::specialise(subject, &choice);
    (
        written.unwrap_or_else(|e| panic!("{}", e.show(&book))),
        choice.direct,
    )
}

/// A device with a bell. `ring` is called by whoever wants to hear it, `now` by the nucleus.
fn bell(class: &str, now: &str) -> (Written, bool) {
    written(&format!(
        r#"
class bell {class}
  op ring(n: 8)
  op now() -> 64 direct
  up rung(n: 8)
rule made_up : bell on platform
  match hid == "MADE0001" score 9
  space r = le base
  reg COUNT 0x00:32 ro in r
  reg READY 0x04:32 ro
  reg TABLE 0x08:64 wo as 2x32 for 64
  arena raw 64 align 64
  state last: 32
  op ring(n)
    up rung(n)
  flow quiet {{ TABLE = 0 }}
  op now() direct
{now}
"#
    ))
}

fn refused(now: &str) -> &'static str {
    let (written, _) = bell("", now);
    // The other operation of the same device does not count.
    bindable(&written.residual, false, "now").expect_err("it is not bound")
}

#[test]
fn what_needs_registers_alone_is_bound() {
    let (written, _) = bell("", "    return COUNT");
    assert_eq!(bindable(&written.residual, false, "now"), Ok(()));
}

#[test]
fn private_state_goes_along_where_all_of_the_rule_does() {
    let (written, _) = bell("", "    last = COUNT;  return last");
    assert_eq!(bindable(&written.residual, true, "now"), Ok(()));
    let why = bindable(&written.residual, false, "now").expect_err("it is not bound");
    assert!(why.contains("private state"), "{why}");
}

/// The language keeps these out of operations already, deep inside on one of two ways, too: no such rule comes as far as
/// being bound.
#[test]
#[should_panic(expected = "an operation never sleeps")]
fn what_pauses_is_no_operation() {
    bell("", "    pause 1 us;  return COUNT");
}

#[test]
#[should_panic(expected = "an operation never sleeps")]
fn what_may_wait_is_no_operation() {
    let now = "    if COUNT == 0 { await READY == 1 within 1 ms else return 0 }\n    return COUNT";
    bell("", now);
}

#[test]
fn what_calls_up_is_not_bound() {
    let why = refused("    if COUNT == 0 { up rung(1) }\n    return COUNT");
    assert!(why.contains("calls up"), "{why}");
}

/// An address alone is as wrong as an access: in the nucleus it would be 0.
#[test]
fn what_uses_memory_of_the_device_is_not_bound() {
    for now in [
        "    raw[0] = 1;  return COUNT",
        "    TABLE = dma raw;  return COUNT",
    ] {
        let why = refused(now);
        assert!(why.contains("the device sees"), "{why}");
    }
}
