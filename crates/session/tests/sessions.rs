//! Sessions with a driver that the test plays: one that does what it should, one that starts anew, and one that lies.

use abi::ring::{done, todo, Entry, BYTES};
use classes::ring::State;
use classes::{Area, Class, Driver};
use session::{Disk, Ground, Link, Nic, Terminal};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

#[repr(C, align(64))]
struct Rings([u8; BYTES]);

/// What client and driver share.
#[derive(Clone)]
struct Common {
    pool: Rc<RefCell<Vec<u8>>>,
    rung: Rc<Cell<u32>>,
}

impl Ground for Common {
    fn size(&self) -> usize {
        self.pool.borrow().len()
    }
    fn read(&self, offset: usize, to: &mut [u8]) {
        to.copy_from_slice(&self.pool.borrow()[offset..offset + to.len()]);
    }
    fn write(&self, offset: usize, from: &[u8]) {
        self.pool.borrow_mut()[offset..offset + from.len()].copy_from_slice(from);
    }
    fn ring(&self) {
        self.rung.set(self.rung.get() + 1);
    }
}

/// A session with `size` bytes of pool, and the area that its driver's side is made of.
fn open(class: Class, size: usize, facts: &[(&'static str, u64)]) -> (Link<Common>, Area, Common) {
    let rings = Box::leak(Box::new(Rings([0; BYTES])));
    // SAFETY: aligned, large enough, and never freed.
    let area = unsafe { Area::new(rings.0.as_mut_ptr()) };
    let common = Common {
        pool: Rc::new(RefCell::new(vec![0; size])),
        rung: Rc::default(),
    };
    let link = Link::new(
        area.client(),
        common.clone(),
        3,
        class,
        facts.iter().copied(),
    );
    (link, area, common)
}

fn ready(area: Area) -> Driver {
    let mut driver = area.driver();
    driver.set_state(State::Ready);
    driver
}

fn answer(driver: &mut Driver, entry: Entry) {
    assert!(driver.put(entry));
    driver.publish();
}

fn finished(request: &Entry, ok: u16) -> Entry {
    Entry {
        kind: done::FINISHED,
        ok,
        ticket: request.ticket,
        ..Entry::default()
    }
}

#[test]
fn a_sector_is_asked_for_and_read() {
    let facts = [("sectors", 100), ("size", 512)];
    let (link, area, common) = open(Class::Block, 4096, &facts);
    assert_eq!((link.device(), link.class()), (3, Class::Block));
    let mut driver = ready(area);
    let mut disk = Disk::new(link);
    disk.tend();
    assert!(driver.arm(0), "nothing was asked yet");
    assert!(disk.ask(0, 77));
    assert_eq!(common.rung.get(), 1, "a driver that sleeps is woken");
    let request = driver.take().expect("a request");
    assert_eq!(
        (request.kind, request.value, request.length),
        (todo::BLOCK_READ, 77, 512)
    );
    common.write(request.offset as usize, &[7; 512]);
    // An answer to something else, first.
    let stranger = Entry {
        ticket: request.ticket + 1,
        ..request
    };
    answer(&mut driver, finished(&stranger, 0));
    disk.tend();
    assert_eq!(disk.finished(), None);
    answer(&mut driver, finished(&request, 1));
    disk.tend();
    assert_eq!(disk.finished(), Some(true));
    assert_eq!(disk.sector(), [7; 512]);
}

#[test]
fn a_request_that_a_new_start_lost_has_failed() {
    let (link, area, _) = open(Class::Block, 4096, &[("sectors", 8), ("size", 512)]);
    let _first = ready(area);
    let mut disk = Disk::new(link);
    disk.tend();
    assert!(disk.ask(0, 1));
    let _second = ready(area);
    disk.tend();
    assert_eq!(disk.finished(), Some(false));
    assert!(disk.ask(0, 2), "and another may be asked");
}

#[test]
fn a_sector_that_does_not_fit_is_not_asked_for() {
    let (link, area, _) = open(Class::Block, 1024, &[("sectors", 8), ("size", 4096)]);
    let mut driver = ready(area);
    let mut disk = Disk::new(link);
    assert!(!disk.ask(0, 1));
    assert_eq!(driver.take(), None);
    assert_eq!(disk.sector().len(), 1024, "never more than the pool has");
}

/// Everything the driver was given.
fn taken(driver: &mut Driver) -> Vec<Entry> {
    std::iter::from_fn(|| driver.take()).collect()
}

#[test]
fn frames_go_out_and_come_in_and_buffers_go_round() {
    let facts = [
        ("mtu", 1500),
        ("headroom", 12),
        ("min", 60),
        ("buffer", 2048),
    ];
    let (link, area, common) = open(Class::Nic, 0x1_0000, &facts);
    let mut driver = ready(area);
    let mut nic = Nic::new(link);
    nic.tend();
    let supplied = taken(&mut driver);
    assert_eq!(supplied.len(), 8);
    for pair in supplied.windows(2) {
        let (low, high) = (
            pair[0].offset.min(pair[1].offset),
            pair[0].offset.max(pair[1].offset),
        );
        assert!(high - low >= 2048 + 12, "buffers overlap: {pair:?}");
    }
    let one = supplied[0];
    common.write(one.offset as usize, b"frame");
    let received = Entry {
        kind: done::RECEIVED,
        ticket: one.ticket,
        length: 5,
        ..Entry::default()
    };
    answer(&mut driver, received);
    nic.tend();
    assert_eq!(nic.receive().as_deref(), Some(&b"frame"[..]));
    assert_eq!(taken(&mut driver).len(), 1, "its buffer is supplied again");

    assert!(nic.transmit(b"short"));
    let sent = driver.take().expect("a frame");
    assert_eq!((sent.kind, sent.length), (todo::NIC_TRANSMIT, 60), "padded");
    assert_eq!(nic.sent(), None);
    answer(&mut driver, finished(&sent, 1));
    nic.tend();
    assert_eq!(nic.sent(), Some(true));
    assert!(!nic.transmit(&[0; 5000]), "larger than a buffer");
}

#[test]
fn a_driver_that_lies_gets_nothing_but_its_own_bytes_believed() {
    let (link, area, _) = open(Class::Nic, 0x1_0000, &[("mtu", 1500), ("buffer", 2048)]);
    let mut driver = ready(area);
    let mut nic = Nic::new(link);
    nic.tend();
    let supplied = taken(&mut driver).len();
    for (ticket, length) in [(0, u32::MAX), (8, 60), (u32::MAX, 60), (0x1000, u32::MAX)] {
        let lie = Entry {
            kind: done::RECEIVED,
            ticket,
            length,
            offset: u32::MAX,
            value: u64::MAX,
            ..Entry::default()
        };
        answer(&mut driver, lie);
    }
    let unknown = Entry {
        kind: 999,
        ..Entry::default()
    };
    answer(&mut driver, unknown);
    nic.tend();
    let frame = nic.receive().expect("the one with a ticket of its own");
    assert_eq!(frame.len(), 2048, "no longer than its buffer");
    assert_eq!(nic.receive(), None);
    assert!(taken(&mut driver).len() <= supplied);
}

#[test]
fn text_that_a_new_start_lost_is_sent_again_in_order() {
    let (link, area, common) = open(Class::Serial, 2048, &[]);
    let mut first = ready(area);
    let mut terminal = Terminal::new(link);
    let text = [b'a'; 512].iter().chain(&[b'b'; 100]).copied();
    let text: Vec<u8> = text.collect();
    assert_eq!(terminal.write(&text), 612);
    let given = taken(&mut first);
    assert_eq!(given.len(), 2);
    answer(&mut first, finished(&given[0], 1));
    terminal.tend();
    assert!(!terminal.idle());
    let mut second = ready(area);
    terminal.tend();
    let again = taken(&mut second);
    assert_eq!(again.len(), 1, "what was sent is not sent twice");
    let mut bytes = vec![0; again[0].length as usize];
    common.read(again[0].offset as usize, &mut bytes);
    assert_eq!(bytes, [b'b'; 100]);
    // Answers to what was never asked free nothing.
    for ticket in [again[0].ticket + 1, u32::MAX] {
        let lie = Entry { ticket, ..again[0] };
        answer(&mut second, finished(&lie, 1));
    }
    terminal.tend();
    assert!(!terminal.idle());
    answer(&mut second, finished(&again[0], 1));
    let typed = Entry {
        kind: done::RECEIVED,
        value: u64::from(b'x'),
        ..Entry::default()
    };
    answer(&mut second, typed);
    terminal.tend();
    assert!(terminal.idle());
    assert_eq!(terminal.input.pop_front(), Some(b'x'));
}

#[test]
fn a_full_pool_takes_what_fits_and_a_dead_driver_nothing() {
    let (link, area, _) = open(Class::Serial, 1024, &[]);
    let mut driver = area.driver();
    let mut terminal = Terminal::new(link);
    assert_eq!(terminal.write(&[b'x'; 5000]), 1024);
    assert!(taken(&mut driver).is_empty(), "it is not ready");
    assert_eq!(terminal.write(b"more"), 0);
    driver.set_state(State::Gone);
    terminal.tend();
    assert!(terminal.state().over() && taken(&mut driver).is_empty());
}
