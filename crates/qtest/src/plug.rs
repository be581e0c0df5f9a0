//! Devices that are plugged in and taken out while the machine runs.

use crate::{Machine, Result};
use serde_json::{json, Value};

/// A card in a slot, as the emulator's monitor tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card {
    pub vendor: u64,
    pub device: u64,
    /// Base class and sub-class: 16 bits.
    pub class: u64,
}

impl Machine {
    /// Plugs a device of the emulator's kind `kind` into the bus `bus` (an ID of its `-device`), under the name `id`.
    ///
    /// # Errors
    /// When the emulator refuses: the slot is full, or being emptied.
    pub fn plug(&self, kind: &str, id: &str, bus: &str) -> Result<()> {
        let device = json!({ "driver": kind, "id": id, "bus": bus });
        self.ask("device_add", device).map(drop)
    }

    /// Asks for a device to be let go (the emulator presses the slot's button); it is gone when the machine released it.
    ///
    /// # Errors
    /// When there is no such device, or it is being let go already.
    pub fn pull(&self, id: &str) -> Result<()> {
        self.ask("device_del", json!({ "id": id })).map(drop)
    }

    /// The card behind the port whose ID is `port`, by the emulator's own account.
    ///
    /// # Errors
    /// When the emulator is gone.
    pub fn card(&self, port: &str) -> Result<Option<Card>> {
        let told = self.ask("query-pci", json!({}))?;
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let all = list(&told)
            .iter()
            .flat_map(|bus| list(&bus["devices"]))
            .collect::<Vec<Value>>();
        let found = all.iter().find(|device| device["qdev_id"] == port);
        let card = found.and_then(|device| list(&device["pci_bridge"]["devices"]).first().cloned());
        let number = |value: &Value| value.as_u64().unwrap_or(u64::MAX);
        Ok(card.map(|card| Card {
            vendor: number(&card["id"]["vendor"]),
            device: number(&card["id"]["device"]),
            class: number(&card["class_info"]["class"]),
        }))
    }
}
