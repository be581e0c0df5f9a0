//! Reading an ELF64 executable into what has to be mapped, as `fs/binfmt_elf.c` of Linux lays it out. The caller reads the
//! file: first its head, then the table that the head names.
use crate::{protection, Errno, PAGE};
use alloc::vec::Vec;

/// Bytes of the head of an ELF64 file.
pub const HEAD: usize = 64;
const ENTRY: usize = 56;
const LOAD: u32 = 1;
const INTERPRETER: u32 = 3;
const GNU_STACK: u32 = 0x6474_e551;
/// The longest path (`PATH_MAX`), with its NUL.
const PATH: u64 = 4096;

/// The processor that a file is for (`e_machine`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    X86_64 = 62,
    Aarch64 = 183,
}

/// The head of a file, once it is known to be an executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its addresses are relative (`ET_DYN`): the caller chooses where it lies.
    pub relative: bool,
    pub entry: u64,
    /// Where the table of segments is in the file, and its bytes: at most 64 KiB.
    pub table: u64,
    pub table_bytes: usize,
}

/// One mapping of a file's part, or of zeros where `offset` is none. Addresses are as in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub start: u64,
    pub end: u64,
    pub protection: u32,
    pub offset: Option<u64>,
    /// How many bytes at the mapping's end have to be zeroed after it is mapped: what the page has of the file
    /// beyond the segment.
    pub zero: u64,
}

/// What an executable wants.
#[derive(Clone, Debug)]
pub struct Image {
    pub mappings: Vec<Mapping>,
    /// The whole pages from the first segment to the end of the last.
    pub start: u64,
    pub end: u64,
    /// What the place of a relative image must be a multiple of.
    pub align: u64,
    /// Where the break begins, before its rounding.
    pub break_start: u64,
    /// Where the path of the interpreter stands in the file, and its length with the NUL.
    pub interpreter: Option<(u64, usize)>,
    pub executable_stack: bool,
    /// The address of the table of segments (`AT_PHDR`); 0 if no segment holds it.
    pub table: u64,
    /// `AT_PHNUM`.
    pub entries: usize,
    pub entry: u64,
}

impl Head {
    /// Reads the head of a file.
    ///
    /// # Errors
    /// `ENOEXEC` if this is no executable for that machine.
    pub fn read(bytes: &[u8], machine: Machine) -> Result<Head, Errno> {
        let kind = half(bytes, 16).ok_or(Errno::ENOEXEC)?;
        let wanted =
            half(bytes, 18) == Some(machine as u16) && half(bytes, 54) == Some(ENTRY as u16);
        // Class and byte order: Linux leaves the class to the machine's number; nothing else is meant by it.
        if !bytes.starts_with(b"\x7fELF\x02\x01") || !matches!(kind, 2 | 3) || !wanted {
            return Err(Errno::ENOEXEC);
        }
        let entries = usize::from(half(bytes, 56).ok_or(Errno::ENOEXEC)?);
        let table_bytes = entries * ENTRY;
        if table_bytes == 0 || table_bytes > 65_536 || bytes.len() < HEAD {
            return Err(Errno::ENOEXEC);
        }
        let entry = long(bytes, 24).ok_or(Errno::ENOEXEC)?;
        let table = long(bytes, 32).ok_or(Errno::ENOEXEC)?;
        Ok(Head {
            relative: kind == 3,
            entry,
            table,
            table_bytes,
        })
    }
}

/// One `PT_LOAD`.
struct Segment {
    protection: u32,
    offset: u64,
    address: u64,
    in_file: u64,
    in_memory: u64,
    align: u64,
}

impl Image {
    /// Reads the table that the head names. `limit` is the end of what a program can address (`TASK_SIZE`).
    ///
    /// # Errors
    /// `ENOEXEC` for a table that is cut off and a path that cannot be; `EINVAL` and `EOVERFLOW` for segments that
    /// cannot be mapped.
    pub fn read(head: &Head, table: &[u8], limit: u64) -> Result<Image, Errno> {
        let table = table.get(..head.table_bytes).ok_or(Errno::ENOEXEC)?;
        let mut image = Image {
            mappings: Vec::new(),
            start: u64::MAX,
            end: 0,
            align: PAGE,
            break_start: 0,
            interpreter: None,
            executable_stack: false,
            table: 0,
            entries: head.table_bytes / ENTRY,
            entry: head.entry,
        };
        for entry in table.chunks_exact(ENTRY) {
            let word = |at| long(entry, at).ok_or(Errno::ENOEXEC);
            let kind = half(entry, 0)
                .zip(half(entry, 2))
                .map_or(0, |(low, high)| u32::from(high) << 16 | u32::from(low));
            let flags = u32::from(half(entry, 4).unwrap_or(0));
            match kind {
                LOAD => {
                    let protection = (flags & 4) >> 2 | flags & 2 | (flags & 1) << 2;
                    let (offset, address, in_file) = (word(8)?, word(16)?, word(32)?);
                    let segment = Segment {
                        protection,
                        offset,
                        address,
                        in_file,
                        in_memory: word(40)?,
                        align: word(48)?,
                    };
                    image.load(head, &segment, limit)?;
                }
                INTERPRETER if image.interpreter.is_none() => {
                    let (offset, length) = (word(8)?, word(32)?);
                    if !(2..=PATH).contains(&length) || offset.checked_add(length).is_none() {
                        return Err(Errno::ENOEXEC);
                    }
                    image.interpreter = Some((offset, length as usize));
                }
                GNU_STACK => image.executable_stack = flags & 1 != 0,
                _ => {}
            }
        }
        if image.start >= image.end {
            return Err(Errno::EINVAL);
        }
        Ok(image)
    }

    fn load(&mut self, head: &Head, segment: &Segment, limit: u64) -> Result<(), Errno> {
        let Segment {
            protection,
            offset,
            address,
            in_file,
            in_memory,
            align,
        } = *segment;
        let end = address
            .checked_add(in_memory)
            .filter(|end| *end <= limit.min(u64::MAX - PAGE));
        let end = end.filter(|_| in_file <= in_memory).ok_or(Errno::EINVAL)?;
        let within = address % PAGE;
        let start = address - within;
        let file_end = crate::pages(address + in_file);
        let mut zeros = start;
        if in_file > 0 {
            if offset % PAGE != within {
                return Err(Errno::EINVAL);
            }
            let most = i64::MAX as u64 & !(PAGE - 1);
            if file_end - start > most || offset - within > most - (file_end - start) {
                return Err(Errno::EOVERFLOW);
            }
            // Linux zeroes the rest of the page only where it can be written.
            let rest = in_memory > in_file && protection & protection::WRITE != 0;
            let zero = if rest {
                file_end - (address + in_file)
            } else {
                0
            };
            self.mappings.push(Mapping {
                start,
                end: file_end,
                protection,
                offset: Some(offset - within),
                zero,
            });
            zeros = file_end;
        }
        let whole = crate::pages(end);
        if in_memory > in_file && whole > zeros {
            let protection = protection::READ | protection::WRITE | protection & protection::EXEC;
            self.mappings.push(Mapping {
                start: zeros,
                end: whole,
                protection,
                offset: None,
                zero: 0,
            });
        }
        self.start = self.start.min(start);
        self.end = self.end.max(whole);
        self.break_start = self.break_start.max(end);
        if align.is_power_of_two() {
            self.align = self.align.max(align);
        }
        if head.table >= offset && head.table - offset < in_file {
            self.table = head.table - offset + address;
        }
        Ok(())
    }

    /// The mappings where the image lies `bias` bytes above the addresses of its file. Later ones replace earlier ones.
    ///
    /// # Errors
    /// `ENOMEM` when it would not end by `limit`.
    pub fn at(&self, bias: u64, limit: u64) -> Result<Vec<Mapping>, Errno> {
        let fits = self.end.checked_add(bias).is_some_and(|end| end <= limit);
        if !fits || !crate::aligned(bias) {
            return Err(Errno::ENOMEM);
        }
        let moved = |mapping: &Mapping| Mapping {
            start: mapping.start + bias,
            end: mapping.end + bias,
            ..*mapping
        };
        Ok(self.mappings.iter().map(moved).collect())
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
