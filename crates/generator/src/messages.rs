//! Interrupts as messages: where they go, and which device may send which.

use crate::{Driver, Ground};
use abi::boot::vector;
use alloc::vec::Vec;
use discovery::Messages;
use machine::{Fact, Machine, Source, Value};
use rulebook::tree::Book;
use synthesis::{Job, MESSAGES, MOST_MESSAGES};

/// Where messages go, and how many are left.
pub struct Supply {
    /// Message n is a store of `data + n` to `address`, and comes in by the vector or interrupt ID `first + n`.
    address: u64,
    data: u64,
    pub first: u64,
    count: u64,
    /// How many are given out.
    pub used: u64,
}

impl Supply {
    /// From a driver of that class, which is facts only.
    pub fn of(driver: &Driver) -> Option<Supply> {
        Some(Supply {
            address: driver.fact("address")?,
            data: driver.fact("data")?,
            first: driver.fact("first")?,
            count: driver.fact("count")?.min(vector::MOST_MESSAGES),
            used: 0,
        })
    }

    /// Gives a device messages, all held back, where it has a table of them and its rules hear them. The number becomes a
    /// fact that they see.
    pub fn offer(
        &self,
        book: &Book,
        machine: &mut Machine,
        job: &Job,
        ground: &mut impl Ground,
    ) -> Option<Messages> {
        let path = machine.devices.get(job.device)?.path.clone();
        let messages = Messages::of(machine, &path)?;
        let left = self.count.saturating_sub(self.used);
        let number = messages.count.min(MOST_MESSAGES).min(left);
        if number == 0 || !synthesis::hears_messages(book, &job.choice) {
            return None;
        }
        ground.messages(&path, |hardware| messages.hold(hardware))?;
        machine.devices[job.device].learned.push(Fact {
            name: MESSAGES.into(),
            value: Value::Number(number),
            source: Source::Inferred,
        });
        Some(messages)
    }

    /// Tells the device where its messages go, and lets them go there. Gives the machine's number of each.
    pub fn connect(
        &mut self,
        messages: &Messages,
        heard: u64,
        path: &str,
        ground: &mut impl Ground,
    ) -> Vec<u32> {
        let numbers = self.used..(self.used + heard).min(self.count);
        let done = ground.messages(path, |hardware| {
            for (n, number) in numbers.clone().enumerate() {
                let data = (self.data + number) as u32;
                messages.set(hardware, n as u64, self.address, data);
            }
            messages.release(hardware);
        });
        if done.is_none() {
            return Vec::new();
        }
        self.used = numbers.end;
        numbers.map(|number| number as u32).collect()
    }
}

/// The wire again, for a device that was offered messages and does not send them.
pub fn withdraw(
    machine: &mut Machine,
    device: usize,
    messages: &Messages,
    ground: &mut impl Ground,
) {
    let Some(device) = machine.devices.get_mut(device) else {
        return;
    };
    device.learned.retain(|f| f.name != MESSAGES);
    ground.messages(&device.path, |hardware| messages.off(hardware));
}
