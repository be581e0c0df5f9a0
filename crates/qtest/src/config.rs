//! Which machine, with which devices.

/// Whose machine it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    X86_64,
    Aarch64,
}

/// How the emulator is started. RAM is always a file shared with the test.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) arch: Arch,
    pub(crate) machine: String,
    /// MiB.
    pub(crate) ram: u64,
    /// Physical address of RAM's first byte.
    pub(crate) ram_base: u64,
    pub(crate) real_time: bool,
    /// The machine's own firmware runs, and then finds a kernel that halts.
    pub(crate) firmware: bool,
    pub(crate) log: Option<String>,
    pub(crate) arguments: Vec<String>,
}

impl Config {
    /// An x86 PC with PCI Express and nothing plugged in.
    pub fn q35() -> Config {
        Config {
            arch: Arch::X86_64,
            machine: "q35,pit=off".into(),
            ram: 64,
            ram_base: 0,
            real_time: false,
            firmware: false,
            log: None,
            arguments: Vec::new(),
        }
    }

    /// An arm64 board with a devicetree and PCI Express.
    pub fn virt() -> Config {
        Config {
            arch: Arch::Aarch64,
            machine: "virt,gic-version=3".into(),
            ram: 64,
            ram_base: 0x4000_0000,
            real_time: false,
            firmware: false,
            log: None,
            arguments: Vec::new(),
        }
    }

    /// A machine exactly as the emulator's arguments say (machine type, memory, devices, `-nodefaults`, but no kernel), as its
    /// own firmware leaves it: [`Machine::settle`] waits for that. RAM is the machine's own and is read through the
    /// protocol.
    pub fn emulated<T: Into<String>>(arch: Arch, arguments: impl IntoIterator<Item = T>) -> Config {
        let like = match arch {
            Arch::X86_64 => Config::q35(),
            Arch::Aarch64 => Config::virt(),
        };
        Config {
            firmware: true,
            // Firmware waits for devices by the clock.
            real_time: true,
            arguments: arguments.into_iter().map(Into::into).collect(),
            ..like
        }
    }

    /// Another machine type of the same architecture, with its options.
    pub fn machine(mut self, machine: &str) -> Config {
        self.machine = machine.into();
        self
    }

    /// The emulator's arguments for devices and such.
    pub fn args<T: Into<String>>(mut self, arguments: impl IntoIterator<Item = T>) -> Config {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// The emulator logs these things ([`Machine::log`](crate::Machine::log)): what its `-d` takes, as `guest_errors,unimp`.
    pub fn log(mut self, items: &str) -> Config {
        self.log = Some(items.into());
        self
    }

    /// Lets the machine's clock follow the host's. Otherwise it stands still while nothing waits for it, and jumps to
    /// the next device timer at once: right for everything but free-running counters.
    pub fn real_time(mut self) -> Config {
        self.real_time = true;
        self
    }
}
