//! Peers outside the machine: the other end of a network cable or a serial line, and the file behind a disk.

use crate::{Error, Result};
use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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

    /// The same, of which a sector (of 512 bytes) cannot be read.
    pub fn drive_with_bad(&self, id: &str, sector: u64) -> Vec<String> {
        let path = self.file.path().display();
        let debug = "file.driver=blkdebug,file.image.driver=file";
        let error = "file.inject-error.0.event=read_aio,file.inject-error.0.sector";
        vec![
            "-drive".into(),
            format!(
                "driver=raw,{debug},file.image.filename={path},{error}={sector},if=none,id={id}"
            ),
        ]
    }

    /// What is on it now.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        Ok(std::fs::read(self.file.path())?)
    }
}

/// The other end of a serial line. Made before the machine, which plugs itself in. What comes is always taken, so that
/// the device never has to wait for the test.
pub struct Line {
    directory: tempfile::TempDir,
    shared: Arc<Shared>,
}

/// What the test and the thread that listens have in common.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    stream: Option<UnixStream>,
    heard: Vec<u8>,
    over: bool,
}

/// How often the listening thread looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(20);
/// Longest wait for the machine to plug in, and for it to take bytes.
const PATIENCE: Duration = Duration::from_secs(5);

impl Line {
    pub fn new() -> Result<Line> {
        let directory = tempfile::tempdir()?;
        let listener = UnixListener::bind(directory.path().join("line"))?;
        listener.set_nonblocking(true)?;
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        std::thread::spawn(move || listen(&listener, &theirs));
        Ok(Line { directory, shared })
    }

    /// Arguments for [`crate::Config::args`]; a device takes it by `chardev=ID`, the board's own port by
    /// `-serial chardev:ID`.
    pub fn chardev(&self, id: &str) -> Vec<String> {
        let path = self.directory.path().join("line");
        vec![
            "-chardev".into(),
            format!("socket,path={},id={id}", path.display()),
        ]
    }

    pub fn send(&self, bytes: &[u8]) -> Result<()> {
        let state = self.until(PATIENCE, |state| state.stream.is_some());
        let Some(stream) = &state.stream else {
            return Err(Error::Other("nothing is plugged into the line".into()));
        };
        let mut stream = stream.try_clone()?;
        drop(state);
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(bytes)?;
        Ok(())
    }

    /// What was heard and not asked for yet, once there are `wanted` bytes or that much time has passed.
    pub fn receive(&self, wanted: usize, within: Duration) -> Result<Vec<u8>> {
        let mut state = self.until(within, |state| state.heard.len() >= wanted);
        Ok(std::mem::take(&mut state.heard))
    }

    fn until(&self, within: Duration, done: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let state = self.shared.lock();
        let waited = self
            .shared
            .news
            .wait_timeout_while(state, within, |state| !done(state));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shared.lock().over = true;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the connection, then everything that comes, until the line is dropped or the machine is gone.
fn listen(listener: &UnixListener, shared: &Shared) {
    let mut stream = loop {
        if shared.lock().over {
            return;
        }
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    let ready = stream
        .set_nonblocking(false)
        .and_then(|()| stream.set_read_timeout(Some(LOOK)));
    let Ok(()) = ready else { return };
    shared.lock().stream = stream.try_clone().ok();
    shared.news.notify_all();
    let mut chunk = [0; 4096];
    while !shared.lock().over {
        match stream.read(&mut chunk) {
            Ok(0) => return,
            Ok(count) => {
                shared.lock().heard.extend_from_slice(&chunk[..count]);
                shared.news.notify_all();
            }
            Err(error) if is_timeout(&error) => {}
            Err(_) => return,
        }
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock)
}
