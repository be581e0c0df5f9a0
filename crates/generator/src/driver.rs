//! One device's driver, from its rule to its proof.

use abi::inventory::Proof;
use alloc::{string::String, vec::Vec};
use synthesis::{Choice, Written};

pub struct Driver {
    /// Index into `Machine::devices`.
    pub device: usize,
    pub name: String,
    pub title: String,
    pub choice: Choice,
    pub written: Written,
    pub code: emit::Code,
    pub proof: Proof,
    /// Private state as `init` and the test left it, for a direct class.
    pub state: Vec<u8>,
    /// The machine's number of each message that the device sends; empty if it has a wire.
    pub messages: Vec<u32>,
}

impl Driver {
    /// Byte offset of an entry in the code.
    pub fn entry(&self, name: &str) -> Option<u32> {
        let entries = &self.written.residual.entries;
        let at = entries.iter().position(|e| e.name == name)?;
        self.code.entries.get(at).map(|(offset, _)| *offset)
    }

    pub fn fact(&self, name: &str) -> Option<u64> {
        let found = self.written.facts.iter().find(|(n, _)| n == name);
        found.map(|(_, v)| *v)
    }

    /// The number, beside all ones, by which it says that there was no interrupt.
    pub fn spurious(&self) -> u64 {
        self.fact("spurious").unwrap_or(abi::boot::NO_VECTOR)
    }

    pub fn usable(&self) -> bool {
        !matches!(self.proof, Proof::Rejected(_))
    }

    /// One for a device that could not be written for.
    pub(crate) fn rejected(
        device: usize,
        name: String,
        title: String,
        choice: Choice,
        why: String,
    ) -> Driver {
        Driver {
            device,
            name,
            title,
            choice,
            written: Written {
                residual: graph::Residual::default(),
                facts: Vec::new(),
            },
            code: emit::Code {
                bytes: Vec::new(),
                entries: Vec::new(),
            },
            proof: Proof::Rejected(why),
            state: Vec::new(),
            messages: Vec::new(),
        }
    }
}
