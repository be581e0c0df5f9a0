//! The self-tests against devices that are right, and against ones that are wrong in one way each.

use crate::fake::{on, rig, Rig};
use abi::status;
use classes::selftest::{run, Effort, Outcome, Reason};
use classes::{Class, Facts, Pool};

/// A disk of so many blocks whose bytes tell where they lie; `past` is what reading past the end gives.
fn disk(sectors: u64, past: u64) -> Rig {
    let facts = Facts {
        sectors,
        ..Facts::default()
    };
    let rig = rig(Class::Block, facts);
    let pool = rig.pool;
    on("read", move |up, [lba, offset, length, ticket]| {
        let inside = lba + length / 512 <= sectors;
        if inside {
            fill(&pool, lba, offset, length);
        }
        up.call(0, ticket, if inside { 1 } else { past });
        status::OK
    });
    on("flush", |up, args| {
        up.call(0, args[0], 1);
        status::OK
    });
    rig
}

fn fill(pool: &Pool, lba: u64, offset: u64, length: u64) {
    for at in 0..length {
        let place = lba * 512 + at;
        pool.write(offset + at, &[(place / 512 * 31 + place % 512) as u8]);
    }
}

fn tried(rig: &mut Rig) -> Outcome {
    let client = rig.area.client();
    run(&mut rig.pump, client, Effort::Thorough)
}

fn wrong(rig: &mut Rig) -> String {
    match tried(rig) {
        Outcome::Rejected(reason) => reason.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_right_disk_is_verified() {
    for sectors in [1, 2, 1000] {
        assert_eq!(tried(&mut disk(sectors, 0)), Outcome::Verified);
    }
    assert_eq!(
        tried(&mut disk(0, 0)),
        Outcome::Unverified("there is no medium")
    );
}

#[test]
fn a_disk_that_reads_past_its_end_is_rejected() {
    assert_eq!(wrong(&mut disk(100, 1)), "a read past the end succeeded");
}

#[test]
fn a_disk_that_moves_nothing_is_rejected() {
    let mut rig = disk(100, 0);
    on("read", |up, args| {
        up.call(0, args[3], 1);
        status::OK
    });
    assert_eq!(wrong(&mut rig), "two reads of the first block differ");
}

#[test]
fn a_disk_that_ignores_the_block_number_in_long_reads_is_rejected() {
    let mut rig = disk(100, 0);
    let pool = rig.pool;
    on("read", move |up, [lba, offset, length, ticket]| {
        for at in (0..length).step_by(512) {
            fill(&pool, lba, offset + at, 512);
        }
        up.call(0, ticket, u64::from(lba < 100));
        status::OK
    });
    let told = wrong(&mut rig);
    assert_eq!(
        told,
        "the last of several blocks differs from the same block read alone"
    );
}

#[test]
fn silence_is_told_after_a_second() {
    let mut rig = disk(100, 0);
    on("read", |_, _| status::OK);
    assert_eq!(wrong(&mut rig), "no answer in time: a read");
}

/// A card that sends at once, but remembers `depth` frames until it is polled; a peer answers `reply` times.
fn card(depth: usize, reply: bool) -> Rig {
    use std::cell::RefCell;
    use std::rc::Rc;
    let facts = Facts {
        mac: Some(0x5634_1200_5452),
        ..Facts::default()
    };
    let rig = rig(Class::Nic, facts);
    let pool = rig.pool;
    let sending: Rc<RefCell<Vec<u64>>> = Rc::default();
    let supplied: Rc<RefCell<Vec<[u64; 2]>>> = Rc::default();
    let queue = sending.clone();
    on("transmit", move |_, args| {
        if queue.borrow().len() == depth {
            return status::BUSY;
        }
        let mut head = [0; 14];
        pool.read(args[0], &mut head);
        let to_all = [
            255, 255, 255, 255, 255, 255, 0x52, 0x54, 0, 0x12, 0x34, 0x56,
        ];
        // A question who has an address, or, at the limits of a frame's length, an experiment.
        let known = [[8, 6], [0x88, 0xb5]].contains(&[head[12], head[13]]);
        // A wrong frame fails, and with it the test: a panic cannot leave an entry.
        if head[..12] != to_all || !known {
            return crate::fake::DEAD;
        }
        queue.borrow_mut().push(args[2]);
        status::OK
    });
    let buffers = supplied.clone();
    on("supply", move |_, args| {
        buffers.borrow_mut().push([args[0], args[2]]);
        status::OK
    });
    on("irq", move |up, _| {
        for ticket in sending.borrow_mut().drain(..) {
            up.call(0, ticket, 1);
            if let (true, Some([offset, ticket])) = (reply, supplied.borrow_mut().pop()) {
                pool.write(
                    offset,
                    &[0x52, 0x54, 0, 0x12, 0x34, 0x56, 2, 2, 2, 2, 2, 2, 8, 6],
                );
                up.call(1, ticket, 60);
            }
        }
        status::OK
    });
    rig
}

#[test]
fn a_right_card_is_verified_when_a_peer_answers() {
    assert_eq!(tried(&mut card(8, true)), Outcome::Verified);
    assert_eq!(tried(&mut card(1000, true)), Outcome::Verified);
    assert_eq!(
        tried(&mut card(8, false)),
        Outcome::Unverified("no peer answered")
    );
}

#[test]
fn a_card_that_does_not_send_its_longest_frame_is_rejected() {
    let mut rig = card(8, true);
    on("transmit", |up, args| {
        up.call(0, args[2], u64::from(args[1] < 1000));
        status::OK
    });
    let told = wrong(&mut rig);
    assert_eq!(told, "it does not send the shortest or the longest frame");
}

#[test]
fn after_the_test_the_device_has_no_buffer_of_it() {
    let mut rig = card(8, false);
    let starts = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = starts.clone();
    on("init", move |_, _| {
        count.set(count.get() + 1);
        status::OK
    });
    assert_eq!(tried(&mut rig), Outcome::Unverified("no peer answered"));
    assert_eq!((rig.pump.outstanding(), starts.get()), (0, 2));
    assert_eq!(
        crate::fake::calls().last().map(|(name, _)| *name),
        Some("quiet")
    );
    let mut rig = card(8, false);
    on("quiet", |_, _| crate::fake::DEAD);
    assert_eq!(
        wrong(&mut rig),
        "failure number 1, which no recovery serves"
    );
    on("quiet", |_, _| status::OK);
    // A device that does not come up again is no device.
    let mut rig = disk(100, 0);
    let mut count = 0;
    on("init", move |_, _| {
        count += 1;
        if count == 2 {
            status::GONE
        } else {
            status::OK
        }
    });
    assert_eq!(wrong(&mut rig), "the device is no longer there");
}

#[test]
fn a_card_that_loses_a_frame_when_full_is_rejected() {
    let mut rig = card(8, true);
    let mut count = 0;
    on("transmit", move |up, args| {
        count += 1;
        // The tenth frame is accepted and never heard of again.
        if count == 10 {
            return status::OK;
        }
        up.call(0, args[2], 1);
        status::OK
    });
    assert_eq!(
        wrong(&mut rig),
        "no answer in time: frames sent while its queue was full"
    );
}

#[test]
fn a_right_serial_line_is_verified() {
    let facts = Facts {
        depth: 16,
        ..Facts::default()
    };
    let mut line = rig(Class::Serial, facts);
    let mut full = 0;
    on("send", move |_, _| {
        full += 1;
        if full % 2 == 0 {
            status::BUSY
        } else {
            status::OK
        }
    });
    assert_eq!(tried(&mut line), Outcome::Verified);
    let mut line = rig(Class::Serial, facts);
    on("send", |_, _| status::BUSY);
    let silent = Outcome::Rejected(Reason::Busy("bytes to be sent"));
    assert_eq!(tried(&mut line), silent);
}

/// A slot in which these stand at its start, by what is told: index of the upcall, place, ID.
fn slot(told: &'static [(usize, u64, u64)]) -> Rig {
    let rig = rig(Class::Bus, Facts::default());
    on("init", move |up, _| {
        for (which, place, id) in told {
            up.call(*which, *place, *id);
        }
        status::OK
    });
    rig
}

#[test]
fn a_right_bus_is_verified() {
    assert_eq!(tried(&mut slot(&[(0, 0, 0x1041_1af4)])), Outcome::Verified);
    let empty = Outcome::Unverified("nothing stands in it");
    assert_eq!(tried(&mut slot(&[])), empty);
    assert_eq!(tried(&mut slot(&[(0, 0, 7), (1, 0, 0)])), empty);
}

#[test]
fn a_bus_that_tells_nonsense_is_rejected() {
    assert!(wrong(&mut slot(&[(0, 0, 7), (0, 0, 7)])).contains("one is already"));
    assert!(wrong(&mut slot(&[(0, 0, 0)])).contains("is nothing"));
    assert!(wrong(&mut slot(&[(0, 0, 0xffff_ffff)])).contains("is nothing"));
    assert!(wrong(&mut slot(&[(1, 0, 0)])).contains("had not come"));
    assert!(wrong(&mut slot(&[(0, 1, 7)])).contains("place 1"));
}
