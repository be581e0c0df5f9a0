//! Genesis as what the generator stands on: the whole machine, with every privilege.

use crate::{arch, discover::Probing, live::Live, log, platform, run};
use alloc::string::String;
use classes::selftest::Effort;
use classes::stand::Stand;
use core::fmt;
use discovery::policy::{self, Answer, Place, Probe};
use generator::{Driver, Ground, Registers};
use machine::Machine;
use synthesis::Written;

#[cfg(target_arch = "x86_64")]
const TARGET: emit::Target = emit::Target::X86_64;
#[cfg(target_arch = "aarch64")]
const TARGET: emit::Target = emit::Target::Aarch64;

impl Registers for Live {
    fn errors(&self) -> &[String] {
        self.errors()
    }
}

impl Ground for Probing {
    type Registers = Live;

    fn target(&self) -> emit::Target {
        TARGET
    }

    fn registers(&mut self, known: Place) -> Live {
        match known {
            Place::Chosen => Live::chosen(),
            known => Live::asking(known, self.blind),
        }
    }

    fn guarded<R>(&mut self, path: &str, work: impl FnOnce(&mut Self) -> R) -> Option<R> {
        if !self.journal.begin(path) {
            return None;
        }
        #[cfg(feature = "faults")]
        if self.hang.iter().any(|hang| hang == path) {
            log!("{path}: made to hang, as the command line asks");
            loop {
                core::hint::spin_loop();
            }
        }
        let result = work(self);
        self.journal.end();
        Some(result)
    }

    fn bus_master(&mut self, machine: &Machine, path: &str, on: bool) {
        discovery::bus_master(&mut self.hardware, machine, path, on);
    }

    fn messages(
        &mut self,
        path: &str,
        work: impl FnOnce(&mut dyn discovery::Hardware),
    ) -> Option<()> {
        let allowed = policy::allowed(Probe::Reset, Place::Chosen, self.blind);
        if allowed == Answer::No || !self.journal.begin(path) {
            return None;
        }
        work(&mut self.hardware);
        self.journal.end();
        Some(())
    }

    fn stand<'a>(
        &mut self,
        written: &'a Written,
        code: &'a emit::Code,
    ) -> Result<Stand<'a>, String> {
        let around = self.thorough;
        run::stand_in(run::places_in(&written.residual, around), written, code)
    }

    fn effort(&self) -> Effort {
        match self.thorough {
            true => Effort::Thorough,
            false => Effort::Quick,
        }
    }

    fn unharmed(&mut self) -> Result<(), String> {
        run::unharmed()
    }

    fn timed(&self) -> bool {
        platform::timed()
    }

    fn ticks(&mut self) -> u64 {
        arch::ticks()
    }

    fn say(&mut self, line: fmt::Arguments) {
        log!("{line}");
    }

    /// The first clock becomes genesis's clock, and each after it, being cheaper, takes its place; the first serial line
    /// becomes its console.
    fn made(&mut self, driver: &Driver) {
        match driver.choice.class.as_str() {
            "clock" => platform::clock(driver),
            "serial" if !driver.choice.direct => platform::console(driver),
            _ => {}
        }
    }
    /// Those that are asked wait for what others answer: these waits are at rest, once there is a timer.
    fn asked_next(&mut self, drivers: &mut [Driver]) {
        let timer = |driver: &Driver| driver.choice.class == "timer" && driver.usable();
        if !self.rest_tried && drivers.iter().any(timer) {
            self.rest_tried = true;
            self.wakers = platform::rest(drivers);
        }
    }

    fn all_made(&mut self, drivers: &mut [Driver]) {
        if let Some(wakers) = self.wakers.take() {
            platform::end_rest(&wakers, drivers);
        }
    }
}
