//! The pump against a residual that does what each test wants, good and bad.

use crate::fake::{calls, calls_of, on, returns, rig, DEAD, LOST, POOL};
use abi::ring::{done, todo, DONE_COUNT};
use abi::status;
use classes::pump::{Failure, Violation, BATCH};
use classes::ring::State;
use classes::{Class, Facts};
use std::cell::RefCell;
use std::rc::Rc;

fn disk() -> Facts {
    Facts {
        sectors: 100,
        ..Facts::default()
    }
}

/// Tickets of accepted operations, for a fake that answers them from `irq`.
fn queue(name: &'static str, ticket: usize) -> Rc<RefCell<Vec<u64>>> {
    let accepted = Rc::new(RefCell::new(Vec::new()));
    let queue = accepted.clone();
    on(name, move |_, args| {
        queue.borrow_mut().push(args[ticket]);
        status::OK
    });
    accepted
}

/// `irq` answers everything in the queue by upcall 0.
fn answer_all(accepted: &Rc<RefCell<Vec<u64>>>, ok: u64) {
    let queue = accepted.clone();
    on("irq", move |up, _| {
        for ticket in queue.borrow_mut().drain(..) {
            up.call(0, ticket, ok);
        }
        status::OK
    });
}

#[test]
fn a_read_goes_in_and_its_answer_comes_out() {
    let mut rig = rig(Class::Block, disk()).started();
    let accepted = queue("read", 3);
    answer_all(&accepted, 1);
    rig.ask(todo::BLOCK_READ, 77, 4096, 1024, 5);
    rig.pump.turn(false);
    let ticket = accepted.borrow()[0];
    assert_eq!(
        calls(),
        [("read", [5, 4096, 1024, ticket]), ("read.then", [0; 4])]
    );
    assert_eq!(rig.pump.outstanding(), 1);
    assert_eq!(rig.short(), []);
    assert!(rig.pump.turn(true).mine);
    assert_eq!(rig.short(), [(done::FINISHED, 77, 1)]);
    assert_eq!(rig.pump.outstanding(), 0);
}

#[test]
fn bad_requests_are_answered_and_never_reach_the_device() {
    let facts = Facts {
        writable: false,
        ..disk()
    };
    let mut rig = rig(Class::Block, facts).started();
    let bad = [
        (todo::BLOCK_READ, 0, 0),
        (todo::BLOCK_READ, 0, 511),
        (todo::BLOCK_READ, POOL as u32, 512),
        (todo::BLOCK_READ, u32::MAX, 512),
        (todo::BLOCK_READ, POOL as u32 - 511, 512),
        (todo::BLOCK_WRITE, 0, 512),
        (0, 0, 512),
        (99, 0, 512),
    ];
    for (ticket, (kind, offset, length)) in bad.into_iter().enumerate() {
        rig.ask(kind, ticket as u32, offset, length, 0);
    }
    rig.pump.turn(false);
    let expected: Vec<_> = (0..bad.len() as u32)
        .map(|ticket| (done::FINISHED, ticket, 0))
        .collect();
    assert_eq!(rig.short(), expected);
    assert_eq!(calls(), []);
}

#[test]
fn frames_keep_to_the_facts() {
    let facts = Facts {
        headroom: 12,
        min: 60,
        buffer: 2048,
        ..Facts::default()
    };
    let mut rig = rig(Class::Nic, facts).started();
    for (ticket, (kind, offset, length)) in [
        (todo::NIC_TRANSMIT, 11, 60),
        (todo::NIC_TRANSMIT, 12, 59),
        (todo::NIC_TRANSMIT, 12, 1515),
        (todo::NIC_SUPPLY, 12, 2047),
        (todo::NIC_TRANSMIT, 12, 1514),
        (todo::NIC_SUPPLY, 12, 2048),
    ]
    .into_iter()
    .enumerate()
    {
        rig.ask(kind, ticket as u32, offset, length, 0);
    }
    rig.pump.turn(false);
    assert_eq!(rig.short().len(), 4);
    let names: Vec<&str> = calls().iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        ["transmit", "supply", "transmit.then", "supply.then"]
    );
}

#[test]
fn a_batch_is_bounded_and_has_one_tail() {
    let mut rig = rig(Class::Block, disk()).started();
    for ticket in 0..100 {
        rig.ask(todo::BLOCK_READ, ticket, 0, 512, 0);
    }
    assert!(rig.pump.turn(false).again);
    let made = calls();
    assert_eq!(made.len() as u32, BATCH + 1);
    assert_eq!(made.last(), Some(&("read.then", [0; 4])));
    assert!(!rig.pump.turn(false).again);
    assert_eq!(calls_of("read").len() as u32, 100 - BATCH);
}

#[test]
fn busy_leaves_the_request_at_the_head() {
    let mut rig = rig(Class::Block, disk()).started();
    let accepted = Rc::new(RefCell::new(Vec::new()));
    let queue = accepted.clone();
    on("read", move |_, args| {
        if queue.borrow().len() == 2 {
            return status::BUSY;
        }
        queue.borrow_mut().push(args[3]);
        status::OK
    });
    answer_all(&accepted, 1);
    for ticket in 0..5 {
        rig.ask(todo::BLOCK_READ, ticket, 0, 512, u64::from(ticket));
    }
    let turn = rig.pump.turn(false);
    assert!(!turn.again, "only the device can help");
    assert!(rig.pump.arm(), "so it may sleep");
    rig.pump.turn(true);
    rig.pump.turn(true);
    rig.pump.turn(true);
    let expected: Vec<_> = (0..5).map(|ticket| (done::FINISHED, ticket, 1)).collect();
    assert_eq!(rig.short(), expected, "in order, each once");
}

#[test]
fn busy_with_nothing_outstanding_is_an_answer() {
    let mut rig = rig(Class::Block, disk()).started();
    on("read", |_, _| status::BUSY);
    rig.ask(todo::BLOCK_READ, 9, 0, 512, 0);
    rig.pump.turn(false);
    assert_eq!(rig.short(), [(done::FINISHED, 9, 0)]);
}

#[test]
fn a_ticket_answered_twice_is_final_and_named() {
    let mut rig = rig(Class::Block, disk()).started();
    let accepted = queue("read", 3);
    rig.ask(todo::BLOCK_READ, 1, 0, 512, 0);
    rig.ask(todo::BLOCK_READ, 2, 0, 512, 0);
    rig.pump.turn(false);
    let first = accepted.borrow()[0];
    on("irq", move |up, _| {
        up.call(0, first, 1);
        up.call(0, first, 1);
        status::OK
    });
    rig.pump.turn(true);
    let failure = Failure::Contract(Violation::Ticket(first));
    assert_eq!(rig.pump.failure(), Some(failure));
    assert!(failure.to_string().contains("not outstanding"));
    let answers = rig.answers();
    let short: Vec<_> = answers.iter().map(|e| (e.kind, e.ticket, e.ok)).collect();
    let expected = [
        (done::FINISHED, 1, 1),
        (done::FINISHED, 2, 0),
        (done::FAILED, 0, 0),
    ];
    assert_eq!(short, expected);
    assert_eq!(answers[2].value, status::VIOLATION);
    assert_eq!(rig.client.state(), State::Failed);
    // What is asked from now on is answered, and the code is left alone.
    calls();
    rig.ask(todo::BLOCK_READ, 3, 0, 512, 0);
    rig.pump.turn(true);
    assert_eq!(rig.short(), [(done::FINISHED, 3, 0)]);
    assert_eq!(calls(), []);
}

#[test]
fn upcalls_are_held_to_their_kind_and_size() {
    let cases: [(usize, u64, Violation); 3] = [
        (0, 0, Violation::WrongUpcall(classes::facts::Kind::Supply)),
        (1, 2049, Violation::Overlong(2049)),
        (3, 0, Violation::NoSuchUpcall),
    ];
    for (which, length, violation) in cases {
        let mut rig = rig(Class::Nic, Facts::default()).started();
        let accepted = queue("supply", 2);
        rig.ask(todo::NIC_SUPPLY, 1, 0, 2048, 0);
        rig.pump.turn(false);
        let ticket = accepted.borrow()[0];
        on("irq", move |up, _| {
            up.call(which, ticket, length);
            status::OK
        });
        rig.pump.turn(true);
        assert_eq!(rig.pump.failure(), Some(Failure::Contract(violation)));
        let answered = rig
            .short()
            .iter()
            .filter(|(kind, ..)| *kind == done::FINISHED)
            .count();
        assert_eq!(answered, 1);
    }
}

#[test]
fn a_failure_recovers_by_a_reset() {
    let mut rig = rig(Class::Block, disk()).started();
    let accepted = queue("read", 3);
    rig.ask(todo::BLOCK_READ, 1, 0, 512, 0);
    rig.ask(todo::BLOCK_READ, 2, 0, 512, 0);
    rig.pump.turn(false);
    calls();
    on("irq", |up, _| {
        up.replace_state(99);
        LOST
    });
    returns("recover.lost", [status::RESET]);
    on("quiet", |up, _| {
        assert_eq!(up.replace_state(99), 99, "the device is still at work");
        status::OK
    });
    on("init", |up, _| {
        assert_eq!(up.replace_state(0), 0, "state is zero again");
        status::OK
    });
    rig.pump.turn(true);
    let names: Vec<&str> = calls().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["irq", "recover.lost", "quiet", "init"]);
    assert_eq!(
        rig.short(),
        [(done::FINISHED, 1, 0), (done::FINISHED, 2, 0)]
    );
    assert_eq!(rig.pump.failure(), None);
    // Old tickets are not outstanding any more; new ones work.
    accepted.borrow_mut().clear();
    answer_all(&accepted, 1);
    rig.ask(todo::BLOCK_READ, 3, 0, 512, 0);
    rig.pump.turn(false);
    rig.pump.turn(true);
    assert_eq!(rig.short(), [(done::FINISHED, 3, 1)]);
}

#[test]
fn resets_are_bounded_unless_there_is_a_success_in_between() {
    let mut rig = rig(Class::Block, disk()).started();
    let accepted = queue("read", 3);
    for round in 0..10 {
        answer_all(&accepted, 1);
        rig.ask(todo::BLOCK_READ, round, 0, 512, 0);
        rig.pump.turn(false);
        rig.pump.turn(true);
        returns("irq", [status::RESET]);
        rig.pump.turn(true);
        assert_eq!(rig.pump.failure(), None);
    }
    returns("irq", [status::RESET; 3]);
    for _ in 0..2 {
        rig.pump.turn(true);
    }
    assert_eq!(rig.pump.failure(), None);
    rig.pump.turn(true);
    assert_eq!(rig.pump.failure(), Some(Failure::Exhausted));
}

#[test]
fn what_init_returns_decides() {
    for (statuses, failure) in [
        (vec![status::OK], None),
        (vec![LOST, status::OK], None),
        (vec![LOST; 5], Some(Failure::Exhausted)),
        (vec![DEAD], Some(Failure::Unrecovered(1))),
        (vec![status::CHANGED], Some(Failure::Changed)),
        (vec![status::GONE], Some(Failure::Gone)),
        (vec![42], Some(Failure::Contract(Violation::Unknown(42)))),
    ] {
        let mut rig = rig(Class::Block, disk());
        returns("init", statuses);
        on("recover.lost", |_, _| status::RESET);
        assert_eq!(rig.pump.start().err(), failure);
        let expected = match failure {
            Some(Failure::Gone) => State::Gone,
            Some(_) => State::Failed,
            None => State::Ready,
        };
        assert_eq!(rig.client.state(), expected);
        if let Some(failure) = failure {
            assert_eq!(
                rig.answers().last().map(|e| (e.kind, e.value)),
                Some((done::FAILED, failure.status()))
            );
        }
    }
}

/// Names of the calls so far.
fn called() -> Vec<&'static str> {
    calls().iter().map(|(name, _)| *name).collect()
}

/// As after a kill: rings and memory are as another driver left them, and the device may be at work in them.
#[test]
fn a_device_is_quiet_before_its_memory_is_touched_and_the_client_told() {
    let mut rig = rig(Class::Block, disk());
    let mut seen = rig.area.client();
    on("quiet", move |up, _| {
        assert_eq!(up.arena(), 7, "the arena is as it was left");
        assert!(
            !seen.restarted(),
            "the client still counts on who was there before"
        );
        status::OK
    });
    on("init", |up, _| {
        assert_eq!((up.arena(), up.replace_state(1)), (0, 0));
        status::OK
    });
    rig.ask(todo::BLOCK_READ, 1, 0, 512, 0);
    rig.pump.start().unwrap();
    assert_eq!(called(), ["quiet", "init"]);
    assert!(rig.client.restarted());
    rig.pump.turn(true);
    assert!(
        calls_of("read").is_empty(),
        "it was asked of the driver before"
    );
}

#[test]
fn a_device_that_does_not_become_quiet_keeps_its_memory() {
    let mut first = rig(Class::Block, disk());
    returns("quiet", [LOST, LOST, status::OK]);
    on("recover.lost", |_, _| status::RESET);
    on("init", |up, _| {
        assert_eq!(up.arena(), 0);
        status::OK
    });
    first.pump.start().unwrap();
    let twice = [
        "quiet",
        "recover.lost",
        "quiet",
        "recover.lost",
        "quiet",
        "init",
    ];
    assert_eq!(called(), twice);

    let mut never = rig(Class::Block, disk());
    on("quiet", |up, _| {
        assert_eq!(up.arena(), 7);
        LOST
    });
    on("init", |_, _| panic!("it is not quiet"));
    assert_eq!(never.pump.start(), Err(Failure::Exhausted));
    assert_eq!(never.client.state(), State::Failed);
}

#[test]
fn a_driver_that_ends_leaves_its_device_quiet() {
    // By itself: what is outstanding comes back when the device is quiet.
    let mut rig = rig(Class::Block, disk()).started();
    let _accepted = queue("read", 3);
    rig.ask(todo::BLOCK_READ, 1, 0, 512, 0);
    rig.pump.turn(false);
    calls();
    returns("irq", [DEAD]);
    rig.pump.turn(true);
    assert_eq!(called(), ["irq", "quiet"]);
    assert_eq!(rig.pump.failure(), Some(Failure::Unrecovered(1)));
    assert_eq!(rig.short()[0], (done::FINISHED, 1, 0));
    // Because somebody asks for that, and for good.
    let mut rig = self::rig(Class::Block, disk()).started();
    rig.ask(todo::BLOCK_READ, 2, 0, 512, 0);
    rig.pump.turn(false);
    calls();
    assert!(!rig.pump.release());
    assert_eq!((called(), rig.client.state()), (vec!["quiet"], State::Gone));
    assert_eq!(rig.short()[0], (done::FINISHED, 2, 0));
    // A device that is not there is not asked for anything.
    let mut rig = self::rig(Class::Block, disk()).started();
    rig.pump.gone();
    assert!(called().is_empty());
}

#[test]
fn a_quiet_driver_serves_nobody_until_it_is_started() {
    let mut rig = rig(Class::Block, disk()).started();
    let _accepted = queue("read", 3);
    rig.ask(todo::BLOCK_READ, 1, 0, 512, 0);
    rig.pump.turn(false);
    assert_eq!(rig.pump.outstanding(), 1);
    calls();
    assert_eq!(rig.pump.quiet(), Ok(()));
    assert_eq!(rig.pump.outstanding(), 0);
    rig.ask(todo::BLOCK_READ, 2, 0, 512, 0);
    rig.pump.turn(true);
    assert_eq!(called(), ["quiet"]);
    rig.pump.start().unwrap();
    rig.pump.turn(true);
    assert_eq!(called(), ["quiet", "init", "irq", "read", "read.then"]);
    // What the rule does about a failure is tried, and nothing else.
    calls();
    returns("quiet", [LOST, status::OK]);
    on("recover.lost", |_, _| status::RESET);
    assert_eq!(rig.pump.quiet(), Ok(()));
    assert_eq!(called(), ["quiet", "recover.lost", "quiet"]);
    // One that cannot be made quiet is no driver any more.
    on("quiet", |_, _| LOST);
    assert_eq!(rig.pump.quiet(), Err(Failure::Unrecovered(0)));
    assert_eq!(rig.pump.start(), Err(Failure::Unrecovered(0)));
}

#[test]
fn an_event_that_met_its_bound_comes_again() {
    let mut rig = rig(Class::Block, disk()).started();
    returns("irq", [status::AGAIN, status::AGAIN]);
    assert!(!rig.pump.turn(true).again);
    assert_eq!(calls_of("irq").len(), 3);
    on("irq", |_, _| status::AGAIN);
    assert!(rig.pump.turn(true).again, "for ever, but not in one turn");
    assert!(calls_of("irq").len() < 100);
    returns("irq", [status::NOT_MINE]);
    assert!(rig.pump.turn(false).mine, "the posted event");
    returns("irq", [status::NOT_MINE]);
    assert!(!rig.pump.turn(true).mine);
}

#[test]
fn serial_sends_in_pieces_as_there_is_room() {
    let facts = Facts {
        depth: 4,
        ..Facts::default()
    };
    let mut rig = rig(Class::Serial, facts).started();
    returns("send", [status::OK, status::OK, status::BUSY]);
    rig.ask(todo::SERIAL_SEND, 5, 100, 10, 0);
    rig.pump.turn(false);
    assert_eq!(rig.short(), []);
    on("irq", |up, _| {
        up.call(1, 0, 0);
        up.call(0, u64::from(b'k'), 0);
        status::OK
    });
    rig.pump.turn(true);
    let sent: Vec<_> = calls_of("send").iter().map(|a| (a[0], a[1])).collect();
    assert_eq!(sent, [(100, 4), (104, 4), (108, 2), (108, 2)]);
    let answers = rig.answers();
    assert_eq!(
        (answers[0].kind, answers[0].value),
        (done::RECEIVED, u64::from(b'k'))
    );
    assert_eq!(
        (answers[1].kind, answers[1].ticket, answers[1].length),
        (done::FINISHED, 5, 10)
    );
}

#[test]
fn a_client_that_does_not_listen_loses_bytes_but_no_answer() {
    let mut rig = rig(Class::Serial, Facts::default()).started();
    on("irq", |up, _| {
        for byte in 0..1000 {
            up.call(0, byte & 0xff, 0);
        }
        status::OK
    });
    rig.ask(todo::SERIAL_SEND, 1, 0, 1, 0);
    rig.pump.turn(true);
    let dropped = rig.pump.counters().dropped;
    assert!(dropped > 0);
    let answers = rig.answers();
    assert!(answers.len() as u32 <= DONE_COUNT);
    on("irq", |_, _| status::OK);
    rig.pump.turn(false);
    let rest = rig.short();
    let finished = answers.iter().filter(|e| e.kind == done::FINISHED).count() + rest.len();
    assert_eq!(finished, 1, "the request was answered once there was room");
}

#[test]
fn answers_always_have_room() {
    let mut rig = rig(Class::Block, disk()).started();
    let accepted = queue("read", 3);
    answer_all(&accepted, 1);
    let mut asked = 0;
    for _ in 0..20 {
        while rig.client.room() > 0 {
            rig.ask(todo::BLOCK_READ, asked, 0, 512, 0);
            asked += 1;
        }
        rig.pump.turn(true);
    }
    assert!(
        rig.pump.arm(),
        "nothing to do until the client has taken answers"
    );
    let mut got = Vec::new();
    for _ in 0..20 {
        got.extend(rig.answers().iter().map(|e| e.ticket));
        rig.pump.turn(true);
    }
    got.sort_unstable();
    assert_eq!(got, (0..asked).collect::<Vec<_>>());
    assert_eq!(rig.pump.failure(), None);
}

#[test]
fn the_driver_is_woken_when_answers_are_taken() {
    let mut rig = rig(Class::Block, disk()).started();
    let accepted = queue("read", 3);
    answer_all(&accepted, 1);
    for _ in 0..20 {
        while rig.client.room() > 0 {
            rig.ask(todo::BLOCK_READ, 0, 0, 512, 0);
        }
        rig.pump.turn(true);
    }
    assert!(rig.pump.arm());
    assert!(!rig.answers().is_empty());
    assert!(rig.client.publish(), "notify it: there is room again");
}

#[test]
fn the_last_link_state_is_told_once() {
    let mut rig = rig(Class::Nic, Facts::default()).started();
    on("irq", |up, _| {
        up.call(2, 0, 0);
        up.call(2, 1, 0);
        status::OK
    });
    assert_eq!(rig.pump.carrier(), None);
    rig.pump.turn(true);
    let answers = rig.answers();
    assert_eq!(answers.len(), 1);
    assert_eq!((answers[0].kind, answers[0].value), (done::LINK, 1));
    assert_eq!(rig.pump.carrier(), Some(true));
}

#[test]
fn an_operation_that_fails_is_answered_once() {
    let mut rig = rig(Class::Block, disk()).started();
    returns("read", [LOST]);
    returns("recover.lost", [status::OK]);
    rig.ask(todo::BLOCK_READ, 1, 0, 512, 0);
    rig.pump.turn(false);
    assert_eq!(rig.short(), [(done::FINISHED, 1, 0)]);
    assert_eq!(rig.pump.failure(), None);
    // Answered inside, and then `busy`: a contradiction.
    on("read", |up, args| {
        up.call(0, args[3], 1);
        status::BUSY
    });
    rig.ask(todo::BLOCK_READ, 2, 0, 512, 0);
    rig.pump.turn(false);
    let violation = Violation::BusyAfterAnswer(classes::facts::Kind::Read);
    assert_eq!(rig.pump.failure(), Some(Failure::Contract(violation)));
    assert_eq!(rig.short(), [(done::FINISHED, 2, 1), (done::FAILED, 0, 0)]);
}

#[test]
fn each_message_is_told_by_its_number() {
    let facts = Facts {
        messages: 2,
        ..disk()
    };
    let mut rig = rig(Class::Block, facts).started();
    let accepted = queue("read", 3);
    rig.ask(todo::BLOCK_READ, 7, 0, 512, 0);
    rig.pump.turn_for(0);
    calls();
    assert!(!rig.pump.turn_for(0b1110).mine, "nothing came of it");
    assert_eq!(calls(), [("message", [1, 0, 0, 0])], "and no wire");
    let queue = accepted.clone();
    on("message", move |up, args| {
        if args[0] == 1 {
            queue.borrow_mut().drain(..).for_each(|t| up.call(0, t, 1));
        }
        status::OK
    });
    assert!(rig.pump.turn(true).mine, "who looks, looks at all of them");
    assert_eq!(calls_of("message"), [[0; 4], [1, 0, 0, 0]]);
    assert_eq!(rig.short(), [(done::FINISHED, 7, 1)]);
    returns("message", [status::AGAIN]);
    rig.pump.turn_for(0b10);
    assert_eq!(calls_of("message"), [[1, 0, 0, 0]; 2], "the same again");
}

/// A client that writes anything anywhere in the rings: the code sees ranges inside the pool only, and nothing panics.
#[test]
fn a_hostile_client_harms_only_itself() {
    for class in [Class::Serial, Class::Nic, Class::Block] {
        let mut rig = rig(
            class,
            Facts {
                sectors: 9,
                ..Facts::default()
            },
        )
        .started();
        for (name, offset) in [
            ("send", 0),
            ("transmit", 0),
            ("supply", 0),
            ("read", 1),
            ("write", 1),
        ] {
            on(name, move |up, args| {
                assert!(
                    args[offset] + args[offset + 1] <= POOL as u64,
                    "{name} {args:?}"
                );
                match name {
                    "read" | "write" => up.call(0, args[3], 1),
                    "transmit" => up.call(0, args[2], 1),
                    "supply" => up.call(1, args[2], 60),
                    _ => {}
                }
                status::OK
            });
        }
        on("flush", |up, args| {
            up.call(0, args[0], 1);
            status::OK
        });
        let mut random = noise::Random::new(0x2545_f491_4f6c_dd1d);
        let mut next = move || random.word();
        for _ in 0..3000 {
            for _ in 0..8 {
                let wild = next() % 4 == 0;
                let at = if wild {
                    next() % 64
                } else {
                    0x1000 + next() % 0x1000
                };
                let value = if next() % 2 == 0 { next() % 4 } else { next() };
                // SAFETY: inside the ring area, which the pump shares with anyone.
                unsafe { rig.ring_bytes.add(at as usize).write_volatile(value as u8) };
            }
            rig.pump.turn(next() % 2 == 0);
            calls();
        }
    }
}

/// Who takes a device away says so to its driver: everything comes back failed, and the code is not called again.
#[test]
fn what_was_taken_away_is_given_up() {
    let mut rig = rig(Class::Block, disk()).started();
    for ticket in 1..4 {
        rig.ask(todo::BLOCK_READ, ticket, 0, 512, 0);
    }
    rig.pump.turn(false);
    calls();
    rig.pump.gone();
    let answers = rig.short();
    let failed = |ticket| (done::FINISHED, ticket, 0);
    let expected = [failed(1), failed(2), failed(3), (done::FAILED, 0, 0)];
    assert_eq!(answers, expected);
    assert_eq!(rig.client.state(), State::Gone);
    assert_eq!(rig.pump.failure(), Some(Failure::Gone));
    rig.ask(todo::BLOCK_READ, 4, 0, 512, 0);
    rig.pump.turn(true);
    rig.pump.gone();
    assert_eq!(rig.short(), [failed(4)]);
    assert_eq!(calls(), []);
}

/// A bus: its children are told with their facts, and places that it does not have are no places.
#[test]
fn children_are_told() {
    let mut rig = rig(Class::Bus, Facts::default()).started();
    on("irq", |up, _| {
        up.call(0, 0, 0x10d3_8086);
        up.call(2, 0, 0);
        up.call(1, 0, 0);
        status::OK
    });
    rig.pump.turn(true);
    let answers = rig.answers();
    let short: Vec<_> = answers
        .iter()
        .map(|e| (e.kind, e.ticket, e.value))
        .collect();
    let expected = [
        (done::ATTACHED, 0, 0x10d3_8086),
        (done::LEAVING, 0, 0),
        (done::DETACHED, 0, 0),
    ];
    assert_eq!(short, expected);
    calls();
    for (ticket, place) in [(1, 0), (2, 1)] {
        rig.ask(todo::BUS_RELEASE, ticket, 0, 0, place);
    }
    rig.pump.turn(false);
    assert_eq!(
        rig.short(),
        [(done::FINISHED, 1, 1), (done::FINISHED, 2, 0)]
    );
    assert_eq!(calls_of("release"), [[0; 4]]);
    on("irq", |up, _| {
        up.call(0, 1, 7);
        status::OK
    });
    rig.pump.turn(true);
    let failure = Failure::Contract(Violation::NoSuchPlace(1));
    assert_eq!(rig.pump.failure(), Some(failure));
    assert!(failure
        .to_string()
        .contains("place 1, which it does not have"));
}
