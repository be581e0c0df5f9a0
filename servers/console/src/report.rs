//! What is told of the inventory.

use crate::hex::Short;
use crate::table::Table;
use abi::inventory::{Installed, Proof, View};
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::{Result, Write};

/// Digits of a short hash.
const DIGITS: usize = 16;

pub fn proof(proof: &Proof) -> String {
    match proof {
        Proof::Verified => "verified".into(),
        Proof::Unverified(why) => format!("unverified: {why}"),
        Proof::Rejected(why) => format!("rejected: {why}"),
        Proof::None => "not tested".into(),
    }
}

pub fn code_size(device: &Installed) -> u32 {
    device.code.1
}

/// Whether the device works: its code was kept.
pub fn is_installed(device: &Installed) -> bool {
    !matches!(device.proof, Proof::Rejected(_)) && code_size(device) > 0
}

/// The table of all devices, the ones without a rule, and what is missing.
pub fn devices(out: &mut dyn Write, view: &View) -> Result {
    if view.devices.is_empty() {
        writeln!(out, "no device has a rule")?;
    } else {
        let mut table = Table::new([
            "name", "path", "rule", "class", "runs in", "bytes", "code", "proof",
        ]);
        for device in &view.devices {
            table.row([
                device.name.clone(),
                device.path.clone(),
                device.rule.clone(),
                device.class.clone(),
                match (is_installed(device), device.direct) {
                    (false, _) => "-".into(), // rejected, or facts only
                    (true, true) => "nucleus".into(),
                    (true, false) => "task".into(),
                },
                code_size(device).to_string(),
                Short(&device.hash, DIGITS).to_string(),
                proof(&device.proof),
            ]);
        }
        table.write(out)?;
    }
    unmatched(out, view)?;
    missing(out, view)
}

fn unmatched(out: &mut dyn Write, view: &View) -> Result {
    if view.unmatched.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nwithout a rule:")?;
    let mut table = Table::new(["path", "what", "nearest rule, and the clue that failed"]);
    for device in &view.unmatched {
        table.row([
            device.path.clone(),
            device.what.clone(),
            device.nearest.clone(),
        ]);
    }
    table.write(out)
}

/// Says plainly which everyday class has no device.
pub fn missing(out: &mut dyn Write, view: &View) -> Result {
    for (class, what) in contract::MISSED {
        let there = |device: &Installed| device.class == class && is_installed(device);
        if !view.devices.iter().any(there) {
            writeln!(out, "there is no {what} that can be used")?;
        }
    }
    Ok(())
}

/// Everything about one device.
/// `came`: interrupts that its driver heard, and looks without one, where the console has a session with it.
pub fn device(out: &mut dyn Write, device: &Installed, came: Option<(u32, u32)>) -> Result {
    writeln!(out, "{}: {} at {}", device.name, device.class, device.path)?;
    writeln!(out, "rule     {}", device.rule)?;
    for why in &device.why {
        writeln!(out, "clue     {why}")?;
    }
    writeln!(out, "proof    {}", proof(&device.proof))?;
    let (bytes, hash) = (code_size(device), Short(&device.hash, 64));
    writeln!(out, "code     {bytes} bytes, BLAKE3 {hash}")?;
    for (n, at) in device.code_at.iter().enumerate() {
        let whose = if n == 0 { "kept" } else { "the nucleus's copy" };
        writeln!(out, "at       {at:#x} physical, {whose}")?;
    }
    let (state, arena) = (device.state_size, device.arena_size);
    writeln!(
        out,
        "memory   {state} bytes of state, {arena} shared with the device"
    )?;
    for window in &device.windows {
        let kind = match window.kind {
            0 => "memory",
            1 => "ports",
            2 => "system registers",
            _ => "model-specific registers",
        };
        let (name, base, size) = (&window.name, window.base, window.size);
        writeln!(out, "window   {name}: {kind} {base:#x}, {size} long")?;
    }
    let wires = device.wires.iter().filter(|_| device.messages.is_empty());
    for (line, level, low) in wires {
        let trigger = if *level { "level" } else { "edge" };
        let active = if *low { "low" } else { "high" };
        writeln!(out, "wire     line {line}, {trigger}, active {active}")?;
    }
    for (n, number) in device.messages.iter().enumerate() {
        writeln!(out, "message  {n}, the machine's {number}")?;
    }
    if let Some((heard, looked)) = came {
        writeln!(
            out,
            "heard    {heard} interrupts; looked {looked} times without one"
        )?;
    }
    for (name, value) in &device.facts {
        writeln!(out, "fact     {name} = {value} ({value:#x})")?;
    }
    entries(out, device)
}

/// The operations, with their size.
pub fn entries(out: &mut dyn Write, device: &Installed) -> Result {
    for (name, _, bytes) in &device.entries {
        writeln!(out, "entry    {name}: {bytes} bytes")?;
    }
    Ok(())
}

/// One `name ticks` line for each stage.
pub fn stages(out: &mut dyn Write, view: &View) -> Result {
    for (name, ticks) in &view.stages {
        writeln!(out, "{name} {ticks}")?;
    }
    Ok(())
}

/// Digits in groups of three.
pub struct Grouped(pub u64);

impl core::fmt::Display for Grouped {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> Result {
        let digits = self.0.to_string();
        let mut text = String::new();
        for (n, digit) in digits.chars().enumerate() {
            if n > 0 && (digits.len() - n).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.pad(&text)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use abi::inventory::{InstalledWindow, Unmatched};

    pub fn sample() -> View<'static> {
        View {
            arch: "x86_64",
            identity: [0xab; 32],
            devices: vec![Installed {
                name: "some-net".into(),
                path: "pci/00:02.0".into(),
                rule: "some_net on some_bus".into(),
                class: "nic".into(),
                why: vec!["kind == 1, score 9".into()],
                proof: Proof::Verified,
                code: (4096, 1000),
                entries: vec![("init".into(), 0, 400), ("transmit".into(), 400, 600)],
                hash: [0x12; 32],
                windows: vec![InstalledWindow {
                    name: "common".into(),
                    kind: 0,
                    base: 0xfe00_0000,
                    size: 64,
                }],
                wires: vec![(10, true, true)],
                facts: vec![("mtu".into(), 1500)],
                ..Default::default()
            }],
            unmatched: vec![Unmatched {
                path: "pci/00:1f.0".into(),
                what: "8086:2918".into(),
                nearest: "none".into(),
            }],
            stages: vec![("discover".into(), 12345), ("match".into(), 6)],
            ..Default::default()
        }
    }

    fn told(tell: impl FnOnce(&mut dyn Write) -> Result) -> String {
        let mut text = String::new();
        tell(&mut text).expect("writes");
        text
    }

    #[test]
    fn devices_are_told_with_rule_hash_and_what_is_missing() {
        let text = told(|out| devices(out, &sample()));
        let line = text.lines().nth(1).expect("a device");
        for word in [
            "some-net",
            "pci/00:02.0",
            "some_net on some_bus",
            "1000",
            "1212121212121212",
            "verified",
            "task",
        ] {
            assert!(line.contains(word), "{word}: {line}");
        }
        assert!(text.contains("8086:2918"));
        assert!(text.contains("no disk") && !text.contains("no network"));
    }

    #[test]
    fn an_empty_inventory_is_told_plainly() {
        let text = told(|out| devices(out, &View::default()));
        assert!(text.contains("no device has a rule"));
        assert!(text.contains("no network device") && text.contains("no disk"));
    }

    #[test]
    fn a_rejected_device_is_not_there() {
        let mut view = sample();
        view.devices[0].proof = Proof::Rejected("wrong answer".into());
        let text = told(|out| devices(out, &view));
        assert!(text.contains("rejected: wrong answer") && text.contains("no network"));
    }

    #[test]
    fn one_device_is_told_in_full() {
        let text = told(|out| device(out, &sample().devices[0], Some((7, 2))));
        for word in [
            "heard    7 interrupts; looked 2 times",
            "kind == 1",
            "common: memory 0xfe000000, 64",
            "line 10, level, active low",
            "mtu = 1500",
            "transmit: 600",
        ] {
            assert!(text.contains(word), "{word}:\n{text}");
        }
        assert_eq!(
            told(|out| stages(out, &sample())),
            "discover 12345\nmatch 6\n"
        );
    }

    #[test]
    fn messages_are_told_instead_of_wires() {
        let mut one = sample().devices.remove(0);
        one.messages = vec![3, 4];
        let text = told(|out| device(out, &one, None));
        assert!(text.contains("message  1, the machine's 4"), "{text}");
        assert!(!text.contains("wire") && !text.contains("heard"), "{text}");
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(Grouped(0).to_string(), "0");
        assert_eq!(Grouped(999).to_string(), "999");
        assert_eq!(Grouped(1_234_567).to_string(), "1,234,567");
        assert_eq!(format!("{:>6}", Grouped(1000)), " 1,000");
    }
}
