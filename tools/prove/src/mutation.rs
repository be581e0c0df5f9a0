//! `meta bench mutation`: mistakes in rules, and who notices them.

use crate::rule_test::list;
use anyhow::Result;
use meta::bench::{Bench, Figures};
use meta::rules;
use meta::terminal::{self, Progress};
use meta::workspace::Workspace;
use proof::mutate::{self, Mutation, Right, Verdict};
use rulebook::tree::Book;
use std::collections::BTreeMap;

/// Tries `sample` mutations, chosen by `seed`.
///
/// # Errors
/// When the rules or the list of models cannot be read.
pub fn measure(workspace: &Workspace, sample: usize, seed: u64, told: bool) -> Result<Figures> {
    let folder = workspace.root.join("rules");
    let texts = rules::files(&folder)?;
    let book = rules::book(&folder)?;
    let names = rules_of(&book);
    let progress = Progress::start("running each device model with its right rule");
    let mut rights = Vec::new();
    for model in list(workspace, None)?
        .iter()
        .filter(|m| m.elsewhere.is_none())
    {
        progress.detail(&model.name);
        match Right::new(&book, model) {
            Ok(right) => rights.push(right),
            Err(error) => eprintln!("{}: {error}", model.name),
        }
    }
    drop(progress);
    // A rule that no model here runs is not tried: nobody could notice.
    let used = |file: &str| {
        let rules = names.get(file).cloned().unwrap_or_default();
        rights
            .iter()
            .filter(|right| right.uses(&rules))
            .collect::<Vec<&Right>>()
    };
    let all: Vec<Mutation> = texts
        .iter()
        .filter(|(file, _)| !used(file).is_empty())
        .flat_map(|(file, text)| mutate::of(file, text))
        .collect();
    let chosen = choose(all.len(), sample, seed);
    let progress = Progress::start(&format!(
        "trying {} of {} mutations",
        chosen.len(),
        all.len()
    ));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (done, index) in chosen.iter().enumerate() {
        let mutation = &all[*index];
        progress.detail(&format!("{done}: {}:{}", mutation.file, mutation.line));
        let verdict = mutate::judge(&texts, mutation, &used(&mutation.file));
        *counts.entry(name(verdict)).or_default() += 1;
        if told && verdict == Verdict::Survived {
            terminal::print(format!(
                "survived {}:{}: {}\n    {}",
                mutation.file,
                mutation.line,
                mutation.what,
                mutation.text.trim()
            ));
        }
    }
    drop(progress);
    Ok(figures(&counts, all.len(), chosen.len()))
}

fn figures(counts: &BTreeMap<&str, usize>, possible: usize, tried: usize) -> Figures {
    let count = |verdict| counts.get(name(verdict)).copied().unwrap_or(0);
    let caught = count(Verdict::Checked) + count(Verdict::Written) + count(Verdict::Tested);
    let survived = count(Verdict::Survived);
    let mut figures = Figures::of(Bench::Mutation);
    figures.add("mutation.possible", possible as f64);
    figures.add("mutation.tried", tried as f64);
    for verdict in [
        Verdict::Checked,
        Verdict::Written,
        Verdict::Tested,
        Verdict::Survived,
        Verdict::Same,
    ] {
        figures.add(format!("mutation.{}", name(verdict)), count(verdict) as f64);
    }
    figures.add(
        "mutation.caught_share",
        caught as f64 / (caught + survived).max(1) as f64,
    );
    figures.add(
        "mutation.caught_share_of_all",
        caught as f64 / tried.max(1) as f64,
    );
    figures
}

fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Checked => "caught_by_checks",
        Verdict::Written => "caught_when_written",
        Verdict::Tested => "caught_by_selftest",
        Verdict::Survived => "survived",
        Verdict::Same => "without_effect",
    }
}

/// The rules of each file.
fn rules_of(book: &Book) -> BTreeMap<String, Vec<String>> {
    let mut map: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for rule in &book.rules {
        if let Some(file) = book.files.get(usize::from(rule.place.file)) {
            map.entry(file.clone())
                .or_default()
                .push(book.name(rule.name).to_owned());
        }
    }
    map
}

/// `count` different numbers below `all`, in order; all of them if there are not more. Knuth's selection sampling (volume
/// 2, 3.4.2, algorithm S) with a multiplicative generator (L'Ecuyer 1999).
fn choose(all: usize, count: usize, seed: u64) -> Vec<usize> {
    let (mut chosen, mut state) = (Vec::new(), seed ^ 0x9e37_79b9_7f4a_7c15);
    for index in 0..all {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let left = all - index;
        if ((state >> 33) as usize % left) < count.saturating_sub(chosen.len()) {
            chosen.push(index);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_its_size_and_depends_on_its_seed_alone() {
        assert_eq!(choose(1000, 50, 1).len(), 50);
        assert_eq!(choose(1000, 50, 1), choose(1000, 50, 1));
        assert_ne!(choose(1000, 50, 1), choose(1000, 50, 2));
        assert_eq!(choose(5, 50, 1), [0, 1, 2, 3, 4]);
    }
}
