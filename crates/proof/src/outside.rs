//! What a driver did, seen from outside: bytes on a disk, frames on a cable, a picture on the emulator's screen, the
//! levels of interrupt lines. Written once for each class, and for no device.

mod direct;

pub use direct::direct;

use crate::stand::{Stand, BAD};
use crate::{failed, Result};
use abi::ring::{done, todo};
use classes::Class;
use qtest::run::Driver;
use qtest::Machine;
use std::time::{Duration, Instant};

/// Longest wait for something to arrive outside.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tries what the class's self-test cannot see. The driver has been started.
///
/// # Errors
/// What is not as it should be, in words.
pub fn check(driver: &mut Driver, stand: &Stand, class: Class) -> Result<()> {
    // What the self-test left behind when the driver was started anew.
    driver.turn(true)?;
    driver.news();
    match class {
        Class::Block => block(driver, stand),
        Class::Nic => nic(driver, stand),
        Class::Serial => serial(driver, stand),
        Class::Framebuffer => framebuffer(driver),
        Class::Input => input(driver),
        Class::Entropy => entropy(driver),
        Class::Watchdog => watchdog(driver),
        Class::Bus => bus(driver, stand),
    }
}

fn wants(holds: bool, what: impl FnOnce() -> String) -> Result<()> {
    match holds {
        true => Ok(()),
        false => failed(what()),
    }
}

/// Bytes in which each place differs from its neighbours.
fn pattern(length: usize, seed: usize) -> Vec<u8> {
    (0..length)
        .map(|k| (k * (7 + seed) + k / 512 * 13 + seed) as u8)
        .collect()
}

// ---- interrupts

/// The device raises a line when there is something to tell, and lowers it once it has been told.
fn interrupts(
    driver: &mut Driver,
    stand: &Stand,
    what: impl FnOnce(&mut Driver) -> Result<()>,
) -> Result<()> {
    if !stand.lines {
        return what(driver);
    }
    quiet(driver, &stand.machine)?;
    let before = stand.machine.rises()?;
    what(driver)?;
    let start = Instant::now();
    while stand.machine.rises()? == before {
        wants(start.elapsed() < PATIENCE, || {
            "it has something to tell, and raises no interrupt".into()
        })?;
        stand.machine.pause(20_000);
    }
    quiet(driver, &stand.machine)
}

/// Serves interrupts until no line is up.
fn quiet(driver: &mut Driver, machine: &Machine) -> Result<()> {
    let start = Instant::now();
    loop {
        driver.turn(true)?;
        if machine.lines_up()? == 0 {
            return Ok(());
        }
        wants(start.elapsed() < PATIENCE, || {
            "its interrupt stays, although it was served".into()
        })?;
        machine.pause(20_000);
    }
}

// ---- block

fn block(driver: &mut Driver, stand: &Stand) -> Result<()> {
    let count = driver.pump().units().count();
    wants(count == stand.disks().len(), || {
        format!(
            "there are {} disks, and it has {count}",
            stand.disks().len()
        )
    })?;
    interrupts(driver, stand, |driver| {
        driver.put(todo::BLOCK_READ, 0, 4096, 0)?;
        driver.turn(false)?;
        Ok(())
    })?;
    driver.wait(|e| e.kind == done::FINISHED)?;
    crowd(driver, count as u64)?;
    for unit in 0..count {
        disk(driver, unit, stand)?;
    }
    Ok(())
}

/// Reads and writes one disk at both ends and across what a controller cuts, and compares with the file outside.
fn disk(driver: &mut Driver, unit: usize, stand: &Stand) -> Result<()> {
    let outside = &stand.disks()[unit];
    let mut wanted = outside.bytes()?;
    let Some(facts) = driver.pump().units().get(unit as u64) else {
        return failed(format!("disk {unit} has no facts"));
    };
    let (size, sectors) = (facts.size as usize, facts.sectors);
    wants(sectors as usize * size == wanted.len(), || {
        format!(
            "disk {unit} has {} bytes, and not {sectors} blocks of {size}",
            wanted.len()
        )
    })?;
    let unit = unit as u64;
    for (lba, blocks, at) in [
        (0u64, 1usize, 4096usize),
        (sectors - 1, 1, 512 * 3),
        (3, 8, 100 * 512),
        (8, 128 * 512 / size, 4096 - 512),
    ] {
        let (bytes, from) = (blocks * size, lba as usize * size);
        let ask =
            |driver: &mut Driver, kind| driver.ask_of(unit, kind, at as u32, bytes as u32, lba);
        driver.pool().write(at as u64, &vec![0x5a; bytes]);
        let answer = ask(driver, todo::BLOCK_READ)?;
        let mut got = vec![0; bytes];
        driver.pool().read(at as u64, &mut got);
        wants(answer.ok == 1 && got == wanted[from..][..bytes], || {
            format!("{blocks} blocks from {lba} of disk {unit} are not what was read")
        })?;
        let news = pattern(bytes, 40 + unit as usize);
        driver.pool().write(at as u64, &news);
        let answer = ask(driver, todo::BLOCK_WRITE)?;
        wants(answer.ok == 1, || {
            format!("disk {unit} does not take {blocks} blocks at {lba}")
        })?;
        wanted[from..][..bytes].copy_from_slice(&news);
    }
    let answer = driver.ask_of(unit, todo::BLOCK_FLUSH, 0, 0, 0)?;
    wants(answer.ok == 1, || format!("disk {unit} does not flush"))?;
    wants(outside.bytes()? == wanted, || {
        format!("disk {unit} does not hold what was written, or something else changed")
    })?;
    // Errors, and the disk works afterwards.
    for lba in [sectors, sectors + 7, 1 << 40] {
        let past = driver.ask_of(unit, todo::BLOCK_READ, 0, size as u32, lba)?;
        wants(past.ok == 0, || {
            format!("disk {unit} reads block {lba}, past its end")
        })?;
    }
    works(driver, unit, &wanted[..size], "after an error")?;
    // A sector that cannot be read, alone and among others.
    let bad = BAD * 512 / size as u64;
    for (lba, blocks) in [(bad, 1), (bad - 2, 4)] {
        let answer = driver.ask_of(unit, todo::BLOCK_READ, 0, blocks * size as u32, lba)?;
        wants(answer.ok == 0, || {
            format!("disk {unit} reads block {bad}, which cannot be read")
        })?;
        works(driver, unit, &wanted[..size], "after a sector that is bad")?;
    }
    anew(driver, unit, &wanted[..2 * size])?;
    works(driver, unit, &wanted[..size], "after it was started anew")
}

/// The first block is read, once more.
fn works(driver: &mut Driver, unit: u64, block: &[u8], when: &str) -> Result<()> {
    driver.pool().write(0, &vec![0x5a; block.len()]);
    let again = driver.ask_of(unit, todo::BLOCK_READ, 0, block.len() as u32, 0)?;
    let mut got = vec![0; block.len()];
    driver.pool().read(0, &mut got);
    wants(again.ok == 1 && got == block, || {
        format!("disk {unit} does not work {when}")
    })
}

/// Started anew while the device is in the middle of writing what is there already: that comes back, once.
fn anew(driver: &mut Driver, unit: u64, blocks: &[u8]) -> Result<()> {
    driver.pool().write(0, blocks);
    driver.news();
    let ticket = driver.put_to(unit, todo::BLOCK_WRITE, 0, blocks.len() as u32, 0)?;
    driver.turn(false)?;
    driver.start()?;
    driver.turn(true)?;
    let came = driver.news();
    let came = came.iter().filter(|e| e.kind == done::FINISHED);
    wants(came.filter(|e| e.ticket == ticket).count() == 1, || {
        format!("a request of disk {unit} does not come back when its driver is started anew")
    })
}

/// All disks at once, more requests than there is room for: each is answered once, with its own block.
fn crowd(driver: &mut Driver, count: u64) -> Result<()> {
    let size = |driver: &Driver, unit| driver.pump().units().get(unit).map_or(512, |f| f.size);
    let mut tickets = Vec::new();
    for k in 0..90u64 {
        let (unit, at) = (k % count, (k as u32 % 12) * 4096);
        let bytes = size(driver, unit) as u32;
        tickets.push(driver.put_to(unit, todo::BLOCK_READ, at, bytes, k % 64)?);
    }
    for ticket in tickets {
        let answer = driver.wait(|e| e.kind == done::FINISHED && e.ticket == ticket)?;
        wants(answer.ok == 1, || {
            "one of many requests at once failed".into()
        })?;
    }
    let twice = driver.news().iter().any(|e| e.kind == done::FINISHED);
    wants(!twice, || "a request was answered twice".into())
}

// ---- nic

fn nic(driver: &mut Driver, stand: &Stand) -> Result<()> {
    let Some(cable) = stand.cable() else {
        return Ok(());
    };
    while cable.receive(Duration::from_millis(20))?.is_some() {}
    let station = driver.pump().facts().station();
    if let Some(station) = station {
        let text: Vec<String> = station.iter().map(|b| format!("{b:02x}")).collect();
        let address = text.join(":");
        let known = stand.machine.told("info network")?;
        wants(known.contains(&address), || {
            format!("its address is not {address}:\n{known}")
        })?;
    }
    sends(driver, cable)?;
    receives(driver, stand, cable, station.unwrap_or([0xff; 6]))?;
    limits(driver, cable)?;
    link(driver, &stand.machine)
}

fn sends(driver: &mut Driver, cable: &qtest::peer::Cable) -> Result<()> {
    let head = driver.pump().facts().headroom as u32;
    for k in 0..40usize {
        let at = 0x8000 + (k as u32 % 8) * 2048 + head;
        let frame = to_all(60 + (k * 37) % 1400, 1);
        goes_out(driver, cable, at, &frame, &format!("frame {k}"))?;
    }
    Ok(())
}

/// A frame of so many bytes to everybody.
fn to_all(length: usize, seed: usize) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend(pattern(length - 6, seed));
    frame
}

/// A frame is sent from a place in the pool, and comes out of the cable as it is.
fn goes_out(
    driver: &mut Driver,
    cable: &qtest::peer::Cable,
    at: u32,
    frame: &[u8],
    name: &str,
) -> Result<()> {
    driver.pool().write(at.into(), frame);
    let answer = driver.ask(todo::NIC_TRANSMIT, at, frame.len() as u32, 0)?;
    wants(answer.ok == 1, || format!("{name} is not sent"))?;
    // Whoever else is on the cable may have said something in between.
    let start = Instant::now();
    while cable.receive(PATIENCE)?.is_none_or(|got| got != frame) {
        wants(start.elapsed() < PATIENCE, || {
            format!("{name} does not arrive as it was sent")
        })?;
    }
    Ok(())
}

/// The bytes of a received frame, whose buffer is supplied again.
fn taken(driver: &mut Driver, got: &abi::ring::Entry) -> Result<Vec<u8>> {
    let head = driver.pump().facts().headroom as u32;
    let mut bytes = vec![0; got.length as usize];
    driver.pool().read(got.offset.into(), &mut bytes);
    driver.put(todo::NIC_SUPPLY, got.offset, 2048 - head, 0)?;
    Ok(bytes)
}

fn receives(
    driver: &mut Driver,
    stand: &Stand,
    cable: &qtest::peer::Cable,
    station: [u8; 6],
) -> Result<()> {
    let head = driver.pump().facts().headroom as u32;
    for k in 0..8u32 {
        driver.put(todo::NIC_SUPPLY, 0x4000 + k * 2048 + head, 2048 - head, 0)?;
    }
    driver.turn(false)?;
    driver.news();
    let frame = |k: usize| {
        let mut frame = if k.is_multiple_of(2) {
            vec![0xff; 6]
        } else {
            station.to_vec()
        };
        frame.extend(pattern(54 + (k * 131) % 1400, 2));
        frame
    };
    interrupts(driver, stand, |_| Ok(cable.send(&frame(0))?))?;
    for k in 0..200usize {
        if k > 0 {
            cable.send(&frame(k))?;
        }
        let mut bytes;
        loop {
            let got = driver.wait(|e| e.kind == done::RECEIVED)?;
            bytes = taken(driver, &got)?;
            driver.turn(false)?;
            // What the emulator's own network says is not ours.
            if bytes.get(6..12) == frame(k).get(6..12) {
                break;
            }
        }
        wants(bytes == frame(k), || {
            format!("frame {k} is not received as it was sent")
        })?;
    }
    Ok(())
}

/// Of Ethernet's header, of a tag in it (IEEE 802.1Q), of the checksum, which is not sent along here.
const HEADER: usize = 14;
const TAG: usize = 4;
const CHECKSUM: usize = 4;
/// Shorter frames may get zeroes at their end.
const SHORTEST: usize = 60;
/// The longest frame that every card must take: 1,500 bytes and a header.
const LONGEST: usize = HEADER + 1500;
/// Bytes that a card, a driver or a class might take for a limit: Ethernet's, with and without tag and checksum, what buffers
/// and pages have, jumbo frames, and the longest that the cable carries.
const LIMITS: &[usize] = &[
    HEADER + 1,
    SHORTEST,
    SHORTEST + CHECKSUM,
    LONGEST,
    LONGEST + TAG,
    LONGEST + TAG + CHECKSUM,
    1536,
    2048,
    4096,
    8192,
    HEADER + 9000 + CHECKSUM,
    16 << 10,
    32 << 10,
    (64 << 10) - 2,
];

/// Frames of every length come in: a card takes them as they are, or leaves them out; the driver goes on either way. Those
/// that may be sent are sent as they are.
fn limits(driver: &mut Driver, cable: &qtest::peer::Cable) -> Result<()> {
    let head = driver.pump().facts().headroom as u32;
    let lengths = LIMITS.iter().flat_map(|limit| limit - 1..=limit + 1);
    for (k, length) in lengths.enumerate() {
        let odd = to_all(length, 3 + 2 * k);
        let usual = to_all(100, 4 + 2 * k);
        cable.send(&odd)?;
        let (mut came, mut over) = (false, false);
        let start = Instant::now();
        let mut sent = 0;
        while !over {
            // Where a card is started anew after what it could not take, what came meanwhile is lost.
            if start.elapsed().as_millis() >= sent * 100 {
                cable.send(&usual)?;
                sent += 1;
            }
            wants(start.elapsed() < PATIENCE, || {
                format!("after a frame of {length} bytes none is received")
            })?;
            driver.turn(true)?;
            driver.machine().pause(20_000);
            let news = driver.news();
            for got in news.iter().filter(|e| e.kind == done::RECEIVED) {
                let bytes = taken(driver, got)?;
                over |= bytes == usual;
                let same = bytes.get(..length) == Some(&odd[..])
                    && bytes[length..].iter().all(|byte| *byte == 0)
                    && bytes.len() <= length.max(SHORTEST);
                came |= same;
                // What others say on the cable, the emulator's network among them, is not ours.
                let ours = bytes.get(6..14) == odd.get(6..14);
                wants(same || !ours, || {
                    let got = bytes.len();
                    format!("a frame of {length} bytes is received as {got} bytes, or changed")
                })?;
            }
        }
        wants(came || !(SHORTEST..=LONGEST).contains(&length), || {
            format!("a frame of {length} bytes is not received")
        })?;
    }
    for length in [SHORTEST, SHORTEST + 1, LONGEST - 1, LONGEST] {
        let frame = to_all(length, length);
        let name = format!("a frame of {length} bytes");
        goes_out(driver, cable, 0x8000 + head, &frame, &name)?;
    }
    let longer = driver.pump().facts().mtu as u32 + HEADER as u32 + 1;
    let answer = driver.ask(todo::NIC_TRANSMIT, 0x8000 + head, longer, 0)?;
    wants(answer.ok == 0, || {
        format!("a frame of {longer} bytes is taken, and nobody may send so many")
    })
}

/// The cable is pulled, and plugged in again.
fn link(driver: &mut Driver, machine: &Machine) -> Result<()> {
    if driver.pump().carrier().is_none() {
        return Ok(());
    }
    for up in [false, true] {
        machine.ask("set_link", serde_json::json!({ "name": "n0", "up": up }))?;
        let start = Instant::now();
        while driver.pump().carrier() != Some(up) {
            wants(start.elapsed() < PATIENCE, || {
                let what = if up { "plugged in" } else { "pulled" };
                format!("the cable was {what}, and it does not say so")
            })?;
            driver.turn(true)?;
            machine.pause(1_000_000);
        }
    }
    Ok(())
}

// ---- serial

fn serial(driver: &mut Driver, stand: &Stand) -> Result<()> {
    let Some(line) = stand.line() else {
        return Ok(());
    };
    while !line.receive(1, Duration::from_millis(50))?.is_empty() {}
    let text = pattern(1500, 3);
    driver.pool().write(0, &text);
    let answer = driver.ask(todo::SERIAL_SEND, 0, text.len() as u32, 0)?;
    wants(answer.ok == 1, || "bytes are not sent".into())?;
    let heard = line.receive(text.len(), PATIENCE)?;
    wants(heard == text, || {
        format!(
            "{} bytes were sent, and not these arrived: {}",
            text.len(),
            heard.len()
        )
    })?;
    driver.news();
    // Not more at once than a ring of answers holds.
    for (number, piece) in text.chunks(100).enumerate() {
        match number {
            0 => interrupts(driver, stand, |_| Ok(line.send(piece)?))?,
            _ => line.send(piece)?,
        }
        for byte in piece {
            let got = driver.wait(|e| e.kind == done::RECEIVED)?;
            wants(got.value == u64::from(*byte), || {
                format!("a byte of piece {number} is not received as it was sent")
            })?;
        }
    }
    Ok(())
}

// ---- framebuffer

fn framebuffer(driver: &mut Driver) -> Result<()> {
    for (width, height) in [(320, 64), (72, 100)] {
        let value = width as u64 | (height as u64) << 32;
        let answer = driver.ask(todo::FRAMEBUFFER_MODE, 0, 0, value)?;
        wants(answer.ok == 1, || format!("it refuses {width} by {height}"))?;
        let picture = draw(driver, 0, width, height)?;
        let seen = screen(driver.machine())?;
        wants(seen == (width, height, picture), || {
            format!("at {width} by {height} the screen shows something else than was drawn")
        })?;
        for (w, h) in [(0, height), (width, 0), (16000, 12000), (1 << 20, 1)] {
            let value = w as u64 | (h as u64) << 32;
            let answer = driver.ask(todo::FRAMEBUFFER_MODE, 0, 0, value)?;
            wants(answer.ok == 0, || format!("it accepts {w} by {h}"))?;
        }
        let below = draw(driver, height, width, height)?;
        let answer = driver.ask(todo::FRAMEBUFFER_PAN, 0, 0, height as u64)?;
        wants(
            answer.ok == 1 && screen(driver.machine())?.2 == below,
            || "what lies below the screen does not come into view".into(),
        )?;
    }
    Ok(())
}

/// What the emulator shows: width and height in pixels, and red, green, blue of each pixel, a byte each.
///
/// # Errors
/// When the emulator gives no picture.
pub fn screen(machine: &Machine) -> Result<(usize, usize, Vec<u8>)> {
    let file = tempfile::NamedTempFile::new()?;
    let place = file.path().display().to_string();
    machine.ask("screendump", serde_json::json!({ "filename": place }))?;
    let bytes = std::fs::read(file.path())?;
    let words: Vec<&[u8]> = bytes.splitn(4, |b| b.is_ascii_whitespace()).collect();
    let number = |at: usize| {
        let text = words
            .get(at)
            .and_then(|word| std::str::from_utf8(word).ok());
        text.and_then(|text| text.parse::<usize>().ok())
            .unwrap_or(0)
    };
    let pixels = words
        .get(3)
        .and_then(|rest| rest.splitn(2, |b| *b == b'\n').nth(1));
    Ok((number(1), number(2), pixels.unwrap_or_default().to_vec()))
}

/// Draws a picture in which each pixel differs from its neighbours, `width` by `height` pixels from line `first` on, line by
/// line through the pool. Gives what should be seen, as [`screen`] does.
///
/// # Errors
/// When the driver refuses a line, or does not answer.
pub fn draw(driver: &mut Driver, first: usize, width: usize, height: usize) -> Result<Vec<u8>> {
    let mut seen = Vec::new();
    for y in first..first + height {
        let mut line = Vec::new();
        for x in 0..width {
            let colour = [(x * 3 + y) as u8, (x + y * 5) as u8, (x / 7 + y) as u8];
            line.extend([colour[2], colour[1], colour[0], 0]);
            seen.extend(colour);
        }
        driver.pool().write(64, &line);
        let at = (y * width * 4) as u64;
        let answer = driver.ask(todo::FRAMEBUFFER_DRAW, 64, line.len() as u32, at)?;
        wants(answer.ok == 1, || format!("line {y} cannot be drawn"))?;
    }
    Ok(seen)
}

// ---- input

/// Keys by their names at the emulator, whether they go down, and their codes in set 2 (IBM PS/2 technical reference): plain,
/// with the prefix, held together.
const KEYS: [(&str, bool, u64); 10] = [
    ("a", true, 0x1c),
    ("a", false, 0x1c),
    ("shift", true, 0x12),
    ("right", true, 0x174),
    ("right", false, 0x174),
    ("shift", false, 0x12),
    ("kp_enter", true, 0x15a),
    ("kp_enter", false, 0x15a),
    ("f9", true, 0x01),
    ("f9", false, 0x01),
];

/// Presses a key at the emulator, or lets it go.
///
/// # Errors
/// When the emulator has no such key, or does not answer.
pub fn press(machine: &Machine, key: &str, down: bool) -> Result<()> {
    let key = serde_json::json!({ "type": "qcode", "data": key });
    let event = serde_json::json!({ "type": "key", "data": { "down": down, "key": key } });
    machine.ask("input-send-event", serde_json::json!({ "events": [event] }))?;
    Ok(())
}

/// A key that is pressed or let go is told by its code.
fn told(driver: &mut Driver, key: &str, down: bool, code: u64) -> Result<()> {
    let got = driver.wait(|e| e.kind == done::KEY)?;
    wants((got.value, got.ok == 1) == (code, down), || {
        format!(
            "key {key} was pressed ({down}), and {:#x} is told",
            got.value
        )
    })
}

/// Keys one by one, then more at once than one turn takes.
pub fn input(driver: &mut Driver) -> Result<()> {
    driver.news();
    let machine = driver.machine().clone();
    for (key, down, code) in KEYS {
        press(&machine, key, down)?;
        told(driver, key, down, code)?;
    }
    for down in [true, false].repeat(5) {
        press(&machine, "b", down)?;
    }
    for down in [true, false].repeat(5) {
        told(driver, "b", down, 0x32)?;
    }
    Ok(())
}

// ---- bus

/// A card is asked for and let go, another comes, and goes: each time what is told is what the emulator says of its slot.
fn bus(driver: &mut Driver, stand: &Stand) -> Result<()> {
    let Some(slot) = &stand.slot else {
        return Ok(());
    };
    let machine = stand.machine.clone();
    let (first, second) = ("card", "other");
    driver.news();
    for (card, next) in [(first, second), (second, first)] {
        interrupts(driver, stand, |_| Ok(machine.pull(card)?))?;
        driver.wait(|e| e.kind == done::LEAVING)?;
        wants(machine.card(&slot.bus)?.is_some(), || {
            "the card was let go before anybody released it".into()
        })?;
        let answer = driver.ask(todo::BUS_RELEASE, 0, 0, 0)?;
        wants(answer.ok == 1, || "it does not let go".into())?;
        driver.wait(|e| e.kind == done::DETACHED)?;
        wants(machine.card(&slot.bus)?.is_none(), || {
            "it says that the card is gone, and it is there".into()
        })?;
        quiet_if(driver, stand)?;
        let kind = &slot.cards[usize::from(next == second)];
        interrupts(driver, stand, |_| Ok(machine.plug(kind, next, &slot.bus)?))?;
        let told = driver.wait(|e| e.kind == done::ATTACHED)?;
        let told = qtest::Card {
            vendor: told.value & 0xffff,
            device: told.value >> 16,
            class: u64::from(told.offset) >> 8,
        };
        let there = machine.card(&slot.bus)?;
        wants(there == Some(told), || {
            format!("{told:x?} is told to have come, and there is {there:x?}")
        })?;
    }
    let more = driver.news();
    wants(more.is_empty(), || {
        format!("it tells more than happened: {more:?}")
    })
}

fn quiet_if(driver: &mut Driver, stand: &Stand) -> Result<()> {
    match stand.lines {
        true => quiet(driver, &stand.machine),
        false => Ok(()),
    }
}

// ---- entropy

fn entropy(driver: &mut Driver) -> Result<()> {
    driver.pool().write(0, &[0; 4096]);
    let answer = driver.ask(todo::ENTROPY_FILL, 64, 100, 0)?;
    let mut around = vec![0; 4096];
    driver.pool().read(0, &mut around);
    let (inside, outside) = (&around[64..164], around[..64].iter().chain(&around[164..]));
    let length = answer.length as usize;
    let mut outside = outside;
    wants(
        answer.ok == 1 && (1..=100).contains(&length) && inside.iter().any(|b| *b != 0),
        || "nothing random was given".into(),
    )?;
    wants(outside.all(|b| *b == 0), || {
        "bytes beside the buffer changed".into()
    })
}

// ---- watchdog

/// Kicked or stopped it stays silent, for longer than its time; otherwise it ends the machine.
fn watchdog(driver: &mut Driver) -> Result<()> {
    let machine = driver.machine().clone();
    let mut ask = |kind, value| -> Result<()> {
        let answer = driver.ask(kind, 0, 0, value)?;
        wants(answer.ok == 1, || "it refuses what it should do".into())
    };
    let alive = || {
        wants(machine.sync().is_ok(), || {
            "it ended the machine too early".into()
        })
    };
    // Long enough that a host which is busy with something else still kicks in time.
    let time = Duration::from_secs(3);
    ask(todo::WATCHDOG_START, time.as_nanos() as u64)?;
    let start = Instant::now();
    while start.elapsed() < time + time / 2 {
        ask(todo::WATCHDOG_KICK, 0)?;
        std::thread::sleep(Duration::from_millis(40));
    }
    ask(todo::WATCHDOG_STOP, 0)?;
    std::thread::sleep(time + time / 10);
    alive()?;
    ask(todo::WATCHDOG_START, 200_000_000)?;
    let start = Instant::now();
    // An emulator that ends answers no more a moment before its process is gone.
    while machine.sync().is_ok() || machine.alive() {
        wants(start.elapsed() < Duration::from_secs(4), || {
            "it does not end the machine".into()
        })?;
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
