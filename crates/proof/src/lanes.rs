//! Several lanes of one driver, all together on one device: each is answered what it asked for, by its own message.

use crate::stand::{Stand, Written};
use crate::{failed, Result};
use abi::ring::{done, todo, Entry};
use classes::{Class, Units};
use qtest::run::{Device, Lanes};
use std::time::{Duration, Instant};

/// Requests of each lane.
const REQUESTS: u32 = 8;

/// Longest wait for messages.
const PATIENCE: Duration = Duration::from_secs(5);

/// All lanes ask, none looks; each then hears what is its own, the last lane first.
///
/// # Errors
/// What is not as it should be, in words.
pub fn together(device: &mut Device, stand: &Stand, written: &Written, class: Class) -> Result<()> {
    let count = written.lanes();
    if count != stand.lanes {
        return failed(format!(
            "the driver runs {count} lanes, where {} CPUs run it",
            stand.lanes
        ));
    }
    if class != Class::Block {
        return Ok(());
    }
    let facts = written.facts.iter().map(|(n, v)| (n.as_str(), *v));
    let mut lanes = device.lanes(count, class, Units::from_pairs(facts))?;
    lanes.start()?;
    let size = written.fact("size").unwrap_or(512) as u32;
    let place = |lane: usize, k: u32| (lane as u32 * REQUESTS + k) * size;
    for lane in 0..count as usize {
        for k in 0..REQUESTS {
            lanes.put(
                lane,
                Entry {
                    kind: todo::BLOCK_READ,
                    offset: place(lane, k),
                    length: size,
                    value: u64::from(place(lane, k) / size),
                    ..Entry::default()
                },
            )?;
        }
        lanes.turn(lane, 0)?;
    }
    let own = told(&lanes, stand, count)?;
    for lane in (0..count as usize).rev() {
        let answers = lanes.hear(lane, REQUESTS as usize, || own(lane))?;
        for answer in &answers {
            if answer.kind != done::FINISHED || answer.ok == 0 {
                return failed(format!("lane {lane} was answered {answer:?}"));
            }
        }
        for other in 0..lane {
            let strange = lanes.news(other)?;
            if !strange.is_empty() {
                return failed(format!("lane {lane} looked, and {other} heard {strange:?}"));
            }
        }
    }
    let Some(disk) = stand.disks().first() else {
        return Ok(());
    };
    let all = (count as u32 * REQUESTS * size) as usize;
    let (mut read, there) = (vec![0; all], disk.bytes()?);
    lanes.pool().read(0, &mut read);
    match there.starts_with(&read) {
        true => Ok(()),
        false => failed("the lanes did not read what is on the disk"),
    }
}

/// Waits until every lane's message came, where there are messages, and gives those of each lane.
fn told(lanes: &Lanes, stand: &Stand, count: u64) -> Result<impl Fn(usize) -> u64> {
    let messages = stand.messages.as_ref().map_or(0, qtest::Capture::count);
    let own = move |lane: usize| match messages {
        0 => u64::MAX,
        n => 1 << (lane as u64 % n),
    };
    let wanted = (0..count as usize).fold(0, |all, lane| all | own(lane));
    let (mut came, start) = (0, Instant::now());
    while let Some(capture) = stand.messages.as_ref() {
        came |= capture.came();
        if came & wanted == wanted {
            break;
        }
        if start.elapsed() > PATIENCE {
            return failed(format!("messages {came:#b} came, and not {wanted:#b}"));
        }
        lanes.machine().pause(20_000);
    }
    Ok(own)
}
