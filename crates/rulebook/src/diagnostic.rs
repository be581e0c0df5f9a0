//! What is wrong with a rule text: where, why, and what to do.

use crate::tree::Place;
use alloc::{format, string::String};

/// One complaint about a rule text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub place: Place,
    /// What is wrong, with the names of the things it is about.
    pub reason: String,
    /// What to write instead.
    pub suggestion: String,
}

impl Diagnostic {
    pub fn new(
        place: Place,
        reason: impl Into<String>,
        suggestion: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic {
            place,
            reason: reason.into(),
            suggestion: suggestion.into(),
        }
    }

    /// The complaint as a person reads it: place and reason, the line with a caret, and the way out.
    /// `files` are the texts that were parsed, in the same order; `folder` is put before each path.
    pub fn render(&self, folder: &str, files: &[(&str, &str)]) -> String {
        let Place { file, line, column } = self.place;
        let (path, text) = files.get(usize::from(file)).copied().unwrap_or(("?", ""));
        let source = text
            .split('\n')
            .nth(usize::from(line).saturating_sub(1))
            .unwrap_or("")
            .trim_end();
        let number = format!("{line}");
        let gap = " ".repeat(number.len());
        let indent = " ".repeat(usize::from(column).saturating_sub(1));
        format!(
            "{folder}{path}:{line}:{column}: {reason}\n{gap} |\n{number} | {source}\n{gap} | {indent}^\nhelp: {help}\n",
            reason = self.reason,
            help = self.suggestion,
        )
    }
}
