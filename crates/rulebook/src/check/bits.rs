//! Fields cover their register and do not overlap; neither do the members of records.

use super::view::{Symbol, View};
use crate::{
    diagnostic::Diagnostic,
    tree::{
        Effects, Expr, ExprKind, Field, Fields, Item, ItemKind, Pieces, Place, RegItem, Rest, Type,
        TypeBase,
    },
};
use alloc::{format, string::String, vec::Vec};

/// Widest register or set of bits.
const WIDEST: u32 = 64;

pub fn check(view: &View, item: &Item, out: &mut Vec<Diagnostic>) {
    match &item.kind {
        ItemKind::Reg(reg) => register(view, reg, item.place, out),
        ItemKind::Bits { name, fields } => {
            lanes(view, view.text(*name), fields, WIDEST, out);
        }
        ItemKind::Record {
            name, size, fields, ..
        } => {
            record(
                view,
                (view.text(*name), item.place),
                *size,
                true,
                fields,
                out,
            );
        }
        ItemKind::State { name, kind, .. } => number(view.text(*name), kind, item.place, out),
        ItemKind::Arena(arena) => {
            let name = view.text(arena.name);
            if let Some(kind) = &arena.kind {
                number(name, kind, item.place, out);
            }
            apart(view, name, arena.kind.as_ref(), arena.step.as_ref(), out);
            for field in &arena.fields {
                let own = format!("{name}.{}", title(view, field));
                apart(view, &own, field.kind.as_ref(), field.step.as_ref(), out);
                if let Some(kind) = &field.kind {
                    if let (TypeBase::Bits(bits) | TypeBase::Big(bits), []) =
                        (kind.base, &kind.dims[..])
                    {
                        inner(view, name, field, bits, out);
                    }
                    let name = format!("{name}.{}", title(view, field));
                    number(&name, kind, field.place, out);
                }
            }
        }
        ItemKind::Slots { name, fields, .. } => {
            // Whoever lays slots out sets them apart as their members need.
            let own = (view.text(*name), item.place);
            record(view, own, None, false, fields, out)
        }
        _ => {}
    }
}

/// Elements that stand so many bytes apart: there is room for each, and each is aligned.
fn apart(
    view: &View,
    name: &str,
    kind: Option<&Type>,
    step: Option<&Expr>,
    out: &mut Vec<Diagnostic>,
) {
    let Some(step) = step else { return };
    let Some((kind, [_])) = kind.map(|kind| (kind, &kind.dims[..])) else {
        out.push(Diagnostic::new(
            step.place,
            format!("`{name}` is no row of elements that could stand apart"),
            "give it a type with one count: `arena M: CELL[8] step 64`",
        ));
        return;
    };
    let ExprKind::Number(bytes) = step.kind else {
        return;
    };
    let one = Type {
        base: kind.base,
        dims: Vec::new(),
    };
    let size = size_of(view, &one, 0).map(|bits| bits.div_ceil(8));
    let size = size.map(|bytes| match kind.base {
        TypeBase::Named(_) => bytes,
        _ => bytes.next_power_of_two(),
    });
    if let Some(size) = size.filter(|size| bytes < *size) {
        out.push(Diagnostic::new(
            step.place,
            format!("an element of `{name}` has {size} bytes, and the next begins after {bytes}"),
            "let them stand further apart, or make the record smaller",
        ));
        return;
    }
    let align = match kind.base {
        TypeBase::Named(record) => view.get(record).iter().find_map(|symbol| match symbol {
            Symbol::Record(fields) => fields.list.iter().filter_map(whole_number).max(),
            _ => None,
        }),
        _ => size.map(|size| size * 8),
    };
    let align = align.unwrap_or(8).div_ceil(8);
    if align > 1 && !bytes.is_multiple_of(align) {
        out.push(Diagnostic::new(
            step.place,
            format!("the elements of `{name}` stand {bytes} bytes apart, which is no multiple of the {align} of their largest member"),
            "processors want a number at a multiple of its size: use another `step`",
        ));
    }
}

fn register(view: &View, reg: &RegItem, place: Place, out: &mut Vec<Diagnostic>) {
    let name = view.text(reg.name);
    if reg.at.is_none() {
        return;
    }
    if let Some(ExprKind::Text(text)) = reg.at.as_ref().map(|at| &at.kind) {
        if !system(view.text(*text)) {
            out.push(Diagnostic::new(
                place,
                format!(
                    "`{name}` lies at \"{}\", which is no system register",
                    view.text(*text)
                ),
                "write \"op0.op1.CRn.CRm.op2\", each part within its bits",
            ));
        }
    }
    if !matches!(reg.bits, 8 | 16 | 32 | 64) {
        out.push(Diagnostic::new(
            place,
            format!("`{name}` is {} bits wide", reg.bits),
            "a register has 8, 16, 32 or 64 bits",
        ));
        return;
    }
    if let Some(Pieces { count, bits }) = reg.pieces {
        let whole = matches!(bits, 8 | 16 | 32) && count.checked_mul(bits) == Some(reg.bits);
        if !whole || count < 2 {
            let all = reg.bits;
            let ways = [8, 16, 32].iter().filter(|bits| **bits < all);
            let ways: Vec<String> = ways
                .map(|bits| format!("`as {}x{bits}`", all / bits))
                .collect();
            let help = match ways.is_empty() {
                true => String::from("8 bits are one access"),
                false => format!("equal pieces fill it: {}", ways.join(", ")),
            };
            let reason = format!("`{name}` has {all} bits, and not {count} pieces of {bits}");
            out.push(Diagnostic::new(place, reason, help));
        }
    }
    for fields in view.fields(reg) {
        let inline = reg
            .fields
            .as_ref()
            .is_some_and(|own| core::ptr::eq(own, fields));
        if !inline {
            // A set of bits was checked where it stands; here it only has to fit.
            fits(view, name, fields, reg.bits, place, out);
            continue;
        }
        let covered = lanes(view, name, fields, reg.bits, out);
        gap(name, fields, covered, reg.bits, place, out);
        if fields.rest == Rest::Any && !reg.effects.has(Effects::RO) {
            out.push(Diagnostic::new(
                place,
                format!("`{name}` can be written, but `else any` does not say what its other bits become"),
                "say `else 0` or `else keep`, or make the register `ro`",
            ));
        }
    }
    let kept = view
        .fields(reg)
        .iter()
        .any(|fields| fields.rest == Rest::Keep);
    if kept && (reg.effects.has(Effects::RC) || reg.effects.has(Effects::POP)) {
        out.push(Diagnostic::new(
            place,
            format!("`{name}` cannot keep bits: reading it has effects"),
            "say `else 0`, or split what is read from what is written into two registers",
        ));
    }
}

/// Whether the text is `op0.op1.CRn.CRm.op2`, as the arm64 instructions encode it.
fn system(text: &str) -> bool {
    const MOST: [u8; 5] = [3, 7, 15, 15, 7];
    let parts: Vec<Option<u8>> = text.split('.').map(|part| part.parse().ok()).collect();
    parts.len() == MOST.len()
        && parts
            .iter()
            .zip(MOST)
            .all(|(part, most)| part.is_some_and(|part| part <= most))
}

pub fn width(field: &Field) -> Option<u32> {
    match field.kind.as_ref().map(|kind| kind.base) {
        None | Some(TypeBase::Bool) => Some(1),
        Some(TypeBase::Bits(bits) | TypeBase::Dma(bits) | TypeBase::Big(bits)) => Some(bits),
        Some(TypeBase::Named(_)) => None,
    }
}

/// A number in memory is loaded and stored at once.
fn number(name: &str, kind: &Type, place: Place, out: &mut Vec<Diagnostic>) {
    if let Some(bits) = kind.bits().filter(|bits| *bits > WIDEST) {
        out.push(Diagnostic::new(
            place,
            format!("`{name}` is a number of {bits} bits"),
            "a number has at most 64: `64[4]` is four of them, and room that nobody names is `_`",
        ));
    }
}

fn title<'a>(view: &View<'a>, field: &Field) -> &'a str {
    field.name.map_or("_", |name| view.text(name))
}

/// Checks that fields lie within `most` bits, one beside the other; gives a mask of the bits covered.
fn lanes(view: &View, owner: &str, fields: &Fields, most: u32, out: &mut Vec<Diagnostic>) -> u64 {
    let mut taken: [Option<&str>; WIDEST as usize] = [None; WIDEST as usize];
    let mut next = 0u32;
    let mut covered = 0u64;
    for field in &fields.list {
        let name = title(view, field);
        let low = field.at.unwrap_or(next);
        let Some(bits) = width(field) else { continue };
        let end = u64::from(low) + u64::from(bits);
        if end > u64::from(most) || bits == 0 {
            let reason = match bits {
                0 => format!("`{owner}.{name}` has no bits"),
                _ => format!("`{owner}.{name}` ends at bit {end}, but there are {most}"),
            };
            out.push(Diagnostic::new(
                field.place,
                reason,
                "give it another place or width",
            ));
            continue;
        }
        next = low + bits;
        for bit in low..next {
            let Some(slot) = taken.get_mut(bit as usize) else {
                continue;
            };
            if let Some(other) = slot {
                let reason = format!("`{owner}.{name}` overlaps `{other}` at bit {bit}");
                out.push(Diagnostic::new(
                    field.place,
                    reason,
                    "each bit belongs to one field",
                ));
                break;
            }
            *slot = Some(name);
            covered |= 1 << bit;
        }
        inner(view, owner, field, bits, out);
    }
    covered
}

/// Fields of a field.
fn inner(view: &View, owner: &str, field: &Field, bits: u32, out: &mut Vec<Diagnostic>) {
    let Some(fields) = &field.fields else { return };
    let owner = format!("{owner}.{}", title(view, field));
    let covered = lanes(view, &owner, fields, bits.min(WIDEST), out);
    gap(&owner, fields, covered, bits, field.place, out);
}

fn gap(
    owner: &str,
    fields: &Fields,
    covered: u64,
    bits: u32,
    place: Place,
    out: &mut Vec<Diagnostic>,
) {
    let all = u64::MAX >> (WIDEST - bits.clamp(1, WIDEST));
    let missing = all & !covered;
    if fields.rest == Rest::Nothing && missing != 0 {
        out.push(Diagnostic::new(
            place,
            format!("bit {} of `{owner}` belongs to no field", missing.trailing_zeros()),
            "name it, or end the fields with `else 0`, `else keep` or (if it is only read) `else any`",
        ));
    }
}

fn fits(
    view: &View,
    owner: &str,
    fields: &Fields,
    bits: u32,
    place: Place,
    out: &mut Vec<Diagnostic>,
) {
    let mut next = 0;
    for field in &fields.list {
        let low = field.at.unwrap_or(next);
        next = low.saturating_add(width(field).unwrap_or(0));
        if next > bits {
            let name = title(view, field);
            let reason = format!("`{owner}.{name}` ends at bit {next}, but there are {bits}");
            out.push(Diagnostic::new(
                place,
                reason,
                "make the register wider, or use other bits",
            ));
            return;
        }
    }
}

/// Bits of a type; none when it depends on facts.
fn size_of(view: &View, kind: &Type, depth: u32) -> Option<u64> {
    let mut bits = match kind.base {
        TypeBase::Bits(bits) | TypeBase::Dma(bits) | TypeBase::Big(bits) => u64::from(bits),
        TypeBase::Bool => 8,
        TypeBase::Named(name) => {
            let fields = view.get(name).iter().find_map(|symbol| match symbol {
                Symbol::Record(fields) => Some(*fields),
                _ => None,
            })?;
            if depth > 8 {
                return None;
            }
            let mut end = 0u64;
            let mut most = 0u64;
            for field in &fields.list {
                let at = field.at.map_or(end, |byte| u64::from(byte) * 8);
                let bits = field
                    .kind
                    .as_ref()
                    .map_or(Some(1), |kind| size_of(view, kind, depth + 1))?;
                end = at.checked_add(bits)?;
                most = most.max(end);
            }
            most.div_ceil(8) * 8
        }
    };
    for dim in &kind.dims {
        let ExprKind::Number(count) = dim.kind else {
            return None;
        };
        bits = bits.checked_mul(count)?;
    }
    Some(bits)
}

fn record(
    view: &View,
    (owner, place): (&str, Place),
    size: Option<u32>,
    many: bool,
    fields: &Fields,
    out: &mut Vec<Diagnostic>,
) {
    let mut spans: Vec<(u64, u64, &str)> = Vec::new();
    let mut next = Some(0u64);
    let (mut align, mut crooked) = (8, false);
    for field in &fields.list {
        let name = title(view, field);
        let at = field.at.map(|byte| u64::from(byte) * 8).or(next);
        let bits = field
            .kind
            .as_ref()
            .map_or(Some(1), |kind| size_of(view, kind, 0));
        if let (Some(bits), Some(TypeBase::Bits(_))) =
            (bits, field.kind.as_ref().map(|kind| kind.base))
        {
            inner(
                view,
                owner,
                field,
                u32::try_from(bits).unwrap_or(WIDEST),
                out,
            );
        }
        // What has no name is room, and no number.
        if let (Some(_), Some(kind)) = (field.name, &field.kind) {
            number(&format!("{owner}.{name}"), kind, field.place, out);
        }
        let (Some(at), Some(bits)) = (at, bits) else {
            next = None;
            continue;
        };
        let end = at.saturating_add(bits);
        if bits == 0 {
            out.push(Diagnostic::new(
                field.place,
                format!("`{owner}.{name}` has no bits"),
                "give it a width",
            ));
        }
        if let Some((.., other)) = spans.iter().find(|(from, to, _)| at < *to && *from < end) {
            let reason = format!("`{owner}.{name}` overlaps `{other}` at byte {}", at / 8);
            out.push(Diagnostic::new(
                field.place,
                reason,
                "`@` counts bytes in a record: give it another place",
            ));
        }
        if let Some(own) = whole_number(field).filter(|own| at % own != 0) {
            crooked = true;
            let reason = match at % 8 {
                0 => format!(
                    "`{owner}.{name}` lies at byte {}, which is no multiple of its {} bytes",
                    at / 8,
                    own / 8
                ),
                _ => format!(
                    "`{owner}.{name}` begins inside byte {}, and has {} bytes",
                    at / 8,
                    own / 8
                ),
            };
            out.push(Diagnostic::new(
                field.place,
                reason,
                "check the widths before it; what really lies there is read in pieces: `8[4]`",
            ));
        }
        align = align.max(whole_number(field).unwrap_or(8));
        spans.push((at, end, name));
        next = Some(end);
    }
    let end = spans.iter().map(|(_, end, _)| *end).max().unwrap_or(0);
    let whole = size.map(|bytes| u64::from(bytes) * 8);
    if let Some(whole) = whole.filter(|whole| end > *whole) {
        out.push(Diagnostic::new(
            place,
            format!(
                "the members of `{owner}` end at byte {}, but it has {}",
                end.div_ceil(8),
                whole / 8
            ),
            "make the record larger, or the members smaller",
        ));
    } else if end % 8 != 0 && next.is_some() && size.is_none() {
        out.push(Diagnostic::new(
            place,
            format!("the members of `{owner}` do not fill their last byte"),
            "add unnamed bits: `_:3`",
        ));
    } else if many && !crooked && next.is_some() && !whole.unwrap_or(end).is_multiple_of(align) {
        let bytes = whole.unwrap_or(end) / 8;
        out.push(Diagnostic::new(
            place,
            format!(
                "`{owner}` has {bytes} bytes, which is no multiple of its largest member's {}",
                align / 8
            ),
            "a second one behind it would not be aligned: check the widths, or add unnamed bits",
        ));
    }
}

/// The bits of a named member that is loaded and stored at once: processors want it at a multiple of its size.
fn whole_number(field: &Field) -> Option<u64> {
    field.name?;
    match field.kind.as_ref()?.base {
        TypeBase::Bits(bits @ (16 | 32 | 64)) | TypeBase::Dma(bits) | TypeBase::Big(bits) => {
            Some(u64::from(bits.max(8)))
        }
        _ => None,
    }
}
