//! `else` after a statement: what follows relies on what was tested, taken or lent, so the `else` may not go on to it.

use super::{view::View, walk};
use crate::{
    diagnostic::Diagnostic,
    tree::{Item, Stmt, StmtKind},
};
use alloc::{format, vec::Vec};

pub fn check(_: &View, item: &Item, out: &mut Vec<Diagnostic>) {
    walk::statements(walk::body(item), &mut |statement| {
        let (otherwise, what) = match &statement.kind {
            StmtKind::Check { otherwise, .. } => (&**otherwise, "was checked"),
            StmtKind::Let {
                otherwise: Some(otherwise),
                ..
            }
            | StmtKind::Assign {
                otherwise: Some(otherwise),
                ..
            }
            | StmtKind::Lend {
                otherwise: Some(otherwise),
                ..
            }
            | StmtKind::Do {
                otherwise: Some(otherwise),
                ..
            } => (&**otherwise, "could not be had"),
            // Whoever waits for nothing in particular may go on when the time is over.
            _ => return,
        };
        if goes_on(otherwise) {
            out.push(Diagnostic::new(
                otherwise.place,
                format!("this `else` goes on to what relies on what {what}"),
                "end it: `busy`, `stop`, `return …` or `fail …`; or write an `if` around what relies on it",
            ));
        }
    });
}

/// Whether control may come to what stands behind a statement.
fn goes_on(statement: &Stmt) -> bool {
    match &statement.kind {
        StmtKind::Fail(_)
        | StmtKind::Return(_)
        | StmtKind::Stop
        | StmtKind::Busy
        | StmtKind::Reset => false,
        StmtKind::If { yes, no, .. } | StmtKind::When { yes, no, .. } => {
            yes.iter().all(goes_on) || no.iter().all(goes_on)
        }
        _ => true,
    }
}
