//! Interrupts that are lost on their way to the driver, because a test wants it (`fault=DRIVER:lost:AFTER`).

use abi::inventory::Installed;
use abi::options::{HEARD, LOST};
use runtime::println;

pub struct Lost {
    /// Interrupts that are still heard.
    left: u64,
    /// How many are lost then; all ones: all.
    count: u64,
}

impl Lost {
    /// As the device's record asks for it.
    pub fn of(installed: &Installed) -> Lost {
        let fact = |name| {
            let mut facts = installed.facts.iter();
            facts.find(|(n, _)| n == name).map(|(_, value)| *value)
        };
        let lost = Lost {
            left: fact(HEARD).unwrap_or(u64::MAX),
            count: fact(LOST).unwrap_or(0),
        };
        if lost.count != 0 {
            let name = &installed.name;
            println!("{name}: made to lose interrupts, as the command line asks");
        }
        lost
    }

    /// Of the interrupts that came, those that are not lost. One that is lost is not answered either.
    pub fn heard(&mut self, fired: u64) -> u64 {
        if fired == 0 {
            return 0;
        }
        let (left, heard) = match (self.left, self.count) {
            (0, 0) => return fired,
            (0, _) => (&mut self.count, 0),
            _ => (&mut self.left, fired),
        };
        *left -= u64::from(*left != u64::MAX);
        heard
    }
}
