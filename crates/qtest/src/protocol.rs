//! The emulator's line protocol (QEMU, `docs/devel/testing/qtest.rst` and `system/qtest.c`).

use crate::{Error, Result};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Link {
    input: BufReader<UnixStream>,
    /// Interrupt lines that were reported: number and level.
    pub(crate) lines: BTreeMap<u32, bool>,
    /// How often each line rose.
    pub(crate) raised: BTreeMap<u32, u64>,
}

impl Link {
    pub(crate) fn new(stream: UnixStream) -> Result<Link> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Link {
            input: BufReader::new(stream),
            lines: BTreeMap::new(),
            raised: BTreeMap::new(),
        })
    }

    /// Sends one command; the words after `OK`.
    pub(crate) fn command(&mut self, command: &str) -> Result<String> {
        let stream = self.input.get_mut();
        stream
            .write_all(format!("{command}\n").as_bytes())
            .map_err(|error| Error::Gone(format!("`{command}`: {error}")))?;
        loop {
            let mut line = String::new();
            let read = self.input.read_line(&mut line);
            match read {
                Ok(0) => return Err(Error::Gone(format!("`{command}`: no answer"))),
                Err(error) => return Err(Error::Gone(format!("`{command}`: {error}"))),
                Ok(_) => {}
            }
            let line = line.trim_end();
            if let Some(event) = line.strip_prefix("IRQ ") {
                self.interrupt(event);
                continue;
            }
            return match line.strip_prefix("OK") {
                Some(rest) => Ok(rest.trim_start().to_string()),
                None => Err(Error::Refused {
                    command: command.into(),
                    answer: line.into(),
                }),
            };
        }
    }

    /// Sends a command that gives a number.
    pub(crate) fn number(&mut self, command: &str) -> Result<u64> {
        let answer = self.command(command)?;
        let digits = answer.strip_prefix("0x").unwrap_or(&answer);
        u64::from_str_radix(digits, 16).map_err(|_| Error::Refused {
            command: command.into(),
            answer,
        })
    }

    /// `raise 4` or `lower 4`
    fn interrupt(&mut self, event: &str) {
        let mut words = event.split_whitespace();
        let (word, line) = (words.next(), words.next().and_then(|n| n.parse().ok()));
        if let (Some(word), Some(line)) = (word, line) {
            let up = word == "raise";
            let before = self.lines.insert(line, up);
            if up && before != Some(true) {
                *self.raised.entry(line).or_default() += 1;
            }
        }
    }
}
