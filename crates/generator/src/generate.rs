//! Device by device: offer it messages, write its driver, settle how it interrupts and what it is used for.

use crate::messages::{self, Supply};
use crate::write::{self, Not, Proved};
use crate::{choose, Driver, Ground, Stages};
use abi::inventory::Proof;
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use discovery::Messages;
use machine::Machine;
use rulebook::tree::Book;
use synthesis::{Job, Plan, Unmatched, Written, MESSAGES};

/// Everything that was made.
pub struct Output {
    pub drivers: Vec<Driver>,
    pub unmatched: Vec<Unmatched>,
    /// Vector or interrupt ID of the first message, and how many devices send.
    pub messages: (u64, u64),
}

/// Writes and proves a driver for each device that a rule serves. What is learned goes into the machine model.
pub fn all<G: Ground>(
    book: &Book,
    machine: &mut Machine,
    ground: &mut G,
    stages: &mut Stages,
) -> Output {
    let Plan { jobs, unmatched } = choose::choose(book, machine, ground);
    stages.passed(ground, "match");
    let mut work = Work {
        book,
        machine,
        ground,
        stages,
        supply: None,
        drivers: Vec::new(),
        unmatched,
    };
    let alone = alone(&jobs);
    for (job, alone) in jobs.into_iter().zip(alone) {
        if !job.choice.direct {
            work.ground.asked_next(&mut work.drivers);
        }
        let offered = work.offer(&job, alone);
        let (proved, offered) = work.write(&job, offered);
        work.settle(job, proved, offered);
    }
    work.ground.all_made(&mut work.drivers);
    work.say_missing();
    Output {
        messages: (work.supply).map_or((0, 0), |supply| (supply.first, supply.used)),
        drivers: work.drivers,
        unmatched: work.unmatched,
    }
}

/// Of each job, whether no other one is for the same device: what a message means is one driver's to say.
fn alone(jobs: &[Job]) -> Vec<bool> {
    let count = |job: &Job| jobs.iter().filter(|j| j.device == job.device).count();
    jobs.iter().map(|job| count(job) == 1).collect()
}

/// Messages that a device was offered, and how many of them its driver hears.
struct Offered {
    messages: Messages,
    heard: u64,
}

/// What was made so far, and what it is made from.
struct Work<'a, G> {
    book: &'a Book,
    machine: &'a mut Machine,
    ground: &'a mut G,
    stages: &'a mut Stages,
    supply: Option<Supply>,
    drivers: Vec<Driver>,
    unmatched: Vec<Unmatched>,
}

impl<G: Ground> Work<'_, G> {
    /// Messages in place of its wire, where there is somebody to receive them. They are held back.
    fn offer(&mut self, job: &Job, alone: bool) -> Option<Messages> {
        let supply = self.supply.as_ref().filter(|_| alone)?;
        supply.offer(self.book, self.machine, job, self.ground)
    }

    /// The driver; what it does not hear is no longer offered.
    fn write(
        &mut self,
        job: &Job,
        offered: Option<Messages>,
    ) -> (Result<Proved, Not>, Option<Offered>) {
        let proved = self.written(job);
        let Some(messages) = offered else {
            return (proved, None);
        };
        let heard = proved.as_ref().map_or(0, |proved| heard(&proved.written));
        if heard > 0 {
            return (proved, Some(Offered { messages, heard }));
        }
        messages::withdraw(self.machine, job.device, &messages, self.ground);
        // By other facts than those of its messages, it wants its wire after all.
        let again = proved.is_ok();
        (if again { self.written(job) } else { proved }, None)
    }

    fn written(&mut self, job: &Job) -> Result<Proved, Not> {
        write::write(
            self.book,
            self.machine,
            job.device,
            &job.choice,
            self.ground,
            self.stages,
        )
    }

    /// Its messages go where they belong, or it has its wire; whoever may use it learns of it.
    fn settle(&mut self, job: Job, proved: Result<Proved, Not>, offered: Option<Offered>) {
        let title = job.choice.title(self.book);
        let Job {
            device,
            name,
            choice,
        } = job;
        let proved = match proved {
            Ok(proved) => proved,
            // A controller without anything behind it gets no driver.
            Err(Not::Needed) => {
                let why = "nothing is connected to it".to_string();
                self.unmatched.push(Unmatched {
                    device,
                    nearest: Some((title, why)),
                });
                return;
            }
            Err(Not::Written(why)) => {
                (self.ground).say(format_args!("  {name}: not written: {why}"));
                let driver = Driver::rejected(device, name, title, choice, why);
                self.drivers.push(driver);
                return;
            }
        };
        let mut driver = Driver {
            device,
            name,
            title,
            choice,
            written: proved.written,
            code: proved.code,
            proof: proved.proof,
            state: proved.state,
            messages: Vec::new(),
        };
        if let Some(offered) = offered {
            self.connect(&mut driver, &offered);
        }
        if driver.usable() {
            if driver.choice.class == MESSAGES {
                // The dearest come first: what is cheaper takes its place as long as nobody uses it.
                self.supply = Supply::of(&driver).or(self.supply.take());
            }
            self.ground.made(&driver);
        }
        self.say(&driver);
        self.drivers.push(driver);
    }

    fn connect(&mut self, driver: &mut Driver, offered: &Offered) {
        let Offered { messages, heard } = offered;
        let path = &self.machine.devices[driver.device].path;
        match (&mut self.supply, driver.usable()) {
            (Some(supply), true) => {
                driver.messages = supply.connect(messages, *heard, path, self.ground);
            }
            _ => messages::withdraw(self.machine, driver.device, messages, self.ground),
        }
    }

    fn say(&mut self, driver: &Driver) {
        let device = self.machine.devices.get(driver.device);
        let path = device.map_or("?", |d| d.path.as_str());
        let proof: String = match &driver.proof {
            Proof::Verified => "verified".into(),
            Proof::Unverified(why) => alloc::format!("unverified: {why}"),
            Proof::Rejected(why) => alloc::format!("rejected: {why}"),
            Proof::None => "not tested".into(),
        };
        self.ground.say(format_args!(
            "  {:<16} {:<28} {:<26} {:>5} bytes, {}",
            driver.name,
            driver.title,
            path,
            driver.code.bytes.len(),
            proof
        ));
    }

    /// Says plainly which everyday class has no device.
    fn say_missing(&mut self) {
        for (class, what) in contract::MISSED {
            let mut drivers = self.drivers.iter();
            if !drivers.any(|d| d.choice.class == class && d.usable()) {
                (self.ground).say(format_args!("  there is no {what} that can be used"));
            }
        }
    }
}

/// How many messages the code hears.
fn heard(written: &Written) -> u64 {
    let fact = written.facts.iter().find(|(name, _)| name == MESSAGES);
    fact.map_or(0, |(_, n)| *n)
}
