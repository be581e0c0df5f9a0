//! Which drivers a machine gets, what they are called, and in which order they are written: the same in genesis and
//! on any other computer that has the machine model and the rulebook.

use crate::matching::{Choice, Verdict, SEEN};
use crate::Subject;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::cmp::Reverse;
use machine::{Fact, Machine, Source, Value};
use rulebook::tree::{Book, ItemKind};

/// The fact by which rules of one class are compared: where one device serves the whole machine, it is the one for which
/// this is least.
pub const COST: &str = "cost";

/// Facts that the nucleus decides, for every driver.
pub const GIVEN: [(&str, u64); 4] = [
    ("line_vector", abi::boot::vector::LINES),
    ("message_vector", abi::boot::vector::MESSAGES),
    ("message_vectors", abi::boot::vector::MOST_MESSAGES),
    ("timer_vector", abi::boot::vector::TIMER),
];

/// A driver to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Index into `Machine::devices`.
    pub device: usize,
    /// The name of the rule with dashes for the first of its kind; the second ends in `-2`.
    pub name: String,
    pub choice: Choice,
}

/// A device that no rule serves.
#[derive(Clone, Debug, PartialEq)]
pub struct Unmatched {
    /// Index into `Machine::devices`.
    pub device: usize,
    /// The rule that came nearest, and the clue that failed.
    pub nearest: Option<(String, String)>,
}

#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub jobs: Vec<Job>,
    pub unmatched: Vec<Unmatched>,
}

/// What is asked about one device of a machine.
pub fn subject<'a>(book: &'a Book, machine: &'a Machine, device: usize) -> Option<Subject<'a>> {
    let device = machine.devices.get(device)?;
    Some(Subject {
        book,
        machine,
        device,
        given: &GIVEN,
    })
}

/// Matches every device by `judge`, which is [`crate::match_device`] with the hardware or without. What clues found on
/// the hardware goes into the model as a learned fact, so that whoever has none comes to the same plan.
pub fn plan(book: &Book, machine: &mut Machine, mut judge: impl FnMut(Subject) -> Verdict) -> Plan {
    let mut matched: Vec<(usize, Choice)> = Vec::new();
    let mut unmatched = Vec::new();
    for device in 0..machine.devices.len() {
        let Some(subject) = subject(book, machine, device) else {
            continue;
        };
        let verdict = judge(subject);
        // A place where only a rule says that something may be is no device, unless the rule recognised one.
        if verdict.chosen.is_empty() && subject.device.fact("candidate").is_none() {
            unmatched.push(Unmatched {
                device,
                nearest: verdict.nearest,
            });
        }
        matched.extend(verdict.chosen.into_iter().map(|choice| (device, choice)));
        if !verdict.seen.is_empty() {
            machine.devices[device].learned.push(Fact {
                name: SEEN.to_string(),
                value: Value::Texts(verdict.seen),
                source: Source::Learned,
            });
        }
    }
    let mut matched: Vec<(usize, u64, Choice)> = (matched.into_iter())
        .map(|(device, choice)| {
            let subject = subject(book, machine, device);
            let cost = subject.and_then(|subject| crate::entries::declared(subject, &choice, COST));
            // Classes whose devices are not compared have no cost.
            (device, cost.unwrap_or(0), choice)
        })
        .collect();
    let costs: Vec<(String, u64)> = (matched.iter())
        .map(|(_, cost, choice)| (choice.class.clone(), *cost))
        .collect();
    for (_, cost, choice) in &mut matched {
        let cheaper = |(class, other): &(String, u64)| *class == choice.class && *other < *cost;
        choice.spare = choice.direct && costs.iter().any(cheaper);
    }
    for (bus, fact, value) in told(book, machine, &matched) {
        tell(machine, &bus, &fact, value);
    }
    let rank = |class: &str| {
        book.order
            .iter()
            .position(|(name, _)| book.name(*name) == class)
    };
    // The dearest first: what is cheaper may be measured by it. Among equals firmware's console is the first of its class, and
    // then that with the lowest number of its own: firmware lists devices in whatever order it likes.
    matched.sort_by_key(|(device, cost, choice)| {
        let rank = rank(&choice.class).unwrap_or(book.order.len());
        let fact = |name| machine.devices.get(*device).and_then(|d| d.fact(name));
        let console = matches!(fact("console"), Some(Value::Flag(true)));
        let own = match fact("uid") {
            Some(Value::Number(uid)) => *uid,
            _ => u64::MAX,
        };
        (rank, Reverse(*cost), !console, own)
    });
    let mut jobs: Vec<Job> = Vec::new();
    for (device, _, choice) in matched {
        let name = name_for(book, &choice, &jobs);
        jobs.push(Job {
            device,
            name,
            choice,
        });
    }
    Plan { jobs, unmatched }
}

/// What classes tell the devices of a bus (`fact pin = false tells cpu line_pin`): the bus, the fact, and what it is of the
/// device that will serve. Nothing is told of a fact that is 0.
fn told(
    book: &Book,
    machine: &Machine,
    matched: &[(usize, u64, Choice)],
) -> Vec<(String, String, u64)> {
    let mut all = Vec::new();
    for class in &book.classes {
        let serving = (matched.iter())
            .filter(|(_, _, choice)| choice.class == book.name(class.name))
            .min_by_key(|(_, cost, _)| *cost);
        let Some((device, _, choice)) = serving else {
            continue;
        };
        for item in &class.items {
            let ItemKind::Fact {
                name,
                tells: Some((bus, fact)),
                ..
            } = item.kind
            else {
                continue;
            };
            let value = subject(book, machine, *device)
                .and_then(|subject| crate::entries::declared(subject, choice, book.name(name)));
            if let Some(value) = value.filter(|value| *value != 0) {
                all.push((book.name(bus).into(), book.name(fact).into(), value));
            }
        }
    }
    all
}

/// Learned, as what the machine is has not changed; once, as the model may come from an earlier run.
fn tell(machine: &mut Machine, bus: &str, fact: &str, value: u64) {
    for device in machine.devices.iter_mut().filter(|d| d.bus == bus) {
        if !device.learned.iter().any(|f| f.name == fact) {
            device.learned.push(Fact {
                name: fact.to_string(),
                value: Value::Number(value),
                source: Source::Learned,
            });
        }
    }
}

fn name_for(book: &Book, choice: &Choice, before: &[Job]) -> String {
    let rule = choice.rules.first();
    let same = before
        .iter()
        .filter(|job| job.choice.rules.first() == rule)
        .count();
    let rule = rule.and_then(|r| book.rules.get(*r));
    let base = rule.map_or("?", |r| book.name(r.name)).replace('_', "-");
    match same {
        0 => base,
        n => format!("{base}-{}", n + 1),
    }
}
