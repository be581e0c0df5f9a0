//! Discovery's account of dumped machines beside that of ACPICA, the reference implementation of ACPI: the same tables, memory
//! that reads as zero, `acpiexec -di` of Debian's acpica-tools.

use super::{Bench, Figures};
use crate::discover::dumped;
use crate::terminal::{bad, Progress};
use anyhow::{bail, Context, Result};
use machine::{Machine, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Devices that the model lists elsewhere: processors, and what holds them.
const PROCESSORS: [&str; 2] = ["ACPI0007", "ACPI0010"];
const HOSTS: [&str; 2] = ["PNP0A03", "PNP0A08"];

/// Sums over all machines.
#[derive(Default)]
struct Sums {
    machines: f64,
    devices: f64,
    found: f64,
    extra: f64,
    wrong: f64,
    complete: f64,
    entries: f64,
    right: f64,
    misled: f64,
    ends: f64,
    ends_found: f64,
    hosts: f64,
    hosts_found: f64,
}

/// Compares every machine in a folder: a folder of tables each, or a text of `acpidump`; or the folder is one machine.
///
/// # Errors
/// When there is no machine, or no `acpiexec`.
pub fn measure(folder: &Path) -> Result<Figures> {
    let mut machines: Vec<PathBuf> = Vec::new();
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?
    {
        let path = entry?.path();
        if path.is_dir() || path.extension().is_some_and(|e| e == "txt") {
            machines.push(path);
        }
    }
    machines.sort();
    if machines.is_empty() {
        machines.push(folder.to_owned());
    }
    let mut sums = Sums::default();
    for machine in &machines {
        let name = machine.file_name().unwrap_or_default().to_string_lossy();
        let _progress = Progress::start(&format!("comparing {name}"));
        if let Err(error) = one(machine, &name, &mut sums) {
            eprintln!("{} {error:#}", bad(&format!("{name}:")));
        }
    }
    if sums.machines == 0.0 {
        bail!("{} holds no machine that can be compared", folder.display());
    }
    let mut figures = Figures::of(Bench::Discovery);
    for (name, value) in [
        ("machines", sums.machines),
        ("devices", sums.devices),
        ("devices_share", 100.0 * sums.found / sums.devices.max(1.0)),
        ("extra", sums.extra),
        ("wrong_ids", sums.wrong),
        ("complete", sums.complete),
        ("prt_entries", sums.entries),
        ("prt_right", sums.right),
        ("prt_wrong", sums.misled),
        ("soft_off", sums.ends),
        ("soft_off_found", sums.ends_found),
        ("host_bridges", sums.hosts),
        ("host_bridges_found", sums.hosts_found),
    ] {
        figures.add(format!("tables.{name}"), value);
    }
    Ok(figures)
}

fn one(path: &Path, name: &str, sums: &mut Sums) -> Result<()> {
    let theirs = Account::of(&dumped::tables(path)?)?;
    let model = dumped::acpi(path, 0, false)?;
    let (routes, hosts, notes) = dumped::routes(path, 0)?;
    let mine = listed(&model);
    let missing: Vec<&String> = (theirs.devices.keys())
        .filter(|path| !mine.contains_key(*path))
        .collect();
    let extra: Vec<&String> = (mine.keys())
        .filter(|path| !theirs.devices.contains_key(*path))
        .collect();
    let wrong: Vec<&String> = (theirs.devices.iter())
        .filter(|(path, id)| mine.get(*path).is_some_and(|own| own != *id))
        .map(|(path, _)| path)
        .collect();
    sums.machines += 1.0;
    sums.devices += theirs.devices.len() as f64;
    sums.found += (theirs.devices.len() - missing.len()) as f64;
    sums.extra += extra.len() as f64;
    sums.wrong += wrong.len() as f64;
    let whole = missing.is_empty() && extra.is_empty() && wrong.is_empty();
    sums.complete += f64::from(u8::from(whole));
    if !whole {
        eprintln!("{name}: missing {missing:?}, extra {extra:?}, wrong {wrong:?}");
    }
    let own: BTreeMap<(String, u8, u8), u32> = (routes.into_iter())
        .map(|route| ((route.bridge, route.device, route.pin), route.line))
        .collect();
    sums.entries += theirs.routes.len() as f64;
    for (place, line) in &own {
        match theirs.routes.get(place) {
            Some(other) if other == line => sums.right += 1.0,
            other => {
                sums.misled += 1.0;
                eprintln!("{name}: {place:?} leads to {line}, not to {other:?}");
            }
        }
    }
    let lost = theirs
        .routes
        .keys()
        .filter(|place| !own.contains_key(*place));
    let lost: BTreeSet<&String> = lost.map(|(bridge, ..)| bridge).collect();
    if !lost.is_empty() {
        eprintln!("{name}: entries of {lost:?} are missing; {notes:?}");
    }
    let fixed = model.devices.iter().find(|d| d.path == "acpi/FACP");
    if theirs.soft_off {
        sums.ends += 1.0;
        sums.ends_found += f64::from(u8::from(fixed.is_some_and(|d| d.fact("s5a").is_some())));
    }
    let bridges = theirs.devices.values();
    let bridges = bridges.filter(|id| HOSTS.contains(&id.as_str())).count();
    sums.hosts += bridges as f64;
    sums.hosts_found += hosts.min(bridges) as f64;
    if hosts < bridges {
        eprintln!("{name}: {hosts} of {bridges} host bridges; {notes:?}");
    }
    Ok(())
}

/// Names and IDs of the namespace's devices in a model.
fn listed(model: &Machine) -> BTreeMap<String, String> {
    let text = |device: &machine::Device, name: &str| match device.fact(name) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    (model.devices.iter())
        .filter_map(|d| Some((text(d, "name")?, text(d, "hid")?)))
        .collect()
}

/// What ACPICA says of a machine.
#[derive(Default)]
struct Account {
    /// ID of every device that is there and has one, by its name without padding.
    devices: BTreeMap<String, String>,
    /// Line by bridge, device and pin.
    routes: BTreeMap<(String, u8, u8), u32>,
    soft_off: bool,
}

impl Account {
    fn of(tables: &[Vec<u8>]) -> Result<Account> {
        let folder = std::env::temp_dir().join(format!("meta-acpica-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        let account = Account::in_folder(tables, &folder);
        std::fs::remove_dir_all(&folder)?;
        account
    }

    fn in_folder(tables: &[Vec<u8>], folder: &Path) -> Result<Account> {
        let mut files = Vec::new();
        for signature in [b"DSDT", b"SSDT"] {
            for table in tables.iter().filter(|table| table.starts_with(signature)) {
                let file = format!("{:03}.aml", files.len());
                std::fs::write(folder.join(&file), table)?;
                files.push(file);
            }
        }
        let ask = |commands: &[String]| acpiexec(folder, &files, commands);
        let names = ["_STA", "_HID", "_PRT", "_CRS"];
        let mut commands = vec!["objects device".to_owned()];
        commands.extend(names.iter().map(|name| format!("find {name}")));
        let told = ask(&commands)?;
        let mut devices: Vec<&str> = Vec::new();
        let mut members: BTreeSet<&str> = BTreeSet::new();
        for line in told.lines() {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some(path), Some("Device")) if path.starts_with('\\') => devices.push(path),
                (Some(path), Some(_)) if path.starts_with('\\') => {
                    members.insert(path);
                }
                _ => {}
            }
        }
        // Its own tests take this name from the list of those that _OSI says yes to.
        let mut commands = vec![
            "osi install \"Windows 2006\"".to_owned(),
            "evaluate \\_PIC 1".into(),
        ];
        for name in names {
            for device in &devices {
                let member = format!("{device}.{name}");
                if members.contains(member.as_str()) {
                    commands.push(format!("evaluate {member}"));
                }
            }
        }
        commands.push("evaluate \\_S5".into());
        let told = ask(&commands)?;
        let answers: BTreeMap<&str, &str> = (told.split("\nEvaluating ").skip(1))
            .filter_map(|part| Some((part.split_whitespace().next()?, part)))
            .collect();
        Ok(Account::from_answers(&devices, &members, &answers))
    }

    fn from_answers(
        devices: &[&str],
        members: &BTreeSet<&str>,
        answers: &BTreeMap<&str, &str>,
    ) -> Account {
        let mut account = Account::default();
        let mut there: BTreeSet<&str> = BTreeSet::new();
        let known: BTreeSet<&str> = devices.iter().copied().collect();
        let mut ordered = devices.to_vec();
        ordered.sort_by_key(|path| path.matches('.').count());
        for device in ordered {
            let mut above = device;
            let mut absent = false;
            while let Some((parent, _)) = above.rsplit_once('.') {
                above = parent;
                absent |= known.contains(parent) && !there.contains(parent);
            }
            let member = |name: &str| format!("{device}.{name}");
            let state = match members.contains(member("_STA").as_str()) {
                true => answers
                    .get(member("_STA").as_str())
                    .and_then(|part| integer(part)),
                false => Some(0xf),
            };
            if absent || state.is_none_or(|state| state & 9 == 0) {
                continue;
            }
            there.insert(device);
            let id = answers
                .get(member("_HID").as_str())
                .and_then(|part| id(part));
            if let Some(id) = id.filter(|id| !PROCESSORS.contains(&id.as_str())) {
                account.devices.insert(unpadded(device), id);
            }
            if let Some(part) = answers.get(member("_PRT").as_str()) {
                account.route(device, part, &known, answers);
            }
        }
        account.soft_off = answers
            .get("\\_S5")
            .is_some_and(|p| p.contains("[Package]"));
        account
    }

    /// The entries of a `_PRT`; the first for a pin counts.
    fn route(
        &mut self,
        bridge: &str,
        part: &str,
        known: &BTreeSet<&str>,
        answers: &BTreeMap<&str, &str>,
    ) {
        let mut rows: Vec<Vec<&str>> = Vec::new();
        for line in part.lines() {
            if line.starts_with("    [Package]") {
                rows.push(Vec::new());
            } else if let (Some(item), Some(row)) = (line.strip_prefix("      ["), rows.last_mut())
            {
                row.push(item);
            }
        }
        for row in rows {
            let [address, pin, source, index] = row[..] else {
                continue;
            };
            let (Some(address), Some(pin)) = (hexadecimal(address), hexadecimal(pin)) else {
                continue;
            };
            let line = match hexadecimal(source) {
                Some(0) => hexadecimal(index),
                Some(_) => None,
                None => link(bridge, source, known, answers),
            };
            let (Ok(device), Ok(pin)) = (u8::try_from(address >> 16), u8::try_from(pin)) else {
                continue;
            };
            if let (Some(line), true) = (line.and_then(|n| u32::try_from(n).ok()), device < 32) {
                let place = (unpadded(bridge), device, pin);
                self.routes.entry(place).or_insert(line);
            }
        }
    }
}

/// The line that a link is set to: the nearest of that name, seen from the bridge.
fn link(
    bridge: &str,
    source: &str,
    known: &BTreeSet<&str>,
    answers: &BTreeMap<&str, &str>,
) -> Option<u64> {
    let name = source.split("Name ").nth(1)?.split_whitespace().next()?;
    let mut scope = Some(bridge);
    let mut found = None;
    while let Some(at) = scope {
        let path = format!("{at}.{name}");
        if known.contains(path.as_str()) {
            found = Some(path);
            break;
        }
        scope = at.rsplit_once('.').map(|(above, _)| above);
    }
    // One elsewhere, if there is only one.
    let ending = format!(".{name}");
    let mut others = known.iter().filter(|path| path.ends_with(&ending));
    let path = found.or_else(|| others.next().map(|path| (*path).to_owned()))?;
    let part = answers.get(format!("{path}._CRS").as_str())?;
    let bytes: Vec<u64> = (part.split("0000: ").nth(1)?.split_whitespace())
        .map_while(|pair| u64::from_str_radix(pair, 16).ok())
        .collect();
    // ACPI 6.5, 6.4.2.1 and 6.4.3.6.
    let line = match bytes[..] {
        [0x22 | 0x23, low, high, ..] => u64::from((high << 8 | low).trailing_zeros()) & 63,
        [0x89, _, _, _, count, a, b, c, d, ..] if count > 0 => d << 24 | c << 16 | b << 8 | a,
        _ => 0,
    };
    (line != 0).then_some(line)
}

/// What `acpiexec` prints for some commands.
fn acpiexec(folder: &Path, files: &[String], commands: &[String]) -> Result<String> {
    let mut child = Command::new("acpiexec")
        .args(["-di", "-fv", "0x00"])
        .args(files)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("acpiexec cannot be started: it is in Debian's package acpica-tools")?;
    let mut input = child.stdin.take().context("its input")?;
    let text = commands.join("\n") + "\nquit\n";
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    // Who ends early reads no more.
    let _ = writer.join();
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first value of an answer, if it is a number.
fn integer(part: &str) -> Option<u64> {
    let value = part.lines().find(|line| line.starts_with("  ["))?;
    hexadecimal(value.trim_start())
}

/// The digits in `[Integer] = 0000000000000010`.
fn hexadecimal(item: &str) -> Option<u64> {
    let item = item.trim_start_matches('[');
    let digits = item.strip_prefix("Integer] = ")?;
    u64::from_str_radix(digits.split_whitespace().next()?, 16).ok()
}

/// An ID: a text, or packed (19.3.4).
fn id(part: &str) -> Option<String> {
    let value = part.lines().find(|line| line.starts_with("  ["))?;
    if value.starts_with("  [String]") {
        return value.split('"').nth(1).map(str::to_owned);
    }
    let packed = u32::try_from(integer(part)?).ok()?.swap_bytes();
    let letter = |shift: u32| char::from(0x40 + (packed >> shift & 31) as u8);
    let (a, b, c) = (letter(26), letter(21), letter(16));
    Some(format!("{a}{b}{c}{:04X}", packed & 0xffff))
}

/// A path whose segments have lost the underscores that pad them.
fn unpadded(path: &str) -> String {
    let segments = path.trim_start_matches('\\').split('.');
    let segments: Vec<&str> = segments.map(|s| s.trim_end_matches('_')).collect();
    format!("\\{}", segments.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_from_what_acpiexec_prints() {
        let told = "\nEvaluating \\_SB.PCI0._PRT\nEvaluation of \\_SB.PCI0._PRT returned object 0x1, external buffer length 8\n  \
                    [Package] Contains 2 Elements:\n    [Package] Contains 4 Elements:\n      [Integer] = 000000000001FFFF\n      \
                    [Integer] = 0000000000000002\n      [Integer] = 0000000000000000\n      [Integer] = 0000000000000012\n    \
                    [Package] Contains 4 Elements:\n      [Integer] = 000000000002FFFF\n      [Integer] = 0000000000000000\n      \
                    [Object Reference] = 0x5 <Node>            Name LNKG Device\n      [Integer] = 0000000000000000\n\n\
                    Evaluating \\_SB.LNKG._CRS\nEvaluation of it returned object\n  [Buffer] Length 06 =     \
                    0000: 23 00 04 18 79 00    // #...y.\n\
                    Evaluating \\_SB.PCI0._HID\nEvaluation of it\n  [Integer] = 00000000080AD041\n";
        let answers: BTreeMap<&str, &str> = (told.split("\nEvaluating ").skip(1))
            .filter_map(|part| Some((part.split_whitespace().next()?, part)))
            .collect();
        let devices = ["\\_SB.PCI0", "\\_SB.LNKG"];
        let account = Account::from_answers(&devices, &BTreeSet::new(), &answers);
        let place = |device, pin| ("\\_SB.PCI0".to_owned(), device, pin);
        let wanted = BTreeMap::from([(place(1, 2), 0x12), (place(2, 0), 10)]);
        assert_eq!(account.routes, wanted);
        assert_eq!(account.devices["\\_SB.PCI0"], "PNP0A08");
        assert!(!account.soft_off);
    }
}
