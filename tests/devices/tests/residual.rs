//! What remains of a rule: every choice that facts decide is gone.
//!
//! For each device model, each branch that is left must look at something that only a run can know: it must depend on a
//! device access, memory, the clock, an upcall or an argument. A branch whose condition is made of constants alone would
//! be a choice that facts had decided. And every name that is left (windows, failures, upcalls) is one of the chosen
//! rules', of their parts' or of their class's.

use graph::{Graph, Id, Op, Residual};
use proof::models;
use proof::stand::{Outside, Stand};
use std::collections::BTreeSet;

/// The operands of a node.
fn operands(op: &Op) -> Vec<Id> {
    match *op {
        Op::Bin(_, a, b) => vec![a, b],
        Op::Select(a, b, c) => vec![a, b, c],
        Op::Extract { value, .. } => vec![value],
        Op::Insert { into, value, .. } => vec![into, value],
        Op::Swap(_, value) | Op::LowestBit(value) | Op::Ones(value) => vec![value],
        _ => Vec::new(),
    }
}

/// Whether the value depends on something that only a run knows.
fn of_the_run(graph: &Graph, id: Id) -> bool {
    let op = &graph.nodes[id as usize];
    match op {
        Op::Const(_) | Op::Late(_) => false,
        Op::Arg(_) => true,
        op if !op.is_pure() => true,
        op => operands(op).into_iter().any(|id| of_the_run(graph, id)),
    }
}

/// Nodes that choose, and what they choose by.
fn choices(residual: &Residual) -> Vec<(Id, Id)> {
    let nodes = residual.graph.nodes.iter().enumerate();
    nodes
        .filter_map(|(id, op)| match *op {
            Op::If { cond, .. } | Op::Select(cond, ..) => Some((id as Id, cond)),
            _ => None,
        })
        .collect()
}

/// Names that the text of the chosen rules, their parts and classes contains.
fn words(texts: &[(String, String)], files: &[&str]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (file, text) in texts {
        if file == "classes.rule" || files.contains(&file.as_str()) {
            let parts = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            all.extend(parts.map(str::to_owned));
        }
    }
    all
}

#[test]
fn no_choice_that_facts_decide_is_left() {
    let book = device_tests::rulebook();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(folder.join("models.toml")).unwrap();
    let texts: Vec<(String, String)> = book
        .files
        .iter()
        .map(|file| {
            let path = device_tests::rules_folder().join(file);
            (file.clone(), std::fs::read_to_string(path).unwrap())
        })
        .collect();
    let mut branches = 0;
    for model in models::read(&list).unwrap() {
        if model.elsewhere.is_some() {
            continue;
        }
        let outside = Outside::new(&model).unwrap();
        let mut stand = Stand::start(&model, &outside).unwrap();
        let written = stand.write(&book, &model.class).unwrap();
        let residual = &written.residual;
        for (node, cond) in choices(residual) {
            branches += 1;
            assert!(
                of_the_run(&residual.graph, cond),
                "{}: node {node} chooses by what was known: {:?}",
                model.name,
                residual.graph.nodes[cond as usize]
            );
        }
        // Parts are rules as well; those of the transport's file may be used by its functions.
        let files: Vec<&str> = written
            .choice
            .rules
            .iter()
            .map(|rule| book.files[usize::from(book.rules[*rule].place.file)].as_str())
            .collect();
        let mut files = files;
        let parts = book.rules.iter().filter(|rule| !rule.parameters.is_empty());
        files.extend(parts.map(|rule| book.files[usize::from(rule.place.file)].as_str()));
        let known = words(&texts, &files);
        let names = residual.windows.iter().map(|w| &w.name);
        let names = names.chain(&residual.failures).chain(&residual.upcalls);
        for name in names {
            let all_known = name
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .filter(|part| !part.is_empty() && part.parse::<u64>().is_err())
                .all(|part| known.contains(part));
            assert!(all_known, "{}: whose is `{name}`?", model.name);
        }
    }
    assert!(branches > 300, "only {branches} branches were looked at");
}
