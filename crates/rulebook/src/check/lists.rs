//! Lists name each of their members: numbers or texts, each once, and they stand where something is looked for in them.

use super::view::View;
use crate::{
    diagnostic::Diagnostic,
    tree::{Expr, ExprKind},
};
use alloc::{format, string::String, vec::Vec};

/// Members of one list: each is a comparison of its own.
const MOST: usize = 64;

/// One expression, without those inside it.
pub fn check(view: &View, expr: &Expr, out: &mut Vec<Diagnostic>) {
    match &expr.kind {
        ExprKind::List(list) => members(view, expr, list, out),
        ExprKind::In(_, set) if matches!(set.kind, ExprKind::Number(_) | ExprKind::Text(_)) => {
            let one = shown(view, set);
            out.push(Diagnostic::new(
                set.place,
                format!("`in` needs a range or a list, and this is {one} alone"),
                format!("compare with it, `== {one}`, or write the list: `in [{one}, …]`"),
            ));
        }
        ExprKind::Binary(operator, a, b) => {
            let list = [a, b].map(|side| matches!(side.kind, ExprKind::List(_)));
            if list.contains(&true) {
                out.push(Diagnostic::new(
                    expr.place,
                    format!(
                        "`{}` has a list beside it, which is no number",
                        operator.sign()
                    ),
                    "what is to be one of a list is asked for with `in`: `x in [1, 3]`",
                ));
            }
        }
        _ => {}
    }
}

fn members(view: &View, expr: &Expr, list: &[Expr], out: &mut Vec<Diagnostic>) {
    let mut problem = |place, reason: String, help: &str| {
        out.push(Diagnostic::new(place, reason, help));
    };
    if list.is_empty() {
        let reason = String::from("nothing is in this list");
        problem(expr.place, reason, "name its members: `x in [1, 3]`");
    }
    if list.len() > MOST {
        let reason = format!(
            "this list has {} members, and the most is {MOST}",
            list.len()
        );
        problem(expr.place, reason, "write a range: `x in 1..100`");
    }
    let text = |one: &&Expr| matches!(one.kind, ExprKind::Text(_));
    let number = |one: &&Expr| matches!(one.kind, ExprKind::Number(_));
    if let (Some(text), true) = (list.iter().find(text), list.iter().any(|one| number(&one))) {
        let reason = String::from("this list has numbers and texts");
        let help = "nothing is both: write two lists, `x in [1, 3] or x in [\"one\", \"other\"]`";
        problem(text.place, reason, help);
    }
    for (at, one) in list.iter().enumerate() {
        if let ExprKind::List(_) = one.kind {
            let reason = String::from("this list stands in another");
            problem(one.place, reason, "write the members of both into one");
        }
        let same = |other: &Expr| other.kind == one.kind;
        if (text(&one) || number(&one)) && list[..at].iter().any(same) {
            let reason = format!("{} stands in this list twice", shown(view, one));
            problem(
                one.place,
                reason,
                "take it away here, or write what was meant",
            );
        }
    }
}

/// A number or a text as a rule has it.
fn shown(view: &View, one: &Expr) -> String {
    match one.kind {
        ExprKind::Number(n @ 256..) => format!("{n:#x}"),
        ExprKind::Number(n) => format!("{n}"),
        ExprKind::Text(text) => format!("\"{}\"", view.text(text)),
        _ => String::from("…"),
    }
}
