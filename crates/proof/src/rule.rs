//! A driver carried out by the text of its rule: `crates/meaning`, on a device model. No graph has any part in it, so it
//! does not share the specialiser's mistakes.

use crate::stand::{Stand, Written};
use crate::Result;
use graph::{Access, Conduit, Fence, Late, Residual, Space, Width, Window};
use meaning::{Given, Meaning, Outside, Subject};
use qtest::run::{Carrier, Device};
use rulebook::tree::Book;

/// Bytes of state and of arena that the interpreter of rules gets beside what the driver has.
const ROOM: u32 = 1 << 20;

/// The same driver with room for objects that the interpreter of rules has to put somewhere itself.
#[must_use]
pub fn roomy(residual: &Residual) -> Residual {
    Residual {
        state_size: residual.state_size.saturating_add(ROOM),
        arena_size: residual.arena_size.saturating_add(ROOM),
        ..residual.clone()
    }
}

/// The driver as its rule means it. `roomy` is [`roomy`] of what was written.
///
/// # Errors
/// When the rules do not fit together, or the machine has no memory left.
pub fn device(stand: &Stand, book: &Book, written: &Written, roomy: &Residual) -> Result<Device> {
    let residual = &written.residual;
    let given = Given {
        windows: residual.windows.clone(),
        upcalls: residual.upcalls.clone(),
        failures: residual.failures.clone(),
        facts: written.facts.clone(),
        places: written.names.memory.clone(),
        state: residual.state_size.into(),
        arena: residual.arena_size.into(),
    };
    // A device keeps who carries it out for as long as it likes, and a test has few devices: they are never given back.
    let book: &'static Book = Box::leak(Box::new(book.clone()));
    let machine = Box::leak(Box::new(stand.model()));
    let rules = Box::leak(written.choice.rules.clone().into_boxed_slice());
    let subject = Subject {
        book,
        machine,
        device: Box::leak(Box::new(stand.device.clone())),
        given: &synthesis::GIVEN,
        rules,
    };
    let rule = Rule {
        book,
        meaning: None,
        subject,
        given,
    };
    Ok(Device::carried(&stand.machine, roomy, Box::new(rule))?)
}

struct Rule {
    book: &'static Book,
    /// Made when it is first called: from then on there is something outside.
    meaning: Option<Meaning<'static>>,
    subject: Subject<'static>,
    given: Given,
}

impl Carrier for Rule {
    fn carry(
        &mut self,
        entry: &str,
        words: &[u64],
        access: &mut dyn Access,
    ) -> std::result::Result<u64, String> {
        let mut through = Through(access);
        if self.meaning.is_none() {
            let made = Meaning::new(self.subject, self.given.clone(), &mut through);
            self.meaning = Some(made.map_err(|fault| fault.show(self.book))?);
        }
        let Some(meaning) = &mut self.meaning else {
            return Err("no rule".into());
        };
        let end = meaning.run(entry, words, &mut through);
        match end.fault {
            Some(fault) => Err(fault.show(self.book)),
            None => Ok(end.status),
        }
    }
}

struct Through<'a>(&'a mut dyn Access);

impl Outside for Through<'_> {
    /// A driver has the windows that it was written with.
    fn open(&mut self, _: u8, _: &Window) -> bool {
        false
    }
}

impl Access for Through<'_> {
    fn read(&mut self, window: u8, at: u64, width: Width) -> u64 {
        self.0.read(window, at, width)
    }
    fn write(&mut self, window: u8, at: u64, width: Width, value: u64) {
        self.0.write(window, at, width, value);
    }
    fn pool_size(&self) -> Option<u64> {
        self.0.pool_size()
    }
    fn load(&mut self, space: Space, at: u64, width: Width) -> u64 {
        self.0.load(space, at, width)
    }
    fn store(&mut self, space: Space, at: u64, width: Width, value: u64) {
        self.0.store(space, at, width, value);
    }
    fn fence(&mut self, fence: Fence) {
        self.0.fence(fence);
    }
    fn late(&mut self, late: Late) -> u64 {
        self.0.late(late)
    }
    fn clock(&mut self) -> u64 {
        self.0.clock()
    }
    fn pause(&mut self, ns: u64) {
        self.0.pause(ns);
    }
    fn up(&mut self, which: u8, args: &[u64]) -> u64 {
        self.0.up(which, args)
    }
    fn firmware(&mut self, conduit: Conduit, args: [u64; 4]) -> u64 {
        self.0.firmware(conduit, args)
    }
}
