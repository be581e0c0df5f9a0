//! What stands outside the machine.

use crate::Result;
use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::{Duration, Instant};

/// The other end of a network card's cable. Made before the machine; frames flow once both are there.
pub struct Cable {
    directory: tempfile::TempDir,
    socket: UnixDatagram,
}

impl Cable {
    pub fn new() -> Result<Cable> {
        let directory = tempfile::tempdir()?;
        let socket = UnixDatagram::bind(directory.path().join("peer"))?;
        Ok(Cable { directory, socket })
    }

    /// Arguments for [`crate::Config::args`]; a card is plugged in by `netdev=ID`.
    pub fn netdev(&self, id: &str) -> Vec<String> {
        let place = |name| self.directory.path().join(name).display().to_string();
        let ends = format!(
            "dgram,id={id},local.type=unix,local.path={},remote.type=unix,remote.path={}",
            place("card"),
            place("peer")
        );
        vec!["-netdev".into(), ends]
    }

    /// Sends a frame to the card, without checksum.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        self.socket
            .set_write_timeout(Some(Duration::from_secs(5)))?;
        self.socket
            .send_to(frame, self.directory.path().join("card"))?;
        Ok(())
    }

    /// The next frame the card sent, or `None` when none came in that time.
    pub fn receive(&self, within: Duration) -> Result<Option<Vec<u8>>> {
        self.socket
            .set_read_timeout(Some(within.max(Duration::from_micros(1))))?;
        let mut frame = vec![0; 65536];
        match self.socket.recv(&mut frame) {
            Ok(length) => {
                frame.truncate(length);
                Ok(Some(frame))
            }
            Err(error) if is_timeout(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// A raw disk image.
pub struct Disk {
    file: tempfile::NamedTempFile,
}

impl Disk {
    pub fn new(bytes: &[u8]) -> Result<Disk> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(bytes)?;
        file.flush()?;
        Ok(Disk { file })
    }

    /// Arguments for [`crate::Config::args`]; a device takes it by `drive=ID`.
    pub fn drive(&self, id: &str) -> Vec<String> {
        let path = self.file.path().display();
        vec![
            "-drive".into(),
            format!("file={path},format=raw,if=none,id={id}"),
        ]
    }

    /// What is on it now.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        Ok(std::fs::read(self.file.path())?)
    }
}

/// The other end of a serial line. Made before the machine, which plugs itself in.
pub struct Line {
    directory: tempfile::TempDir,
    listener: UnixListener,
    stream: Option<UnixStream>,
}

impl Line {
    pub fn new() -> Result<Line> {
        let directory = tempfile::tempdir()?;
        let listener = UnixListener::bind(directory.path().join("line"))?;
        listener.set_nonblocking(true)?;
        Ok(Line {
            directory,
            listener,
            stream: None,
        })
    }

    /// Arguments for [`crate::Config::args`]; a device takes it by `chardev=ID`, the board's own port by `-serial chardev:ID`.
    pub fn chardev(&self, id: &str) -> Vec<String> {
        let path = self.directory.path().join("line");
        vec![
            "-chardev".into(),
            format!("socket,path={},id={id}", path.display()),
        ]
    }

    /// The stream, accepted at the first use: the machine connected when it started.
    fn stream(&mut self) -> Result<&mut UnixStream> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.listener.accept()?.0,
        };
        stream.set_nonblocking(false)?;
        Ok(self.stream.insert(stream))
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let stream = self.stream()?;
        stream.set_write_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(bytes)?;
        Ok(())
    }

    /// Bytes until there are `wanted` of them, or that much time has passed.
    pub fn receive(&mut self, wanted: usize, within: Duration) -> Result<Vec<u8>> {
        let stream = self.stream()?;
        let end = Instant::now() + within;
        let mut got = Vec::new();
        let mut chunk = [0; 4096];
        while got.len() < wanted {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            stream.set_read_timeout(Some(left))?;
            match stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => got.extend_from_slice(&chunk[..count]),
                Err(error) if is_timeout(&error) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(got)
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock)
}
