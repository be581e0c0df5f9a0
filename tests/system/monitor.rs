//! The emulator's monitor, for looking into a machine's memory from outside.

use crate::boots::{workspace, PATIENCE};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Where the monitor of one machine listens.
pub struct Monitor {
    socket: PathBuf,
}

impl Monitor {
    pub fn new(name: &str) -> Self {
        let folder = workspace().target.join("monitor");
        std::fs::create_dir_all(&folder).expect("a folder for sockets");
        // Two tests may run the same machine at the same time.
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let socket = folder.join(format!("{name}-{}-{number}", std::process::id()));
        let _ = std::fs::remove_file(&socket);
        Self { socket }
    }

    /// For the emulator's command line.
    pub fn arguments(&self) -> [String; 2] {
        let place = self.socket.display();
        ["-qmp".into(), format!("unix:{place},server=on,wait=off")]
    }

    pub fn connect(&self) -> Connected {
        let until = Instant::now() + PATIENCE;
        let stream = loop {
            match UnixStream::connect(&self.socket) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() > until => panic!("no monitor: {error}"),
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(10)),
            }
        };
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut connected = Connected {
            lines: BufReader::new(stream),
            dump: self.socket.with_extension("memory"),
            events: Vec::new(),
        };
        connected.line();
        connected.carry_out(r#"{"execute":"qmp_capabilities"}"#);
        connected
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.socket);
    }
}

pub struct Connected {
    lines: BufReader<UnixStream>,
    dump: PathBuf,
    /// Events that came between, not yet waited for.
    events: Vec<String>,
}

impl Connected {
    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).expect("the monitor speaks");
        assert!(read > 0, "the monitor has gone");
        line
    }

    fn carry_out(&mut self, command: &str) {
        writeln!(self.lines.get_mut(), "{command}").expect("the monitor listens");
        loop {
            let line = self.line();
            assert!(!line.contains("\"error\""), "{command}: {line}");
            if line.contains("\"return\"") {
                return;
            }
            // Events come between.
            self.events.push(line);
        }
    }

    /// Waits for an event that names this device.
    pub fn wait_for(&mut self, event: &str, device: &str) {
        let named = format!("\"{device}\"");
        let is = |line: &String| line.contains(event) && line.contains(&named);
        while !self.events.iter().any(is) {
            let line = self.line();
            self.events.push(line);
        }
        self.events.retain(|line| !is(line));
    }

    /// Plugs `device` (a kind, and options after commas) into the bus `bus`, as `id`.
    pub fn device_add(&mut self, device: &str, id: &str, bus: &str) {
        let mut words = device.split(',');
        let mut arguments = serde_json::json!({ "driver": words.next(), "id": id, "bus": bus });
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            arguments[name] = value.into();
        }
        let command = serde_json::json!({ "execute": "device_add", "arguments": arguments });
        self.carry_out(&command.to_string());
    }

    /// Asks the machine to let a device go.
    pub fn device_del(&mut self, id: &str) {
        let command = serde_json::json!({ "execute": "device_del", "arguments": { "id": id } });
        self.carry_out(&command.to_string());
    }

    /// Writes a port (x86) from outside; `format` is the monitor's: `h` for 16 bits, `w` for 32.
    pub fn port_out(&mut self, format: char, port: u16, value: u32) {
        self.carry_out_for_people(&format!("o /{format} {port:#x} {value:#x}"));
    }

    /// A line of the monitor that is made for people.
    pub fn carry_out_for_people(&mut self, line: &str) {
        let command = serde_json::json!({
            "execute": "human-monitor-command",
            "arguments": { "command-line": line }
        });
        self.carry_out(&command.to_string());
    }

    /// A warm reset: memory stays as it is.
    pub fn reset(&mut self) {
        // Machines are started so that a reset of their own ends them.
        self.carry_out(r#"{"execute":"set-action","arguments":{"reboot":"reset"}}"#);
        self.carry_out(r#"{"execute":"system_reset"}"#);
    }

    /// Bytes of the machine's physical memory.
    pub fn memory(&mut self, at: u64, size: usize) -> Vec<u8> {
        let command = serde_json::json!({
            "execute": "pmemsave",
            "arguments": { "val": at, "size": size, "filename": self.dump.display().to_string() }
        });
        self.carry_out(&command.to_string());
        let bytes = std::fs::read(&self.dump).expect("what the monitor saved");
        let _ = std::fs::remove_file(&self.dump);
        bytes
    }
}
