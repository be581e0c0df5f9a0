//! The classes that have a pump, and what each wants to know about a device.

use abi::ring::todo;

/// A class with requests and completions. (Direct classes have no pump: see [`crate::direct`].)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Serial,
    Nic,
    Block,
    Entropy,
    Watchdog,
    Framebuffer,
    Input,
}

impl Class {
    /// By the name rules use; `None` for direct and unknown classes.
    pub fn of_name(name: &str) -> Option<Class> {
        Some(match name {
            "serial" => Class::Serial,
            "nic" => Class::Nic,
            "block" => Class::Block,
            "entropy" => Class::Entropy,
            "watchdog" => Class::Watchdog,
            "framebuffer" => Class::Framebuffer,
            "input" => Class::Input,
            _ => return None,
        })
    }

    pub const fn name(self) -> &'static str {
        match self {
            Class::Serial => "serial",
            Class::Nic => "nic",
            Class::Block => "block",
            Class::Entropy => "entropy",
            Class::Watchdog => "watchdog",
            Class::Framebuffer => "framebuffer",
            Class::Input => "input",
        }
    }
}

/// What the client asks for: the operations of all classes that have a pump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Send,
    Transmit,
    Supply,
    Read,
    Write,
    Flush,
    Fill,
    Start,
    Kick,
    Stop,
    Mode,
    Draw,
    Pan,
    Leds,
}

impl Kind {
    /// The operation that a request of this class names, if it names one.
    pub fn of_request(class: Class, kind: u16) -> Option<Kind> {
        Some(match (class, kind) {
            (Class::Serial, todo::SERIAL_SEND) => Kind::Send,
            (Class::Nic, todo::NIC_TRANSMIT) => Kind::Transmit,
            (Class::Nic, todo::NIC_SUPPLY) => Kind::Supply,
            (Class::Block, todo::BLOCK_READ) => Kind::Read,
            (Class::Block, todo::BLOCK_WRITE) => Kind::Write,
            (Class::Block, todo::BLOCK_FLUSH) => Kind::Flush,
            (Class::Entropy, todo::ENTROPY_FILL) => Kind::Fill,
            (Class::Watchdog, todo::WATCHDOG_START) => Kind::Start,
            (Class::Watchdog, todo::WATCHDOG_KICK) => Kind::Kick,
            (Class::Watchdog, todo::WATCHDOG_STOP) => Kind::Stop,
            (Class::Framebuffer, todo::FRAMEBUFFER_MODE) => Kind::Mode,
            (Class::Framebuffer, todo::FRAMEBUFFER_DRAW) => Kind::Draw,
            (Class::Framebuffer, todo::FRAMEBUFFER_PAN) => Kind::Pan,
            (Class::Input, todo::INPUT_LEDS) => Kind::Leds,
            _ => return None,
        })
    }

    /// Whether the operation is over when it returns: it has no ticket, and `busy` means that it was refused.
    pub const fn at_once(self) -> bool {
        matches!(
            self,
            Kind::Start
                | Kind::Kick
                | Kind::Stop
                | Kind::Mode
                | Kind::Draw
                | Kind::Pan
                | Kind::Leds
        )
    }

    /// Whether it comes with bytes of the pool.
    pub const fn has_bytes(self) -> bool {
        match self {
            Kind::Flush => false,
            Kind::Draw => true,
            other => !other.at_once(),
        }
    }
}

/// The facts of one device that its class knows. The defaults are what a rule that says nothing means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// serial: most bytes of one `send`.
    pub depth: u64,
    /// nic: bytes that the client leaves free before each frame.
    pub headroom: u64,
    /// nic: bytes of the shortest frame that may be transmitted.
    pub min: u64,
    /// nic: payload bytes of the longest frame (the Ethernet header comes on top).
    pub mtu: u64,
    /// nic: bytes of the smallest buffer that may be supplied.
    pub buffer: u64,
    /// nic: the station address, first octet in the lowest byte; `None` if the device has none.
    pub mac: Option<u64>,
    /// block: number of blocks.
    pub sectors: u64,
    /// block: bytes of a block.
    pub size: u64,
    pub writable: bool,
    /// Bits of the device's addresses.
    pub reach: u64,
    /// watchdog: the longest time that it waits, in nanoseconds.
    pub longest: u64,
}

impl Default for Facts {
    fn default() -> Facts {
        Facts {
            depth: 1,
            headroom: 0,
            min: 60,
            mtu: 1500,
            buffer: 1514,
            mac: None,
            sectors: 0,
            size: 512,
            writable: true,
            reach: 64,
            longest: 0,
        }
    }
}

impl Facts {
    /// From name and value, as the inventory keeps them. Names that no class knows are not looked at.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, u64)>) -> Facts {
        let mut facts = Facts::default();
        for (name, value) in pairs {
            match name {
                "depth" => facts.depth = value.max(1),
                "headroom" => facts.headroom = value,
                "min" => facts.min = value,
                "mtu" => facts.mtu = value,
                "buffer" => facts.buffer = value,
                "mac" => facts.mac = Some(value),
                "sectors" => facts.sectors = value,
                "size" => facts.size = value.max(1),
                "reach" => facts.reach = value,
                "longest" => facts.longest = value,
                "writable" => facts.writable = value != 0,
                _ => {}
            }
        }
        facts
    }

    /// The station address in the order it is sent.
    pub fn station(&self) -> Option<[u8; 6]> {
        let bytes = self.mac?.to_le_bytes();
        Some([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]])
    }
}
