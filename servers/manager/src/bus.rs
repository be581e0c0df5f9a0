//! A device that is a bus, whose client the manager is: what it tells of the devices behind it.

use crate::driver::Driver;
use crate::trouble::{Context, Trouble};
use abi::layout;
use abi::program::{bit, manager::child};
use abi::ring::{done, todo, Entry};
use abi::system::{map, root, Handle};
use alloc::vec::Vec;
use classes::ring::State;
use classes::Client;
use core::fmt;
use runtime::{device, sys};

/// What a bus says of a child, in its class's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its maker's number in the lower half.
    pub id: u32,
    pub kind: u32,
    pub variant: u32,
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (maker, what) = (self.id as u16, self.id >> 16);
        write!(f, "{maker:04x}:{what:04x} (class {:06x})", self.kind)
    }
}

/// One place of a bus.
#[derive(Clone, Copy, Debug)]
pub struct Child {
    pub place: u32,
    /// As [`child`] numbers it.
    pub state: u64,
    /// What stood there when the machine started: what drivers were written for.
    first: Option<Facts>,
    /// What stands there, or stood there last.
    pub facts: Option<Facts>,
}

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    Came(u32, Facts),
    Went(u32),
    /// Somebody wants it back.
    Leaving(u32),
}

/// What there is to say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Nothing,
    /// Gone; whether drivers may have been written for it.
    Gone(Option<Facts>),
    /// There, and no driver knows it.
    New(Facts),
    /// The first one, again.
    Back(Facts),
}

pub struct Bus {
    /// Index in the inventory.
    pub device: usize,
    client: Client,
    bell: Handle,
    pub children: Vec<Child>,
}

impl Bus {
    /// The client's side of a bus's rings, mapped at place `n` of this task's.
    pub fn open(n: usize, driver: &Driver) -> Result<Bus, Trouble> {
        if n >= device::PLACES {
            return Err(Trouble::new("the manager serves 32 buses, and no more"));
        }
        let at = layout::SESSION_RINGS + n as u64 * layout::SESSION_STRIDE;
        let (offset, size) = (driver.rings.offset, driver.rings.size);
        sys::memory_map(root::SELF, root::MEMORY, offset, size, at, map::WRITE)
            .because("mapping a bus's rings")?;
        Ok(Bus {
            device: driver.device,
            client: device::rings(n),
            bell: driver.notification,
            children: Vec::new(),
        })
    }

    /// What came since the last time. A driver that started anew says again what is there: what it does not name is gone.
    pub fn news(&mut self) -> Vec<News> {
        let mut news = Vec::new();
        let state = self.client.state();
        let anew = state == State::Ready && self.client.restarted();
        while let Some(entry) = self.client.take() {
            let place = entry.ticket;
            news.extend(match entry.kind {
                done::ATTACHED => Some(News::Came(
                    place,
                    Facts {
                        id: entry.value as u32,
                        kind: entry.offset,
                        variant: entry.length,
                    },
                )),
                done::DETACHED => Some(News::Went(place)),
                done::LEAVING => Some(News::Leaving(place)),
                _ => None,
            });
        }
        if anew {
            let named = |place: u32| {
                news.iter()
                    .any(|n| matches!(n, News::Came(at, _) if *at == place))
            };
            let mut missing: Vec<u32> = self.children.iter().map(|child| child.place).collect();
            if missing.is_empty() {
                // At first: who has one place has it empty, then.
                missing.push(0);
            }
            missing.retain(|place| !named(*place));
            news.extend(missing.into_iter().map(News::Went));
        }
        let _ = self.client.publish();
        news
    }

    /// Before sleeping; `false`: something came.
    pub fn arm(&mut self) -> bool {
        self.client.arm()
    }

    /// Nobody uses the child of this place any more.
    pub fn release(&mut self, place: u32) {
        self.client.put(Entry {
            kind: todo::BUS_RELEASE,
            value: place.into(),
            ..Entry::default()
        });
        if self.client.publish() {
            let _ = sys::notify(self.bell, bit::RING);
        }
    }

    fn child(&mut self, place: u32) -> &mut Child {
        let at = match self.children.iter().position(|child| child.place == place) {
            Some(at) => at,
            None => {
                self.children.push(Child {
                    place,
                    state: 0,
                    first: None,
                    facts: None,
                });
                self.children.len() - 1
            }
        };
        &mut self.children[at]
    }

    /// A child is there.
    pub fn came(&mut self, place: u32, facts: Facts) -> Change {
        let child = self.child(place);
        let (before, known) = (child.state, child.facts == Some(facts));
        child.facts = Some(facts);
        match before {
            0 => {
                child.first = Some(facts);
                child.state = child::THERE;
                Change::Nothing
            }
            child::THERE | child::CAME | child::BACK if known => Change::Nothing,
            _ if child.first == Some(facts) => {
                child.state = child::BACK;
                Change::Back(facts)
            }
            _ => {
                child.state = child::CAME;
                Change::New(facts)
            }
        }
    }

    /// A child is not there.
    pub fn went(&mut self, place: u32) -> Change {
        let child = self.child(place);
        let before = child.state;
        child.state = match child.first {
            Some(_) => child::GONE,
            None => child::EMPTY,
        };
        match before {
            child::GONE | child::EMPTY => Change::Nothing,
            _ => Change::Gone(child.facts),
        }
    }
}
