//! What discovery starts from.

use crate::Journal;
use alloc::vec::Vec;
use machine::{Arch, Candidate, Fact, MemoryRange};

/// What the boot entry was told about the machine.
#[derive(Clone, Copy)]
pub enum Firmware<'a> {
    None,
    /// Physical address of ACPI's root pointer.
    Acpi(u64),
    /// A devicetree blob.
    Devicetree(&'a [u8]),
}

/// How discovery is to go about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Nothing of firmware's is believed: the picture is rebuilt from processor, buses and safe probing.
    pub blind: bool,
    /// IDs and classes read as unknown, so that only behaviour identifies.
    pub masked: bool,
    /// Firmware's own initialisation (`_INI` of ACPI) is not run: its tables are taken as they stand.
    pub as_written: bool,
}

impl Options {
    /// From the words of a command line; what is not discovery's is left alone.
    pub fn parse(line: &str) -> Options {
        let mut options = Options::default();
        for word in line.split_ascii_whitespace() {
            match word {
                "blind" => options.blind = true,
                "masked" => options.masked = true,
                // The rest is others', or for who has no machine but its tables.
                _ => {}
            }
        }
        options
    }
}

/// Everything discovery is told. Make one with [`Request::new`] and fill in what is known.
pub struct Request<'a> {
    pub arch: Arch,
    pub firmware: Firmware<'a>,
    /// The memory map as the boot entry got it, unsorted, overlaps and all.
    pub memory: Vec<MemoryRange>,
    /// Places that rules name for devices that no table describes.
    pub candidates: &'a [Candidate],
    pub options: Options,
    /// RAM that is in use while discovery runs (base, bytes): its contents are not touched even for a moment.
    pub in_use: Vec<(u64, u64)>,
    /// What is to be said of this boot: the door, its options.
    pub boot: Vec<Fact>,
    /// Where probes that could hang are written down first.
    pub journal: Option<&'a mut Journal>,
}

impl Request<'_> {
    /// Nothing is known but the instruction set.
    pub fn new(arch: Arch) -> Self {
        Request {
            arch,
            firmware: Firmware::None,
            memory: Vec::new(),
            candidates: &[],
            options: Options::default(),
            in_use: Vec::new(),
            boot: Vec::new(),
            journal: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_words_and_the_rest_is_left_alone() {
        let options = Options::parse("quiet blind masked=no");
        assert!(options.blind && !options.masked);
        assert_eq!(Options::parse(""), Options::default());
    }
}
