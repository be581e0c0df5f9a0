//! The emulator's own account of its machine (QEMU, `docs/interop/qmp-spec.txt`).

use crate::{Error, Result};
use serde_json::{json, Value};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Monitor {
    input: BufReader<UnixStream>,
}

impl Monitor {
    pub(crate) fn new(stream: UnixStream) -> Result<Monitor> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut monitor = Monitor {
            input: BufReader::new(stream),
        };
        // It greets, and listens when that was answered.
        monitor.line("the greeting")?;
        monitor.ask("qmp_capabilities", json!({}))?;
        Ok(monitor)
    }

    /// What a command returns; events in between are passed over.
    pub(crate) fn ask(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.input.get_mut(), "{request}")
            .map_err(|error| Error::Gone(format!("`{command}`: {error}")))?;
        loop {
            let line = self.line(command)?;
            let mut answer: Value = serde_json::from_str(&line)
                .map_err(|error| Error::Other(format!("`{command}` gave no JSON: {error}")))?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.get("error") {
                let answer = error["desc"].as_str().unwrap_or_default().to_owned();
                return Err(Error::Refused {
                    command: command.into(),
                    answer,
                });
            }
        }
    }

    fn line(&mut self, command: &str) -> Result<String> {
        let mut line = String::new();
        match self.input.read_line(&mut line) {
            Ok(0) => Err(Error::Gone(format!("`{command}`: no answer"))),
            Ok(_) => Ok(line),
            Err(error) => Err(Error::Gone(format!("`{command}`: {error}"))),
        }
    }
}
