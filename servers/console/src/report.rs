//! What is told of the inventory.

use crate::command::Listed;
use crate::hex::Short;
use crate::table::Table;
use abi::inventory::{Installed, Proof, Unmatched, View};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
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

/// The table of devices with a rule, the ones without that a person would miss (or all of them), and what is missing.
pub fn devices(out: &mut dyn Write, view: &View, listed: Listed) -> Result {
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
    unmatched(out, view, listed)?;
    missing(out, view)
}

fn unmatched(out: &mut dyn Write, view: &View, listed: Listed) -> Result {
    let (shown, others): (Vec<_>, Vec<_>) =
        (view.unmatched.iter()).partition(|device| device.missed || listed == Listed::All);
    if !shown.is_empty() {
        writeln!(out, "\nwithout a rule:")?;
        let heads = [
            "path",
            "kind",
            "what",
            "nearest rule, and the clue that failed",
        ];
        let mut table = Table::new(heads);
        for device in shown {
            table.row([
                device.path.clone(),
                device.kind.clone(),
                device.what.clone(),
                device.nearest.clone(),
            ]);
        }
        table.write(out)?;
    }
    if others.is_empty() {
        return Ok(());
    }
    let kinds = kinds(&others);
    let (count, s) = (others.len(), if others.len() == 1 { "" } else { "s" });
    writeln!(
        out,
        "\n{count} other{s} without a rule: {kinds}; `devices --all` lists them"
    )
}

/// `6 interrupt links, 2 PCI bridges, …`: the kinds that are there most often first.
fn kinds(devices: &[&Unmatched]) -> String {
    /// What fits into a line or two.
    const MOST: usize = 8;
    let mut kinds: Vec<(usize, &str)> = Vec::new();
    for device in devices {
        let kind = match device.kind.as_str() {
            "" => "unknown",
            kind => kind,
        };
        match kinds.iter_mut().find(|(_, known)| *known == kind) {
            Some((count, _)) => *count += 1,
            None => kinds.push((1, kind)),
        }
    }
    kinds.sort_by_key(|(count, _)| core::cmp::Reverse(*count));
    let named = kinds.iter().take(MOST).map(|(count, kind)| match count {
        1 => (*kind).to_string(),
        _ if kind.ends_with(|last: char| last.is_ascii_lowercase() && last != 's') => {
            format!("{count} {kind}s")
        }
        _ => format!("{count} {kind}"),
    });
    let mut text = named.collect::<Vec<_>>().join(", ");
    if kinds.len() > MOST {
        text += ", …";
    }
    text
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

/// One `name number unit` line for each stage.
pub fn stages(out: &mut dyn Write, view: &View) -> Result {
    for (name, passed) in &view.stages {
        writeln!(out, "{name} {passed} {}", view.stages_in)?;
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

    fn without(path: &str, kind: &str, missed: bool) -> Unmatched {
        Unmatched {
            path: path.into(),
            kind: kind.into(),
            missed,
            what: "1234:2918".into(),
            nearest: "none".into(),
        }
    }

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
            unmatched: vec![
                without("pci/00:1f.0", "ISA bridge", false),
                without("pci/00:03.0", "display controller", true),
                without("acpi/LNKA", "interrupt link", false),
                without("acpi/LNKB", "interrupt link", false),
            ],
            stages: vec![("discover".into(), 12345), ("match".into(), 6)],
            stages_in: "microseconds",
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
        let text = told(|out| devices(out, &sample(), Listed::WhatMatters));
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
        assert!(text.contains("no disk") && !text.contains("no network"));
    }

    #[test]
    fn what_nobody_drives_is_listed_if_a_person_would_miss_it_and_else_counted() {
        let text = told(|out| devices(out, &sample(), Listed::WhatMatters));
        assert!(
            text.contains("pci/00:03.0  display controller  1234:2918"),
            "{text}"
        );
        let line = "\n3 others without a rule: 2 interrupt links, ISA bridge; `devices --all` lists them\n";
        assert!(text.contains(line), "{text}");
        assert!(
            !text.contains("LNKA") && !text.contains("pci/00:1f.0"),
            "{text}"
        );
        let all = told(|out| devices(out, &sample(), Listed::All));
        for path in ["acpi/LNKA", "acpi/LNKB", "pci/00:1f.0", "pci/00:03.0"] {
            assert!(all.contains(path), "{path}: {all}");
        }
        assert!(!all.contains("--all"), "{all}");
    }

    #[test]
    fn an_empty_inventory_is_told_plainly() {
        let text = told(|out| devices(out, &View::default(), Listed::WhatMatters));
        assert!(text.contains("no device has a rule"));
        assert!(text.contains("no network device") && text.contains("no disk"));
    }

    #[test]
    fn a_rejected_device_is_not_there() {
        let mut view = sample();
        view.devices[0].proof = Proof::Rejected("wrong answer".into());
        let text = told(|out| devices(out, &view, Listed::WhatMatters));
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
            "discover 12345 microseconds\nmatch 6 microseconds\n"
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
