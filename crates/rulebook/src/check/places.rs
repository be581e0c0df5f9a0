//! Registers lie inside their windows, where their width allows it, and each has a place of its own.
//!
//! Only what the text says in numbers is looked at: a place that facts decide is checked when a device is at hand.

use super::{facts, view::View, walk};
use crate::{
    diagnostic::Diagnostic,
    tree::{BinaryOp, Effects, Expr, ExprKind, Item, ItemKind, Name, RegItem, Rule, SpaceItem},
};
use alloc::{format, string::String, vec::Vec};

pub fn check(view: &View, rule: &Rule, out: &mut Vec<Diagnostic>) {
    let mut all = Vec::new();
    let mut space = None;
    collect(&rule.items, &mut Vec::new(), &mut space, &mut all);
    let spaces = spaces_of(view, rule);
    for (at, one) in all.iter().enumerate() {
        let Some(space) = spaces.iter().find(|s| Some(s.item.name) == one.space) else {
            continue;
        };
        let Some(extent) = extent(one.reg, space) else {
            continue;
        };
        aligned(view, one, space, &extent, out);
        inside(view, one, space, &extent, out);
        runs_into(view, one, (space, &extent), &spaces, out);
        for other in &all[..at] {
            if other.space == one.space {
                apart(view, one, other, (space, &all), out);
            }
        }
        over(view, one, &all, space, out);
    }
}

/// A register, and the tests that it is there under.
struct Placed<'a> {
    reg: &'a RegItem,
    item: &'a Item,
    space: Option<Name>,
    guards: Vec<facts::Guard<'a>>,
}

fn collect<'a>(
    items: &'a [Item],
    guards: &mut Vec<facts::Guard<'a>>,
    space: &mut Option<Name>,
    out: &mut Vec<Placed<'a>>,
) {
    for item in items {
        match &item.kind {
            ItemKind::Reg(reg) => {
                if reg.space.is_some() {
                    *space = reg.space;
                }
                out.push(Placed {
                    reg,
                    item,
                    space: *space,
                    guards: guards.clone(),
                });
            }
            ItemKind::When { test, yes, no } => {
                for (items, holds) in [(yes, true), (no, false)] {
                    guards.push((test, holds));
                    collect(items, guards, space, out);
                    guards.pop();
                }
            }
            ItemKind::Way {
                guard: Some(guard),
                items,
                ..
            } => {
                guards.push((guard, true));
                collect(items, guards, space, out);
                guards.pop();
            }
            _ => walk::inside(item)
                .into_iter()
                .for_each(|inner| collect(inner, guards, space, out)),
        }
    }
}

/// How the offsets of a space count.
#[derive(Clone, Copy, PartialEq)]
enum Unit {
    /// Bytes, each multiplied by this.
    Bytes(u64),
    /// Registers: their numbers are written somewhere, or belong to the processor, or facts say how far apart they are.
    Numbers,
}

struct Space<'a> {
    item: &'a SpaceItem,
    unit: Unit,
    /// What it begins at, and so many bytes behind that.
    base: Option<(&'a Expr, u64)>,
    /// Bytes (registers) from its start to the end of its window, where a text says so.
    size: Option<u64>,
}

fn spaces_of<'a>(view: &View<'a>, rule: &'a Rule) -> Vec<Space<'a>> {
    let mut out = Vec::new();
    walk::items(&rule.items, &mut |item| {
        let ItemKind::Space(space) = &item.kind else {
            return;
        };
        let Some(value) = &space.value else { return };
        let own =
            matches!(value.kind, ExprKind::Name(n) if matches!(view.text(n), "model" | "system"));
        let unit = match space.step.as_ref().map(|step| &step.kind) {
            _ if own || space.via.is_some() => Unit::Numbers,
            None => Unit::Bytes(1),
            Some(ExprKind::Number(step)) => Unit::Bytes((*step).max(1)),
            Some(_) => Unit::Numbers,
        };
        let size = match space.via.is_some() || own {
            true => None,
            false => size(view, rule, value),
        };
        out.push(Space {
            item: space,
            unit,
            base: split(value),
            size,
        });
    });
    out
}

/// `X + 0x40` as X and 0x40.
fn split(value: &Expr) -> Option<(&Expr, u64)> {
    match &value.kind {
        ExprKind::Binary(BinaryOp::Add, base, more) => match more.kind {
            ExprKind::Number(more) => {
                let (base, inner) = split(base)?;
                Some((base, inner.checked_add(more)?))
            }
            _ => None,
        },
        ExprKind::Choose { .. } | ExprKind::Binary(..) => None,
        _ => Some((value, 0)),
    }
}

/// The least that texts say of the size of a window.
fn size(view: &View, rule: &Rule, value: &Expr) -> Option<u64> {
    let least = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    match &value.kind {
        ExprKind::Binary(BinaryOp::Add, base, more) => {
            let ExprKind::Number(more) = more.kind else {
                return None;
            };
            size(view, rule, base)?.checked_sub(more)
        }
        ExprKind::Binary(BinaryOp::Either, a, b) => least(size(view, rule, a), size(view, rule, b)),
        ExprKind::Choose { yes, no, .. } => {
            let no = no.as_ref().and_then(|no| size(view, rule, no));
            least(size(view, rule, yes), no)
        }
        ExprKind::Name(name) if view.text(*name) == "base" => candidate(view, rule, 0),
        ExprKind::Call(callee, arguments) => {
            let ExprKind::Name(name) = callee.kind else {
                return None;
            };
            let number = |at: usize| match arguments.get(at).map(|a| &a.value.kind) {
                Some(ExprKind::Number(n)) => Some(*n),
                _ => None,
            };
            match view.text(name) {
                "ports" | "mem" => number(1),
                "base" => candidate(view, rule, number(0)?),
                "bar" => shape(view, rule, number(0)?),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The n-th window of the places where such a device may stand.
fn candidate(view: &View, rule: &Rule, n: u64) -> Option<u64> {
    let mut found: Option<u64> = None;
    walk::items(&rule.items, &mut |item| {
        let ItemKind::Candidate { window, more, .. } = &item.kind else {
            return;
        };
        let window = match n.checked_sub(1) {
            None => Some(window),
            Some(at) => usize::try_from(at).ok().and_then(|at| more.get(at)),
        };
        if let Some(bytes) = window.and_then(|window| size(view, rule, window)) {
            found = Some(found.map_or(bytes, |most| most.min(bytes)));
        }
    });
    found
}

/// The size of a PCI window in the shapes that the rule knows its devices by.
fn shape(view: &View, rule: &Rule, bar: u64) -> Option<u64> {
    let mut found: Option<u64> = None;
    walk::items(&rule.items, &mut |item| {
        let ItemKind::Match { test, .. } = &item.kind else {
            return;
        };
        walk::expr(test, &mut |expr| {
            let (a, shapes) = match &expr.kind {
                ExprKind::Binary(BinaryOp::Eq, a, b) => (a, core::slice::from_ref(&**b)),
                ExprKind::In(a, set) => match &set.kind {
                    ExprKind::List(list) => (a, &list[..]),
                    _ => return,
                },
                _ => return,
            };
            if !matches!(a.kind, ExprKind::Name(name) if view.text(name) == "shape") {
                return;
            }
            let texts = shapes.iter().filter_map(|shape| match shape.kind {
                ExprKind::Text(text) => Some(view.text(text)),
                _ => None,
            });
            for window in texts.flat_map(|text| text.split(", ")) {
                let mut words = window.split(' ');
                let index = words.next().and_then(|n| n.parse().ok());
                let bytes: Option<u64> = words.nth(1).and_then(|n| n.parse().ok());
                if let (true, Some(bytes)) = (index == Some(bar), bytes) {
                    found = Some(found.map_or(bytes, |most| most.min(bytes)));
                }
            }
        });
    });
    found
}

/// Where a register lies in its space.
struct Extent {
    start: u64,
    /// Of one element.
    length: u64,
    stride: u64,
    /// Elements that the text counts; the first, where it does not.
    count: u64,
    /// Bytes of one access; 0 where offsets are no bytes.
    access: u64,
}

impl Extent {
    fn end(&self) -> u64 {
        let last = self.stride.saturating_mul(self.count.saturating_sub(1));
        self.start.saturating_add(last).saturating_add(self.length)
    }
    fn meets(&self, other: &Extent) -> bool {
        let one = |a: u64, b: u64, other: &Extent| {
            (0..other.count).any(|n| {
                let start = other.start.saturating_add(other.stride.saturating_mul(n));
                a < start.saturating_add(other.length) && start < b
            })
        };
        (0..self.count).any(|n| {
            let start = self.start.saturating_add(self.stride.saturating_mul(n));
            one(start, start.saturating_add(self.length), other)
        })
    }
}

/// Elements of an array that are looked at, so that two large ones are compared in bounded time.
const ELEMENTS: u64 = 256;

fn extent(reg: &RegItem, space: &Space) -> Option<Extent> {
    let count = u64::from(reg.count.unwrap_or(1)).min(ELEMENTS);
    let step = match reg.step.as_ref().map(|step| &step.kind) {
        None => None,
        Some(ExprKind::Number(step)) => Some(*step),
        Some(_) => return None,
    };
    let at = match &reg.at.as_ref()?.kind {
        ExprKind::Number(at) => *at,
        // A system register: its text is its place.
        ExprKind::Text(text) => u64::from(text.0),
        _ => return None,
    };
    let bytes = u64::from(reg.bits).div_ceil(8);
    Some(match space.unit {
        Unit::Numbers => Extent {
            start: at,
            length: 1,
            stride: step.unwrap_or(1),
            count,
            access: 0,
        },
        Unit::Bytes(unit) => {
            let stride = step.unwrap_or(if unit > 1 { 1 } else { bytes });
            Extent {
                start: at.checked_mul(unit)?,
                length: bytes,
                stride: stride.checked_mul(unit)?,
                count,
                access: u64::from(reg.halves.unwrap_or(reg.bits)).div_ceil(8),
            }
        }
    })
}

fn aligned(view: &View, one: &Placed, space: &Space, extent: &Extent, out: &mut Vec<Diagnostic>) {
    let begins = space.base.map_or(0, |(_, more)| more);
    let at = begins.saturating_add(extent.start);
    if extent.access > 1 && !at.is_multiple_of(extent.access) {
        let name = view.text(one.reg.name);
        out.push(Diagnostic::new(
            one.item.place,
            format!(
                "`{name}` lies at {at:#x}, which is no multiple of its {} bytes",
                extent.access
            ),
            "check its offset and its width; wide ones are made of two accesses: `as 2x32`",
        ));
    }
}

fn inside(view: &View, one: &Placed, space: &Space, extent: &Extent, out: &mut Vec<Diagnostic>) {
    let Some(size) = space.size.filter(|size| extent.end() > *size) else {
        return;
    };
    let (name, window) = (view.text(one.reg.name), view.text(space.item.name));
    out.push(Diagnostic::new(
        one.item.place,
        format!(
            "`{name}` ends at {:#x}, but `{window}` has {size:#x} bytes",
            extent.end()
        ),
        "check its offset and its width, or the size that the window is said to have",
    ));
}

/// A register that begins before another space of the same window, and ends in it.
fn runs_into(
    view: &View,
    one: &Placed,
    (space, extent): (&Space, &Extent),
    spaces: &[Space],
    out: &mut Vec<Diagnostic>,
) {
    let (Unit::Bytes(_), Some((base, begins))) = (space.unit, space.base) else {
        return;
    };
    let start = begins.saturating_add(extent.start);
    let end = start.saturating_add(extent.length);
    for other in spaces {
        let Some((other_base, at)) = other.base else {
            continue;
        };
        if start < at && at < end && same(base, other_base) {
            let (name, other) = (view.text(one.reg.name), view.text(other.item.name));
            out.push(Diagnostic::new(
                one.item.place,
                format!("`{name}` ends inside the space `{other}`"),
                "check its offset and its width, and where the space begins",
            ));
        }
    }
}

/// Two registers of one space.
fn apart(
    view: &View,
    one: &Placed,
    other: &Placed,
    (space, all): (&Space, &[Placed]),
    out: &mut Vec<Diagnostic>,
) {
    let (Some(a), Some(b)) = (extent(one.reg, space), extent(other.reg, space)) else {
        return;
    };
    let meant = shared(one, other, all) || shared(other, one, all);
    if !a.meets(&b) || meant || two_sides(one.reg, other.reg) || banks(one, other) {
        return;
    }
    let guards: Vec<facts::Guard> = one.guards.iter().chain(&other.guards).copied().collect();
    if !facts::possible(view, &guards) {
        return;
    }
    let (name, known) = (view.text(one.reg.name), view.text(other.reg.name));
    out.push(Diagnostic::new(
        one.item.place,
        format!("`{name}` overlaps `{known}`, which lies at {:#x}", b.start),
        format!("check both offsets and widths; if it is one place with two meanings, say `over {known}`"),
    ));
}

/// One place that gives one register when it is read and takes another when it is written.
fn two_sides(a: &RegItem, b: &RegItem) -> bool {
    let sides = |a: &RegItem, b: &RegItem| a.effects.has(Effects::RO) && b.effects.has(Effects::WO);
    sides(a, b) || sides(b, a)
}

/// Said to lie one over the other, or over something that begins where the other does.
fn shared(one: &Placed, other: &Placed, all: &[Placed]) -> bool {
    one.reg.over.iter().any(|name| {
        let mut named = all.iter().filter(|p| p.reg.name == *name).peekable();
        // One that is not there is told by itself.
        named.peek().is_none()
            || named.any(|p| p.reg.name == other.reg.name || begins_alike(p, other))
    })
}

fn begins_alike(a: &Placed, b: &Placed) -> bool {
    match (&a.reg.at, &b.reg.at) {
        (Some(x), Some(y)) => a.space == b.space && same(x, y),
        _ => false,
    }
}

/// Registers of two banks, chosen by different numbers in one register.
fn banks(one: &Placed, other: &Placed) -> bool {
    let (Some(a), Some(b)) = (one.reg.via.first(), other.reg.via.first()) else {
        return false;
    };
    match (&a.value.kind, &b.value.kind) {
        (ExprKind::Number(x), ExprKind::Number(y)) => same(&a.target, &b.target) && x != y,
        _ => false,
    }
}

/// What is said to lie over another does.
fn over(view: &View, one: &Placed, all: &[Placed], space: &Space, out: &mut Vec<Diagnostic>) {
    for name in &one.reg.over {
        let text = view.text(*name);
        let own = view.text(one.reg.name);
        let Some(other) = all
            .iter()
            .find(|p| p.reg.name == *name && !core::ptr::eq(p.reg, one.reg))
        else {
            out.push(Diagnostic::new(
                one.item.place,
                format!(
                    "`{own}` is said to lie over `{text}`, which is no other register of this rule"
                ),
                "name the register whose place it shares",
            ));
            continue;
        };
        let (Some(a), Some(b)) = (extent(one.reg, space), extent(other.reg, space)) else {
            continue;
        };
        if other.space != one.space || !a.meets(&b) {
            out.push(Diagnostic::new(
                one.item.place,
                format!("`{own}` is said to lie over `{text}`, and does not"),
                String::from("check both offsets and widths, or take `over ") + text + "` away",
            ));
        }
    }
}

/// Whether two expressions are written alike.
pub fn same(a: &Expr, b: &Expr) -> bool {
    let (inner, other) = (walk::children(a), walk::children(b));
    let alike = match (&a.kind, &b.kind) {
        (ExprKind::Number(a), ExprKind::Number(b)) => a == b,
        (ExprKind::Text(a), ExprKind::Text(b)) | (ExprKind::Name(a), ExprKind::Name(b)) => a == b,
        (ExprKind::Dot(_, a), ExprKind::Dot(_, b)) | (ExprKind::As(_, a), ExprKind::As(_, b)) => {
            a == b
        }
        (ExprKind::Binary(a, ..), ExprKind::Binary(b, ..)) => a == b,
        (ExprKind::Unary(a, _), ExprKind::Unary(b, _)) => a == b,
        (ExprKind::Index(..), ExprKind::Index(..))
        | (ExprKind::Bits(..), ExprKind::Bits(..))
        | (ExprKind::Slice(..), ExprKind::Slice(..))
        | (ExprKind::List(..), ExprKind::List(..))
        | (ExprKind::Call(..), ExprKind::Call(..)) => true,
        _ => false,
    };
    alike && inner.len() == other.len() && inner.into_iter().zip(other).all(|(a, b)| same(a, b))
}
