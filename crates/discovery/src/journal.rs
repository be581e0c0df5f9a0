//! A record, in memory that survives a warm reset, of the probe that is being made: if that probe hangs the machine, the
//! next boot finds it there, and does not make it again.

use alloc::{boxed::Box, string::String, vec::Vec};

/// Bytes that a journal takes up.
pub const SIZE: usize = 1024;
const MAGIC: [u8; 8] = *b"MetaJrnl";
/// Magic, checksum, bytes of text.
const HEADER: usize = 8 + 4 + 2;

/// Where a journal is kept.
pub trait Keep {
    /// The bytes that are there, whatever they are.
    fn load(&mut self) -> Box<[u8; SIZE]>;
    /// Puts bytes there, at most [`SIZE`], a multiple of 8, so that they outlast a reset: caches are cleaned, and it is done
    /// when this returns. Those behind them may stay.
    fn store(&mut self, bytes: &[u8]);
}

/// Names of probes: the one that is being made, and those that hung before.
#[derive(Default)]
pub struct Journal {
    keep: Option<Box<dyn Keep>>,
    current: Option<String>,
    hung: Vec<String>,
}

impl Journal {
    /// What is kept nowhere lasts as long as this value.
    pub fn forgetful() -> Journal {
        Journal::default()
    }

    /// Reads what the last boot left. A probe that it began and did not end hung the machine.
    pub fn open(mut keep: Box<dyn Keep>) -> Journal {
        let (begun, mut hung) = read(&keep.load()[..]).unwrap_or_default();
        if !begun.is_empty() && !hung.contains(&begun) {
            hung.push(begun);
        }
        let mut journal = Journal {
            keep: Some(keep),
            current: None,
            hung,
        };
        journal.store();
        journal
    }

    /// Probes that hung an earlier boot.
    pub fn hung(&self) -> &[String] {
        &self.hung
    }

    /// Writes down that a probe is about to be made. False, and nothing is written, if it hung before: it must not be made.
    #[must_use]
    pub fn begin(&mut self, probe: &str) -> bool {
        if self.hung.iter().any(|hung| hung == probe) {
            return false;
        }
        self.current = Some(String::from(probe));
        self.store();
        true
    }

    /// Whether a probe is being made.
    pub fn under_way(&self) -> bool {
        self.current.is_some()
    }

    /// The probe came back.
    pub fn end(&mut self) {
        self.current = None;
        self.store();
    }

    fn store(&mut self) {
        let Some(keep) = &mut self.keep else { return };
        // The oldest are given up first; the one that is being made never is.
        let mut bytes = None;
        for first in 0..=self.hung.len() {
            bytes = written(
                self.current.as_deref().unwrap_or_default(),
                &self.hung[first..],
            );
            if bytes.is_some() {
                break;
            }
        }
        if let Some(bytes) = bytes {
            keep.store(&bytes);
        }
    }
}

/// Text: one line for the probe that is being made (empty if none is), then one for each that hung.
fn written(current: &str, hung: &[String]) -> Option<Vec<u8>> {
    let mut text = String::from(current);
    for probe in hung {
        text.push('\n');
        text.push_str(probe);
    }
    let mut bytes = Vec::with_capacity(HEADER + text.len() + 8);
    bytes.extend(MAGIC);
    bytes.extend(sum(text.as_bytes()).to_le_bytes());
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    (bytes.len() <= SIZE).then_some(bytes)
}

/// The probe that was being made, and those that hung; `None` if this is no journal.
fn read(bytes: &[u8]) -> Option<(String, Vec<String>)> {
    let (header, rest) = bytes.split_at_checked(HEADER)?;
    let size = u16::from_le_bytes([header[12], header[13]]) as usize;
    let text = rest.get(..size)?;
    let stated = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
    if header[..8] != MAGIC || sum(text) != stated {
        return None;
    }
    let mut lines = core::str::from_utf8(text).ok()?.split('\n');
    let begun = String::from(lines.next().unwrap_or_default());
    Some((begun, lines.map(String::from).collect()))
}

/// FNV-1a, 32 bits: tells a journal from what else memory may hold after power came.
fn sum(text: &[u8]) -> u32 {
    text.iter().fold(0x811c_9dc5, |sum, byte| {
        (sum ^ *byte as u32).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, rc::Rc};
    use core::cell::RefCell;

    /// Memory that several boots share.
    #[derive(Clone)]
    struct Lasting(Rc<RefCell<Box<[u8; SIZE]>>>);

    impl Lasting {
        fn new() -> Lasting {
            Lasting(Rc::new(RefCell::new(Box::new([0xa5; SIZE]))))
        }
        fn boot(&self) -> Journal {
            Journal::open(Box::new(self.clone()))
        }
    }

    impl Keep for Lasting {
        fn load(&mut self) -> Box<[u8; SIZE]> {
            self.0.borrow().clone()
        }
        fn store(&mut self, bytes: &[u8]) {
            self.0.borrow_mut()[..bytes.len()].copy_from_slice(bytes);
        }
    }

    #[test]
    fn a_probe_that_did_not_end_is_not_made_again() {
        let memory = Lasting::new();
        let mut first = memory.boot();
        assert!(first.hung().is_empty());
        assert!(first.begin("one"));
        first.end();
        assert!(first.begin("two"));
        // Reset.
        let mut second = memory.boot();
        assert_eq!(second.hung(), ["two"]);
        assert!(!second.begin("two"));
        assert!(second.begin("one"));
        // And again: both are known then, and stay so.
        assert_eq!(memory.boot().hung(), ["two", "one"]);
        assert_eq!(memory.boot().hung(), ["two", "one"]);
    }

    #[test]
    fn what_is_no_journal_is_not_believed() {
        let memory = Lasting::new();
        assert!(memory.boot().begin("probe"));
        for at in 0..HEADER + 5 {
            let other = Lasting(Rc::new(RefCell::new(memory.0.borrow().clone())));
            other.0.borrow_mut()[at] ^= 1;
            assert!(other.boot().hung().is_empty(), "byte {at}");
        }
    }

    #[test]
    fn a_full_journal_gives_up_the_oldest() {
        let memory = Lasting::new();
        for n in 0..100 {
            assert!(memory
                .boot()
                .begin(&format!("a probe with a long name {n}")));
        }
        let last = memory.boot();
        assert!(last.hung().len() > 20 && last.hung().len() < 100);
        assert_eq!(
            last.hung().last().map(String::as_str),
            Some("a probe with a long name 99")
        );
    }
}
