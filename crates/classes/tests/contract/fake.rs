//! A residual written in Rust whose behaviour each test scripts.

use abi::context::{Context, WINDOWS};
use abi::ring::{Entry, BYTES};
use classes::memory::Places;
use classes::{Area, Class, Client, Facts, Memory, Pool, Pump, Residual};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};

/// What an entry does: gets its arguments and may make upcalls.
pub type Act = Box<dyn FnMut(&Up, [u64; 4]) -> u64>;

/// Makes upcalls by index.
pub struct Up(*mut Context);

impl Up {
    pub fn call(&self, which: usize, a: u64, b: u64) {
        // SAFETY: the pump gave this context, with a function for each of its upcalls.
        unsafe { (*(*self.0).upcalls.add(which))(self.0, a, b, 0, 0) };
    }
    /// The first byte of the arena.
    pub fn arena(&self) -> u8 {
        // SAFETY: the fake has an arena, and no one else uses it.
        unsafe { (*self.0).arena.read() }
    }
    /// The first byte of state, and another in its place.
    pub fn replace_state(&self, value: u8) -> u8 {
        // SAFETY: the fake has state, and no one else uses it.
        unsafe { (*self.0).state.replace(value) }
    }
}

#[derive(Default)]
pub struct Script {
    pub acts: HashMap<&'static str, Act>,
    /// Every call: entry and arguments.
    pub calls: Vec<(&'static str, [u64; 4])>,
    pub now: u64,
}

thread_local! {
    static SCRIPT: RefCell<Script> = RefCell::default();
}

fn enter(name: &'static str, context: *mut Context, args: [u64; 4]) -> u64 {
    let act = SCRIPT.with_borrow_mut(|script| {
        script.calls.push((name, args));
        script.acts.remove(name)
    });
    let Some(mut act) = act else { return 0 };
    let status = act(&Up(context), args);
    SCRIPT.with_borrow_mut(|script| {
        script.acts.entry(name).or_insert(act);
    });
    status
}

macro_rules! entries {
    ($($function:ident $name:literal),*) => {
        $(extern "C" fn $function(c: *mut Context, a: u64, b: u64, d: u64, e: u64) -> u64 {
            enter($name, c, [a, b, d, e])
        })*
        fn functions() -> Vec<(&'static str, *const u8)> {
            vec![$(($name, $function as *const u8)),*]
        }
    };
}

entries!(
    init "init", send "send", transmit "transmit", transmit_then "transmit.then", supply "supply",
    supply_then "supply.then", read "read", read_then "read.then", write "write", flush "flush", irq "irq",
    message "message", release "release", quiet "quiet", recover_lost "recover.lost"
);

extern "C" fn clock(_: *mut Context) -> u64 {
    SCRIPT.with_borrow_mut(|script| {
        script.now += 1000;
        script.now
    })
}

extern "C" fn pause(_: *mut Context, ns: u64) {
    SCRIPT.with_borrow_mut(|script| script.now += ns);
}

/// `act` is what the entry `name` does from now on.
pub fn on(name: &'static str, act: impl FnMut(&Up, [u64; 4]) -> u64 + 'static) {
    SCRIPT.with_borrow_mut(|script| script.acts.insert(name, Box::new(act)));
}

/// The entry `name` returns these, one after the other, then 0.
pub fn returns(name: &'static str, statuses: impl IntoIterator<Item = u64>) {
    let mut left: VecDeque<u64> = statuses.into_iter().collect();
    on(name, move |_, _| left.pop_front().unwrap_or(0));
}

/// Calls so far; forgotten afterwards.
pub fn calls() -> Vec<(&'static str, [u64; 4])> {
    SCRIPT.with_borrow_mut(|script| std::mem::take(&mut script.calls))
}

/// Arguments of the calls of one entry so far; all calls are forgotten afterwards.
pub fn calls_of(name: &str) -> Vec<[u64; 4]> {
    calls()
        .into_iter()
        .filter(|(n, _)| *n == name)
        .map(|(_, args)| args)
        .collect()
}

pub struct Rig {
    pub pump: Pump,
    pub client: Client,
    pub area: Area,
    pub ring_bytes: *mut u8,
    pub pool: Pool,
}

pub const POOL: usize = 64 * 1024;
/// Failures of the fake: 0 has a recovery, 1 has none.
pub const LOST: u64 = abi::status::FAIL;
pub const DEAD: u64 = abi::status::FAIL + 1;

#[repr(C, align(64))]
struct Ring([u8; BYTES]);

/// A driver of the fake, not started. Its memory is never given back: tests are short.
pub fn rig(class: Class, facts: Facts) -> Rig {
    let upcalls: &[&str] = match class {
        Class::Serial => &["received", "room"],
        Class::Nic => &["sent", "received", "link", "odd"],
        Class::Block => &["finished", "resized"],
        Class::Entropy => &["filled"],
        Class::Watchdog => &[],
        Class::Framebuffer => &["changed"],
        Class::Input => &["key", "moved"],
        Class::Bus => &["attach", "detach", "leaving"],
    };
    let pool = Vec::leak(vec![0u8; POOL]).as_mut_ptr();
    let ring_bytes = Box::leak(Box::new(Ring([0; BYTES]))).0.as_mut_ptr();
    let places = Places {
        state: Vec::leak(vec![7u8; 64]).as_mut_ptr(),
        state_size: 64,
        arena: Vec::leak(vec![7u8; 64]).as_mut_ptr(),
        arena_size: 64,
        arena_dma: 0,
        pool,
        pool_size: POOL,
        pool_dma: 0,
        windows: [0; WINDOWS],
        clock,
        pause,
    };
    // SAFETY: all of it is leaked, so it stays; the functions have the shape of entries.
    let (area, memory, residual, pool) = unsafe {
        let residual = Residual::from_functions(functions(), ["lost", "dead"]);
        (
            Area::new(ring_bytes),
            Memory::new(places),
            residual.unwrap(),
            Pool::new(pool, POOL),
        )
    };
    let pump = Pump::new(
        class,
        facts,
        residual,
        upcalls.iter().copied(),
        memory,
        area.driver_to_be(),
    );
    Rig {
        pump: pump.unwrap_or_else(|unfit| panic!("{unfit}")),
        client: area.client(),
        area,
        ring_bytes,
        pool,
    }
}

impl Rig {
    pub fn started(mut self) -> Rig {
        self.pump.start().unwrap();
        calls();
        self
    }

    pub fn ask(&mut self, kind: u16, ticket: u32, offset: u32, length: u32, value: u64) {
        let entry = Entry {
            kind,
            ticket,
            offset,
            length,
            value,
            ..Entry::default()
        };
        assert!(self.client.put(entry));
        self.client.publish();
    }

    pub fn answers(&mut self) -> Vec<Entry> {
        std::iter::from_fn(|| self.client.take()).collect()
    }

    /// Kind, ticket and ok of each answer.
    pub fn short(&mut self) -> Vec<(u16, u32, u16)> {
        self.answers()
            .iter()
            .map(|e| (e.kind, e.ticket, e.ok))
            .collect()
    }
}
