//! Which machine is this? The same answer on every boot, and from every door.

use crate::{Arch, Capability, Device, Fact, Machine, Source, Value};
use alloc::vec::Vec;
use serde::Serialize;

/// Goes into every hash, so that another rule for what counts gives another identity.
const KIND: &str = "MetaOS machine identity 1";

/// Facts of a processor that say how it is set rather than what it is.
const STATES: [&str; 5] = ["id", "osxsave", "x2apic_on", "apic_base", "boot"];

/// Facts of a PCI function that its maker built in.
const BUILT_IN: [&str; 13] = [
    "vendor",
    "device",
    "revision",
    "class",
    "header",
    "subvendor",
    "subsystem",
    "bars",
    "msi",
    "msix",
    "express",
    "link_most_speed",
    "link_most_width",
];

/// What the hardware says of itself, in an order of its own: what is hashed.
#[derive(Serialize)]
struct Shape<'m> {
    kind: &'static str,
    arch: Arch,
    processors: usize,
    processor: Vec<(&'m str, &'m Value)>,
    functions: Vec<Function<'m>>,
}

/// One PCI function. Where it is: the host bridge's number in order, then device and function of each bridge on the way,
/// then its own. Bus numbers are the firmware's choice, and no part of it.
#[derive(Serialize, PartialEq)]
struct Function<'m> {
    place: (usize, Vec<(u8, u8)>),
    facts: Vec<(&'m str, &'m Value)>,
    /// PCI's own list: the extended one is reached through some doors only.
    capabilities: Vec<&'m Capability>,
}

impl Machine {
    /// The identity of the machine: BLAKE3 over architecture, number and features of processors, and the PCI functions by
    /// their place along the tree of bridges, with their IDs, classes, sizes and kinds of BARs, and capabilities.
    ///
    /// Left out is what another boot or another door may change: how much memory there is, what tables of the firmware
    /// say, addresses and bus numbers, rates, notes, and what rules learned. (That stands beside it, in [`Machine::boot`]
    /// and the rest of the model.)
    pub fn identity(&self) -> [u8; 32] {
        let shape = Shape {
            kind: KIND,
            arch: self.arch,
            processors: self.cpus.len(),
            processor: self.processor(),
            functions: self.functions(),
        };
        *blake3::hash(&postcard::to_allocvec(&shape).unwrap_or_default()).as_bytes()
    }

    /// What the processor that runs says it is and can do, sorted by name.
    fn processor(&self) -> Vec<(&str, &Value)> {
        let own = self.cpus.iter().map(|cpu| &cpu.facts);
        let own = own.max_by_key(|facts| facts.len()).into_iter().flatten();
        let kept = |f: &&Fact| f.source == Source::Processor && !STATES.contains(&f.name.as_str());
        let mut facts: Vec<(&str, &Value)> = (self.facts.iter().chain(own))
            .filter(kept)
            .map(|f| (f.name.as_str(), &f.value))
            .collect();
        facts.sort_by(|a, b| a.0.cmp(b.0));
        facts
    }

    fn functions(&self) -> Vec<Function<'_>> {
        let mut hosts: Vec<&str> = Vec::new();
        let mut functions: Vec<Function> = Vec::new();
        for device in self.devices.iter().filter(|d| d.bus == "pci") {
            let Some(place) = self.place(device, &mut hosts) else {
                continue;
            };
            let mut facts: Vec<(&str, &Value)> = (device.facts.iter())
                .filter(|f| BUILT_IN.contains(&f.name.as_str()))
                .map(|f| (f.name.as_str(), &f.value))
                .collect();
            facts.sort_by(|a, b| a.0.cmp(b.0));
            let own = device.capabilities.iter().filter(|c| !c.extended);
            functions.push(Function {
                place,
                facts,
                capabilities: own.collect(),
            });
        }
        functions.sort_by(|a, b| a.place.cmp(&b.place));
        functions
    }

    /// The way from the host bridge to a function.
    fn place<'m>(
        &'m self,
        device: &'m Device,
        hosts: &mut Vec<&'m str>,
    ) -> Option<(usize, Vec<(u8, u8)>)> {
        let mut way = Vec::new();
        let mut at = device;
        // No way is longer than there are buses, should parents lead in a circle.
        for _ in 0..256 {
            way.push(device_function(&at.path)?);
            let parent = at.parent.as_deref().unwrap_or_default();
            match self
                .devices
                .iter()
                .find(|d| d.path == parent && d.bus == "pci")
            {
                Some(bridge) => at = bridge,
                None => {
                    let known = hosts.iter().position(|host| *host == parent);
                    let host = known.unwrap_or(hosts.len());
                    if known.is_none() {
                        hosts.push(parent);
                    }
                    way.reverse();
                    return Some((host, way));
                }
            }
        }
        None
    }
}

/// From the end of a path: `pci/00:1f.2`.
fn device_function(path: &str) -> Option<(u8, u8)> {
    let (device, function) = path.rsplit_once(':')?.1.split_once('.')?;
    let number = |text: &str| u8::from_str_radix(text, 16).ok();
    Some((number(device)?, number(function)?))
}

#[cfg(test)]
mod tests;
