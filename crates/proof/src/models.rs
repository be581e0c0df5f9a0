//! The list of device models: a file of tables, one a model.

use crate::{failed, Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The file's whole text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// What the emulator calls the controller of an x86 machine whose lines are watched.
    controller: String,
    #[serde(default)]
    model: Vec<Model>,
}

/// An emulated device that a rule is tried on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Model {
    /// What `--device` looks for.
    pub name: String,
    /// The file's `controller`.
    #[serde(skip)]
    pub controller: String,
    /// The rules that must be chosen, the function first: `disk on transport`.
    pub rules: String,
    /// Class of the function.
    pub class: String,
    /// The emulator's machine: `q35` (default), `virt`, or one of x86 with its options, as `pc,…`.
    #[serde(default = "q35")]
    pub machine: String,
    /// The emulator's arguments that plug the device in.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// MiB of raw disks, which arguments call `d0`, `d1`, …
    #[serde(default)]
    pub disks: Vec<usize>,
    /// A network that answers, which arguments call `n0`.
    #[serde(default)]
    pub network: bool,
    /// A serial line, which arguments call `c0`.
    #[serde(default)]
    pub line: bool,
    /// The machine's clock follows the host's.
    #[serde(default)]
    pub real_time: bool,
    /// On PCI: the class code's first byte, or first two; of several the first.
    pub pci_class: Option<u32>,
    /// The function's interrupts are messages, caught in RAM, instead of its wire.
    #[serde(default)]
    pub messages: bool,
    /// How many CPUs run the driver, which must then use as many lanes: each is tried by itself, and all together.
    #[serde(default = "one")]
    pub lanes: u64,
    /// Configuration space is memory, too: firmware would have said so to the host bridge.
    pub configuration: Option<Configuration>,
    /// A bus: where the emulator's monitor plugs cards in. The card that is there at first has the ID `card`.
    pub cards: Option<Cards>,
    /// Only the windows of these numbers are told to the rule.
    pub only: Option<Vec<u8>>,
    /// Off PCI: bus (`platform` if not said), facts and windows, as discovery would find them.
    pub bus: Option<String>,
    #[serde(default)]
    pub facts: BTreeMap<String, Fact>,
    #[serde(default)]
    pub windows: Vec<Place>,
    /// Moves the first window by `step` until reading `at` of it gives `value`: a slot of a board.
    pub slot: Option<Slot>,
    /// Ports that firmware writes to beforehand, 32 bits each, in this order.
    #[serde(default)]
    pub firmware: Vec<Written>,
    /// What the emulator's monitor calls the masks of an interrupt controller's lines, eight lines each, if it tells no more.
    #[serde(default)]
    pub masks: Vec<String>,
    /// What the emulator says of a driver that is right, too: parts of lines of its log, each with the reason beside it.
    #[serde(default)]
    pub complaints: Vec<String>,
    /// Facts of the class that a driver of this model must have, or facts that its rule must learn, from what the device is.
    #[serde(default)]
    pub expects: BTreeMap<String, u64>,
    /// What the host cannot try, and why: the model is listed, and not run.
    pub elsewhere: Option<String>,
}

fn one() -> u64 {
    1
}

fn q35() -> String {
    "q35".into()
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    Flag(bool),
    Number(u64),
    Text(String),
    Texts(Vec<String>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    pub memory: Option<u64>,
    pub port: Option<u64>,
    pub size: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// The host bridge's register, which takes the address and a one in bit 0.
    pub register: u64,
    pub base: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cards {
    /// The emulator's ID of the bus.
    pub bus: String,
    /// Kinds of devices: the one that is there, and another.
    pub cards: [String; 2],
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    pub port: u16,
    pub value: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    pub step: u64,
    pub count: u64,
    pub at: u64,
    pub value: u64,
}

/// Reads the list.
///
/// # Errors
/// When it is no such list, or two models have one name.
pub fn read(text: &str) -> Result<Vec<Model>> {
    let mut file: File = toml::from_str(text).map_err(|error| Error(error.to_string()))?;
    for (at, model) in file.model.iter().enumerate() {
        if file.model[..at].iter().any(|m| m.name == model.name) {
            return failed(format!("two models are called {}", model.name));
        }
    }
    for model in &mut file.model {
        model.controller.clone_from(&file.controller);
    }
    Ok(file.model)
}
