//! `meta bench mutation`: mistakes in rules, and who notices them.

use crate::rule_test::list;
use anyhow::Result;
use meta::bench::{Bench, Figures};
use meta::rules;
use meta::terminal::{self, Progress};
use meta::workspace::Workspace;
use proof::mutate::{self, Mutation, Operator, Right, Verdict};
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
    let mut counts = Counts::default();
    for (done, index) in chosen.iter().enumerate() {
        let mutation = &all[*index];
        progress.detail(&format!("{done}: {}:{}", mutation.file, mutation.line));
        let verdict = mutate::judge(&texts, mutation, &used(&mutation.file));
        counts.add(mutation.operator, verdict);
        if told && matches!(verdict, Verdict::Survived | Verdict::Untried) {
            terminal::print(format!(
                "{} ({}) {}:{}: {}\n    {}",
                name(verdict),
                mutation.operator.name(),
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

/// How many mutations of each operator came to each verdict.
#[derive(Default)]
struct Counts(BTreeMap<(Operator, &'static str), usize>);

impl Counts {
    fn add(&mut self, operator: Operator, verdict: Verdict) {
        *self.0.entry((operator, name(verdict))).or_default() += 1;
    }

    /// Those of one operator, or of all.
    fn of(&self, operator: Option<Operator>, verdict: Verdict) -> usize {
        let wanted = |key: &(Operator, &str)| {
            key.1 == name(verdict) && operator.is_none_or(|operator| key.0 == operator)
        };
        let all = self.0.iter().filter(|(key, _)| wanted(key));
        all.map(|(_, count)| count).sum()
    }

    fn caught(&self, operator: Option<Operator>) -> usize {
        let noticed = [Verdict::Checked, Verdict::Written, Verdict::Tested];
        noticed.iter().map(|v| self.of(operator, *v)).sum()
    }

    /// Caught, of those that had an effect and could be tried.
    fn share(&self, operator: Option<Operator>) -> Option<f64> {
        let caught = self.caught(operator);
        let all = caught + self.of(operator, Verdict::Survived);
        (all > 0).then(|| caught as f64 / all as f64)
    }
}

fn figures(counts: &Counts, possible: usize, tried: usize) -> Figures {
    let mut figures = Figures::of(Bench::Mutation);
    figures.add("mutation.possible", possible as f64);
    figures.add("mutation.tried", tried as f64);
    for verdict in [
        Verdict::Checked,
        Verdict::Written,
        Verdict::Tested,
        Verdict::Survived,
        Verdict::Same,
        Verdict::Untried,
    ] {
        let count = counts.of(None, verdict);
        figures.add(format!("mutation.{}", name(verdict)), count as f64);
    }
    for operator in Operator::ALL {
        let name = |what: &str| format!("mutation.{}.{what}", operator.name());
        figures.add(name("caught"), counts.caught(Some(operator)) as f64);
        let survived = counts.of(Some(operator), Verdict::Survived);
        figures.add(name("survived"), survived as f64);
        if let Some(share) = counts.share(Some(operator)) {
            figures.add(name("caught_share"), share);
        }
    }
    figures.add("mutation.caught_share", counts.share(None).unwrap_or(0.0));
    figures.add(
        "mutation.caught_share_of_all",
        counts.caught(None) as f64 / tried.max(1) as f64,
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
        Verdict::Untried => "not_tried",
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
