//! What is shown first.

use crate::hex::Short;
use crate::report::{self, Grouped};
use crate::table::Table;
use abi::inventory::View;
use alloc::format;
use core::fmt::{Result, Write};

/// `genesis`: bytes that genesis used and gave back.
pub fn write(out: &mut dyn Write, view: &View, genesis: u64) -> Result {
    let (arch, identity) = (view.arch, Short(&view.identity, 16));
    writeln!(out, "\nMetaOS on {arch}, machine {identity}")?;
    let installed = view
        .devices
        .iter()
        .filter(|d| report::is_installed(d))
        .count();
    let found = view.devices.len() + view.unmatched.len();
    writeln!(
        out,
        "{found} devices found, {installed} drivers written for them:"
    )?;
    let mut table = Table::new(["  name", "rule", "bytes", "proof"]);
    for device in &view.devices {
        table.row([
            format!("  {}", device.name),
            device.rule.clone(),
            format!("{}", report::code_size(device)),
            report::proof(&device.proof),
        ]);
    }
    if !view.devices.is_empty() {
        table.write(out)?;
    }
    report::missing(out, view)?;
    for note in &view.notes {
        writeln!(out, "note: {note}")?;
    }
    let genesis = Grouped(genesis);
    writeln!(
        out,
        "genesis is gone: {genesis} bytes overwritten and given back"
    )?;
    writeln!(out, "`help` lists what you can say\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample;

    #[test]
    fn it_names_machine_drivers_and_what_is_gone() {
        let mut text = String::new();
        write(&mut text, &sample(), 5_000_000).expect("writes");
        for word in [
            "x86_64, machine abababababababab",
            "5 devices found, 1 drivers",
            "some_net on some_bus",
            "5,000,000",
            "help",
        ] {
            assert!(text.contains(word), "{word}:\n{text}");
        }
    }
}
