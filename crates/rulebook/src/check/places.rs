//! Registers lie inside their windows, where their width allows it, and each has a place of its own.
//!
//! Only what the text says in numbers is looked at: a place that facts decide is checked when a device is at hand.

use super::{facts, view::View, walk};
use crate::{
    diagnostic::Diagnostic,
    tree::{
        BinaryOp, Effects, Expr, ExprKind, Item, ItemKind, Name, RegItem, Rule, SpaceItem, Via,
    },
};
use alloc::{format, string::String, vec, vec::Vec};

pub fn check(view: &View, rule: &Rule, out: &mut Vec<Diagnostic>) {
    let mut all = Vec::new();
    let mut space = None;
    collect(&rule.items, &mut Vec::new(), &mut space, &mut all);
    let spaces = spaces_of(view, rule);
    walk::items(&rule.items, &mut |item| {
        if let ItemKind::Space(space) = &item.kind {
            begins(view, rule, item, space, out);
        }
    });
    for (at, one) in all.iter().enumerate() {
        let Some(space) = spaces.iter().find(|s| Some(s.item.name) == one.space) else {
            continue;
        };
        if let (true, Some(pieces)) = (space.own, one.reg.pieces) {
            let name = view.text(one.reg.name);
            let reason = format!(
                "`{name}` is a register of the processor, and not {} pieces",
                pieces.count
            );
            let help = "take its `as` away: the processor's registers are accessed at once";
            out.push(Diagnostic::new(one.item.place, reason, help));
        }
        chosen(view, one, &all, &spaces, out);
        let Some(extent) = extent(one.reg, space) else {
            continue;
        };
        aligned(view, one, space, &extent, out);
        inside(view, one, space, &extent, out);
        runs_into(view, one, (space, &extent), &spaces, out);
        for other in &all[..at] {
            let known = spaces.iter().find(|s| Some(s.item.name) == other.space);
            if let Some(known) = known.filter(|known| one_window(space, known)) {
                apart(view, one, other, (space, known, &all), out);
            }
        }
        over(view, one, &all, (space, &spaces), out);
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
    /// The processor's registers.
    own: bool,
    /// Bytes (registers) from its start to the end of its window, where a text says so.
    size: Option<u64>,
}

/// Spaces that begin in spaces that begin in spaces: deeper than this nobody looks.
const DEEPEST: u32 = 16;

/// A space of the rule by its name: the first that is called so.
fn named(rule: &Rule, name: Name) -> Option<&SpaceItem> {
    let mut found = None;
    walk::items(&rule.items, &mut |item| match &item.kind {
        ItemKind::Space(space) if space.name == name && found.is_none() => found = Some(space),
        _ => {}
    });
    found
}

/// The space that a value begins with: `d`, `d[i]`, `d + 0x10`.
fn begins_with<'a>(rule: &'a Rule, value: &Expr) -> Option<&'a SpaceItem> {
    match &value.kind {
        ExprKind::Name(name) => named(rule, *name),
        ExprKind::Index(inner, _) | ExprKind::Binary(BinaryOp::Add, inner, _) => {
            begins_with(rule, inner)
        }
        _ => None,
    }
}

/// What a space is set to, and what that begins in, up to the window.
fn chain<'a>(rule: &'a Rule, space: &'a SpaceItem) -> Vec<&'a SpaceItem> {
    let mut chain = vec![space];
    while let Some(next) = (chain.last())
        .and_then(|space| space.value.as_ref())
        .and_then(|value| begins_with(rule, value))
        .filter(|_| chain.len() < DEEPEST as usize)
    {
        chain.push(next);
    }
    chain
}

fn spaces_of<'a>(view: &View<'a>, rule: &'a Rule) -> Vec<Space<'a>> {
    let mut out = Vec::new();
    walk::items(&rule.items, &mut |item| {
        let ItemKind::Space(space) = &item.kind else {
            return;
        };
        let Some(value) = &space.value else { return };
        let chain = chain(rule, space);
        let window = chain.last().and_then(|space| space.value.as_ref());
        let own = window.is_some_and(|window| {
            matches!(window.kind, ExprKind::Name(n) if matches!(view.text(n), "model" | "system"))
        });
        let step = chain.iter().find_map(|space| space.step.as_ref());
        let unit = match step.map(|step| &step.kind) {
            _ if own || space.via.is_some() => Unit::Numbers,
            None => Unit::Bytes(1),
            Some(ExprKind::Number(step)) => Unit::Bytes((*step).max(1)),
            Some(_) => Unit::Numbers,
        };
        let size = match space.via.is_some() || own {
            true => None,
            false => size(view, rule, value, 0),
        };
        out.push(Space {
            item: space,
            own,
            unit,
            base: split(rule, value, 0),
            size,
        });
    });
    out
}

/// `X + 0x40` as X and 0x40. Where X is a space it is what that begins in.
fn split<'a>(rule: &'a Rule, value: &'a Expr, depth: u32) -> Option<(&'a Expr, u64)> {
    if depth > DEEPEST {
        return None;
    }
    match &value.kind {
        ExprKind::Binary(BinaryOp::Add, base, more) => match more.kind {
            ExprKind::Number(more) => {
                let (base, inner) = split(rule, base, depth + 1)?;
                Some((base, inner.checked_add(more)?))
            }
            _ => None,
        },
        ExprKind::Choose { .. } | ExprKind::Binary(..) => None,
        ExprKind::Name(name) => match named(rule, *name).and_then(|s| s.value.as_ref()) {
            Some(value) => split(rule, value, depth + 1),
            None => Some((value, 0)),
        },
        _ => Some((value, 0)),
    }
}

/// A space that begins in another: that one has a place, which is not its own, and it does not end before.
fn begins(view: &View, rule: &Rule, item: &Item, space: &SpaceItem, out: &mut Vec<Diagnostic>) {
    let Some(value) = &space.value else { return };
    walk::expr(value, &mut |expr| {
        let ExprKind::Binary(operator, base, more) = &expr.kind else {
            return;
        };
        if *operator == BinaryOp::Sub && super::is_space(view, base) {
            out.push(Diagnostic::new(
                expr.place,
                "a space begins inside another, and this would be before it",
                "write the space that begins first, and add to it: `space c = d + 0x10`",
            ));
        }
        if let (BinaryOp::Add, ExprKind::Number(more)) = (operator, &more.kind) {
            let size = size(view, rule, base, 0).filter(|size| more >= size);
            if let Some(size) = size {
                let name = view.text(space.name);
                out.push(Diagnostic::new(
                    expr.place,
                    format!("`{name}` begins {more:#x} bytes into what has {size:#x}"),
                    "check where it begins, or the size that the window is said to have",
                ));
            }
        }
    });
    let name = view.text(space.name);
    let chain = chain(rule, space);
    if chain.iter().skip(1).any(|other| other.name == space.name) {
        out.push(Diagnostic::new(
            item.place,
            format!("`{name}` begins in itself"),
            "let it begin in a window: `bar(n)`, `base`, `ports(p, n)`",
        ));
        return;
    }
    let Some(other) = chain.get(1) else { return };
    let text = view.text(other.name);
    if let Some(via) = other.via.as_ref().or(other.bank.as_ref()) {
        let chooser = facts::show(view, &via.target);
        out.push(Diagnostic::new(
            value.place,
            format!(
                "`{text}` has no place to begin in: what is reached through it `{chooser}` chooses"
            ),
            "name its window, and say `via` here too",
        ));
    }
    let mut index = false;
    walk::expr(value, &mut |expr| {
        if let ExprKind::Index(inner, _) = &expr.kind {
            index |= matches!(inner.kind, ExprKind::Name(name) if name == other.name);
        }
    });
    if other.index.is_some() && !index {
        out.push(Diagnostic::new(
            value.place,
            format!("`{text}` is several spaces, and this does not say which"),
            format!("give it an index: `space {name}[i] = {text}[i] + 0x10`"),
        ));
    }
}

/// What is written before an access to a register: by its own `via`, and by that of its space.
fn choosers<'a>(one: &Placed<'a>, spaces: &[Space<'a>]) -> Vec<&'a Via> {
    let space = spaces.iter().find(|s| Some(s.item.name) == one.space);
    let space = space.into_iter();
    let of_space = space.flat_map(|s| s.item.via.iter().chain(&s.item.bank));
    one.reg.via.iter().chain(of_space).collect()
}

/// What chooses a register is reached without it.
fn chosen(view: &View, one: &Placed, all: &[Placed], spaces: &[Space], out: &mut Vec<Diagnostic>) {
    let mut seen: Vec<&RegItem> = Vec::new();
    let mut open: Vec<&Via> = choosers(one, spaces);
    while let Some(via) = open.pop() {
        let Some((chooser, _)) = view.place(&via.target) else {
            continue;
        };
        if core::ptr::eq(chooser, one.reg) {
            let name = view.text(one.reg.name);
            out.push(Diagnostic::new(
                one.item.place,
                format!("`{name}` would have to be written before each access to itself"),
                "let what chooses a register or a bank lie in a space that nothing chooses",
            ));
            return;
        }
        if seen.iter().any(|one| core::ptr::eq(*one, chooser)) {
            continue;
        }
        seen.push(chooser);
        let placed = all.iter().filter(|p| core::ptr::eq(p.reg, chooser));
        open.extend(placed.flat_map(|placed| choosers(placed, spaces)));
    }
}

/// The least that texts say of the size of a window.
fn size(view: &View, rule: &Rule, value: &Expr, depth: u32) -> Option<u64> {
    let least = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    if depth > DEEPEST {
        return None;
    }
    let size_of = |value: &Expr| size(view, rule, value, depth + 1);
    match &value.kind {
        ExprKind::Binary(BinaryOp::Add, base, more) => {
            let ExprKind::Number(more) = more.kind else {
                return None;
            };
            size_of(base)?.checked_sub(more)
        }
        ExprKind::Binary(BinaryOp::Either, a, b) => least(size_of(a), size_of(b)),
        ExprKind::Choose { yes, no, .. } => {
            least(size_of(yes), no.as_ref().and_then(|no| size_of(no)))
        }
        ExprKind::Name(name) if named(rule, *name).is_some() => {
            let space = named(rule, *name)?;
            match space.via {
                Some(_) => None,
                None => size_of(space.value.as_ref()?),
            }
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
        if let Some(bytes) = window.and_then(|window| size(view, rule, window, 0)) {
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
            let pieces = reg.accesses();
            let access = u64::from(pieces.bits).div_ceil(8);
            // Where a space has a step its registers are counted, and pieces are registers.
            let apart = if unit > 1 { unit } else { access };
            let last = apart.checked_mul(u64::from(pieces.count.saturating_sub(1)))?;
            Extent {
                start: at.checked_mul(unit)?,
                length: last.checked_add(access)?,
                stride: stride.checked_mul(unit)?,
                count,
                access,
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
            "check its offset and its width; a bus may split it into smaller accesses: `as 2x32`, `as 4x8`",
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

/// Whether two spaces are one, or count bytes of one window.
fn one_window(a: &Space, b: &Space) -> bool {
    let bytes = |space: &Space| matches!(space.unit, Unit::Bytes(_)) && space.item.via.is_none();
    a.item.name == b.item.name
        || bytes(a)
            && bytes(b)
            && matches!((a.base, b.base), (Some((x, _)), Some((y, _))) if same(x, y))
}

/// Where a register lies in the window, when another of another space lies there too.
fn in_window(reg: &RegItem, space: &Space, other: &Space) -> Option<Extent> {
    let mut extent = extent(reg, space)?;
    if space.item.name != other.item.name {
        extent.start = extent.start.checked_add(space.base?.1)?;
    }
    Some(extent)
}

/// Two registers of one space, or of two in one window.
fn apart(
    view: &View,
    one: &Placed,
    other: &Placed,
    (space, known, all): (&Space, &Space, &[Placed]),
    out: &mut Vec<Diagnostic>,
) {
    let a = in_window(one.reg, space, known);
    let b = in_window(other.reg, known, space);
    let (Some(a), Some(b)) = (a, b) else {
        return;
    };
    let meant = shared(one, other, all) || shared(other, one, all);
    // One that ends inside the other's space was told of as that.
    let cut = |extent: &Extent, space: &Space| {
        let begins = space.base.map_or(0, |(_, begins)| begins);
        extent.start < begins && begins < extent.start.saturating_add(extent.length)
    };
    let apart = space.item.name != known.item.name;
    let meant = meant || apart && (cut(&a, known) || cut(&b, space));
    if !a.meets(&b) || meant || two_sides(one.reg, other.reg) || banks((one, space), (other, known))
    {
        return;
    }
    let guards: Vec<facts::Guard> = one.guards.iter().chain(&other.guards).copied().collect();
    if !facts::possible(view, &guards) {
        return;
    }
    let (name, text) = (view.text(one.reg.name), view.text(other.reg.name));
    let help = format!(
        "check both offsets and widths; if it is one place with two meanings, say `over {text}`"
    );
    out.push(match (apart, extent(other.reg, known)) {
        (true, Some(own)) => Diagnostic::new(
            one.item.place,
            format!(
                "`{name}` overlaps `{text}`, which lies at {:#x} of `{}`",
                own.start,
                view.text(known.item.name)
            ),
            help,
        ),
        _ => Diagnostic::new(
            one.item.place,
            format!("`{name}` overlaps `{text}`, which lies at {:#x}", b.start),
            help,
        ),
    });
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
fn banks((one, a): (&Placed, &Space), (other, b): (&Placed, &Space)) -> bool {
    let vias = |placed: &Placed, space: &Space| -> Vec<Via> {
        let all = placed.reg.via.iter().chain(&space.item.bank);
        all.cloned().collect()
    };
    let (a, b) = (vias(one, a), vias(other, b));
    a.iter().any(|a| {
        b.iter().any(|b| match (&a.value.kind, &b.value.kind) {
            (ExprKind::Number(x), ExprKind::Number(y)) => same(&a.target, &b.target) && x != y,
            _ => false,
        })
    })
}

/// What is said to lie over another does.
fn over(
    view: &View,
    one: &Placed,
    all: &[Placed],
    (space, spaces): (&Space, &[Space]),
    out: &mut Vec<Diagnostic>,
) {
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
        let known = spaces.iter().find(|s| Some(s.item.name) == other.space);
        let known = known.filter(|known| one_window(space, known));
        let places = known.and_then(|known| {
            let a = in_window(one.reg, space, known)?;
            Some((a, in_window(other.reg, known, space)?))
        });
        // What facts place is looked at when a device is at hand.
        let meet = match places {
            Some((a, b)) => a.meets(&b),
            None => known.is_some(),
        };
        if !meet {
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
