//! The shell around a generated driver: the same for every device. It calls the class's pump when the device's line
//! fires, when the client rings, and when nothing can be relied on, every millisecond.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]
extern crate alloc;

#[cfg(feature = "faults")]
mod lost;

use abi::inventory::Installed;
use abi::layout;
use abi::program::{bit, Startup, INTERRUPTS};
use alloc::boxed::Box;
use classes::{Class, Pump};
use driver::watch::Watch;
use runtime::{device, memory, println, sys};

runtime::program!(main);

fn main(_argument: u64) {
    let Some(startup) = runtime::startup() else {
        return println!("driver: not started by the manager, so there is no device");
    };
    let record = memory::region(layout::INVENTORY, startup.inventory_size as usize);
    let Some(installed) = Installed::read(record) else {
        return println!("driver: no readable record of device {}", startup.device);
    };
    let Some(class) = Class::of_name(&installed.class) else {
        return println!("{}: no pump for class {}", installed.name, installed.class);
    };
    match device::pump(class, &installed, startup) {
        Ok(pump) => serve(startup, &installed, Box::new(pump)),
        Err(unfit) => println!("{}: {unfit}", installed.name),
    }
}

/// Does what the task was made for.
fn serve(startup: &Startup, installed: &Installed, mut pump: Box<Pump>) {
    if startup.quiet == 0 {
        return Shell::new(startup, installed, pump).run();
    }
    if let Err(failure) = pump.quiet() {
        println!("{}: not quiet: {failure}", installed.name);
    }
}

struct Shell<'a> {
    startup: &'a Startup,
    installed: &'a Installed,
    pump: Box<Pump>,
    watch: Watch,
    #[cfg(feature = "faults")]
    lost: lost::Lost,
    /// The failure was told.
    told: bool,
}

impl<'a> Shell<'a> {
    fn new(startup: &'a Startup, installed: &'a Installed, pump: Box<Pump>) -> Shell<'a> {
        Shell {
            startup,
            installed,
            pump,
            watch: Watch::new(startup.line_count + startup.message_count),
            #[cfg(feature = "faults")]
            lost: lost::Lost::of(installed),
            told: false,
        }
    }

    fn run(mut self) {
        // The reason of a failure is told below.
        let _ = self.pump.start();
        self.notify(bit::RING | bit::RESTARTED);
        if self.watch.polls() && self.pump.failure().is_none() {
            let name = &self.installed.name;
            println!("{name}: no interrupt, so it looks every millisecond");
        }
        loop {
            self.tell_failure();
            let Some(bits) = self.sleep() else { return };
            self.work(bits);
        }
    }

    fn notify(&self, bits: u64) {
        if self.startup.client != u32::MAX {
            let _ = sys::notify(self.startup.client, bits);
        }
    }

    /// Waits for line, bell or deadline. `None`: the notification is gone.
    fn sleep(&mut self) -> Option<u64> {
        if !self.pump.arm() {
            return Some(bit::RING);
        }
        let deadline = match self.pump.failure() {
            Some(_) => None,
            None => earlier(self.watch.deadline(sys::now()), self.pump.deadline()),
        };
        match sys::wait(self.startup.notification, deadline.unwrap_or(sys::FOREVER)) {
            Ok(bits) => Some(bits),
            Err(abi::system::Error::Timeout) => Some(0),
            Err(error) => {
                println!("{}: cannot wait ({error:?})", self.installed.name);
                None
            }
        }
    }

    fn work(&mut self, bits: u64) {
        if bits & (bit::GONE | bit::LEAVING) != 0 {
            // Who says so also tells people.
            self.told = true;
            match bits & bit::GONE {
                0 => self.pump.release(),
                _ => self.pump.gone(),
            };
            return self.notify(bit::RING);
        }
        let fired = (bits / bit::LINE) & ((1 << INTERRUPTS) - 1);
        #[cfg(feature = "faults")]
        let fired = self.lost.heard(fired);
        if fired != 0 {
            self.watch.interrupt();
        }
        let doubts = bits == 0 && !self.watch.polls();
        let looks = bits == 0 || self.watch.polls();
        self.pump.came(fired != 0, looks);
        let mine = self.turns(if looks { u64::MAX } else { fired });
        if doubts && mine {
            self.missed();
        }
        self.done(fired);
    }

    /// Turns until there is nothing more to do at once. Whether the device had something to tell.
    fn turns(&mut self, interrupts: u64) -> bool {
        let mut turn = self.pump.turn_for(interrupts);
        let mine = turn.mine;
        loop {
            if turn.wake {
                self.notify(bit::RING);
            }
            if !turn.again {
                return mine;
            }
            turn = self.pump.turn(false);
        }
    }

    /// Lets the lines fire again; messages were never held. An edge that came meanwhile is lost, so an edge's device is looked at once more.
    fn done(&mut self, fired: u64) {
        for (n, line) in self.startup.lines.iter().enumerate() {
            if fired & 1 << n == 0 || n as u64 >= self.startup.line_count {
                continue;
            }
            let _ = sys::interrupt_done(self.startup.notification, *line);
            let wire = self.installed.wires.iter().find(|wire| wire.0 == *line);
            if wire.is_some_and(|(_, level, _)| !level) {
                self.turns(u64::MAX);
            }
        }
    }

    /// The device had something although no interrupt came: unless it is on its way this moment, none will.
    fn missed(&mut self) {
        match sys::wait(self.startup.notification, 0) {
            Ok(bits) if bits != 0 => self.work(bits),
            _ if self.watch.missed() => {
                let name = &self.installed.name;
                println!("{name}: its interrupt does not come, so it looks every millisecond");
            }
            _ => {}
        }
    }

    fn tell_failure(&mut self) {
        if let (Some(failure), false) = (self.pump.failure(), self.told) {
            self.told = true;
            println!("{} failed: {failure}", self.installed.name);
            self.notify(bit::RING);
        }
    }
}

fn earlier(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
