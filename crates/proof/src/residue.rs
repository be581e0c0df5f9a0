//! Checks that a residual contains no choice that facts had decided, and depends on no rule but its device's own.

use graph::{Graph, Id, Late, Op, Residual};
use rulebook::tree::{Book, Item, ItemKind, Name};
use synthesis::{Choice, Subject};

/// Nodes that choose by something that was known when the graph was written.
///
/// Each must look at something that only a run can know: it must depend on a device access, memory, the clock, an
/// upcall or an argument.
#[must_use]
pub fn decided(residual: &Residual) -> Vec<Id> {
    choices(residual)
        .into_iter()
        .filter(|(_, cond)| !of_the_run(&residual.graph, *cond))
        .map(|(node, _)| node)
        .collect()
}

/// Nodes that choose, and what they choose by.
#[must_use]
pub fn choices(residual: &Residual) -> Vec<(Id, Id)> {
    let nodes = residual.graph.nodes.iter().enumerate();
    nodes
        .filter_map(|(id, op)| match *op {
            Op::If { cond, .. } | Op::Select(cond, ..) => Some((id as Id, cond)),
            _ => None,
        })
        .collect()
}

fn of_the_run(graph: &Graph, id: Id) -> bool {
    let op = &graph.nodes[id as usize];
    match op {
        // Which lane it is, is of the run; addresses are not.
        Op::Arg(_) | Op::Late(Late::Lane) => true,
        Op::Const(_) | Op::Late(_) => false,
        op if !op.is_pure() => true,
        op => {
            let mut found = false;
            op.operands(|operand| found |= of_the_run(graph, operand));
            found
        }
    }
}

/// The book without everything that the choice has no part in: what is left are its rules, the parts that these use, and the
/// classes of all of them. And the choice, as the smaller book counts.
#[must_use]
pub fn own(book: &Book, choice: &Choice) -> (Book, Choice) {
    let kept = rules(book, choice);
    let class = |name: Name| {
        let of = |index: &usize| {
            let rule = &book.rules[*index];
            rule.class == name || rule.on == Some(name)
        };
        kept.iter().any(of)
    };
    let smaller = Book {
        rules: kept
            .iter()
            .map(|index| book.rules[*index].clone())
            .collect(),
        classes: book
            .classes
            .iter()
            .filter(|c| class(c.name))
            .cloned()
            .collect(),
        ..book.clone()
    };
    let place = |rule: &usize| kept.iter().position(|index| index == rule).unwrap_or(0);
    let choice = Choice {
        rules: choice.rules.iter().map(place).collect(),
        ..choice.clone()
    };
    (smaller, choice)
}

/// A choice's rules and the parts that these use, by their numbers in the book, in order.
#[must_use]
pub fn rules(book: &Book, choice: &Choice) -> Vec<usize> {
    let mut kept: Vec<usize> = choice.rules.clone();
    let mut at = 0;
    while at < kept.len() {
        let mut used = Vec::new();
        parts(&book.rules[kept[at]].items, &mut used);
        for (index, rule) in book.rules.iter().enumerate() {
            if used.contains(&rule.name) && !kept.contains(&index) {
                kept.push(index);
            }
        }
        at += 1;
    }
    kept.sort_unstable();
    kept
}

fn parts(items: &[Item], used: &mut Vec<Name>) {
    for item in items {
        match &item.kind {
            ItemKind::Use { part, .. } => used.push(*part),
            ItemKind::Part { items, .. }
            | ItemKind::Each { items, .. }
            | ItemKind::Way { items, .. } => parts(items, used),
            ItemKind::When { yes, no, .. } => {
                parts(yes, used);
                parts(no, used);
            }
            _ => {}
        }
    }
}

/// What of a residual is not as it must be: choices that facts had decided; nodes that come from elsewhere than the device's
/// own rules, their parts and classes; shared memory out of order.
#[must_use]
pub fn faults(subject: Subject, choice: &Choice, residual: &Residual) -> Vec<String> {
    let mut all: Vec<String> = decided(residual)
        .into_iter()
        .map(|node| format!("node {node} chooses by what was known"))
        .collect();
    let (book, own) = own(subject.book, choice);
    let alone = synthesis::specialise(
        Subject {
            book: &book,
            ..subject
        },
        &own,
    );
    match alone {
        Ok(written) if written.residual == *residual => {}
        Ok(_) => all.push("without the rules of other devices it becomes another graph".into()),
        Err(error) => all.push(format!(
            "without the rules of other devices it is refused: {}",
            error.show(&book)
        )),
    }
    all.extend(crate::order::findings(residual));
    all
}
