//! A device that is a bus: what it says of a child is what the class asks for, and children that come also go.

use super::{view::View, walk};
use crate::{
    diagnostic::Diagnostic,
    tree::{Class, ExprKind, Member, Place, Rule, StmtKind, Type},
};
use alloc::{format, vec::Vec};

pub fn check(view: &View, rule: &Rule, out: &mut Vec<Diagnostic>) {
    let Some(class) = view.class else { return };
    let of_class = view.text(class.name);
    let bus = class.of_child().next().is_some();
    let mut said: [Option<(Place, &str)>; 2] = [None; 2];
    walk::items(&rule.items, &mut |item| {
        walk::statements(walk::body(item), &mut |statement| {
            let (at, word) = match &statement.kind {
                StmtKind::Attach { .. } => (0, "attach"),
                StmtKind::Detach(_) => (1, "detach"),
                _ => return,
            };
            if said[at].is_none() {
                said[at] = Some((statement.place, word));
            }
            match &statement.kind {
                _ if !bus => out.push(Diagnostic::new(
                    statement.place,
                    format!("`{word}` is for a device that is a bus, and class `{of_class}` has no children"),
                    "a class has children when it asks for facts of each: `fact id(k): 32`",
                )),
                StmtKind::Attach { facts, .. } => complete(view, class, facts, statement.place, out),
                _ => {}
            }
        });
    });
    if !bus {
        return;
    }
    let own = view.text(rule.name);
    match said {
        [None, None] => out.push(Diagnostic::new(
            rule.place,
            format!("`{own}` never says that a child is there, which class `{of_class}` is for"),
            "`attach k { … }` when one comes, `detach k` when it goes",
        )),
        [Some((place, word)), None] | [None, Some((place, word))] => {
            let (what, other) = match word {
                "attach" => ("come", "`detach k` where one is gone"),
                _ => ("go", "`attach k { … }` where one is there"),
            };
            out.push(Diagnostic::new(
                place,
                format!("children of `{own}` {what}, and that is all that happens to them"),
                other,
            ));
        }
        _ => {}
    }
}

/// Every fact of the child that the class asks for, once, and no other.
fn complete(view: &View, class: &Class, given: &[Member], place: Place, out: &mut Vec<Diagnostic>) {
    let of_class = view.text(class.name);
    let names = || class.of_child().map(|(name, _)| view.text(name));
    for (name, _) in class.of_child() {
        let text = view.text(name);
        let is = |member: &&Member| member.path == [name];
        let found = given.iter().filter(is).count();
        if found == 0 {
            out.push(Diagnostic::new(
                place,
                format!(
                    "`attach` does not say `{text}`, which class `{of_class}` asks for of a child"
                ),
                format!("add `{text}: …`"),
            ));
        }
        if let (Some(again), true) = (given.iter().filter(is).nth(1), found > 1) {
            out.push(Diagnostic::new(
                again.place,
                format!("`attach` says `{text}` twice"),
                "say it once",
            ));
        }
    }
    for member in given {
        let words: Vec<&str> = member.path.iter().map(|name| view.text(*name)).collect();
        let text = words.join(".");
        let found = match member.path[..] {
            [one] => class.of_child().find(|(name, _)| *name == one),
            _ => None,
        };
        let Some((_, kind)) = found else {
            out.push(Diagnostic::new(
                member.place,
                format!("class `{of_class}` asks for no `{text}` of a child"),
                match super::names::meant(&text, names()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it asks for {}", names().collect::<Vec<_>>().join(", ")),
                },
            ));
            continue;
        };
        value(member, &text, kind, out);
    }
}

/// A value there is, and a number fits.
fn value(member: &Member, text: &str, kind: Option<&Type>, out: &mut Vec<Diagnostic>) {
    let Some(value) = &member.value else {
        out.push(Diagnostic::new(
            member.place,
            format!("`attach` names `{text}`, and not what it is"),
            format!("write `{text}: …`"),
        ));
        return;
    };
    let bits = kind.and_then(Type::bits);
    if let (ExprKind::Number(number), Some(bits @ 1..64)) = (&value.kind, bits) {
        if number >> bits != 0 {
            let most = (1u64 << bits) - 1;
            out.push(Diagnostic::new(
                value.place,
                format!("{number} does not fit into a child's `{text}`: the most is {most}"),
                "write a smaller number, or make the class's fact wider",
            ));
        }
    }
}
