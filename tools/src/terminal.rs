//! What people see: colours only on a terminal, and a word about anything that takes longer than two seconds.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{channel, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Whether messages may be coloured: standard error is a terminal and `NO_COLOR` is not set.
#[must_use]
pub fn colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && std::io::stderr().is_terminal()
}

fn coloured(code: &str, text: &str) -> String {
    if colours() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
#[must_use]
pub fn good(text: &str) -> String {
    coloured("32", text)
}
#[must_use]
pub fn bad(text: &str) -> String {
    coloured("1;31", text)
}
#[must_use]
pub fn faint(text: &str) -> String {
    coloured("2", text)
}

/// A line on standard output. Whoever reads it may stop reading (`./meta bench boot | head -1`): that is no error,
/// but nothing more is wanted then.
pub fn print(line: impl std::fmt::Display) {
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}

/// Says what is going on, on standard error, for as long as it lives: on a terminal as one line that is
/// rewritten and goes away at the end, elsewhere as one line when two seconds have passed and one at the end.
pub struct Progress {
    details: Option<Sender<String>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    #[must_use]
    pub fn start(what: &str) -> Self {
        let (details, received) = channel::<String>();
        let what = what.to_owned();
        let terminal = std::io::stderr().is_terminal();
        let thread = std::thread::spawn(move || {
            let started = Instant::now();
            let (mut detail, mut shown) = (String::new(), false);
            loop {
                match received.recv_timeout(Duration::from_millis(200)) {
                    Ok(newer) => detail = newer,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                let seconds = started.elapsed().as_secs();
                if terminal {
                    let line: String = format!("{what} {detail} ({seconds} s)")
                        .chars()
                        .take(78)
                        .collect();
                    eprint!("\r{}\x1b[K", faint(&line));
                    let _ = std::io::stderr().flush();
                    shown = true;
                } else if seconds >= 2 && !shown {
                    eprintln!("{what} …");
                    shown = true;
                }
            }
            if terminal && shown {
                eprint!("\r\x1b[K");
            } else if shown {
                eprintln!("{what}: {} s", started.elapsed().as_secs());
            }
        });
        Self {
            details: Some(details),
            thread: Some(thread),
        }
    }

    /// What exactly is being worked on now.
    pub fn detail(&self, text: &str) {
        if let Some(details) = &self.details {
            let _ = details.send(text.to_owned());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.details = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Text as a file would hold it: no carriage returns, no terminal sequences.
pub fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' => {}
            '\x1b' => {
                // `ESC [ … letter`
                if letters.next() == Some('[') {
                    for inner in letters.by_ref() {
                        if inner.is_ascii_alphabetic() {
                            break;
                        }
                    }
                }
            }
            other => plain.push(other),
        }
    }
    plain
}
