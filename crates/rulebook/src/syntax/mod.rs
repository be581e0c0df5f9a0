//! Rule text → [`Book`]. Lines and indentation, or braces; docs/rules.md is the grammar's reference.

mod expression;
mod item;
mod lexer;
mod parser;
mod register;
mod statement;

use crate::{
    diagnostic::Diagnostic,
    tree::{Book, Place},
};
use alloc::{string::ToString, vec, vec::Vec};
use parser::{Names, Parser};

/// How many words, numbers, texts and signs a text has; `None` if it cannot be read. Comments, line ends and indentation
/// do not count.
pub fn tokens(text: &str) -> Option<usize> {
    let list = lexer::tokens(text, 0).ok()?;
    let counts = |kind: &lexer::Kind| {
        use lexer::Kind::{Number, Sign, Text, Word};
        matches!(kind, Number(_) | Text(_) | Word(_) | Sign(_))
    };
    Some(list.iter().filter(|token| counts(&token.kind)).count())
}

/// Parses every file; no checks beyond the grammar. Each file gives at most one syntax error.
pub fn parse(files: &[(&str, &str)]) -> Result<Book, Vec<Diagnostic>> {
    let mut book = Book::default();
    let mut names = Names::default();
    let mut problems = Vec::new();
    for (index, (path, text)) in files.iter().enumerate() {
        let Ok(file) = u16::try_from(index) else {
            return Err(vec![Diagnostic::new(
                Place::default(),
                "more than 65535 rule files",
                "put several rules into one file",
            )]);
        };
        book.files.push(path.to_string());
        let parsed = lexer::tokens(text, file).and_then(|tokens| {
            Parser::new(tokens, file, &mut names, &mut problems).file(&mut book)
        });
        if let Err(problem) = parsed {
            problems.push(*problem);
        }
    }
    book.names = names.into_list();
    if problems.is_empty() {
        Ok(book)
    } else {
        problems
            .sort_by_key(|problem| (problem.place.file, problem.place.line, problem.place.column));
        Err(problems)
    }
}
