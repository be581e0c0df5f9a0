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
    /// Commands that wait to be sent together with the next one that is waited for.
    posted: Vec<String>,
}

/// Most commands that are posted before they are sent: their answers fit into a socket's buffer.
const POSTED: usize = 256;

impl Link {
    pub(crate) fn new(stream: UnixStream) -> Result<Link> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Link {
            input: BufReader::new(stream),
            lines: BTreeMap::new(),
            raised: BTreeMap::new(),
            posted: Vec::new(),
        })
    }

    /// Has a command sent, in order, at the latest with the next one whose answer is waited for. One that is refused is
    /// told then.
    pub(crate) fn post(&mut self, command: String) -> Result<()> {
        self.posted.push(command);
        if self.posted.len() < POSTED {
            return Ok(());
        }
        self.send("")?;
        self.posted_answers()
    }

    /// Sends one command; the words after `OK`.
    pub(crate) fn command(&mut self, command: &str) -> Result<String> {
        self.send(command)?;
        self.posted_answers()?;
        self.answer(command)
    }

    /// Everything posted, and this, in one piece.
    fn send(&mut self, command: &str) -> Result<()> {
        let mut text = String::new();
        for line in self.posted.iter().map(String::as_str).chain([command]) {
            if !line.is_empty() {
                text.push_str(line);
                text.push('\n');
            }
        }
        let stream = self.input.get_mut();
        stream
            .write_all(text.as_bytes())
            .map_err(|error| Error::Gone(format!("`{command}`: {error}")))
    }

    fn posted_answers(&mut self) -> Result<()> {
        for command in std::mem::take(&mut self.posted) {
            self.answer(&command)?;
        }
        Ok(())
    }

    fn answer(&mut self, command: &str) -> Result<String> {
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
