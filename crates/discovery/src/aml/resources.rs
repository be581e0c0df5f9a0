//! Interrupts in resource templates (ACPI 6.5, 6.4).

/// A line of the machine's interrupt controllers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupt {
    pub line: u32,
    pub level: bool,
    pub low: bool,
    /// Named by the number of an ISA wire, so that overrides apply.
    pub isa: bool,
}

/// The first interrupt in a template, if there is one.
pub fn interrupt(template: &[u8]) -> Option<Interrupt> {
    let mut rest = template;
    loop {
        let tag = *rest.first()?;
        let (head, length) = match tag & 0x80 {
            0 => (1, (tag & 7) as usize),
            _ => (
                3,
                u16::from_le_bytes([*rest.get(1)?, *rest.get(2)?]) as usize,
            ),
        };
        let body = rest.get(head..head + length)?;
        match tag {
            0x89 => return extended(body),
            0x22 | 0x23 => return small(body),
            // End tag.
            0x78..=0x7f => return None,
            _ => {}
        }
        rest = &rest[head + length..];
    }
}

/// 6.4.3.6
fn extended(body: &[u8]) -> Option<Interrupt> {
    let flags = *body.first()?;
    let line = u32::from_le_bytes(body.get(2..6)?.try_into().ok()?);
    (*body.get(1)? != 0).then_some(Interrupt {
        line,
        level: flags & 2 == 0,
        low: flags & 4 != 0,
        isa: false,
    })
}

/// 6.4.2.1
fn small(body: &[u8]) -> Option<Interrupt> {
    let mask = u16::from_le_bytes([*body.first()?, *body.get(1)?]);
    let flags = body.get(2).copied().unwrap_or(1);
    (mask != 0).then(|| Interrupt {
        line: mask.trailing_zeros(),
        level: flags & 1 == 0,
        low: flags & 8 != 0,
        isa: true,
    })
}
