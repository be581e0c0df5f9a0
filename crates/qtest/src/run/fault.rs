//! Faults of the code, carried out on the device model.
//!
//! A memory access is served by the instruction itself: the page is opened with the value that the device gives, the
//! instruction is executed alone (trap flag), the page is closed, and what was written goes to the device. So every
//! instruction that touches one place in a window works, whatever it computes. Port instructions are carried out here.

use super::body::{Body, Event, Note};
use crate::memory::Mapping;
use crate::window::Windows;
use crate::Result;
use abi::context::{Context, Upcall};
use abi::status;
use graph::{Width, WindowKind};
use iced_x86::{Code, Decoder, DecoderOptions, InstructionInfoFactory, OpAccess};
use std::cell::{Cell, RefCell};
use std::sync::Once;

/// Everything a fault needs to know of the code that is running.
pub(crate) struct Engine {
    pub(crate) body: Body,
    pub(crate) windows: Windows,
    /// For each window: the forbidden range that stands for it (memory windows).
    pub(crate) ranges: Vec<Option<Mapping>>,
    /// The access whose instruction is being executed.
    pending: Cell<Option<Pending>>,
    /// What was called and called back.
    notes: RefCell<Vec<Note>>,
    /// The upcalls of whoever called the entry that runs.
    pub(crate) upcalls: Cell<*const Upcall>,
    /// What the code must not have done.
    stray: RefCell<Option<String>>,
    signal_stack: Mapping,
}

/// An access that is half done.
#[derive(Clone, Copy)]
struct Pending {
    window: u8,
    at: u64,
    width: Width,
    write: bool,
}

/// Bytes of stack for the signal handler.
const SIGNAL_STACK: usize = 256 << 10;
const TRAP_FLAG: i64 = 0x100;
const DIRECTION_FLAG: i64 = 0x400;

thread_local! {
    /// The engine whose code this thread runs, or null.
    static CURRENT: Cell<*const Engine> = const { Cell::new(std::ptr::null()) };
}

/// The engine whose code this thread runs, if it runs any.
pub(crate) fn with_current<T>(work: impl FnOnce(Option<&Engine>) -> T) -> T {
    // SAFETY: not null means that `Engine::run` is below on this thread's stack, with the engine borrowed.
    work(unsafe { CURRENT.get().as_ref() })
}

impl Engine {
    pub(crate) fn new(body: Body, windows: Windows) -> Result<Engine> {
        let mut ranges = Vec::new();
        for window in &windows.list {
            ranges.push(match window.kind {
                WindowKind::Memory => {
                    Some(Mapping::private(window.size as usize, libc::PROT_NONE)?)
                }
                _ => None,
            });
        }
        Ok(Engine {
            body,
            windows,
            ranges,
            pending: Cell::new(None),
            notes: RefCell::new(Vec::new()),
            upcalls: Cell::new(std::ptr::null()),
            stray: RefCell::new(None),
            signal_stack: Mapping::private(SIGNAL_STACK, libc::PROT_READ | libc::PROT_WRITE)?,
        })
    }

    /// Something the code must not do.
    pub(crate) fn strayed(&self, what: String) {
        self.stray.borrow_mut().get_or_insert(what);
    }

    pub(crate) fn note(&self, event: Event) {
        let before = self.windows.count();
        self.notes.borrow_mut().push(Note { before, event });
    }

    /// Calls, accesses and returns in order.
    pub(crate) fn events(&self) -> Vec<Event> {
        let trace = self.windows.trace();
        let (mut all, mut at) = (Vec::new(), 0);
        for note in self.notes.borrow().iter() {
            let until = note.before.min(trace.len()).max(at);
            all.extend(trace[at..until].iter().copied().map(Event::Touch));
            all.push(note.event);
            at = until;
        }
        all.extend(trace[at..].iter().copied().map(Event::Touch));
        all
    }

    pub(crate) fn forget(&self) {
        self.windows.clear_trace();
        self.notes.borrow_mut().clear();
    }

    /// Runs `work`, in which the code may be called. An error if the code strayed.
    pub(crate) fn run<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        install();
        let outer = CURRENT.replace(self);
        let stack = libc::stack_t {
            ss_sp: self.signal_stack.base().cast(),
            ss_flags: 0,
            ss_size: self.signal_stack.size(),
        };
        // SAFETY: a plain structure of numbers, filled in by the call below.
        let mut before: libc::stack_t = unsafe { std::mem::zeroed() };
        // SAFETY: the stack is mapped as long as the engine, and given up again below.
        unsafe { libc::sigaltstack(&stack, &mut before) };
        let value = work();
        // SAFETY: what was there before.
        unsafe { libc::sigaltstack(&before, std::ptr::null_mut()) };
        CURRENT.set(outer);
        match self.stray.borrow_mut().take() {
            Some(what) => Err(crate::Error::Other(what)),
            None => Ok(value),
        }
    }

    /// The window and offset of an address in one of the forbidden ranges.
    fn find(&self, address: u64) -> Option<(u8, u64)> {
        self.ranges.iter().enumerate().find_map(|(number, range)| {
            let range = range.as_ref()?;
            let at = address.checked_sub(range.base() as u64)?;
            (at < range.size() as u64).then_some((number as u8, at))
        })
    }

    /// The window and offset of a port.
    fn find_port(&self, port: u64) -> Option<(u8, u64)> {
        self.windows
            .list
            .iter()
            .enumerate()
            .find_map(|(number, window)| {
                let at = port.checked_sub(window.base)?;
                (window.kind == WindowKind::Port && at < window.size).then_some((number as u8, at))
            })
    }

    /// Addresses of the code whose faults are served.
    fn code(&self) -> std::ops::Range<u64> {
        match &self.body {
            Body::Code(text) => text.code(),
            Body::Beside(_) | Body::Graph { .. } | Body::Carried { .. } => 0..0,
        }
    }

    /// Serves a fault, or says what was wrong.
    fn serve(&self, frame: &mut Frame, address: u64) -> std::result::Result<(), String> {
        let rip = frame.get(libc::REG_RIP);
        let code = self.code();
        let left = (code.end - rip).min(15) as usize;
        // SAFETY: `rip` is inside the code, which is mapped readable, and `left` bytes from it are, too.
        let bytes = unsafe { std::slice::from_raw_parts(rip as *const u8, left) };
        let decoded = Decoder::with_ip(64, bytes, rip, DecoderOptions::NONE).decode();
        let place = format!("at {:#x} of the code", rip - code.start);
        if decoded.is_invalid() {
            return Err(format!("an instruction that does not exist, {place}"));
        }
        if let Some((width, write, immediate)) = port_instruction(decoded.code()) {
            let port = match immediate {
                true => u64::from(decoded.immediate8()),
                false => frame.get(libc::REG_RDX) & 0xffff,
            };
            self.port(frame, port, width, write)
                .map_err(|what| format!("{what}, {place}"))?;
            frame.set(libc::REG_RIP, decoded.next_ip());
            return Ok(());
        }
        let Some((window, at)) = self.find(address) else {
            return Err(format!(
                "`{decoded:?}` touched {address:#x}, which is no window, {place}"
            ));
        };
        let mut factory = InstructionInfoFactory::new();
        let mut memory = factory.info(&decoded).used_memory().iter();
        let (Some(operand), None) = (memory.next(), memory.next()) else {
            return Err(format!(
                "{:?} touches more than one place, {place}",
                decoded.code()
            ));
        };
        let (reads, writes) = direction(operand.access());
        let Some(width) = Width::of_bits(operand.memory_size().size() as u32 * 8) else {
            return Err(format!(
                "{:?} has no width a device knows, {place}",
                decoded.code()
            ));
        };
        self.begin(window, at, width, reads, writes)
            .map_err(|what| format!("{what}, {place}"))?;
        frame.set(libc::REG_EFL, frame.get(libc::REG_EFL) | TRAP_FLAG as u64);
        Ok(())
    }

    /// Opens the page, with the device's value in it, for one instruction.
    fn begin(
        &self,
        window: u8,
        at: u64,
        width: Width,
        reads: bool,
        write: bool,
    ) -> std::result::Result<(), String> {
        let Some(range) = &self.ranges[usize::from(window)] else {
            return Err("a window that is not memory".into());
        };
        let size = self.windows.list[usize::from(window)].size;
        if at + u64::from(width.bytes()) > size {
            let name = &self.windows.list[usize::from(window)].name;
            return Err(format!(
                "offset {at:#x} is outside window `{name}` of {size:#x} bytes"
            ));
        }
        let value = match reads {
            true => self
                .windows
                .read(window, at, width)
                .map_err(|error| error.to_string())?,
            false => 0,
        };
        let count = width.bytes() as usize;
        range.protect(at as usize, count, libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: inside the mapping, whose pages were just opened; little-endian bytes on this processor.
        unsafe {
            let place = range.base().add(at as usize);
            std::ptr::copy_nonoverlapping(value.to_le_bytes().as_ptr(), place, count);
        }
        self.pending.set(Some(Pending {
            window,
            at,
            width,
            write,
        }));
        Ok(())
    }

    /// The instruction was executed: closes the page, and tells the device what was written.
    fn end(&self, pending: Pending) -> std::result::Result<(), String> {
        let Some(range) = &self.ranges[usize::from(pending.window)] else {
            return Ok(());
        };
        let (at, count) = (pending.at as usize, pending.width.bytes() as usize);
        let mut bytes = [0; 8];
        // SAFETY: as in `begin`; the pages are still open.
        unsafe { std::ptr::copy_nonoverlapping(range.base().add(at), bytes.as_mut_ptr(), count) };
        range.protect(at, count, libc::PROT_NONE);
        if !pending.write {
            return Ok(());
        }
        let value = u64::from_le_bytes(bytes);
        self.windows
            .write(pending.window, pending.at, pending.width, value)
            .map_err(|error| error.to_string())
    }

    fn port(
        &self,
        frame: &mut Frame,
        port: u64,
        width: Width,
        write: bool,
    ) -> std::result::Result<(), String> {
        let Some((window, at)) = self.find_port(port) else {
            return Err(format!("it touched port {port:#x}, which is no window"));
        };
        let rax = frame.get(libc::REG_RAX);
        if write {
            let done = self.windows.write(window, at, width, rax);
            return done.map_err(|error| error.to_string());
        }
        let value = self
            .windows
            .read(window, at, width)
            .map_err(|error| error.to_string())?;
        // A 32-bit result clears the upper half of the register; narrower ones keep what is above them.
        let kept = match width {
            Width::B8 | Width::B16 => rax & !width.mask(),
            Width::B32 | Width::B64 => 0,
        };
        frame.set(libc::REG_RAX, kept | value);
        Ok(())
    }

    /// Ends the entry as if it had returned.
    fn leave(&self, frame: &mut Frame, what: String) {
        if let Some(pending) = self.pending.take() {
            if let Some(range) = &self.ranges[usize::from(pending.window)] {
                let count = pending.width.bytes() as usize;
                range.protect(pending.at as usize, count, libc::PROT_NONE);
            }
        }
        self.strayed(what);
        let Body::Code(text) = &self.body else { return };
        let (stack, exit) = text.way_out();
        let flags = frame.get(libc::REG_EFL) & !(TRAP_FLAG | DIRECTION_FLAG) as u64;
        frame.set(libc::REG_EFL, flags);
        frame.set(libc::REG_RSP, stack);
        frame.set(libc::REG_RIP, exit);
        frame.set(libc::REG_RAX, status::VIOLATION);
    }
}

/// The interrupted registers.
struct Frame<'a>(&'a mut libc::ucontext_t);

impl Frame<'_> {
    fn get(&self, register: i32) -> u64 {
        self.0.uc_mcontext.gregs[register as usize] as u64
    }
    fn set(&mut self, register: i32, value: u64) {
        self.0.uc_mcontext.gregs[register as usize] = value as i64;
    }
}

/// Width, whether it writes, whether the port is in the instruction.
fn port_instruction(code: Code) -> Option<(Width, bool, bool)> {
    Some(match code {
        Code::In_AL_DX => (Width::B8, false, false),
        Code::In_AX_DX => (Width::B16, false, false),
        Code::In_EAX_DX => (Width::B32, false, false),
        Code::In_AL_imm8 => (Width::B8, false, true),
        Code::In_AX_imm8 => (Width::B16, false, true),
        Code::In_EAX_imm8 => (Width::B32, false, true),
        Code::Out_DX_AL => (Width::B8, true, false),
        Code::Out_DX_AX => (Width::B16, true, false),
        Code::Out_DX_EAX => (Width::B32, true, false),
        Code::Out_imm8_AL => (Width::B8, true, true),
        Code::Out_imm8_AX => (Width::B16, true, true),
        Code::Out_imm8_EAX => (Width::B32, true, true),
        _ => return None,
    })
}

/// Whether memory is read, and written.
fn direction(access: OpAccess) -> (bool, bool) {
    match access {
        OpAccess::Read | OpAccess::CondRead => (true, false),
        OpAccess::Write | OpAccess::CondWrite => (false, true),
        _ => (true, true),
    }
}

/// The two handlers, once for the process.
fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for signal in [libc::SIGSEGV, libc::SIGTRAP] {
            // SAFETY: a plain structure of numbers and a null pointer, filled in below.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            // SAFETY: the handler has the shape SA_SIGINFO asks for, and passes on what is not its own.
            let done = unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) };
            assert_eq!(done, 0, "sigaction with a good signal number");
        }
    });
}

extern "C" fn handler(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let engine = CURRENT.get();
    // SAFETY: the kernel passes the interrupted registers, which are this handler's until it returns.
    let mut frame = Frame(unsafe { &mut *context.cast::<libc::ucontext_t>() });
    // SAFETY: not null means that `Engine::run` is below on this thread's stack, with the engine borrowed.
    let Some(engine) = (unsafe { engine.as_ref() }) else {
        return pass_on(signal);
    };
    // The fault comes from the code itself, called from `run`: nothing of this process is in the middle of anything,
    // so the handler may allocate, lock and talk.
    let inside = engine.code().contains(&frame.get(libc::REG_RIP));
    let served = match signal {
        libc::SIGTRAP => match engine.pending.get() {
            Some(pending) => {
                let flags = frame.get(libc::REG_EFL) & !(TRAP_FLAG as u64);
                frame.set(libc::REG_EFL, flags);
                let ended = engine.end(pending);
                engine.pending.set(None);
                ended
            }
            None if inside => Err("a trap".into()),
            None => return pass_on(signal),
        },
        _ if inside => {
            // SAFETY: SIGSEGV carries an address.
            let address = unsafe { (*info).si_addr() } as u64;
            match engine.pending.get() {
                Some(_) => Err("an instruction faults again on an open window".into()),
                None => engine.serve(&mut frame, address),
            }
        }
        _ => return pass_on(signal),
    };
    if let Err(what) = served {
        engine.leave(&mut frame, what);
    }
}

/// Not ours: what would have happened without us happens when the instruction is tried again.
fn pass_on(signal: i32) {
    // SAFETY: the default action needs nothing.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// `Context::clock` of every residual run here.
pub(crate) extern "C" fn clock(_: *mut Context) -> u64 {
    // SAFETY: as in `handler`.
    match unsafe { CURRENT.get().as_ref() } {
        Some(engine) => engine.windows.machine.clock(),
        None => 0,
    }
}

/// `Context::pause`.
pub(crate) extern "C" fn pause(_: *mut Context, ns: u64) {
    // SAFETY: as in `handler`.
    if let Some(engine) = unsafe { CURRENT.get().as_ref() } {
        engine.windows.machine.pause(ns);
    }
}
