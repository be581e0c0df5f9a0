//! Code for the other processor: it runs in a process beside this one, in an emulated processor, on the same files of
//! memory, and tells whatever else it touches. `arm64/` is the program over there.

use super::body::call_up;
use super::fault::Engine;
use crate::memory::{Mapping, Ram};
use crate::{Error, Machine, Result};
use abi::context::{offset, Context, WINDOWS};
use abi::status;
use graph::{Width, WindowKind};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

#[path = "../../arm64/src/words.rs"]
mod words;
use words::{ask, tell, then, Message};

/// The emulated processor.
const EMULATOR: &str = "qemu-aarch64";
/// The program's files, in the order of its arguments.
const RAM: u64 = 0;
const STATE: u64 = 1;
const CODE: u64 = 2;

const PAGE: u64 = 4096;
const SIGILL: u64 = libc::SIGILL as u64;

/// A process that runs the entries of one residual. It ends with this value.
pub(crate) struct Beside {
    link: RefCell<Link>,
    child: Child,
    /// Where each entry is, over there.
    entries: Vec<u64>,
    /// Where the code is.
    code: u64,
    /// Where each memory window is, and how many bytes.
    windows: Vec<Option<(u64, u64)>>,
    /// What the context there says of it.
    lane: Cell<u64>,
}

struct Link {
    to: ChildStdin,
    from: ChildStdout,
}

/// What a residual is given, and where the other process finds it.
pub(crate) struct Memory<'a> {
    pub machine: &'a Machine,
    pub state: (&'a File, &'a Mapping),
    pub arena: Ram,
    pub pool: Ram,
}

impl Beside {
    /// Starts `program` and gives it code and memory. `entries` are byte offsets in the code; `windows` are what the
    /// residual was written for.
    pub(crate) fn start(
        program: &Path,
        code: &[u8],
        entries: &[u32],
        windows: &[graph::Window],
        memory: &Memory,
    ) -> Result<Beside> {
        let mut text = tempfile::tempfile()?;
        text.write_all(code)?;
        let mut beside = Beside::spawn(program, memory, &text)?;
        beside.code = beside.ask([ask::MAP, CODE, 0, pages(code.len() as u64), 1, 0, 0, 0])?;
        beside.entries = entries
            .iter()
            .map(|at| beside.code + u64::from(*at))
            .collect();
        beside.give(memory)?;
        for (number, window) in windows.iter().enumerate().take(WINDOWS) {
            let place = match window.kind {
                WindowKind::Memory => {
                    let at = beside.ask([ask::RESERVE, pages(window.size), 0, 0, 0, 0, 0, 0])?;
                    beside.set(offset::WINDOWS as u64 + 8 * number as u64, at)?;
                    Some((at, window.size))
                }
                _ => None,
            };
            beside.windows.push(place);
        }
        Ok(beside)
    }

    fn spawn(program: &Path, memory: &Memory, text: &File) -> Result<Beside> {
        // What this process has open is opened again by name over there.
        let name = |file: &File| format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        let mut child = Command::new(EMULATOR)
            .arg(program)
            .arg(memory.machine.ram_file())
            .args([name(memory.state.0), name(text)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Error::Other(format!("{EMULATOR} could not be started: {error}")))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::Other(format!("{EMULATOR} has no pipes")));
        };
        Ok(Beside {
            link: RefCell::new(Link { to, from }),
            child,
            entries: Vec::new(),
            code: 0,
            windows: Vec::new(),
            lane: Cell::new(0),
        })
    }

    fn give(&self, memory: &Memory) -> Result<()> {
        let size = memory.state.1.size() as u64;
        let state = self.ask([ask::MAP, STATE, 0, size, 0, 0, 0, 0])?;
        self.set(offset::STATE as u64, state)?;
        for (ram, address, dma) in [
            (memory.arena, offset::ARENA, offset::ARENA_DMA),
            (memory.pool, offset::POOL, offset::POOL_DMA),
        ] {
            let (at, size) = (memory.machine.ram_offset(&ram), pages(ram.size as u64));
            let place = self.ask([ask::MAP, RAM, at, size, 0, 0, 0, 0])?;
            self.set(address as u64, place)?;
            self.set(dma as u64, ram.dma)?;
        }
        self.set(offset::POOL_SIZE as u64, memory.pool.size as u64)
    }

    fn set(&self, at: u64, value: u64) -> Result<()> {
        self.ask([ask::SET, at, value, 0, 0, 0, 0, 0]).map(|_| ())
    }

    /// The lane of the entries that run next.
    fn on_lane(&self, lane: u64) -> Result<()> {
        if self.lane.replace(lane) != lane {
            self.set(offset::LANE as u64, lane)?;
        }
        Ok(())
    }

    /// Asks for something that is no entry.
    fn ask(&self, message: Message) -> Result<u64> {
        let mut link = self.link.borrow_mut();
        link.send(message)?;
        match link.receive()? {
            [tell::DONE, value, ..] => Ok(value),
            other => Err(Error::Other(format!(
                "the program beside said {other:x?} to {message:x?}"
            ))),
        }
    }

    /// Runs entry `number`, and carries out what it tells. Its status; result words go into the context.
    pub(crate) fn run(
        &self,
        engine: &Engine,
        number: usize,
        context: *mut Context,
        args: [u64; 5],
    ) -> u64 {
        let Some(entry) = self.entries.get(number) else {
            return status::VIOLATION;
        };
        let [a, b, c, d, e] = args;
        // SAFETY: the context of whoever called the entry, which is this function's until it returns.
        let lane = unsafe { (*context).lane };
        if let Err(error) = self.on_lane(lane) {
            engine.strayed(error.to_string());
            return status::VIOLATION;
        }
        let mut next = [ask::ENTER, *entry, a, b, c, d, e, 0];
        loop {
            let said = {
                let mut link = self.link.borrow_mut();
                link.send(next).and_then(|()| link.receive())
            };
            next = match said {
                Ok([tell::LEFT, status, r0, r1, r2, r3, ..]) => {
                    // SAFETY: the context of whoever called the entry, which is this function's until it returns.
                    unsafe { (*context).results = [r0, r1, r2, r3] };
                    return status;
                }
                Ok([tell::TOUCH, signal, address, word, value, pc, ..]) => {
                    match self.touch(engine, signal, address, word, value) {
                        Ok(None) => [ask::ANSWER, 0, then::PASS, 0, 0, 0, 0, 0],
                        Ok(Some(value)) => [ask::ANSWER, value, then::LOAD, 0, 0, 0, 0, 0],
                        Err(what) => {
                            let at = pc.wrapping_sub(self.code);
                            engine.strayed(format!("{what}, at {at:#x} of the code"));
                            [ask::ANSWER, status::VIOLATION, then::LEAVE, 0, 0, 0, 0, 0]
                        }
                    }
                }
                Ok([tell::UP, which, a, b, c, d, ..]) => {
                    let value = call_up(which, context, [a, b, c, d]);
                    if value.is_none() {
                        engine.strayed(format!("there is no upcall {which}"));
                    }
                    answer(value.unwrap_or(0))
                }
                Ok([tell::CLOCK, ..]) => answer(engine.windows.machine.clock()),
                Ok([tell::PAUSE, ns, ..]) => {
                    engine.windows.machine.pause(ns);
                    answer(0)
                }
                Ok(other) => {
                    engine.strayed(format!("the program beside said {other:x?}"));
                    return status::VIOLATION;
                }
                Err(error) => {
                    engine.strayed(format!("the program beside: {error}"));
                    return status::VIOLATION;
                }
            };
        }
    }

    /// Carries out an instruction that faulted: what it loads, if it does.
    fn touch(
        &self,
        engine: &Engine,
        signal: u64,
        address: u64,
        word: u64,
        value: u64,
    ) -> std::result::Result<Option<u64>, String> {
        let shown = format!("the instruction {word:#010x}");
        if signal == SIGILL {
            return Err(format!("{shown} is not for programs"));
        }
        let known = u32::try_from(word).ok().and_then(Instruction::of);
        let Some(instruction) = known else {
            return Err(format!("{shown} at {address:#x} is no plain load or store"));
        };
        let found = self.windows.iter().enumerate().find_map(|(number, place)| {
            let (base, size) = (*place)?;
            let at = address.checked_sub(base)?;
            (at < pages(size)).then_some((number as u8, at))
        });
        let Some((window, at)) = found else {
            return Err(format!("{shown} touched {address:#x}, which is no window"));
        };
        let width = instruction.width;
        let done = match instruction.load {
            None => engine
                .windows
                .write(window, at, width, value)
                .map(|()| None),
            Some(sign) => {
                (engine.windows.read(window, at, width)).map(|v| Some(sign.extend(v, width)))
            }
        };
        done.map_err(|error| error.to_string())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Link {
    fn send(&mut self, message: Message) -> Result<()> {
        let bytes: Vec<u8> = message.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.to.write_all(&bytes)?;
        Ok(())
    }

    fn receive(&mut self) -> Result<Message> {
        let mut bytes = [0; 64];
        self.from.read_exact(&mut bytes)?;
        let mut message = [0; 8];
        for (word, place) in message.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = place.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
        }
        Ok(message)
    }
}

fn answer(value: u64) -> Message {
    [ask::ANSWER, value, then::PASS, 0, 0, 0, 0, 0]
}

fn pages(bytes: u64) -> u64 {
    bytes.max(1).next_multiple_of(PAGE)
}

/// What a load fills the register's upper bits with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Zero,
    /// The sign, up to so many bits; zeros above.
    UpTo(u32),
}

impl Sign {
    fn extend(self, value: u64, width: Width) -> u64 {
        match self {
            Sign::Zero => value,
            Sign::UpTo(bits) => {
                let unused = 64 - width.bits();
                let signed = ((value << unused) as i64 >> unused) as u64;
                signed & (u64::MAX >> (64 - bits))
            }
        }
    }
}

/// A plain load or store of one general register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction {
    width: Width,
    /// `None`: a store.
    load: Option<Sign>,
}

impl Instruction {
    /// Arm ARM, C4.1.94: loads and stores of one register with an unsigned offset, an unscaled one, or a register.
    fn of(word: u32) -> Option<Instruction> {
        let field = |lo: u32, bits: u32| word >> lo & ((1 << bits) - 1);
        // Bit 26 chooses the floating-point registers.
        if field(27, 3) != 0b111 || field(26, 1) != 0 {
            return None;
        }
        let plain = matches!(
            (field(24, 2), field(21, 1), field(10, 2)),
            (0b01, _, _) | (0b00, 0, 0b00) | (0b00, 1, 0b10)
        );
        let width = [Width::B8, Width::B16, Width::B32, Width::B64][field(30, 2) as usize];
        let load = match (field(22, 2), width) {
            (0b00, _) => None,
            (0b01, _) => Some(Sign::Zero),
            (0b10, Width::B8 | Width::B16 | Width::B32) => Some(Sign::UpTo(64)),
            (0b11, Width::B8 | Width::B16) => Some(Sign::UpTo(32)),
            // A prefetch.
            _ => return None,
        };
        plain.then_some(Instruction { width, load })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_loads_and_stores_are_known_and_nothing_else_is() {
        let plain = |width, load| Some(Instruction { width, load });
        for (word, meaning) in [
            // ldr w1, [x2, #8]; ldrb w3, [x4, x5]; ldurh w1, [x0, #-2]; ldr x9, [x8]
            (0xb940_0841, plain(Width::B32, Some(Sign::Zero))),
            (0x3865_6883, plain(Width::B8, Some(Sign::Zero))),
            (0x785f_e001, plain(Width::B16, Some(Sign::Zero))),
            (0xf940_0109, plain(Width::B64, Some(Sign::Zero))),
            // ldrsw x1, [x0]; ldrsb w1, [x0]
            (0xb980_0001, plain(Width::B32, Some(Sign::UpTo(64)))),
            (0x39c0_0001, plain(Width::B8, Some(Sign::UpTo(32)))),
            // str w1, [x2]; strh w1, [x2, x3]
            (0xb900_0041, plain(Width::B32, None)),
            (0x7823_6841, plain(Width::B16, None)),
            // ldr w1, [x2], #4; ldp x1, x2, [x0]; ldr q0, [x0]; ldar w0, [x1]; prfm; ldadd; mrs
            (0xb840_4441, None),
            (0xa940_0801, None),
            (0x3dc0_0000, None),
            (0x88df_fc20, None),
            (0xf980_0000, None),
            (0xb820_0041, None),
            (0xd53b_e040, None),
        ] {
            assert_eq!(Instruction::of(word), meaning, "{word:#010x}");
        }
    }

    #[test]
    fn signs_go_as_far_as_the_register() {
        assert_eq!(Sign::Zero.extend(0x80, Width::B8), 0x80);
        assert_eq!(Sign::UpTo(32).extend(0x80, Width::B8), 0xffff_ff80);
        assert_eq!(Sign::UpTo(64).extend(0x8000, Width::B16), u64::MAX << 15);
        assert_eq!(Sign::UpTo(64).extend(0x7fff, Width::B16), 0x7fff);
    }
}
