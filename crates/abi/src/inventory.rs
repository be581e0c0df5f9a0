//! The install record: what genesis found, chose, wrote, proved and kept. Postcard bytes in a module of their own.

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Inventory {
    /// `x86_64` or `aarch64`.
    pub arch: String,
    /// BLAKE3 identity of the machine.
    pub identity: [u8; 32],
    /// The machine model (postcard of `machine::Machine`), for `machine` at the prompt.
    pub machine: Vec<u8>,
    pub devices: Vec<Installed>,
    /// Devices no rule was found for.
    pub unmatched: Vec<Unmatched>,
    /// What genesis did and how long each step took (`discover`, `match`, `specialise`, `emit`, `prove`, `install`).
    pub stages: Vec<(String, u64)>,
    /// What that is told in: `instructions` where the machine's counter goes with them, else `microseconds`; `ticks` of the
    /// counter where no clock was found.
    pub stages_in: String,
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Installed {
    /// What people call it: the rule's name with `_` as `-`, numbered from the second on (`some-disk`, `some-disk-2`).
    pub name: String,
    /// Path in the machine model.
    pub path: String,
    /// `function on transport`, by the rules' names.
    pub rule: String,
    pub class: String,
    /// Each clue that matched, with its score.
    pub why: Vec<String>,
    pub proof: Proof,
    /// Bound into the nucleus; else it runs in a task.
    pub direct: bool,
    /// Byte range in the Codes module: where it begins, and how many bytes.
    pub code: (u32, u32),
    /// Physical addresses of the code: in the Codes module (a task is shown just that), and of the nucleus's own copy if
    /// it calls this device directly.
    pub code_at: Vec<u64>,
    /// Name, offset in this device's code, bytes.
    pub entries: Vec<(String, u32, u32)>,
    /// Byte range in the Graphs module, the same way.
    pub graph: (u32, u32),
    /// BLAKE3 of the code.
    pub hash: [u8; 32],
    pub windows: Vec<InstalledWindow>,
    pub state_size: u32,
    pub arena_size: u32,
    pub arena_align: u32,
    pub upcalls: Vec<String>,
    pub failures: Vec<String>,
    /// line, level, low
    pub wires: Vec<(u32, bool, bool)>,
    /// Instead of wires: the machine's number of each message that the device sends, by the driver's own number.
    pub messages: Vec<u32>,
    /// Physical address and bytes of what its task is not shown of its windows: where its messages are set.
    pub withheld: Vec<(u64, u64)>,
    /// Path of the nearest device above it that is a bus with a driver: when that says so, this one is gone. Empty: none.
    pub behind: String,
    /// What the class wants to know (`mac`, `mtu`, `sectors`, `size`, `writable`, `depth`, `hz`, …).
    pub facts: Vec<(String, u64)>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct InstalledWindow {
    pub name: String,
    /// 0 memory, 1 ports, 2 system registers, 3 model-specific registers
    pub kind: u8,
    pub base: u64,
    pub size: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Proof {
    /// The class's self-test passed.
    Verified,
    /// No peer answered: installed all the same.
    Unverified(String),
    /// Not installed, and why.
    Rejected(String),
    #[default]
    None,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Unmatched {
    pub path: String,
    /// What kind of thing it is, as its bus says it (`discovery::kind`); empty: its bus does not tell.
    pub kind: String,
    /// A person would notice that nothing drives it.
    pub missed: bool,
    /// IDs and such, for a person.
    pub what: String,
    /// The rule that came nearest, and the clue that failed.
    pub nearest: String,
}

/// The same record, read where it lies: the machine model stays in the module, and only the lists are copied.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct View<'a> {
    #[serde(borrow)]
    pub arch: &'a str,
    pub identity: [u8; 32],
    #[serde(borrow)]
    pub machine: &'a [u8],
    pub devices: Vec<Installed>,
    pub unmatched: Vec<Unmatched>,
    pub stages: Vec<(String, u64)>,
    #[serde(borrow)]
    pub stages_in: &'a str,
    pub notes: Vec<String>,
}

impl<'a> View<'a> {
    /// Reads the record at the start of `bytes`; bytes after it (the rest of a page) are ignored.
    pub fn read(bytes: &'a [u8]) -> Option<View<'a>> {
        postcard::take_from_bytes(bytes).ok().map(|(view, _)| view)
    }
}

impl Installed {
    /// One device's record, for its driver: it is shown nothing of the others.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        postcard::to_allocvec(self).ok()
    }

    /// Reads such a record; bytes after it (the rest of a page) are ignored.
    pub fn read(bytes: &[u8]) -> Option<Installed> {
        postcard::take_from_bytes(bytes)
            .ok()
            .map(|(device, _)| device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let device = |name: &str| Installed {
            name: name.into(),
            facts: alloc::vec![("mtu".into(), 1500)],
            ..Default::default()
        };
        let mut bytes = postcard::to_allocvec(&Inventory {
            arch: "x86_64".into(),
            machine: alloc::vec![1; 300],
            devices: alloc::vec![device("one"), device("two")],
            stages: alloc::vec![("discover".into(), 7)],
            stages_in: "instructions".into(),
            ..Default::default()
        })
        .expect("serialises");
        bytes.resize(4096, 0);
        bytes
    }

    #[test]
    fn a_view_reads_what_an_inventory_wrote_and_stops_at_its_end() {
        let bytes = sample();
        let view = View::read(&bytes).expect("reads");
        assert_eq!((view.arch, view.machine.len()), ("x86_64", 300));
        assert_eq!(view.devices[1].name, "two");
        assert_eq!(view.stages, [("discover".into(), 7)]);
        assert_eq!(view.stages_in, "instructions");
        assert!(View::read(&bytes[..200]).is_none());
    }

    #[test]
    fn a_driver_reads_the_record_of_its_own_device() {
        let bytes = sample();
        let view = View::read(&bytes).expect("reads");
        let mut record = view.devices[1].to_bytes().expect("serialises");
        let length = record.len();
        record.resize(4096, 0);
        assert_eq!(Installed::read(&record).expect("reads").name, "two");
        assert!(!record.windows(3).any(|name| name == b"one"));
        assert!(Installed::read(&record[..length - 1]).is_none());
    }
}
