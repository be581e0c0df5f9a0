//! The words of the prompt.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    Nothing,
    Help,
    Devices(Listed),
    Device(&'a str),
    See {
        device: &'a str,
        operation: Option<&'a str>,
        form: Form,
    },
    Memory(Told),
    Date,
    Tasks,
    Send([u8; 4]),
    Read {
        disk: Option<&'a str>,
        sector: u64,
        count: u64,
    },
    Kill(&'a str),
    Stages,
    Machine,
    Log,
    Off,
    Reset,
}

/// For whom `memory` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Table,
    Json,
}

/// Which devices `devices` lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Those with a rule, and those that a person would miss; the rest is counted.
    WhatMatters,
    All,
}

/// How `see` shows an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    All,
    Graph,
    C,
    Assembly,
}

/// The emulator's gateway, and most home networks' way out.
pub const GATEWAY: [u8; 4] = [10, 0, 2, 2];
/// Most sectors of one `read`.
pub const MOST_SECTORS: u64 = 128;

/// Name, arguments, meaning.
pub const COMMANDS: [(&str, &str, &str); 14] = [
    ("help", "", "this list"),
    (
        "devices",
        "[NAME | --all]",
        "what is here, which rule drives it, and why",
    ),
    (
        "see",
        "NAME[.OPERATION] [as c|asm|graph]",
        "the code that was written for a device",
    ),
    (
        "memory",
        "[--json]",
        "where every byte is, and how many can be executed",
    ),
    ("date", "", "the machine's date, and how long it has run"),
    ("tasks", "", "what runs"),
    (
        "send",
        "[IP]",
        "ask on the network who has this address (ARP)",
    ),
    ("read", "[DISK:]N [COUNT]", "hex dump of sectors"),
    ("kill", "NAME", "destroy a driver's task and start it anew"),
    ("stages", "", "what genesis did, and how long it took"),
    ("machine", "", "the machine model as JSON, on one line"),
    ("log", "", "what was logged"),
    ("off", "", "power off"),
    ("reset", "", "restart the machine"),
];

/// What is wrong with a line: what happened, to which word, and what to do.
pub type Wrong = String;

pub fn parse(line: &str) -> Result<Command<'_>, Wrong> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let Some((name, rest)) = words.split_first() else {
        return Ok(Command::Nothing);
    };
    let command = match *name {
        "devices" => match optional(name, rest)? {
            None => Command::Devices(Listed::WhatMatters),
            Some("--all" | "all") => Command::Devices(Listed::All),
            Some(device) => Command::Device(device),
        },
        "see" => see(rest)?,
        "send" => send(optional(name, rest)?)?,
        "read" => read(rest)?,
        "kill" => Command::Kill(optional(name, rest)?.ok_or_else(|| usage(name))?),
        "help" | "?" => plain(name, rest, Command::Help)?,
        "memory" => match optional(name, rest)? {
            None => Command::Memory(Told::Table),
            Some("--json") => Command::Memory(Told::Json),
            Some(_) => return Err(usage(name)),
        },
        "date" => plain(name, rest, Command::Date)?,
        "tasks" => plain(name, rest, Command::Tasks)?,
        "stages" => plain(name, rest, Command::Stages)?,
        "machine" => plain(name, rest, Command::Machine)?,
        "log" => plain(name, rest, Command::Log)?,
        "off" => plain(name, rest, Command::Off)?,
        "reset" => plain(name, rest, Command::Reset)?,
        unknown => return Err(stranger(unknown)),
    };
    Ok(command)
}

fn usage(name: &str) -> Wrong {
    match COMMANDS.iter().find(|(known, _, _)| *known == name) {
        Some((name, "", _)) => format!("`{name}` takes nothing after it"),
        Some((name, arguments, _)) => format!("write `{name} {arguments}`"),
        None => format!("`{name}` is not a command; `help` lists them"),
    }
}

fn plain<'a>(name: &str, rest: &[&str], command: Command<'a>) -> Result<Command<'a>, Wrong> {
    match rest {
        [] => Ok(command),
        _ => Err(usage(name)),
    }
}

fn optional<'a>(name: &str, rest: &[&'a str]) -> Result<Option<&'a str>, Wrong> {
    match rest {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => Err(usage(name)),
    }
}

fn see<'a>(rest: &[&'a str]) -> Result<Command<'a>, Wrong> {
    let (what, form) = match rest {
        [what] => (what, Form::All),
        [what, "as", form] => (what, form_of(form)?),
        _ => return Err(usage("see")),
    };
    let (device, operation) = match what.split_once('.') {
        Some((device, operation)) => (device, Some(operation)),
        None => (*what, None),
    };
    Ok(Command::See {
        device,
        operation,
        form,
    })
}

fn form_of(word: &str) -> Result<Form, Wrong> {
    match word {
        "graph" => Ok(Form::Graph),
        "c" | "C" => Ok(Form::C),
        "asm" | "assembly" => Ok(Form::Assembly),
        _ => Err(format!(
            "`{word}` is no way to show code; write `as c`, `as asm` or `as graph`"
        )),
    }
}

fn send(word: Option<&str>) -> Result<Command<'static>, Wrong> {
    let Some(word) = word else {
        return Ok(Command::Send(GATEWAY));
    };
    let wrong = || format!("`{word}` is not an address; write it like `send 10.0.2.2`");
    let mut address = [0; 4];
    let mut parts = word.split('.');
    for byte in &mut address {
        let part = parts.next().ok_or_else(wrong)?;
        *byte = part.parse().map_err(|_| wrong())?;
    }
    match parts.next() {
        None => Ok(Command::Send(address)),
        Some(_) => Err(wrong()),
    }
}

fn read<'a>(rest: &[&'a str]) -> Result<Command<'a>, Wrong> {
    let (place, count) = match rest {
        [place] => (*place, 1),
        [place, count] => (*place, number(count)?),
        _ => return Err(usage("read")),
    };
    let (disk, sector) = match place.rsplit_once(':') {
        Some((disk, sector)) => (Some(disk), sector),
        None => (None, place),
    };
    if count == 0 || count > MOST_SECTORS {
        return Err(format!(
            "{count} sectors at once; write a count from 1 to {MOST_SECTORS}"
        ));
    }
    Ok(Command::Read {
        disk,
        sector: number(sector)?,
        count,
    })
}

/// Decimal, or hexadecimal after `0x`.
fn number(word: &str) -> Result<u64, Wrong> {
    let parsed = match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => word.parse(),
    };
    parsed.map_err(|_| format!("`{word}` is not a number; write it like 77 or 0x4d"))
}

fn stranger(word: &str) -> Wrong {
    let mut wrong = format!("no command `{}`", word.escape_default());
    let names = COMMANDS.iter().map(|(name, _, _)| *name);
    if let Some(near) = nearest(word, names) {
        wrong += &format!("; did you mean `{near}`?");
        return wrong;
    }
    wrong + "; `help` lists them"
}

/// The name that fewest changes of single letters make of `word`, if they are few.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let few = 1 + word.len() / 3;
    names
        .map(|name| (distance(word, name), name))
        .filter(|(distance, name)| *distance <= few || name.starts_with(word))
        .min_by_key(|(distance, name)| (!name.starts_with(word), *distance))
        .map(|(_, name)| name)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = core::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// The list that `help` prints.
pub fn help(out: &mut dyn core::fmt::Write) -> core::fmt::Result {
    for (name, arguments, meaning) in COMMANDS {
        let left = match arguments {
            "" => name.to_string(),
            _ => format!("{name} {arguments}"),
        };
        writeln!(out, "  {left:<38} {meaning}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_understood_and_helped_with() {
        let mut text = String::new();
        help(&mut text).expect("writes");
        for (name, arguments, _) in COMMANDS {
            assert!(text.contains(name));
            if arguments.is_empty() {
                assert!(parse(name).is_ok(), "{name}");
                assert!(parse(&format!("{name} more")).is_err(), "{name}");
            }
        }
        assert_eq!(parse("  \t "), Ok(Command::Nothing));
    }

    #[test]
    fn devices_are_listed_or_told_one_by_one() {
        assert_eq!(parse("devices"), Ok(Command::Devices(Listed::WhatMatters)));
        assert_eq!(parse("devices --all"), Ok(Command::Devices(Listed::All)));
        assert_eq!(parse("devices a-b"), Ok(Command::Device("a-b")));
        assert!(parse("devices a b").is_err_and(|wrong| wrong.contains("--all")));
        assert_eq!(parse("memory"), Ok(Command::Memory(Told::Table)));
        assert_eq!(parse("memory --json"), Ok(Command::Memory(Told::Json)));
        assert!(parse("memory all").is_err_and(|wrong| wrong.contains("--json")));
    }

    #[test]
    fn see_takes_apart_its_name() {
        let see = |device, operation, form| {
            Ok(Command::See {
                device,
                operation,
                form,
            })
        };
        assert_eq!(parse("see a-b"), see("a-b", None, Form::All));
        let then = Some("transmit.then");
        assert_eq!(parse("see a.transmit.then"), see("a", then, Form::All));
        assert_eq!(parse("see a.x as asm"), see("a", Some("x"), Form::Assembly));
        assert_eq!(parse("see a.x as c"), see("a", Some("x"), Form::C));
        assert!(parse("see a.x as forth").is_err_and(|wrong| wrong.contains("as c")));
        assert!(parse("see").is_err_and(|wrong| wrong.contains("see NAME")));
    }

    #[test]
    fn addresses_are_checked() {
        assert_eq!(parse("send"), Ok(Command::Send(GATEWAY)));
        assert_eq!(
            parse("send 192.168.0.255"),
            Ok(Command::Send([192, 168, 0, 255]))
        );
        for wrong in [
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "a.b.c.d",
            "1..2.3",
            "-1.2.3.4",
        ] {
            assert!(parse(&format!("send {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sectors_are_numbers_on_a_disk() {
        let read = |disk, sector, count| {
            Ok(Command::Read {
                disk,
                sector,
                count,
            })
        };
        assert_eq!(parse("read 77"), read(None, 77, 1));
        assert_eq!(parse("read 0x10 3"), read(None, 16, 3));
        assert_eq!(parse("read disk-2:5"), read(Some("disk-2"), 5, 1));
        for wrong in [
            "",
            "x",
            "1 0",
            "1 129",
            "1 2 3",
            "disk:",
            "18446744073709551616",
        ] {
            assert!(parse(&format!("read {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_slip_is_recognised() {
        let hint = |word| parse(word).expect_err("unknown");
        assert!(hint("devcies").contains("`devices`"));
        assert!(hint("mem").contains("`memory`"));
        assert!(!hint("juggle").contains("mean"));
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
