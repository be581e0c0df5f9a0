//! The first line of a script, `#!`, as `fs/binfmt_script.c` of Linux reads it.
use crate::Errno;

/// How much of a file's beginning is looked at (execve(2)).
pub const LOOKED_AT: usize = 256;

/// What the first line names. Both are without NULs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script<'a> {
    pub interpreter: &'a [u8],
    /// All the rest of the line, as one argument.
    pub argument: Option<&'a [u8]>,
}

impl<'a> Script<'a> {
    /// Reads the beginning of a file.
    ///
    /// # Errors
    /// `ENOEXEC` if it does not begin with `#!`, names nothing, or its path may go on after what is looked at; `EACCES`
    /// if a NUL stands where a path should: Linux takes the empty path for the working folder.
    pub fn read(file: &'a [u8]) -> Result<Script<'a>, Errno> {
        let seen = &file[..file.len().min(LOOKED_AT)];
        let line = seen.strip_prefix(b"#!").ok_or(Errno::ENOEXEC)?;
        let end = line
            .iter()
            .position(|byte| matches!(byte, 0 | b'\n'))
            .unwrap_or(line.len());
        // A short file counts as if zeros followed. What a NUL ends keeps its blanks, and may be empty.
        let newline = line.get(end) == Some(&b'\n');
        let nul = !newline && end < LOOKED_AT - 3;
        let whole =
            newline || end < LOOKED_AT - 2 || after_blanks(line).iter().any(|byte| blank(*byte));
        let end = if newline || nul {
            end
        } else {
            end.min(LOOKED_AT - 3)
        };
        let mut line = after_blanks(&line[..end]);
        if line.is_empty() && nul {
            return Err(Errno::EACCES);
        }
        while let ([rest @ .., b' ' | b'\t'], false) = (line, nul) {
            line = rest;
        }
        if line.is_empty() || !whole {
            return Err(Errno::ENOEXEC);
        }
        let separator = line.iter().position(|byte| blank(*byte));
        let argument = separator.map(|at| after_blanks(&line[at..]));
        Ok(Script {
            interpreter: &line[..separator.unwrap_or(line.len())],
            argument,
        })
    }
}

fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn after_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| blank(**byte)).count();
    &text[blanks..]
}
