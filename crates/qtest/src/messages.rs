//! Interrupts as messages, caught: a function's table (PCI Local Bus 3.0, 6.8.2) points at RAM, so that each message shows
//! there as a store.

use crate::{live, pci::Function, Error, Machine, Ram, Result};
use classes::Pool;
use graph::Width;

const MSIX: u8 = 0x11;
const ENABLE: u64 = 1 << 15;

/// The messages of one function, each caught in a word of its own.
pub struct Capture {
    words: Pool,
    _ram: Ram,
    count: u64,
}

impl Capture {
    /// Gives the function messages instead of its wire: as many as its table has, `most` of them if it has more.
    ///
    /// # Errors
    /// When it has no such table, or the table has no place.
    pub fn new(machine: &Machine, function: &Function, most: u64) -> Result<Capture> {
        let list = function.capabilities()?;
        let found = list.iter().find(|(id, _)| *id == MSIX);
        let at = found.map(|(_, at)| u64::from(*at));
        let at = at.ok_or(Error::Other("the function has no messages".into()))?;
        let (control, place) = (
            function.read(at + 2, Width::B16)?,
            function.read(at + 4, Width::B32)?,
        );
        let bar = function.bar((place & 7) as u8);
        let bar = bar.ok_or(Error::Other("the table of messages has no place".into()))?;
        let table = bar.base + (place & !7);
        let count = ((control & 0x7ff) + 1).min(most);
        let ram = machine.ram(4096, 4096)?;
        for n in 0..count {
            let (entry, word) = (table + 16 * n, ram.dma() + 4 * n);
            machine.write(entry, Width::B32, word & 0xffff_ffff)?;
            machine.write(entry + 4, Width::B32, word >> 32)?;
            machine.write(entry + 8, Width::B32, n + 1)?;
            machine.write(entry + 12, Width::B32, 0)?;
        }
        function.write(at + 2, Width::B16, ENABLE)?;
        Ok(Capture {
            words: live::shared(&ram),
            _ram: ram,
            count,
        })
    }

    /// How many messages the function may send.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Which came since this was last asked: bit n for message n.
    pub fn came(&self) -> u64 {
        let mut bits = 0;
        for n in 0..self.count {
            let mut word = [0; 4];
            self.words.read(4 * n, &mut word);
            if word != [0; 4] {
                self.words.write(4 * n, &[0; 4]);
                bits |= 1 << n;
            }
        }
        bits
    }
}
