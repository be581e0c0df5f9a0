//! What carries the entries of a residual out: emitted code, here or in another processor, code that a C compiler made of
//! the C view, or the interpreter. Whichever it is, it is entered through the same doors, which note what is called and what is called back.

use super::beside::Beside;
use super::fault::{self, Engine};
use super::text::Text;
use crate::{Error, Result};
use abi::context::{Context, Upcall};
use abi::status;
use classes::Pool;
use graph::{interpret, Access, Conduit, Fence, Late, Residual, Space, Width};
use std::cell::RefCell;
use std::ffi::CString;
use std::path::Path;

/// Most entries that one residual may have here.
pub(crate) const DOORS: usize = 64;
/// Most upcalls.
const CALLS: usize = 16;

/// What happened at the border of a residual, beside its accesses to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Entry number so was called.
    Enter(u8),
    /// It called the class: upcall and its words.
    Up(u8, [u64; 4]),
    /// It returned this.
    Exit(u64),
    /// An access to the device.
    Touch(crate::Touch),
}

/// An event, and how many accesses there were before it.
#[derive(Clone, Copy)]
pub(crate) struct Note {
    pub(crate) before: usize,
    pub(crate) event: Event,
}

/// Stands between the interpreter and the device: what it changes is what the residual sees. For tests of failure.
pub trait Disturb {
    /// A device gave `value`.
    fn read(&mut self, window: u8, at: u64, width: Width, value: u64) -> u64;
    /// What is written to the device instead, if anything.
    fn write(&mut self, window: u8, at: u64, width: Width, value: u64) -> Option<u64>;
    /// Memory shared with the device gave `value`.
    fn load(&mut self, space: Space, at: u64, width: Width, value: u64) -> u64;
}

/// Somebody else who can carry a driver out, entry by entry, against what the residual would touch.
pub trait Carrier {
    /// Runs the entry of this name; gives its status, or why it did not come to its end.
    ///
    /// # Errors
    /// In words, when it did not.
    fn carry(
        &mut self,
        entry: &str,
        words: &[u64],
        access: &mut dyn Access,
    ) -> std::result::Result<u64, String>;
}

pub(crate) enum Body {
    /// Machine code behind gates.
    Code(Text),
    /// Machine code of the other processor.
    Beside(Beside),
    /// The graph itself.
    Graph {
        residual: Box<Residual>,
        disturb: RefCell<Option<Box<dyn Disturb>>>,
    },
    /// Neither code nor graph.
    Carried {
        residual: Box<Residual>,
        carrier: RefCell<Box<dyn Carrier>>,
    },
}

type Entry = extern "C" fn(*mut Context, u64, u64, u64, u64, u64) -> u64;

/// The address at which entry `number` of whichever residual this thread runs is entered.
pub(crate) fn door(number: usize) -> Option<*const u8> {
    let doors = DOOR_TABLE;
    doors.get(number).map(|door| *door as *const u8)
}

extern "C" fn enter<const N: usize>(
    context: *mut Context,
    a: u64,
    b: u64,
    c: u64,
    d: u64,
    e: u64,
) -> u64 {
    fault::with_current(|engine| match engine {
        Some(engine) => carry_out(engine, N, context, [a, b, c, d, e]),
        None => status::VIOLATION,
    })
}

fn carry_out(engine: &Engine, number: usize, context: *mut Context, args: [u64; 5]) -> u64 {
    engine.note(Event::Enter(number as u8));
    let calls: &[Upcall; CALLS] = &CALL_TABLE;
    // SAFETY: pump and direct driver pass the context they were made with, which is theirs while the entry runs.
    let before = unsafe { std::mem::replace(&mut (*context).upcalls, calls.as_ptr()) };
    let outer = engine.upcalls.replace(before);
    let status = match &engine.body {
        Body::Code(text) => match text.gate(number) {
            // SAFETY: the address is a gate that leads to an entry, which has this shape.
            Some(gate) => unsafe {
                let entry = std::mem::transmute::<*const u8, Entry>(gate);
                entry(context, args[0], args[1], args[2], args[3], args[4])
            },
            None => status::VIOLATION,
        },
        Body::Beside(beside) => beside.run(engine, number, context, args),
        Body::Graph { residual, disturb } => {
            interpreted(engine, residual, disturb, number, context, args)
        }
        Body::Carried { residual, carrier } => {
            carried(engine, residual, carrier, number, context, args)
        }
    };
    engine.upcalls.set(outer);
    // SAFETY: as above.
    unsafe { (*context).upcalls = before };
    engine.note(Event::Exit(status));
    status
}

extern "C" fn call<const N: usize>(context: *mut Context, a: u64, b: u64, c: u64, d: u64) -> u64 {
    fault::with_current(|engine| {
        let Some(engine) = engine else { return 0 };
        engine.note(Event::Up(N as u8, [a, b, c, d]));
        let table = engine.upcalls.get();
        if table.is_null() {
            return 0;
        }
        // SAFETY: the table of whoever called the entry, which has as many places as the residual names upcalls.
        let upcall = unsafe { *table.add(N) };
        upcall(context, a, b, c, d)
    })
}

/// Calls the class for code that cannot: what it gives, if there is such an upcall.
pub(crate) fn call_up(which: u64, context: *mut Context, words: [u64; 4]) -> Option<u64> {
    let call = CALL_TABLE.get(usize::try_from(which).ok()?)?;
    Some(call(context, words[0], words[1], words[2], words[3]))
}

fn interpreted(
    engine: &Engine,
    residual: &Residual,
    disturb: &RefCell<Option<Box<dyn Disturb>>>,
    number: usize,
    context: *mut Context,
    args: [u64; 5],
) -> u64 {
    let count = residual
        .entries
        .get(number)
        .map_or(0, |e| e.arguments as usize);
    let mut carried = Carried {
        engine,
        residual,
        disturb,
        context,
        stray: false,
    };
    let outcome = interpret::run(residual, number, &args[..count.min(5)], &mut carried);
    if let Some(fault) = outcome.fault {
        engine.strayed(format!("the interpreter stopped: {fault:?}"));
        return status::VIOLATION;
    }
    if carried.stray {
        return status::VIOLATION;
    }
    // SAFETY: as in `carry_out`.
    unsafe { (*context).results = outcome.results };
    outcome.status
}

fn carried(
    engine: &Engine,
    residual: &Residual,
    carrier: &RefCell<Box<dyn Carrier>>,
    number: usize,
    context: *mut Context,
    args: [u64; 5],
) -> u64 {
    let (Some(entry), Ok(mut carrier)) = (residual.entries.get(number), carrier.try_borrow_mut())
    else {
        engine.strayed(format!("entry {number} is not there, or runs already"));
        return status::VIOLATION;
    };
    let disturb = RefCell::new(None);
    let mut touched = Carried {
        engine,
        residual,
        disturb: &disturb,
        context,
        stray: false,
    };
    let words = &args[..usize::from(entry.arguments).min(5)];
    let ended = carrier.carry(&entry.name, words, &mut touched);
    match ended {
        Ok(status) if !touched.stray => status,
        Ok(_) => status::VIOLATION,
        Err(why) => {
            engine.strayed(why);
            status::VIOLATION
        }
    }
}

/// What the interpreter touches: the same memory, windows and functions that code would.
struct Carried<'e> {
    engine: &'e Engine,
    residual: &'e Residual,
    disturb: &'e RefCell<Option<Box<dyn Disturb>>>,
    context: *mut Context,
    stray: bool,
}

impl Carried<'_> {
    fn strayed(&mut self, what: String) {
        self.stray = true;
        self.engine.strayed(what);
    }

    fn memory(&self, space: Space) -> Pool {
        // SAFETY: the context's memory is mapped as long as the device; sizes are what it was made for.
        unsafe {
            let context = &*self.context;
            match space {
                Space::State => Pool::new(context.state, self.residual.state_size as usize),
                Space::Arena => Pool::new(context.arena, self.residual.arena_size as usize),
                Space::Pool => Pool::new(context.pool, context.pool_size as usize),
            }
        }
    }
}

impl Access for Carried<'_> {
    fn read(&mut self, window: u8, at: u64, width: Width) -> u64 {
        let value = match self.engine.windows.read(window, at, width) {
            Ok(value) => value,
            Err(error) => {
                self.strayed(error.to_string());
                0
            }
        };
        match self.disturb.borrow_mut().as_mut() {
            Some(disturb) => disturb.read(window, at, width, value) & width.mask(),
            None => value,
        }
    }

    fn write(&mut self, window: u8, at: u64, width: Width, value: u64) {
        let value = match self.disturb.borrow_mut().as_mut() {
            Some(disturb) => disturb.write(window, at, width, value),
            None => Some(value),
        };
        let Some(value) = value else { return };
        if let Err(error) = self.engine.windows.write(window, at, width, value) {
            self.strayed(error.to_string());
        }
    }

    fn pool_size(&self) -> Option<u64> {
        // SAFETY: as in `carry_out`.
        Some(unsafe { (*self.context).pool_size })
    }

    fn load(&mut self, space: Space, at: u64, width: Width) -> u64 {
        let mut bytes = [0; 8];
        let memory = self.memory(space);
        if !memory.read(at, &mut bytes[..width.bytes() as usize]) {
            let bits = width.bits();
            self.strayed(format!("{bits} bits at {at:#x} are outside {space:?}"));
        }
        let value = u64::from_le_bytes(bytes);
        match self.disturb.borrow_mut().as_mut() {
            Some(disturb) if space != Space::State => {
                disturb.load(space, at, width, value) & width.mask()
            }
            _ => value,
        }
    }

    fn store(&mut self, space: Space, at: u64, width: Width, value: u64) {
        let bytes = value.to_le_bytes();
        let memory = self.memory(space);
        if !memory.write(at, &bytes[..width.bytes() as usize]) {
            let bits = width.bits();
            self.strayed(format!("{bits} bits at {at:#x} are outside {space:?}"));
        }
    }

    fn fence(&mut self, _: Fence) {
        std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
    }

    fn late(&mut self, late: Late) -> u64 {
        // SAFETY: as in `carry_out`.
        let context = unsafe { &*self.context };
        match late {
            Late::ArenaDma => context.arena_dma,
            Late::PoolDma => context.pool_dma,
            Late::Lane => context.lane,
        }
    }

    fn clock(&mut self) -> u64 {
        self.engine.windows.machine.clock()
    }

    fn pause(&mut self, ns: u64) {
        self.engine.windows.machine.pause(ns);
    }

    fn up(&mut self, which: u8, args: &[u64]) -> u64 {
        let mut words = [0; 4];
        for (word, arg) in words.iter_mut().zip(args) {
            *word = *arg;
        }
        call_up(which.into(), self.context, words).unwrap_or_else(|| {
            self.strayed(format!("there is no upcall {which}"));
            0
        })
    }

    fn firmware(&mut self, conduit: Conduit, _: [u64; 4]) -> u64 {
        self.strayed(format!("firmware ({conduit:?}) is out of reach here"));
        u64::MAX
    }
}

/// A shared object, loaded: the C view as a compiler made it.
pub struct Library {
    handle: *mut libc::c_void,
}

impl Library {
    /// Loads it. Its functions are the residual's entries and nothing runs when it is loaded.
    pub fn open(path: &Path) -> Result<Library> {
        let name = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| Error::Other("a path with a zero byte".into()))?;
        // SAFETY: a terminated name; the object was made of a C view, which has no constructors.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) };
        if handle.is_null() {
            return Err(Error::Other(format!("{} cannot be loaded", path.display())));
        }
        Ok(Library { handle })
    }

    /// Address of a function.
    pub(crate) fn address(&self, name: &str) -> Result<u64> {
        let missing = || Error::Other(format!("the object has no function `{name}`"));
        let text = CString::new(name).map_err(|_| missing())?;
        // SAFETY: a loaded object and a terminated name.
        let address = unsafe { libc::dlsym(self.handle, text.as_ptr()) };
        match address.is_null() {
            true => Err(missing()),
            false => Ok(address as u64),
        }
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: it was opened once, and whoever runs its code keeps it.
        unsafe { libc::dlclose(self.handle) };
    }
}

macro_rules! table {
    ($function:ident: $($n:literal)*) => { [$($function::<$n>),*] };
}

const DOOR_TABLE: [Entry; DOORS] = table!(enter:
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
    32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
static CALL_TABLE: [Upcall; CALLS] = table!(call: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
