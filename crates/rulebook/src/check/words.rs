//! The words of the language that are values and functions, and the facts that every device of a bus has.

/// Functions with the least and the most number of arguments.
pub const FUNCTIONS: [(&str, usize, usize); 20] = [
    ("bar", 1, 1),
    ("base", 0, 1),
    ("ports", 1, 2),
    ("mem", 1, 2),
    ("msr", 1, 1),
    ("window", 1, 1),
    ("has", 1, 1),
    ("caps", 1, 1),
    ("known", 1, 1),
    ("restores", 2, 2),
    ("measure", 2, 3),
    ("wire", 1, 1),
    ("firmware", 5, 5),
    ("free", 2, 2),
    ("busy", 2, 2),
    ("drop", 1, 1),
    ("min", 2, 2),
    ("max", 2, 2),
    ("bits", 1, 1),
    ("pool", 2, 2),
];

pub const VALUES: [&str; 17] = [
    "true",
    "false",
    "none",
    "me",
    "cpu",
    "cpus",
    "lane",
    "base",
    "model",
    "system",
    "config",
    "behind",
    "candidate",
    "shape",
    "at",
    "cell",
    "lap",
];

/// What discovery says of every PCI function, what names a platform device, and what the installer decides.
pub const FACTS: [&str; 19] = [
    "vendor",
    "device",
    "subvendor",
    "subsystem",
    "revision",
    "class",
    "progif",
    "header",
    "irq",
    "compatible",
    "acpi",
    "hid",
    "cid",
    "uid",
    "messages",
    "message_vector",
    "message_vectors",
    "timer_vector",
    "line_vector",
];

/// What discovery finds devices on.
pub const BUSES: [&str; 3] = ["pci", "platform", "cpu"];

/// What an address space can be made from.
pub const SPACES: [&str; 11] = [
    "bar", "base", "ports", "mem", "msr", "window", "model", "system", "config", "behind", "gas",
];
