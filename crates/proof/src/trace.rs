//! What drivers did, made comparable.
//!
//! How often a driver polls, or looks for what rests, depends on the host. So calls of these entries that told nothing are
//! left out where they stand, runs of one read are one read, and what an event that found something was called for does not
//! begin a line of its own. What was written, where, in which order, with which width, and every call of the class stay.
//! What events wrote that told nothing stands at the end, each once: which of them there were does not depend on the host, but
//! when and how often does.

use graph::Residual;
use qtest::run::Event;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// One thing that must be the same whoever carries the driver out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(pub String);

/// Where two traces part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What stood before it in both, oldest first.
    pub before: Vec<String>,
    pub first: Option<String>,
    pub second: Option<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        for line in &self.before {
            writeln!(f, "      {line}")?;
        }
        let shown = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing more".into());
        writeln!(f, "    - {}", shown(&self.first))?;
        write!(f, "    + {}", shown(&self.second))
    }
}

/// The trace of a residual without what polling makes different from run to run.
///
/// `values`: entries that give a value and no status; it may be time, and so is the number of times they are asked.
pub fn settled(residual: &Residual, values: &[String], events: &[Event]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut silent: BTreeSet<String> = BTreeSet::new();
    let mut begun = 0;
    for call in calls(events) {
        let name = call.entry(residual);
        let polls = ["irq", "message", "watch"]
            .iter()
            .any(|n| name.starts_with(n));
        let heard = call.events.iter().any(|e| matches!(e, Event::Up(..)));
        if polls && !heard {
            let mut own = Vec::new();
            for event in call.events.iter().filter(|e| written(e)) {
                push(&mut own, residual, event);
            }
            let own: Vec<String> = own.into_iter().map(|line| line.0).collect();
            if !own.is_empty() {
                silent.insert(format!("{name}, which told nothing: {}", own.join("; ")));
            }
            continue;
        }
        let before = std::mem::replace(&mut begun, lines.len());
        if !polls {
            lines.push(Line(format!("call {name}")));
        }
        for event in call.events {
            push(&mut lines, residual, event);
        }
        if values.contains(&name) {
            if !call.events.iter().any(written) && lines[before..begun] == lines[begun..] {
                lines.truncate(begun);
                begun = before;
            }
        } else if let (false, Some(status)) = (polls, call.status) {
            lines.push(Line(format!("{name} gives {status:#x}")));
        }
    }
    lines.extend(silent.into_iter().map(Line));
    lines
}

fn written(event: &Event) -> bool {
    matches!(event, Event::Touch(touch) if touch.write)
}

/// One entry's run.
struct Call<'e> {
    number: usize,
    events: &'e [Event],
    status: Option<u64>,
}

impl Call<'_> {
    fn entry(&self, residual: &Residual) -> String {
        let entry = residual.entries.get(self.number);
        entry.map_or_else(|| format!("entry {}", self.number), |e| e.name.clone())
    }
}

fn calls(events: &[Event]) -> Vec<Call<'_>> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < events.len() {
        let Event::Enter(number) = events[at] else {
            at += 1;
            continue;
        };
        let rest = &events[at + 1..];
        let length = rest.iter().position(|e| matches!(e, Event::Exit(_)));
        let status = length.and_then(|n| match rest[n] {
            Event::Exit(status) => Some(status),
            _ => None,
        });
        let length = length.unwrap_or(rest.len());
        all.push(Call {
            number: usize::from(number),
            events: &rest[..length],
            status,
        });
        at += length + 2;
    }
    all
}

fn push(lines: &mut Vec<Line>, residual: &Residual, event: &Event) {
    match event {
        Event::Touch(touch) => {
            let place = place(residual, touch);
            let line = match touch.write {
                true => Line(format!("write {place} = {:#x}", touch.value)),
                false => Line(format!("read {place}")),
            };
            // What a read gave may be time or chance: what the driver made of it shows in what follows.
            if touch.write || lines.last() != Some(&line) {
                lines.push(line);
            }
        }
        Event::Up(which, words) => {
            let name = residual.upcalls.get(usize::from(*which));
            let name = name.map_or("?", String::as_str);
            lines.push(Line(format!("up {name} {words:x?}")));
        }
        Event::Enter(_) | Event::Exit(_) => {}
    }
}

/// What was touched. Windows may overlap, and code does not tell which one was meant: the first that has the place.
fn place(residual: &Residual, touch: &qtest::Touch) -> String {
    let windows = &residual.windows;
    let bits = touch.width.bits();
    let Some(window) = windows.get(usize::from(touch.window)) else {
        return format!("{bits} bits of no window");
    };
    let address = window.base.wrapping_add(touch.at);
    let holds = |w: &&graph::Window| {
        let at = address.checked_sub(w.base);
        w.kind == window.kind && at.is_some_and(|at| at < w.size)
    };
    let first = windows.iter().find(holds).unwrap_or(window);
    let at = address.wrapping_sub(first.base);
    format!("{bits} bits of {}[{at:#x}]", first.name)
}

/// Where they part, if they do.
pub fn compare(first: &[Line], second: &[Line]) -> Option<Difference> {
    parted(first, second, |a, b| a == b)
}

/// The same for a driver whose objects lie elsewhere in the arena: an address in one trace stands for one address in the other,
/// throughout. `arena`: the addresses as the device sees them.
pub fn compare_moved(first: &[Line], second: &[Line], arena: &Range<u64>) -> Option<Difference> {
    let mut there: BTreeMap<u64, u64> = BTreeMap::new();
    let mut back: BTreeMap<u64, u64> = BTreeMap::new();
    parted(first, second, |a, b| {
        match (address(a, arena), address(b, arena)) {
            (Some((place, from)), Some((same, to))) => {
                place == same
                    && *there.entry(from).or_insert(to) == to
                    && *back.entry(to).or_insert(from) == from
            }
            _ => a == b,
        }
    })
}

/// What is written where, if it is an address in the arena.
fn address<'l>(line: &'l Line, arena: &Range<u64>) -> Option<(&'l str, u64)> {
    let (place, value) = line.0.split_once(" = 0x")?;
    let value = u64::from_str_radix(value, 16).ok()?;
    arena.contains(&value).then_some((place, value))
}

fn parted(
    first: &[Line],
    second: &[Line],
    mut same: impl FnMut(&Line, &Line) -> bool,
) -> Option<Difference> {
    let at = first
        .iter()
        .zip(second)
        .position(|(a, b)| !same(a, b))
        .unwrap_or(first.len().min(second.len()));
    if at == first.len() && at == second.len() {
        return None;
    }
    let text = |lines: &[Line]| lines.get(at).map(|line| line.0.clone());
    Some(Difference {
        before: first[at.saturating_sub(3)..at]
            .iter()
            .map(|line| line.0.clone())
            .collect(),
        first: text(first),
        second: text(second),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use graph::{Entry, Width, Window, WindowKind};
    use qtest::Touch;

    fn residual() -> Residual {
        let entry = |name: &str| Entry {
            name: name.into(),
            arguments: 0,
            locals: 0,
            body: 0,
            seldom: false,
        };
        Residual {
            entries: vec![entry("init"), entry("irq")],
            windows: vec![Window {
                name: "r".into(),
                kind: WindowKind::Memory,
                base: 0,
                size: 16,
            }],
            upcalls: vec!["finished".into()],
            ..Residual::default()
        }
    }

    fn touch(at: u64, write: bool, value: u64) -> Event {
        Event::Touch(Touch {
            window: 0,
            at,
            width: Width::B32,
            write,
            value,
        })
    }

    #[test]
    fn polling_leaves_no_mark_and_writes_do() {
        let residual = residual();
        let once = [
            Event::Enter(0),
            touch(4, false, 0),
            touch(8, true, 1),
            Event::Exit(0),
            Event::Enter(1),
            Event::Up(0, [1, 0, 0, 0]),
            Event::Exit(0),
        ];
        let often = [
            Event::Enter(0),
            touch(4, false, 1),
            touch(4, false, 0),
            touch(8, true, 1),
            Event::Exit(0),
            Event::Enter(1),
            touch(4, false, 0),
            Event::Exit(1),
            Event::Enter(1),
            Event::Up(0, [1, 0, 0, 0]),
            Event::Exit(0),
        ];
        let (once, often) = (
            settled(&residual, &[], &once),
            settled(&residual, &[], &often),
        );
        assert_eq!(compare(&once, &often), None);

        let other = [Event::Enter(0), touch(4, false, 0), touch(8, true, 2)];
        let difference = compare(&once, &settled(&residual, &[], &other)).unwrap();
        assert_eq!(
            difference.first.as_deref(),
            Some("write 32 bits of r[0x8] = 0x1")
        );
        assert_eq!(
            difference.second.as_deref(),
            Some("write 32 bits of r[0x8] = 0x2")
        );
        assert_eq!(difference.before, ["call init", "read 32 bits of r[0x4]"]);
    }

    #[test]
    fn objects_may_lie_elsewhere_each_at_one_place() {
        let lines = |values: [u64; 4]| -> Vec<Line> {
            let one = |value| Line(format!("write 32 bits of r[0x8] = {value:#x}"));
            values.into_iter().map(one).collect()
        };
        let arena = 0x1000..0x2000;
        let first = lines([0x1000, 0x1100, 0x1000, 7]);
        let differs = |values| compare_moved(&first, &lines(values), &arena).is_some();
        assert!(!differs([0x1000, 0x1100, 0x1000, 7]));
        assert!(!differs([0x1800, 0x1700, 0x1800, 7]));
        // Two places for one, one for two, another number, no address of the arena.
        assert!(differs([0x1800, 0x1700, 0x1000, 7]));
        assert!(differs([0x1800, 0x1800, 0x1800, 7]));
        assert!(differs([0x1800, 0x1700, 0x1800, 8]));
        assert!(differs([0x2000, 0x1700, 0x2000, 7]));
    }

    /// An event that only acknowledges calls nobody; a wrong acknowledgement is a difference all the same.
    #[test]
    fn what_a_silent_event_writes_is_compared() {
        let residual = residual();
        let acknowledges = |value: u64, times: usize| {
            let once = [
                Event::Enter(1),
                touch(4, false, 1),
                touch(8, true, value),
                Event::Exit(0),
            ];
            let mut events = vec![Event::Enter(0), touch(0, true, 7), Event::Exit(0)];
            events.extend(std::iter::repeat_n(once, times).flatten());
            settled(&residual, &[], &events)
        };
        assert_eq!(compare(&acknowledges(2, 1), &acknowledges(2, 3)), None);
        let difference = compare(&acknowledges(2, 1), &acknowledges(4, 1)).unwrap();
        assert_eq!(
            difference.second.as_deref(),
            Some("irq, which told nothing: write 32 bits of r[0x8] = 0x4")
        );
        assert!(compare(&acknowledges(2, 1), &acknowledges(2, 0)).is_some());
    }
}
