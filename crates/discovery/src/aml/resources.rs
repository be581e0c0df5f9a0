//! Resource templates (ACPI 6.5, 6.4): what `_CRS` and `_PRS` give.

use alloc::vec::Vec;

/// More resources than this of one device are not believed.
const MOST: usize = 256;

/// A line of the machine's interrupt controllers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupt {
    pub line: u32,
    pub level: bool,
    pub low: bool,
    /// Named by the number of an ISA wire, so that overrides apply.
    pub isa: bool,
    /// Trigger and polarity are said, not left to what ISA always had.
    pub said: bool,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// On this device's side: what it decodes, or what is seen below a bridge.
    pub base: u64,
    pub size: u64,
    /// What is added on the processor's side of a bridge.
    pub offset: u64,
    /// Ports that the processor reaches through memory, or the other way round.
    pub translated: bool,
    /// Passed on to what is below rather than used.
    pub produced: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    Memory(Range),
    Ports(Range),
    /// First and last bus number.
    Buses(u64, u64),
    Interrupt(Interrupt),
}

/// Everything in a template that is understood; false when it ends inside of something.
pub fn parse(template: &[u8]) -> (Vec<Resource>, bool) {
    let mut list = Vec::new();
    let mut rest = template;
    while list.len() < MOST {
        match step(rest, &mut list) {
            Some((more, false)) => rest = more,
            Some((_, true)) => return (list, true),
            None => return (list, rest.is_empty()),
        }
    }
    (list, false)
}

/// The first interrupt in a template, if there is one.
pub fn interrupt(template: &[u8]) -> Option<Interrupt> {
    parse(template).0.into_iter().find_map(|r| match r {
        Resource::Interrupt(found) => Some(found),
        _ => None,
    })
}

/// One descriptor: what follows it, and whether it was the end tag (6.4.2.9).
fn step<'a>(rest: &'a [u8], list: &mut Vec<Resource>) -> Option<(&'a [u8], bool)> {
    let tag = *rest.first()?;
    let (head, length) = match tag & 0x80 {
        0 => (1, (tag & 7) as usize),
        _ => (3, number(rest, 1, 2)? as usize),
    };
    let body = rest.get(head..head + length)?;
    match tag {
        0x78..=0x7f => return Some((&[], true)),
        0x22 | 0x23 => small_interrupt(body, list),
        0x47 => list.extend(ports(number(body, 1, 2), number(body, 6, 1))),
        0x4b => list.extend(ports(number(body, 0, 2), number(body, 2, 1))),
        // 6.4.3.1: in units of 256 bytes.
        0x81 => list.extend(memory(
            number(body, 1, 2).map(|at| at << 8),
            number(body, 7, 2).map(|n| n << 8),
        )),
        0x85 => list.extend(memory(number(body, 1, 4), number(body, 13, 4))),
        0x86 => list.extend(memory(number(body, 1, 4), number(body, 5, 4))),
        0x87 => list.extend(address_space(body, 3, 4)),
        0x88 => list.extend(address_space(body, 3, 2)),
        0x8a => list.extend(address_space(body, 3, 8)),
        0x8b => list.extend(address_space(body, 5, 8)),
        0x89 => extended_interrupt(body, list),
        _ => {}
    }
    Some((rest.get(head + length..)?, false))
}

/// Where the end tag of a template is, if it has one.
pub fn end(template: &[u8]) -> Option<usize> {
    let mut rest = template;
    let mut skipped = Vec::new();
    while let Some((more, last)) = step(rest, &mut skipped) {
        if last {
            return Some(template.len() - rest.len());
        }
        rest = more;
        skipped.clear();
    }
    None
}

fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let part = bytes.get(at..at.checked_add(size)?)?;
    Some(part.iter().rev().fold(0, |n, byte| n << 8 | *byte as u64))
}

fn range(base: Option<u64>, size: Option<u64>) -> Option<Range> {
    let (base, size) = (base?, size?);
    (size != 0 && base.checked_add(size).is_some()).then_some(Range {
        base,
        size,
        offset: 0,
        translated: false,
        produced: false,
    })
}

fn ports(base: Option<u64>, size: Option<u64>) -> Option<Resource> {
    range(base, size).map(Resource::Ports)
}

fn memory(base: Option<u64>, size: Option<u64>) -> Option<Resource> {
    range(base, size).map(Resource::Memory)
}

/// 6.4.3.5: type and flags, then granularity, first, last, offset and length of `width` bytes each from `at`.
fn address_space(body: &[u8], at: usize, width: usize) -> Option<Resource> {
    let field = |n: usize| number(body, at + n * width, width);
    let (kind, flags, special) = (*body.first()?, *body.get(1)?, *body.get(2)?);
    let (first, last, offset, length) = (field(1)?, field(2)?, field(3)?, field(4)?);
    // A length of 0 with both ends fixed is what some firmware writes for the whole range.
    let size = match length {
        // That of all 64 bits is no number: such a range says nothing.
        0 if flags & 0xc == 0xc && last > first => (last - first).checked_add(1)?,
        other => other,
    };
    if kind == 2 {
        return (size != 0).then(|| Resource::Buses(first, first.saturating_add(size - 1)));
    }
    let mut range = range(Some(first), Some(size))?;
    range.offset = offset;
    // The bit says "consumed only".
    range.produced = flags & 1 == 0;
    match kind {
        0 => {
            range.translated = special & 0x20 != 0;
            Some(Resource::Memory(range))
        }
        1 => {
            range.translated = special & 0x10 != 0;
            Some(Resource::Ports(range))
        }
        _ => None,
    }
}

/// 6.4.3.6
fn extended_interrupt(body: &[u8], list: &mut Vec<Resource>) {
    let (Some(flags), Some(count)) = (body.first(), body.get(1)) else {
        return;
    };
    for n in 0..*count as usize {
        let Some(line) = number(body, 2 + 4 * n, 4) else {
            return;
        };
        list.push(Resource::Interrupt(Interrupt {
            line: line as u32,
            level: flags & 2 == 0,
            low: flags & 4 != 0,
            isa: false,
            said: true,
        }));
    }
}

/// 6.4.2.1
fn small_interrupt(body: &[u8], list: &mut Vec<Resource>) {
    let Some(mask) = number(body, 0, 2) else {
        return;
    };
    let flags = body.get(2).copied();
    for line in (0..16).filter(|line| mask >> line & 1 == 1) {
        list.push(Resource::Interrupt(Interrupt {
            line,
            level: flags.unwrap_or(1) & 1 == 0,
            low: flags.unwrap_or(1) & 8 != 0,
            isa: true,
            said: flags.is_some(),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_memory_and_interrupts() {
        let template = [
            0x47, 1, 0x70, 0, 0x70, 0, 1, 8, // eight ports
            0x22, 0, 1, // wire 8
            0x86, 9, 0, 1, 0, 0x2e, 0xb0, 0xfe, 0, 2, 0, 0, // 512 bytes
            0x89, 6, 0, 1, 1, 0x2f, 0, 0, 0, // line 47, level, high
            0x79, 0,
        ];
        let (list, whole) = parse(&template);
        assert!(whole);
        let range = |base, size| Range {
            base,
            size,
            offset: 0,
            translated: false,
            produced: false,
        };
        assert_eq!(list[0], Resource::Ports(range(0x70, 8)));
        assert_eq!(list[2], Resource::Memory(range(0xfeb0_2e00, 512)));
        let Resource::Interrupt(isa) = list[1] else {
            panic!("{list:?}")
        };
        assert_eq!(
            (isa.line, isa.level, isa.isa, isa.said),
            (8, false, true, false)
        );
        let Resource::Interrupt(wire) = list[3] else {
            panic!("{list:?}")
        };
        assert_eq!(
            (wire.line, wire.level, wire.low, wire.isa),
            (47, true, false, false)
        );
        assert_eq!(list.len(), 4);
        // Cut anywhere, it says so.
        for cut in 1..template.len() - 2 {
            let (_, whole) = parse(&template[..cut]);
            assert!(!whole || [8, 11, 23, 32].contains(&cut), "{cut}");
        }
    }

    #[test]
    fn what_a_bridge_passes_on() {
        // Ports 0 to 0xffff below, reached through memory at 0x3eff0000.
        let template = [
            0x87, 0x17, 0, 1, 0x0c, 0x13, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0xff,
            0x3e, 0, 0, 1, 0, 0x79, 0,
        ];
        let (list, _) = parse(&template);
        let Resource::Ports(ports) = list[0] else {
            panic!("{list:?}")
        };
        assert_eq!(
            (ports.base, ports.size, ports.offset),
            (0, 0x10000, 0x3eff_0000)
        );
        assert!(ports.translated && ports.produced);
    }
}
