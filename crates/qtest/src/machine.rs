//! The emulator as a process: started, talked to, killed.

use crate::memory::{Mapping, Ram};
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

/// A running machine. Clones are the same machine; it is killed when the last one is dropped.
#[derive(Clone)]
pub struct Machine {
    inner: Rc<Inner>,
}

struct Inner {
    link: RefCell<Link>,
    child: RefCell<Child>,
    arch: Arch,
    ram: Mapping,
    ram_base: u64,
    next: Cell<u64>,
    started: Instant,
    skipped: Cell<u64>,
    directory: tempfile::TempDir,
}

impl Machine {
    pub fn start(config: Config) -> Result<Machine> {
        let directory = tempfile::tempdir()?;
        let path = directory.path();
        std::fs::write(path.join("firmware"), firmware(config.arch))?;
        let file = File::create_new(path.join("ram"))?;
        file.set_len(config.ram << 20)?;
        drop(file);
        let file = File::options()
            .read(true)
            .write(true)
            .open(path.join("ram"))?;
        let ram = Mapping::shared(&file, (config.ram << 20) as usize)?;

        let listener = UnixListener::bind(path.join("qtest"))?;
        listener.set_nonblocking(true)?;
        let mut child = command(&config, path)?.spawn()?;
        let stream = match accept(&listener, &mut child, path) {
            Ok(stream) => stream,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        };
        let machine = Machine {
            inner: Rc::new(Inner {
                link: RefCell::new(Link::new(stream)?),
                child: RefCell::new(child),
                arch: config.arch,
                ram,
                ram_base: config.ram_base,
                next: Cell::new(FIRST),
                started: Instant::now(),
                skipped: Cell::new(0),
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

    /// Zeroed RAM, aligned to a power of two of at least a page.
    pub fn ram(&self, size: usize, align: u64) -> Result<Ram> {
        let align = align.max(4096);
        let at = self.inner.next.get().next_multiple_of(align);
        let end = at + size as u64;
        if end > self.inner.ram.size() as u64 || !align.is_power_of_two() {
            return Err(Error::Other(format!(
                "the machine has no {size} bytes of RAM left"
            )));
        }
        self.inner.next.set(end);
        let base = self.inner.ram.base().wrapping_add(at as usize);
        // SAFETY: the range lies in the mapping and was given to no one else.
        unsafe { std::ptr::write_bytes(base, 0, size) };
        Ok(Ram {
            base,
            size,
            dma: self.inner.ram_base + at,
        })
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

/// Code that halts the processor for good: at the reset vector.
fn firmware(arch: Arch) -> Vec<u8> {
    match arch {
        Arch::X86_64 => {
            let mut image = vec![0xf4; 0x10000];
            // cli; hlt
            image[0xfff0..0xfff2].copy_from_slice(&[0xfa, 0xf4]);
            image
        }
        Arch::Aarch64 => {
            let mut image = vec![0; 0x10000];
            // wfi; b back to it
            image[..8].copy_from_slice(&[0x7f, 0x20, 0x03, 0xd5, 0xff, 0xff, 0xff, 0x17]);
            image
        }
    }
}

fn command(config: &Config, path: &Path) -> Result<Command> {
    let (program, cpu) = match config.arch {
        Arch::X86_64 => ("qemu-system-x86_64", "max"),
        Arch::Aarch64 => ("qemu-system-aarch64", "cortex-a57"),
    };
    let place = |name: &str| path.join(name).display().to_string();
    let mut command = Command::new(program);
    command
        .args([
            "-machine",
            &format!("{},memory-backend=ram", config.machine),
        ])
        .args(["-cpu", cpu, "-m", &config.ram.to_string()])
        .args([
            "-object",
            &format!(
                "memory-backend-file,id=ram,size={}M,mem-path={},share=on",
                config.ram,
                place("ram")
            ),
        ])
        .args(["-accel", "tcg"])
        .args(["-qtest", &format!("unix:{}", place("qtest"))])
        // Its log would fill a pipe, and both sides would wait for ever.
        .args(["-qtest-log", "/dev/null"])
        .args([
            "-nodefaults",
            "-display",
            "none",
            "-bios",
            &place("firmware"),
        ]);
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
