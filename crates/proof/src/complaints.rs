//! What the emulator itself has to say about a driver: accesses that its device models do not have, or take in pieces.
//!
//! A register that a rule declares too wide, or where the device has none, often works by luck. The emulator's log tells of
//! accesses that no region takes, and what device models call a guest's error; its trace of each region's accesses
//! tells when a model that has no access so wide was given several instead of one.

use qtest::run::Event;
use qtest::Touch;
use std::collections::{BTreeMap, BTreeSet};

/// What the emulator is to log (its `-d`).
pub const LOGGED: &str =
    "guest_errors,unimp,trace:memory_region_ops_read,trace:memory_region_ops_write,\
     trace:*_wrn_*,trace:*_ub_*,trace:*unknown*,trace:*invalid*,trace:*badread*,trace:*badwrite*";

/// Complaints in the order of the log, each once, without what differs from run to run.
#[must_use]
pub fn of(log: &str, residual: &graph::Residual, events: &[Event]) -> Vec<String> {
    let mut said = Vec::new();
    // By address: the widths of single accesses there, in bytes.
    let mut taken: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for line in log.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match access(line) {
            Some((at, bytes)) => {
                taken.entry(at).or_default().insert(bytes);
            }
            None if !said.iter().any(|known| known == line) => said.push(line.to_owned()),
            None => {}
        }
    }
    let touches = events.iter().filter_map(|event| match event {
        Event::Touch(touch) => Some(touch),
        _ => None,
    });
    for touch in touches {
        if let Some(pieces) = in_pieces(residual, touch, &taken) {
            if !said.contains(&pieces) {
                said.push(pieces);
            }
        }
    }
    said
}

/// `…memory_region_ops_write cpu -1 mr 0x… addr 0x… value 0x1 size 1 name 'serial'`: where, and how many bytes.
fn access(line: &str) -> Option<(u64, u64)> {
    let rest = line.split_once("memory_region_ops_")?.1;
    let word = |name: &str| {
        let mut words = rest.split_whitespace();
        words.find(|word| *word == name)?;
        words.next()
    };
    let at = word("addr")?.strip_prefix("0x")?;
    Some((
        u64::from_str_radix(at, 16).ok()?,
        word("size")?.parse().ok()?,
    ))
}

fn in_pieces(
    residual: &graph::Residual,
    touch: &Touch,
    taken: &BTreeMap<u64, BTreeSet<u64>>,
) -> Option<String> {
    let window = residual.windows.get(usize::from(touch.window))?;
    let (at, bytes) = (
        window.base.wrapping_add(touch.at),
        u64::from(touch.width.bytes()),
    );
    let whole = taken.get(&at)?;
    if whole.iter().any(|size| *size >= bytes) {
        return None;
    }
    Some(format!(
        "{} bits at {:#x} of `{}`: the device model has no access so wide, and takes {} at a time",
        touch.width.bits(),
        touch.at,
        window.name,
        8 * whole.iter().max()?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use graph::{Residual, Width, Window, WindowKind};

    #[test]
    fn accesses_in_pieces_and_the_models_own_words_are_told() {
        let residual = Residual {
            windows: vec![Window {
                name: "r".into(),
                kind: WindowKind::Memory,
                base: 0x5000,
                size: 64,
            }],
            ..Residual::default()
        };
        let touch = |at, width| {
            Event::Touch(Touch {
                window: 0,
                at,
                width,
                write: true,
                value: 0,
            })
        };
        let log = "memory_region_ops_write cpu -1 mr 0x55 addr 0x5008 value 0x1 size 4 name 'card'\n\
                   memory_region_ops_write cpu -1 mr 0x55 addr 0x500c value 0x0 size 4 name 'card'\n\
                   memory_region_ops_write cpu -1 mr 0x55 addr 0x5010 value 0x0 size 4 name 'card'\n\
                   card: no register at 0x14\ncard: no register at 0x14\n";
        let events = [
            touch(8, Width::B64),
            touch(0x10, Width::B32),
            touch(0x20, Width::B64),
        ];
        assert_eq!(
            of(log, &residual, &events),
            [
                "card: no register at 0x14",
                "64 bits at 0x8 of `r`: the device model has no access so wide, and takes 32 at a time"
            ]
        );
    }
}
