//! Packed programs (`abi::program`), read with every number checked: a program may come from outside the image.

use abi::layout::{PAGE, USER_END};
use abi::program::{Header, Segment};
use abi::system::map;

/// Most segments of one program.
const MOST: u64 = 16;

/// A packed program whose header and segments are right.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    bytes: &'a [u8],
    pub entry: u64,
    segments: u64,
}

/// What is wrong with a packed program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not begin like one.
    NotAProgram,
    /// Segment number `n`.
    Segment(u64),
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        match self {
            Fault::NotAProgram => write!(f, "it is not a packed program"),
            Fault::Segment(n) => write!(f, "its segment {n} is not right"),
        }
    }
}

fn right(segment: &Segment, length: u64) -> bool {
    let whole = |number: u64| number.is_multiple_of(PAGE);
    let end = segment.address.checked_add(segment.size);
    let file_end = segment.file_offset.checked_add(segment.file_size);
    whole(segment.address)
        && whole(segment.size)
        && whole(segment.file_offset)
        && segment.size > 0
        && end.is_some_and(|end| end <= USER_END)
        && file_end.is_some_and(|end| end <= length)
        && segment.file_size <= segment.size
        && segment.flags & !(map::WRITE | map::EXECUTE) == 0
        && segment.flags != map::WRITE | map::EXECUTE
}

impl<'a> Program<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Program<'a>, Fault> {
        let header = Header::of(bytes).filter(|header| header.segments <= MOST);
        let header = header.ok_or(Fault::NotAProgram)?;
        for n in 0..header.segments {
            let found = Segment::of(bytes, n).ok_or(Fault::Segment(n))?;
            if !right(&found, bytes.len() as u64) {
                return Err(Fault::Segment(n));
            }
        }
        Ok(Program {
            bytes,
            entry: header.entry,
            segments: header.segments,
        })
    }

    pub fn segments(&self) -> impl Iterator<Item = Segment> + 'a {
        let bytes = self.bytes;
        (0..self.segments).filter_map(move |n| Segment::of(bytes, n))
    }

    /// The bytes that a segment begins with.
    pub fn contents(&self, segment: &Segment) -> &'a [u8] {
        segment.contents(self.bytes).unwrap_or(&[])
    }

    /// Whether a read-only segment can be mapped where it lies: all its pages are in a module of `length` bytes
    /// (whole pages, as mapped).
    pub fn shares(&self, segment: &Segment, length: u64) -> bool {
        segment.flags & map::WRITE == 0
            && segment.file_size.next_multiple_of(PAGE) == segment.size
            && segment.file_offset + segment.size <= length.next_multiple_of(PAGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::program::MAGIC;

    fn packed(segments: &[Segment], length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [MAGIC, 0x40_0000, segments.len() as u64, 0] {
            bytes.extend(word.to_le_bytes());
        }
        for s in segments {
            for word in [s.address, s.size, s.file_offset, s.file_size, s.flags] {
                bytes.extend(word.to_le_bytes());
            }
        }
        bytes.resize(length, 0x55);
        bytes
    }

    const TEXT: Segment = Segment {
        address: 0x40_0000,
        size: 0x2000,
        file_offset: 0x1000,
        file_size: 0x1800,
        flags: map::EXECUTE,
    };
    const DATA: Segment = Segment {
        address: 0x40_2000,
        size: 0x3000,
        file_offset: 0x3000,
        file_size: 0x10,
        flags: map::WRITE,
    };

    #[test]
    fn a_right_program_is_read() {
        let bytes = packed(&[TEXT, DATA], 0x3010);
        let program = Program::read(&bytes).expect("right");
        assert_eq!(program.entry, 0x40_0000);
        assert_eq!(program.segments().collect::<Vec<_>>(), [TEXT, DATA]);
        assert_eq!(program.contents(&DATA), [0x55; 0x10]);
        assert!(program.shares(&TEXT, 0x3010) && !program.shares(&DATA, 0x3010));
    }

    #[test]
    fn every_wrong_number_is_refused() {
        let wrong = |change: fn(&mut Segment)| {
            let mut segment = DATA;
            change(&mut segment);
            Program::read(&packed(&[TEXT, segment], 0x3010)).err()
        };
        let refused = Some(Fault::Segment(1));
        assert_eq!(wrong(|s| s.address += 1), refused);
        assert_eq!(wrong(|s| s.address = USER_END), refused);
        assert_eq!(wrong(|s| s.address = !0xfff), refused);
        assert_eq!(wrong(|s| s.size = 0), refused);
        assert_eq!(wrong(|s| s.file_size = 0x11), refused);
        assert_eq!(wrong(|s| s.file_offset = !0xfff), refused);
        assert_eq!(wrong(|s| s.flags = map::WRITE | map::EXECUTE), refused);
        assert_eq!(wrong(|s| s.flags = map::DEVICE), refused);
        assert_eq!(wrong(|_| ()), None);
    }

    #[test]
    fn short_and_foreign_bytes_are_refused() {
        let bytes = packed(&[TEXT], 0x2800);
        for length in 0..72 {
            assert!(Program::read(&bytes[..length]).is_err());
        }
        assert_eq!(Program::read(&[0x7f; 64]).err(), Some(Fault::NotAProgram));
    }
}
