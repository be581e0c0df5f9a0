//! The most that one call of an entry may do to its device, and whether a run kept to it.
//!
//! Operations and events never wait, so what they cost is bounded by their text: loops have bounds, and of two branches one
//! is taken. `rule check` counts it from the text, with facts as names; this counts it from the graph, where facts are
//! numbers.

use graph::{Op, RegionId, Residual};
use qtest::run::Event;

/// Accesses of an entry at worst. `None`: it waits, or a loop's bound is found when it runs.
#[must_use]
pub fn accesses(residual: &Residual, entry: usize) -> Option<u64> {
    region(residual, residual.entries.get(entry)?.body)
}

fn region(residual: &Residual, id: RegionId) -> Option<u64> {
    let steps = &residual.graph.regions.get(id as usize)?.steps;
    let mut sum = 0u64;
    for step in steps {
        sum = sum.saturating_add(match residual.graph.nodes.get(*step as usize)? {
            Op::Read { .. } | Op::Write { .. } => 1,
            Op::If { yes, no, .. } => region(residual, *yes)?.max(region(residual, *no)?),
            Op::Block(body) => region(residual, *body)?,
            Op::Loop { most, body } => match region(residual, *body)? {
                0 => 0,
                body => match residual.graph.nodes.get(*most as usize)? {
                    Op::Const(most) => most.saturating_mul(body),
                    _ => return None,
                },
            },
            Op::Await { .. } => return None,
            _ => 0,
        });
    }
    Some(sum)
}

/// How many calls of entries with a bound there were; none did more than that.
///
/// # Errors
/// Which entry did, in words.
pub fn kept(residual: &Residual, events: &[Event]) -> Result<usize, String> {
    let mut running: Option<(usize, u64)> = None;
    let mut held = 0;
    for event in events {
        match (event, &mut running) {
            (Event::Enter(number), _) => running = Some((usize::from(*number), 0)),
            (Event::Touch(_), Some((_, count))) => *count += 1,
            (Event::Exit(_), Some((number, count))) => {
                if let Some(most) = accesses(residual, *number) {
                    if *count > most {
                        let name = &residual.entries[*number].name;
                        return Err(format!(
                            "`{name}` made {count} accesses, and its bound is {most}"
                        ));
                    }
                    held += 1;
                }
                running = None;
            }
            _ => {}
        }
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use graph::{Entry, Graph, Region, Width};
    use qtest::Touch;

    #[test]
    fn a_driver_that_does_more_is_seen() {
        // A read, at most three times.
        let width = Width::B32;
        let read = Op::Read {
            window: 0,
            at: 1,
            width,
        };
        let looped = Op::Loop { most: 0, body: 1 };
        let residual = Residual {
            graph: Graph {
                nodes: vec![Op::Const(3), Op::Const(0), read, looped],
                regions: vec![Region { steps: vec![3] }, Region { steps: vec![2] }],
            },
            entries: vec![Entry {
                name: "read".into(),
                arguments: 0,
                locals: 0,
                body: 0,
                seldom: false,
            }],
            ..Residual::default()
        };
        assert_eq!(accesses(&residual, 0), Some(3));
        let touch = Event::Touch(Touch {
            window: 0,
            at: 0,
            width,
            write: false,
            value: 0,
        });
        let run = |count| {
            let mut events = vec![Event::Enter(0)];
            events.extend(vec![touch; count]);
            events.push(Event::Exit(0));
            kept(&residual, &events)
        };
        assert_eq!(run(3), Ok(1));
        let error = run(4).unwrap_err();
        assert!(
            error.contains("`read` made 4 accesses, and its bound is 3"),
            "{error}"
        );
    }
}
