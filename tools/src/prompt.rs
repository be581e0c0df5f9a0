//! Talking to a guest through its serial port: start, wait for text, type, wait for the end.

use crate::terminal::plain;
use anyhow::{bail, Context, Result};
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// What the guest prints when it waits for a line.
pub const PROMPT: &str = "meta> ";

/// How long a whole conversation may take when nobody says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Heard {
    bytes: Vec<u8>,
    ended: bool,
}

/// A running emulator whose serial port is a pair of pipes. Dropping it ends the emulator.
pub struct Guest {
    child: Child,
    input: ChildStdin,
    heard: Arc<(Mutex<Heard>, Condvar)>,
    complaints: Arc<Mutex<String>>,
    /// How far [`Guest::wait_for`] has read.
    position: usize,
}

impl Guest {
    /// Starts `command`, which must have its serial port on standard input and output.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(mut command: Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| {
                format!("{program} could not be started (./meta doctor says what is missing)")
            })?;
        let input = child.stdin.take().context("the emulator's input")?;
        let mut output = child.stdout.take().context("the emulator's output")?;
        let mut errors = child.stderr.take().context("the emulator's messages")?;
        let heard = Arc::new((Mutex::new(Heard::default()), Condvar::new()));
        let shared = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let count = output.read(&mut buffer).unwrap_or(0);
                let Ok(mut now) = shared.0.lock() else { return };
                now.bytes
                    .extend_from_slice(buffer.get(..count).unwrap_or_default());
                now.ended = count == 0;
                shared.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        let complaints = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&complaints);
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = errors.read_to_string(&mut text);
            if let Ok(mut kept) = kept.lock() {
                *kept = text;
            }
        });
        Ok(Self {
            child,
            input,
            heard,
            complaints,
            position: 0,
        })
    }

    /// The signal that ended the emulator, if one did: then it crashed, whatever the guest had to do with that.
    pub fn crashed(&mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt;
        let deadline = Instant::now() + Duration::from_secs(2);
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.signal();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// Waits until the guest has printed `text` after what was read before, and gives what stands before it.
    ///
    /// # Errors
    /// When `timeout` passes first, or the emulator ends.
    pub fn wait_for(&mut self, text: &str, timeout: Duration) -> Result<String> {
        let deadline = Instant::now() + timeout;
        let (lock, changed) = &*self.heard;
        let mut heard = lock
            .lock()
            .map_err(|_| anyhow::anyhow!("the reader of the serial port failed"))?;
        loop {
            let unread = heard.bytes.get(self.position..).unwrap_or_default();
            if let Some(at) = find(unread, text.as_bytes()) {
                let before = plain(unread.get(..at).unwrap_or_default());
                self.position += at + text.len();
                return Ok(before);
            }
            if heard.ended {
                drop(heard);
                bail!(
                    "the emulator ended before the guest printed {text:?}{}",
                    self.complaint()
                );
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!(
                    "the guest did not print {text:?} within {} s",
                    timeout.as_secs()
                );
            }
            heard = changed
                .wait_timeout(heard, left)
                .map_err(|_| anyhow::anyhow!("the reader of the serial port failed"))?
                .0;
        }
    }

    /// Waits for the first prompt and gives what the guest printed before it.
    ///
    /// # Errors
    /// As [`Guest::wait_for`].
    pub fn wait_for_prompt(&mut self, timeout: Duration) -> Result<String> {
        self.wait_for(PROMPT, timeout)
    }

    /// Types `line` at the prompt and gives the answer, without the echo, when the next prompt stands there.
    ///
    /// # Errors
    /// As [`Guest::wait_for`].
    pub fn ask(&mut self, line: &str, timeout: Duration) -> Result<String> {
        self.say(line)?;
        let answer = self
            .wait_for(&format!("\n{PROMPT}"), timeout)
            .with_context(|| format!("after `{line}`"))?;
        Ok(without_echo(&answer, line))
    }

    /// Types `line` and the return key.
    ///
    /// # Errors
    /// When the emulator no longer listens.
    pub fn say(&mut self, line: &str) -> Result<()> {
        self.input
            .write_all(format!("{line}\r").as_bytes())
            .and_then(|()| self.input.flush())
            .with_context(|| {
                format!(
                    "typing {line:?}: the emulator no longer listens{}",
                    self.complaint()
                )
            })
    }

    /// Waits for the emulator to end by itself.
    ///
    /// # Errors
    /// When `timeout` passes first.
    pub fn wait_for_end(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.child.try_wait().context("waiting for the emulator")? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                bail!("the emulator still runs after {} s", timeout.as_secs());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Everything that came over the serial port so far.
    #[must_use]
    pub fn transcript(&self) -> String {
        self.heard
            .0
            .lock()
            .map(|heard| plain(&heard.bytes))
            .unwrap_or_default()
    }

    /// What the guest printed since the last wait, without waiting.
    #[must_use]
    pub fn unread(&self) -> String {
        let heard = self.heard.0.lock();
        heard
            .map(|h| plain(h.bytes.get(self.position..).unwrap_or_default()))
            .unwrap_or_default()
    }

    /// Ends the emulator; everything that came over the serial port, and what the emulator itself said.
    #[must_use]
    pub fn end(mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let complaint = self.complaint();
        self.transcript() + &complaint
    }

    /// What the emulator itself complained about, as the end of a message.
    fn complaint(&self) -> String {
        // The reader of the messages ends just after the emulator does.
        std::thread::sleep(Duration::from_millis(50));
        match self.complaints.lock() {
            Ok(text) if !text.trim().is_empty() => format!("; it says: {}", text.trim()),
            _ => String::new(),
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|w| w == text)
}

fn without_echo(answer: &str, line: &str) -> String {
    let rest = match answer.split_once('\n') {
        Some((first, rest)) if first.trim_end() == line.trim_end() => rest,
        None if answer.trim_end() == line.trim_end() => "",
        _ => answer,
    };
    rest.trim_end_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fake guest: a shell that prints a prompt and answers lines.
    fn fake(script: &str) -> Guest {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Guest::start(command).expect("sh starts")
    }
    const SECOND: Duration = Duration::from_secs(5);

    #[test]
    fn an_answer_comes_without_its_echo() {
        let mut guest = fake("printf 'up\\r\\nmeta> '; read l; printf 'hello\\r\\nfirst\\r\\nsecond\\r\\nmeta> '; read l");
        assert_eq!(guest.wait_for_prompt(SECOND).expect("prompt"), "up\n");
        // `read` wants a line feed; the guest gets what a terminal sends.
        guest.input.write_all(b"\n").expect("writing");
        let answer = guest
            .wait_for(&format!("\n{PROMPT}"), SECOND)
            .expect("answer");
        assert_eq!(without_echo(&answer, "hello"), "first\nsecond");
    }

    #[test]
    fn a_silent_guest_is_an_error() {
        let mut guest = fake("sleep 5");
        let error = guest
            .wait_for_prompt(Duration::from_millis(200))
            .expect_err("nothing was printed");
        assert_eq!(
            error.to_string(),
            "the guest did not print \"meta> \" within 0 s"
        );
    }

    #[test]
    fn an_early_end_shows_the_complaint() {
        let mut guest = fake("echo no such machine >&2");
        let error = guest.wait_for_prompt(SECOND).expect_err("it ended");
        assert_eq!(
            error.to_string(),
            "the emulator ended before the guest printed \"meta> \"; it says: no such machine"
        );
    }

    #[test]
    fn terminal_sequences_are_left_out() {
        assert_eq!(plain(b"a\x1b[1;31mb\x1b[0m\r\n"), "ab\n");
    }
}
