//! A pump around a residual, with a client: push requests, get answers.

use super::device::Device;
use crate::window::Touch;
use crate::{Error, Machine, Result};
use abi::ring::{done, Entry};
use classes::selftest::{self, Effort, Outcome, Reason};
use classes::{Area, Client, Pool, Pump, Turn};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Longest wait for an answer, in real time.
const PATIENCE: Duration = Duration::from_secs(10);

/// A residual in its class's pump, on a device model, and its client.
pub struct Driver<'d> {
    device: &'d mut Device,
    pump: Pump,
    client: Client,
    area: Area,
    ticket: u32,
    news: VecDeque<Entry>,
}

impl<'d> Driver<'d> {
    pub(super) fn new(device: &'d mut Device, pump: Pump, area: Area) -> Driver<'d> {
        Driver {
            device,
            pump,
            client: area.client(),
            area,
            ticket: 0,
            news: VecDeque::new(),
        }
    }

    /// Zeroes state and arena and calls `init`.
    pub fn start(&mut self) -> Result<()> {
        let started = self.device.engine.run(|| self.pump.start())?;
        started.map_err(|failure| Error::Other(failure.to_string()))
    }

    /// Makes the device quiet: it leaves memory alone from now on.
    pub fn quiet(&mut self) -> Result<()> {
        let ended = self.device.engine.run(|| self.pump.quiet())?;
        ended.map_err(|failure| Error::Other(failure.to_string()))
    }

    /// Puts a request into `todo`; its ticket. `value` is the block address of reads and writes.
    pub fn put(&mut self, kind: u16, offset: u32, length: u32, value: u64) -> Result<u32> {
        self.put_to(0, kind, offset, length, value)
    }

    /// The same, for one of several instances.
    pub fn put_to(
        &mut self,
        unit: u64,
        kind: u16,
        offset: u32,
        length: u32,
        value: u64,
    ) -> Result<u32> {
        self.ticket += 1;
        let put = self.client.put(Entry {
            kind,
            ticket: self.ticket,
            offset,
            length,
            value,
            unit,
            ..Entry::default()
        });
        self.client.publish();
        match put {
            true => Ok(self.ticket),
            false => Err(Error::Other("`todo` is full".into())),
        }
    }

    /// One turn of the pump; answers are kept for [`Driver::news`] and [`Driver::wait`].
    pub fn turn(&mut self, interrupt: bool) -> Result<Turn> {
        self.turn_for(if interrupt { u64::MAX } else { 0 })
    }

    /// One turn after these messages: bit n for message n.
    pub fn turn_for(&mut self, messages: u64) -> Result<Turn> {
        let turn = self.device.engine.run(|| self.pump.turn_for(messages))?;
        while let Some(entry) = self.client.take() {
            self.news.push_back(entry);
        }
        if let Some(failure) = self.pump.failure() {
            return Err(Error::Other(failure.to_string()));
        }
        Ok(turn)
    }

    /// Answers and news that no one waited for, oldest first.
    pub fn news(&mut self) -> Vec<Entry> {
        self.news.drain(..).collect()
    }

    /// Polls until such an entry comes; others stay for later.
    pub fn wait(&mut self, wanted: impl Fn(&Entry) -> bool) -> Result<Entry> {
        let start = Instant::now();
        loop {
            if let Some(at) = self.news.iter().position(&wanted) {
                let entry = self.news.remove(at);
                return entry.ok_or_else(|| Error::Other("an answer was lost".into()));
            }
            if start.elapsed() > PATIENCE {
                return Err(Error::Other("no such answer came in time".into()));
            }
            self.turn(true)?;
            self.device.machine().pause(20_000);
        }
    }

    /// Waits for such an entry without looking at the device: only what `came` says is served.
    pub fn hear(
        &mut self,
        mut came: impl FnMut() -> u64,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Result<Entry> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(at) = self.news.iter().position(&wanted) {
                let entry = self.news.remove(at);
                return entry.ok_or_else(|| Error::Other("an answer was lost".into()));
            }
            self.turn_for(came())?;
            self.device.machine().pause(20_000);
        }
        Err(Error::Other("no message brought such an answer".into()))
    }

    /// Puts a request and waits until it is finished (carried out or not: see `ok`).
    pub fn ask(&mut self, kind: u16, offset: u32, length: u32, value: u64) -> Result<Entry> {
        let ticket = self.put(kind, offset, length, value)?;
        self.wait(|entry| entry.kind == done::FINISHED && entry.ticket == ticket)
    }

    /// The same, for one of several instances.
    pub fn ask_of(
        &mut self,
        unit: u64,
        kind: u16,
        offset: u32,
        length: u32,
        value: u64,
    ) -> Result<Entry> {
        let ticket = self.put_to(unit, kind, offset, length, value)?;
        self.wait(|entry| entry.kind == done::FINISHED && entry.ticket == ticket)
    }

    /// The class's self-test, which starts the driver anew, and leaves it started.
    pub fn selftest(&mut self, effort: Effort) -> Result<Outcome> {
        let outcome = self.proved(effort)?;
        if matches!(outcome, Outcome::Rejected(_)) {
            return Ok(outcome);
        }
        let started = self.device.engine.run(|| self.pump.start())?;
        self.client = self.area.client();
        Ok(match started {
            Ok(()) => outcome,
            Err(failure) => Outcome::Rejected(Reason::Driver(failure)),
        })
    }

    /// The same, with the driver as the self-test leaves it: quiet.
    pub fn proved(&mut self, effort: Effort) -> Result<Outcome> {
        self.client = self.area.client();
        self.news.clear();
        let client = self.area.client();
        let outcome = self
            .device
            .engine
            .run(|| selftest::run(&mut self.pump, client, effort))?;
        self.client = self.area.client();
        Ok(outcome)
    }

    /// The client's buffers.
    pub fn pool(&self) -> Pool {
        self.pump.pool()
    }

    pub fn pump(&self) -> &Pump {
        &self.pump
    }

    pub fn machine(&self) -> &Machine {
        self.device.machine()
    }

    /// Calls, accesses and returns in order.
    pub fn events(&self) -> Vec<super::Event> {
        self.device.engine.events()
    }

    /// Every access to the device so far, in order.
    pub fn trace(&self) -> Vec<Touch> {
        self.device.trace()
    }

    pub fn clear_trace(&self) {
        self.device.clear_trace();
    }
}
