//! Several lanes of one driver: a pump each, with requests and answers of its own, on one device and one memory. They
//! take turns: nothing runs at the same time.

use super::device::Device;
use crate::{Error, Machine, Result};
use abi::ring::Entry;
use classes::{Area, Client, Pool, Pump};
use std::time::{Duration, Instant};

/// Longest wait for answers, in real time.
const PATIENCE: Duration = Duration::from_secs(10);

/// A driver's lanes, and the client of each.
pub struct Lanes<'d> {
    device: &'d mut Device,
    lanes: Vec<Lane>,
}

struct Lane {
    pump: Pump,
    client: Client,
    ticket: u32,
    /// How often its pump had set the device up anew.
    resets: u64,
    /// Answers so far, oldest first.
    news: Vec<Entry>,
}

impl<'d> Lanes<'d> {
    pub(super) fn new(device: &'d mut Device, lanes: Vec<(Pump, Area)>) -> Lanes<'d> {
        let lanes = lanes.into_iter().map(|(pump, area)| Lane {
            pump,
            client: area.client(),
            ticket: 0,
            resets: 0,
            news: Vec::new(),
        });
        Lanes {
            device,
            lanes: lanes.collect(),
        }
    }

    /// The first lane starts the driver, the others join it.
    ///
    /// # Errors
    /// When the device does not come up.
    pub fn start(&mut self) -> Result<()> {
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            let pump = &mut lane.pump;
            let started = self.device.engine.run(|| match number {
                0 => pump.start(),
                _ => pump.join(),
            })?;
            started.map_err(|failure| Error::Other(format!("lane {number}: {failure}")))?;
        }
        Ok(())
    }

    /// Puts a request into a lane's `todo`; its ticket, which counts for each lane alone.
    ///
    /// # Errors
    /// When there is no such lane, or no room.
    pub fn put(&mut self, lane: usize, request: Entry) -> Result<u32> {
        let lane = self.at(lane)?;
        lane.ticket += 1;
        let put = lane.client.put(Entry {
            ticket: lane.ticket,
            ..request
        });
        lane.client.publish();
        match put {
            true => Ok(lane.ticket),
            false => Err(Error::Other("`todo` is full".into())),
        }
    }

    /// One turn of a lane's pump, after these messages (bit n for message n; of a wire, any bit). What another lane had
    /// outstanding when this one set the device up anew comes back failed there.
    ///
    /// # Errors
    /// When the driver fails for good.
    pub fn turn(&mut self, number: usize, messages: u64) -> Result<()> {
        let lane = self.lanes.get_mut(number).ok_or_else(none)?;
        let pump = &mut lane.pump;
        self.device.engine.run(|| pump.turn_for(messages))?;
        if let Some(failure) = pump.failure() {
            return Err(Error::Other(format!("lane {number}: {failure}")));
        }
        let resets = pump.counters().resets;
        if std::mem::replace(&mut lane.resets, resets) != resets {
            for (other, lane) in self.lanes.iter_mut().enumerate() {
                if other != number {
                    lane.pump.lose();
                }
            }
        }
        for lane in &mut self.lanes {
            while let Some(entry) = lane.client.take() {
                lane.news.push(entry);
            }
        }
        Ok(())
    }

    /// What a lane has answered since this was asked last, oldest first.
    ///
    /// # Errors
    /// When there is no such lane.
    pub fn news(&mut self, lane: usize) -> Result<Vec<Entry>> {
        Ok(std::mem::take(&mut self.at(lane)?.news))
    }

    /// Gives a lane turns until it has so many answers. `came` says which messages came since it was asked last.
    ///
    /// # Errors
    /// When they do not come in time.
    pub fn hear(
        &mut self,
        lane: usize,
        answers: usize,
        mut came: impl FnMut() -> u64,
    ) -> Result<Vec<Entry>> {
        let start = Instant::now();
        while self.at(lane)?.news.len() < answers {
            if start.elapsed() > PATIENCE {
                return Err(Error::Other(format!(
                    "lane {lane} was not answered in time"
                )));
            }
            self.turn(lane, came())?;
            self.device.machine().pause(20_000);
        }
        self.news(lane)
    }

    /// The clients' buffers: one memory for all.
    pub fn pool(&self) -> Pool {
        self.device.client_pool()
    }

    pub fn machine(&self) -> &Machine {
        self.device.machine()
    }

    /// Calls, accesses and returns in order.
    pub fn events(&self) -> Vec<super::Event> {
        self.device.engine.events()
    }

    fn at(&mut self, lane: usize) -> Result<&mut Lane> {
        self.lanes.get_mut(lane).ok_or_else(none)
    }
}

fn none() -> Error {
    Error::Other("the driver has no such lane".into())
}
