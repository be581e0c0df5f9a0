//! `/chosen` (3.6): where the firmware's console is, and what was said to the program that is booted.

use super::{Tree, SOURCE};
use alloc::string::String;
use machine::{Device, Fact, Machine, Value};

/// Longer arguments are cut.
const LONGEST: usize = 1024;

/// Marks the console, and keeps the arguments beside the machine. `device` gives the device of a node.
pub(crate) fn chosen(
    tree: &Tree,
    machine: &mut Machine,
    device: impl Fn(&mut [Device], usize) -> Option<&mut Device>,
) {
    let Some((_, chosen)) = tree.top("chosen") else {
        return;
    };
    let fact = |name: &str, value| Fact {
        name: String::from(name),
        value,
        source: SOURCE,
    };
    if let Some(text) = chosen.text("bootargs") {
        let cut = text.chars().take(LONGEST).collect();
        machine.boot.push(fact("bootargs", Value::Text(cut)));
    }
    let console = chosen
        .text("stdout-path")
        .or(chosen.text("linux,stdout-path"));
    let Some((path, options)) = console.map(|text| text.split_once(':').unwrap_or((text, "")))
    else {
        return;
    };
    let node = tree.by_path(path);
    if let Some(device) = node.and_then(|node| device(&mut machine.devices, node)) {
        device.facts.push(fact("console", Value::Flag(true)));
        // `115200n8`: the speed is all that is taken.
        let digits = options
            .trim_start()
            .split(|c: char| !c.is_ascii_digit())
            .next();
        let speed = digits.and_then(|digits| digits.parse::<u32>().ok());
        if let (Some(speed), None) = (speed, device.fact("current_speed")) {
            device
                .facts
                .push(fact("current_speed", Value::Number(u64::from(speed))));
        }
    }
}
