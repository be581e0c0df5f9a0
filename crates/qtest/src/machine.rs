//! The emulator as a process: started, talked to, killed.

use crate::firmware;
use crate::memory::{Mapping, Ram};
use crate::monitor::Monitor;
use crate::protocol::Link;
use crate::{Arch, Config, Error, Result};
use graph::Width;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long the emulator may take to start.
const START: Duration = Duration::from_secs(30);
/// Longest real sleep for a pause: the rest of it only moves the clock that residuals see.
const NAP: Duration = Duration::from_micros(200);
/// RAM below this (from its start) is left alone: the board may have put a devicetree there.
const FIRST: u64 = 16 << 20;
/// Bytes of memory that are asked for in one command.
const COPY: usize = 4096;

/// A running machine. Clones are the same machine; it is killed when the last one is dropped.
#[derive(Clone)]
pub struct Machine {
    inner: Rc<Inner>,
}

struct Inner {
    link: RefCell<Link>,
    child: RefCell<Child>,
    arch: Arch,
    /// None where RAM is the emulator's own.
    ram: Option<Mapping>,
    monitor: RefCell<Monitor>,
    ram_base: u64,
    next: Cell<u64>,
    started: Instant,
    skipped: Cell<u64>,
    /// How often each pause is counted once more.
    hurry: Cell<u64>,
    directory: tempfile::TempDir,
}

impl Machine {
    pub fn start(config: Config) -> Result<Machine> {
        let directory = tempfile::tempdir()?;
        let path = directory.path();
        let ram = match config.firmware {
            true => {
                std::fs::write(path.join("kernel"), firmware::halting_kernel(config.arch))?;
                None
            }
            false => {
                std::fs::write(path.join("firmware"), firmware::halting(config.arch))?;
                Some(shared_ram(&config, path)?)
            }
        };
        let listen = |name: &str| -> Result<UnixListener> {
            let listener = UnixListener::bind(path.join(name))?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        let (listener, monitor) = (listen("qtest")?, listen("monitor")?);
        let mut child = command(&config, path)?.spawn()?;
        let connected = accept(&listener, &mut child, path).and_then(|stream| {
            let monitor = Monitor::new(accept(&monitor, &mut child, path)?)?;
            Ok((stream, monitor))
        });
        let (stream, monitor) = match connected {
            Ok(connected) => connected,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(match error {
                    Error::Gone(_) => Error::Gone(said(path)),
                    other => other,
                });
            }
        };
        let machine = Machine {
            inner: Rc::new(Inner {
                link: RefCell::new(Link::new(stream)?),
                child: RefCell::new(child),
                arch: config.arch,
                ram,
                monitor: RefCell::new(monitor),
                ram_base: config.ram_base,
                next: Cell::new(FIRST),
                started: Instant::now(),
                skipped: Cell::new(0),
                hurry: Cell::new(0),
                directory,
            }),
        };
        // It connects before it makes its devices: only an answer says that they are there.
        machine.sync()?;
        Ok(machine)
    }

    pub fn arch(&self) -> Arch {
        self.inner.arch
    }

    /// A read of memory as the processor would make it: physical address, zero-extended value.
    pub fn read(&self, address: u64, width: Width) -> Result<u64> {
        self.number(&format!("read{} {address:#x}", letter(width)))
    }

    pub fn write(&self, address: u64, width: Width, value: u64) -> Result<()> {
        let value = value & width.mask();
        self.command(&format!("write{} {address:#x} {value:#x}", letter(width)))?;
        Ok(())
    }

    /// A read of an I/O port (x86).
    pub fn port_in(&self, port: u16, width: Width) -> Result<u64> {
        self.number(&format!("in{} {port:#x}", letter(width)))
    }

    pub fn port_out(&self, port: u16, width: Width, value: u64) -> Result<()> {
        let value = value & width.mask();
        self.command(&format!("out{} {port:#x} {value:#x}", letter(width)))?;
        Ok(())
    }

    /// As [`Machine::write`], but sent together with the next access that is waited for.
    pub fn post_write(&self, address: u64, width: Width, value: u64) -> Result<()> {
        let value = value & width.mask();
        self.post(format!("write{} {address:#x} {value:#x}", letter(width)))
    }

    /// As [`Machine::port_out`], but sent together with the next access that is waited for.
    pub fn post_port_out(&self, port: u16, width: Width, value: u64) -> Result<()> {
        let value = value & width.mask();
        self.post(format!("out{} {port:#x} {value:#x}", letter(width)))
    }

    fn post(&self, command: String) -> Result<()> {
        let answer = self.inner.link.borrow_mut().post(command);
        self.explain(answer)
    }

    /// Bytes of memory, many in one command.
    pub fn copy(&self, address: u64, to: &mut [u8]) -> Result<()> {
        for (number, piece) in to.chunks_mut(COPY).enumerate() {
            let at = address.wrapping_add((number * COPY) as u64);
            let command = format!("read {at:#x} {:#x}", piece.len());
            let answer = self.command(&command)?;
            let digits = answer.strip_prefix("0x").unwrap_or(&answer).as_bytes();
            let refused = || Error::Refused {
                command: command.clone(),
                answer: answer.clone(),
            };
            if digits.len() != 2 * piece.len() {
                return Err(refused());
            }
            for (byte, pair) in piece.iter_mut().zip(digits.chunks_exact(2)) {
                let text = std::str::from_utf8(pair).map_err(|_| refused())?;
                *byte = u8::from_str_radix(text, 16).map_err(|_| refused())?;
            }
        }
        Ok(())
    }

    /// Makes `size` bytes of memory zero.
    pub fn clear(&self, address: u64, size: u64) -> Result<()> {
        self.command(&format!("memset {address:#x} {size:#x} 0x0"))?;
        Ok(())
    }

    /// Asks the emulator itself (QMP): the command's `return`.
    pub fn ask(&self, command: &str, arguments: serde_json::Value) -> Result<serde_json::Value> {
        let answer = self.inner.monitor.borrow_mut().ask(command, arguments);
        self.explain(answer)
    }

    /// The answer of the emulator's monitor for people to one line.
    pub fn told(&self, line: &str) -> Result<String> {
        let answer = self.ask(
            "human-monitor-command",
            serde_json::json!({ "command-line": line }),
        )?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the firmware has given the machine to the halting kernel. Gives what it handed over: on x86 the address
    /// of the PVH start information, on arm64 that of the devicetree.
    ///
    /// # Errors
    /// When that does not happen within half a minute, or the emulator ends.
    pub fn settle(&self) -> Result<u64> {
        let start = Instant::now();
        loop {
            let registers = self.told("info registers")?;
            if let Some(handed) = firmware::handed_over(self.inner.arch, &registers) {
                return Ok(handed);
            }
            if start.elapsed() > START {
                return Err(Error::Other(
                    "the firmware did not come to the halting kernel".into(),
                ));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// From now on the interrupt lines into this device are reported by [`Machine::raised`]: its path in the
    /// emulator's object tree, or the last part of it.
    pub fn intercept(&self, device: &str) -> Result<()> {
        self.command(&format!("irq_intercept_in {device}"))?;
        Ok(())
    }

    /// How often each intercepted line has risen. Asks the machine something first, so that news arrive.
    pub fn raised(&self, line: u32) -> Result<u64> {
        self.sync()?;
        Ok(self
            .inner
            .link
            .borrow()
            .raised
            .get(&line)
            .copied()
            .unwrap_or(0))
    }

    /// Whether an intercepted line is up.
    pub fn is_up(&self, line: u32) -> Result<bool> {
        self.sync()?;
        Ok(self
            .inner
            .link
            .borrow()
            .lines
            .get(&line)
            .copied()
            .unwrap_or(false))
    }

    /// How often any intercepted line has risen.
    pub fn rises(&self) -> Result<u64> {
        self.sync()?;
        Ok(self.inner.link.borrow().raised.values().sum())
    }

    /// How many intercepted lines are up.
    pub fn lines_up(&self) -> Result<usize> {
        self.sync()?;
        let link = self.inner.link.borrow();
        Ok(link.lines.values().filter(|up| **up).count())
    }

    /// What the emulator has logged since it started ([`Config::log`]).
    pub fn log(&self) -> Result<String> {
        self.sync()?;
        let bytes = std::fs::read(self.inner.directory.path().join("log"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Zeroed RAM, aligned to a power of two of at least a page.
    pub fn ram(&self, size: usize, align: u64) -> Result<Ram> {
        let align = align.max(4096);
        let at = self.inner.next.get().next_multiple_of(align);
        let end = at + size as u64;
        let Some(ram) = &self.inner.ram else {
            return Err(Error::Other("this machine's RAM is its own".into()));
        };
        if end > ram.size() as u64 || !align.is_power_of_two() {
            return Err(Error::Other(format!(
                "the machine has no {size} bytes of RAM left"
            )));
        }
        self.inner.next.set(end);
        let base = ram.base().wrapping_add(at as usize);
        // SAFETY: the range lies in the mapping and was given to no one else.
        unsafe { std::ptr::write_bytes(base, 0, size) };
        Ok(Ram {
            base,
            size,
            dma: self.inner.ram_base + at,
        })
    }

    /// The file that is the machine's RAM.
    #[cfg(feature = "run")]
    pub(crate) fn ram_file(&self) -> std::path::PathBuf {
        self.inner.directory.path().join("ram")
    }

    /// Where a piece begins in that file.
    #[cfg(feature = "run")]
    pub(crate) fn ram_offset(&self, ram: &Ram) -> u64 {
        ram.dma - self.inner.ram_base
    }

    /// Nanoseconds since the start: the host's, plus what pauses skipped.
    pub fn clock(&self) -> u64 {
        self.inner.started.elapsed().as_nanos() as u64 + self.inner.skipped.get()
    }

    /// Lets `ns` nanoseconds pass for residuals, and a short moment for the machine, whose own clock goes by itself.
    pub fn pause(&self, ns: u64) {
        let nap = Duration::from_nanos(ns).min(NAP);
        std::thread::sleep(nap);
        let skipped = ns.saturating_sub(nap.as_nanos() as u64);
        self.inner
            .skipped
            .set(self.inner.skipped.get().saturating_add(skipped));
        let more = ns.saturating_mul(self.inner.hurry.get());
        let skipped = self.inner.skipped.get().saturating_add(more);
        self.inner.skipped.set(skipped);
    }

    /// From now on each pause seems so many times longer to residuals: for devices that are not expected to answer.
    pub fn hurry(&self, times: u64) {
        self.inner.hurry.set(times);
    }

    /// Lets the machine's main loop go round once.
    pub fn sync(&self) -> Result<()> {
        self.read(self.inner.ram_base, Width::B8).map(|_| ())
    }

    /// Whether the emulator still runs.
    pub fn alive(&self) -> bool {
        matches!(self.inner.child.borrow_mut().try_wait(), Ok(None))
    }

    pub(crate) fn command(&self, command: &str) -> Result<String> {
        let answer = self.inner.link.borrow_mut().command(command);
        self.explain(answer)
    }

    fn number(&self, command: &str) -> Result<u64> {
        let answer = self.inner.link.borrow_mut().number(command);
        self.explain(answer)
    }

    /// A broken link is explained by what the emulator wrote last.
    fn explain<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| match error {
            Error::Gone(what) => {
                Error::Gone(format!("{what}; {}", said(self.inner.directory.path())))
            }
            other => other,
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn letter(width: Width) -> char {
    match width {
        Width::B8 => 'b',
        Width::B16 => 'w',
        Width::B32 => 'l',
        Width::B64 => 'q',
    }
}

/// RAM as a file that both sides map.
fn shared_ram(config: &Config, path: &Path) -> Result<Mapping> {
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path.join("ram"))?;
    file.set_len(config.ram << 20)?;
    Mapping::shared(&file, (config.ram << 20) as usize)
}

fn command(config: &Config, path: &Path) -> Result<Command> {
    let place = |name: &str| path.join(name).display().to_string();
    let program = match config.arch {
        Arch::X86_64 => "qemu-system-x86_64",
        Arch::Aarch64 => "qemu-system-aarch64",
    };
    let mut command = Command::new(program);
    match config.firmware {
        true => command.args(["-kernel", &place("kernel")]),
        false => halted(&mut command, config, &place),
    };
    command
        .args(["-accel", "tcg"])
        .args(["-qmp", &format!("unix:{}", place("monitor"))])
        .args(["-qtest", &format!("unix:{}", place("qtest"))])
        // Its log would fill a pipe, and both sides would wait for ever.
        .args(["-qtest-log", "/dev/null"]);
    if let Some(items) = &config.log {
        command.args(["-d", items, "-D", &place("log")]);
    }
    if !config.real_time {
        command.args(["-icount", "shift=0,sleep=off"]);
    }
    command.args(&config.arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(File::create(path.join("errors"))?);
    // SAFETY: between fork and exec only an async-signal-safe call is made.
    unsafe {
        command.pre_exec(|| {
            // The emulator never outlives the test that started it.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    Ok(command)
}

/// A machine without firmware, whose RAM is shared.
fn halted<'a>(
    command: &'a mut Command,
    config: &Config,
    place: &dyn Fn(&str) -> String,
) -> &'a mut Command {
    let cpu = match config.arch {
        Arch::X86_64 => "max",
        Arch::Aarch64 => "cortex-a57",
    };
    let (ram, file) = (config.ram, place("ram"));
    command
        .args([
            "-machine",
            &format!("{},memory-backend=ram", config.machine),
        ])
        .args(["-cpu", cpu, "-m", &ram.to_string()])
        .args([
            "-object",
            &format!("memory-backend-file,id=ram,size={ram}M,mem-path={file},share=on"),
        ])
        .args([
            "-nodefaults",
            "-display",
            "none",
            "-bios",
            &place("firmware"),
        ])
}

fn accept(listener: &UnixListener, child: &mut Child, path: &Path) -> Result<UnixStream> {
    let start = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(Error::Io(error)),
        }
        if child.try_wait()?.is_some() || start.elapsed() > START {
            return Err(Error::Gone(said(path)));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What the emulator wrote to its error output.
fn said(path: &Path) -> String {
    let text = std::fs::read_to_string(path.join("errors")).unwrap_or_default();
    let lines = text
        .lines()
        .filter(|line| !line.contains("icount sleep disabled"));
    lines.collect::<Vec<_>>().join("; ")
}
