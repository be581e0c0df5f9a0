//! Where PCI configuration space is mapped in memory (table MCFG; PCI Firmware 3.3, 4.1.2).

use super::tables::{number, Tables};
use crate::{pci::Config, Notes};
use alloc::{format, vec::Vec};

/// Further entries are left out.
const MOST: usize = 64;

/// Configuration space of every segment.
#[derive(Default)]
pub struct Spaces {
    mapped: Vec<(u16, Config)>,
    /// Segment 0 is reached by two ports, where it is not mapped.
    ports: bool,
}

impl Spaces {
    pub fn read(tables: &Tables, ports: bool, notes: &mut Notes) -> Spaces {
        let mut spaces = Spaces {
            mapped: Vec::new(),
            ports,
        };
        let table = tables.find(b"MCFG").and_then(|t| t.get(44..));
        for entry in table.unwrap_or_default().chunks_exact(16) {
            let (base, segment) = (number(entry, 0, 8), number(entry, 8, 2));
            let (first, last) = (number(entry, 10, 1), number(entry, 11, 1));
            let (Some(base), Some(segment), Some(first), Some(last)) = (base, segment, first, last)
            else {
                continue;
            };
            // The address is that of bus 0, whether the entry begins with it or not.
            let end = base.checked_add((last + 1) << 20);
            if last < first || end.is_none() || base == 0 || spaces.mapped.len() == MOST {
                notes.say(format!(
                    "acpi: configuration space of segment {segment:x} at {base:#x}, buses {first:#x} to {last:#x}, is left out"
                ));
                continue;
            }
            let config = Config::Mapped {
                base: base + (first << 20),
                first: first as u8,
                last: last as u8,
            };
            spaces.mapped.push((segment as u16, config));
        }
        spaces
    }

    /// How a bus is reached.
    pub fn of(&self, segment: u16, bus: u8) -> Option<Config> {
        let found = self.mapped.iter().find(|(own, config)| {
            matches!(config, Config::Mapped { first, last, .. } if (*first..=*last).contains(&bus))
                && *own == segment
        });
        match found {
            Some((_, config)) => Some(*config),
            None => (segment == 0 && self.ports).then_some(Config::Ports),
        }
    }

    /// Segment, first and last bus of everything that is reached.
    pub fn all(&self) -> Vec<(u16, u8, u8)> {
        let mut list = Vec::new();
        for (segment, config) in &self.mapped {
            if let Config::Mapped { first, last, .. } = config {
                list.push((*segment, *first, *last));
            }
        }
        if list.is_empty() && self.ports {
            list.push((0, 0, 255));
        }
        list
    }
}
