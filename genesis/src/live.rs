//! The hardware for the first run of a rule's `init`, which happens before there is code.

use crate::{arch, clock, memory, probe, run};
use alloc::{format, string::String, vec::Vec};
use discovery::policy::{self, Answer, Place, Probe};
use graph::{Access, Conduit, Fence, Late, Space, Width, Window, WindowKind};

/// Room for what the first run uses: it is not known before what the rule will need.
const STATE: usize = 64 * 1024;
const ARENA: usize = 256 * 1024;
const POOL: usize = 64 * 1024;
/// Devices want rings aligned; no rule asks for more.
const ALIGN: u64 = 64 * 1024;

/// One device, as a rule sees it.
pub struct Live {
    /// What the policy knows it as.
    place: Place,
    blind: bool,
    windows: Vec<Option<Window>>,
    state: Vec<u8>,
    /// Physical addresses, once used.
    arena: Option<u64>,
    pool: Option<u64>,
    errors: Vec<String>,
}

impl Live {
    /// For the clues of rules, which may read, and write what they put back.
    pub fn asking(place: Place, blind: bool) -> Live {
        Live {
            place,
            blind,
            windows: Vec::new(),
            state: Vec::new(),
            arena: None,
            pool: None,
            errors: Vec::new(),
        }
    }

    /// For the rule that was chosen.
    pub fn chosen() -> Live {
        Live::asking(Place::Chosen, false)
    }

    /// Whether the policy allows it. (What only the journal allows is in the journal: see `discover::Probing::guarded`.)
    fn may(&mut self, probe: Probe) -> bool {
        let allowed = policy::allowed(probe, self.place, self.blind) != Answer::No;
        if !allowed {
            let place = self.place;
            self.error(format!(
                "{probe:?} is against the policy for a place known as {place:?}"
            ));
        }
        allowed
    }

    /// Accesses outside of the windows or the memory, or that nothing answered: they read as all ones or 0, and are told
    /// here.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    fn error(&mut self, what: String) {
        if self.errors.len() < 16 {
            self.errors.push(what);
        }
    }

    /// Kind and address (or port, or register) of an access inside of its window.
    fn place(&mut self, window: u8, at: u64, width: Width) -> Option<(WindowKind, u64)> {
        let place = match self.windows.get(window as usize) {
            Some(Some(w)) => match w.kind {
                WindowKind::System | WindowKind::Model => Some((w.kind, at)),
                kind => {
                    let end = at.checked_add(u64::from(width.bytes()));
                    end.filter(|end| *end <= w.size)
                        .map(|_| (kind, w.base + at))
                }
            },
            _ => None,
        };
        if place.is_none() {
            self.error(format!(
                "an access at {at:#x} is outside of window {window}"
            ));
        }
        place
    }

    fn memory(&mut self, space: Space, at: u64, width: Width) -> Option<*mut u8> {
        let (base, size) = match space {
            Space::State => {
                self.state.resize(STATE, 0);
                (self.state.as_mut_ptr(), STATE)
            }
            Space::Arena => (self.arena() as *mut u8, ARENA),
            Space::Pool => (self.pool() as *mut u8, POOL),
        };
        let inside = at
            .checked_add(u64::from(width.bytes()))
            .is_some_and(|end| end <= size as u64);
        if !inside {
            self.error(format!("an access at {at:#x} is outside of the {space:?}"));
            return None;
        }
        Some(base.wrapping_add(at as usize))
    }

    fn arena(&mut self) -> u64 {
        *self
            .arena
            .get_or_insert_with(|| memory::scratch(ARENA as u64, ALIGN))
    }

    fn pool(&mut self) -> u64 {
        *self
            .pool
            .get_or_insert_with(|| memory::scratch(POOL as u64, ALIGN))
    }
}

impl synthesis::LiveAccess for Live {
    fn open(&mut self, index: u8, window: &Window) -> bool {
        run::window(window.kind, window.base, window.size);
        let index = index as usize;
        if self.windows.len() <= index {
            self.windows.resize(index + 1, None);
        }
        self.windows[index] = Some(window.clone());
        true
    }
}

impl Access for Live {
    fn read(&mut self, window: u8, at: u64, width: Width) -> u64 {
        let may = self.may(Probe::Read);
        let Some((kind, place)) = self.place(window, at, width).filter(|_| may) else {
            return width.mask();
        };
        let value = match kind {
            WindowKind::Port => Some(arch::port_read(place as u16, width.bits())),
            WindowKind::Memory => probe::read(place, width.bits()).ok(),
            WindowKind::System | WindowKind::Model => probe::register(place as u32, None),
        };
        if value.is_none() {
            let why = arch::refused();
            self.error(format!("nothing answers a read at {place:#x}: {why}"));
        }
        value.unwrap_or(width.mask())
    }

    fn write(&mut self, window: u8, at: u64, width: Width, value: u64) {
        // The checker of rules sees to it that clues put back what they write.
        let may = self.may(match self.place {
            Place::Chosen => Probe::Reset,
            _ => Probe::Restore,
        });
        let Some((kind, place)) = self.place(window, at, width).filter(|_| may) else {
            return;
        };
        let done = match kind {
            WindowKind::Port => {
                arch::port_write(place as u16, width.bits(), value);
                true
            }
            // SAFETY: the place is inside of a window that discovery found in a table or BAR, so it is a device's.
            WindowKind::Memory => unsafe { probe::write(place, width.bits(), value) }.is_ok(),
            WindowKind::System | WindowKind::Model => {
                probe::register(place as u32, Some(value)).is_some()
            }
        };
        if !done {
            let why = arch::refused();
            self.error(format!("nothing answers a write at {place:#x}: {why}"));
        }
    }

    fn load(&mut self, space: Space, at: u64, width: Width) -> u64 {
        let Some(place) = self.memory(space, at, width) else {
            return 0;
        };
        let mut bytes = [0u8; 8];
        // SAFETY: `memory` checked that so many bytes are inside; a device may change them at any time, so they are copied
        // by volatile reads.
        unsafe {
            match width {
                Width::B8 => bytes[0] = place.read_volatile(),
                Width::B16 => bytes[..2].copy_from_slice(&place.cast::<[u8; 2]>().read_volatile()),
                Width::B32 => bytes[..4].copy_from_slice(&place.cast::<[u8; 4]>().read_volatile()),
                Width::B64 => bytes = place.cast::<[u8; 8]>().read_volatile(),
            }
        }
        u64::from_le_bytes(bytes)
    }

    fn store(&mut self, space: Space, at: u64, width: Width, value: u64) {
        let Some(place) = self.memory(space, at, width) else {
            return;
        };
        // SAFETY: as in `load`; nothing but this device and this run uses the memory.
        unsafe {
            match width {
                Width::B8 => place.write_volatile(value as u8),
                Width::B16 => place
                    .cast::<[u8; 2]>()
                    .write_volatile((value as u16).to_le_bytes()),
                Width::B32 => place
                    .cast::<[u8; 4]>()
                    .write_volatile((value as u32).to_le_bytes()),
                Width::B64 => place.cast::<[u8; 8]>().write_volatile(value.to_le_bytes()),
            }
        }
    }

    fn fence(&mut self, _: Fence) {
        arch::barrier();
    }

    fn late(&mut self, late: Late) -> u64 {
        if !self.may(Probe::Dma) {
            return 0;
        }
        match late {
            Late::ArenaDma => self.arena(),
            Late::PoolDma => self.pool(),
            Late::Lane => 0,
        }
    }

    fn clock(&mut self) -> u64 {
        clock::now()
    }

    fn pause(&mut self, ns: u64) {
        clock::pause(ns);
    }

    fn up(&mut self, _: u8, _: &[u64]) -> u64 {
        0
    }

    fn firmware(&mut self, conduit: Conduit, args: [u64; 4]) -> u64 {
        arch::firmware(conduit, args)
    }
}
