//! Entries of a direct class, called one by one.

use super::device::Device;
use super::fault::Engine;
use crate::window::Touch;
use crate::{Error, Result};
use abi::status;
use classes::direct::Direct;
use classes::selftest::{self, Outcome, Reason};

/// A residual of a direct class on a device model, called entry by entry.
pub struct Platform<'d> {
    engine: &'d Engine,
    direct: Direct<'d>,
}

impl<'d> Platform<'d> {
    pub(super) fn new(device: &'d mut Device) -> Result<Platform<'d>> {
        let memory = device.memory();
        let engine = &device.engine;
        // SAFETY: the doors have the shape of entries, and lead to this residual's while the engine runs it.
        let direct = unsafe { Direct::from_functions(device.doors()?, memory) };
        Ok(Platform {
            engine,
            direct: direct.map_err(|unfit| Error::Other(unfit.to_string()))?,
        })
    }

    /// Zeroes state and arena and calls `init`; its status.
    pub fn start(&mut self) -> Result<u64> {
        self.engine.run(|| self.direct.start())
    }

    /// What the entry returns: a status, or the value of an operation that gives one.
    pub fn call(&mut self, name: &str, args: &[u64]) -> Result<u64> {
        let mut words = [0; 5];
        for (word, arg) in words.iter_mut().zip(args) {
            *word = *arg;
        }
        let value = self.engine.run(|| self.direct.call_with(name, words))?;
        value.ok_or_else(|| Error::Other(format!("there is no entry `{name}`")))
    }

    /// Result word `n` of the last call.
    pub fn result(&self, n: usize) -> u64 {
        self.direct.result(n)
    }

    /// How often upcall number `which` was called.
    pub fn heard(&self, which: usize) -> u64 {
        self.direct.heard(which)
    }

    /// Calls, accesses and returns in order.
    pub fn events(&self) -> Vec<super::Event> {
        self.engine.events()
    }

    /// Starts the driver, and runs the self-test of its class; `None` if it has none. `fact`: its facts.
    pub fn selftest(
        &mut self,
        class: &str,
        fact: &dyn Fn(&str) -> Option<u64>,
    ) -> Result<Option<Outcome>> {
        if self.start()? != status::OK {
            return Ok(Some(Outcome::Rejected(Reason::Wrong("init failed"))));
        }
        // What time goes by here is not a second clock of the machine's.
        self.engine
            .run(|| selftest::direct(class, &mut self.direct, fact, false))
    }

    pub fn trace(&self) -> Vec<Touch> {
        self.engine.windows.trace()
    }

    pub fn clear_trace(&self) {
        self.engine.forget();
    }
}
