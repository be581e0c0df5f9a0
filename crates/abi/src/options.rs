//! The command line: the words that tell MetaOS how to start, whichever door (boot protocol) they come through.

/// Most bytes of a command line that are read.
pub const LONGEST: usize = 512;

/// No firmware tables, no memory map beyond what is stood on: the picture is made by safe probing.
pub const BLIND: &str = "blind";
/// Device IDs and classes read as unknown: devices are known by what they do.
pub const MASKED: &str = "masked";

/// `hang=PATH`: the probe of this device is made to hang, which is how the journal is tested. Only in an image with the feature
/// `faults`.
pub const HANG: &str = "hang=";

/// Clocks, timers and interrupt controllers are tried with interrupts let in before they are installed.
pub const THOROUGH: &str = "thorough";

/// `fault=DRIVER:KIND:AFTER[:COUNT]`: this driver's device seems broken, after so many reads, while it is proved; or its
/// interrupts are lost. Only in an image with the feature `faults`.
pub const FAULT: &str = "fault=";

/// Names of the facts with which genesis tells a driver's task how many interrupts it hears before they are lost, and how many
/// are. Only with the feature `faults`.
pub const HEARD: &str = "interrupts_heard";
pub const LOST: &str = "interrupts_lost";

/// Whether a word means something.
#[must_use]
pub fn known(word: &str) -> bool {
    [BLIND, MASKED, THOROUGH].contains(&word) || word.starts_with(HANG) || word.starts_with(FAULT)
}

/// The words of a command line: what stands between spaces and line ends, up to a zero byte; a word that starts with
/// `#` ends its line. Bytes that are no text are no words.
pub fn words(line: &[u8]) -> impl Iterator<Item = &str> {
    let end = line.iter().position(|b| *b == 0).unwrap_or(line.len());
    let line = line.get(..end.min(LONGEST)).unwrap_or_default();
    line.split(|b| *b == b'\n').flat_map(|line| {
        line.split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .take_while(|word| !word.starts_with(b"#"))
            .filter_map(|word| core::str::from_utf8(word).ok())
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn list(line: &[u8]) -> Vec<&str> {
        words(line).collect()
    }

    #[test]
    fn words_end_at_zero_and_comments_at_the_line() {
        assert_eq!(list(b" blind\tmasked\r\n"), ["blind", "masked"]);
        assert_eq!(list(b"blind\0masked"), ["blind"]);
        assert_eq!(list(b"# a note\nmasked # more\nblind"), ["masked", "blind"]);
        assert_eq!(list(b""), Vec::<&str>::new());
        assert_eq!(list(b"\0"), Vec::<&str>::new());
    }

    #[test]
    fn odd_bytes_and_long_lines_are_harmless() {
        assert_eq!(list(b"\xff\xfe blind"), ["blind"]);
        let long = [b'a'; 2 * LONGEST];
        assert_eq!(list(&long).iter().map(|w| w.len()).sum::<usize>(), LONGEST);
    }
}
