//! nic: asks the network who it is, and listens.

use super::{Bench, Effort, Outcome, Reason, POOL, STEP};
use crate::ring::Client;
use abi::ring::{done, todo, Entry};

/// Receive buffers supplied, each in a page of its own.
const SUPPLIED: u32 = 4;
const STRIDE: u32 = 4096;
/// Where the frame to be sent stands.
const FRAME: u32 = 48 * 1024;
/// How long an answer is waited for.
const LISTEN: u64 = 10_000_000;
/// Between two rounds of questions to a card that is slow to start.
const PAUSE: u64 = 50_000_000;
/// Most frames that fill the queue of the thorough test.
const BURST: u32 = 256;
/// Who may be there: usual addresses of gateways (a question hurts no one).
const ASKED: [[u8; 4]; 4] = [
    [10, 0, 2, 2],
    [192, 168, 0, 1],
    [192, 168, 1, 1],
    [10, 0, 0, 1],
];
/// RFC 826; the sender's protocol address is all zero as in RFC 5227, so that no one learns a wrong one.
const ARP_LENGTH: usize = 42;
/// Of Ethernet: receiver, sender, type.
const HEADER: usize = 14;

pub(super) fn run(bench: &mut Bench, effort: Effort) -> Result<Outcome, Reason> {
    let facts = *bench.pump.facts();
    let station = facts.station().unwrap_or([2, 0, 0, 0, 0, 1]);
    let head = facts.headroom.next_multiple_of(64).max(64) as u32;
    let length = facts.buffer.max(2048) as u32;
    if head + length > STRIDE {
        return Err(Reason::Wrong(
            "its buffers are larger than any that is known",
        ));
    }
    for n in 0..SUPPLIED {
        bench.ask(todo::NIC_SUPPLY, n * STRIDE + head, length, 0)?;
    }
    bench.poll()?;

    let frame = facts.min.clamp(60, 1514) as u32;
    let start = bench.pump.clock();
    while bench.pump.carrier() == Some(false) {
        if bench.pump.clock().saturating_sub(start) > facts.settles {
            return Ok(Outcome::Unverified("no cable is plugged in"));
        }
        bench.pump.pause(PAUSE);
        bench.poll()?;
    }
    let answered = loop {
        if asked(bench, FRAME + head, frame, station)? {
            break true;
        }
        if bench.pump.clock().saturating_sub(start) > facts.settles {
            break false;
        }
        bench.pump.pause(PAUSE);
    };
    if effort == Effort::Thorough {
        limits(bench, FRAME + head, station)?;
        burst(bench, FRAME + head, frame)?;
    }
    Ok(match answered {
        true => Outcome::Verified,
        false => Outcome::Unverified("no peer answered"),
    })
}

/// Asks everyone, and listens. Whether someone was heard.
fn asked(bench: &mut Bench, offset: u32, length: u32, station: [u8; 6]) -> Result<bool, Reason> {
    let mut answered = false;
    for address in ASKED {
        write(bench, offset, length, &question(station, address));
        let ticket = bench.ask(todo::NIC_TRANSMIT, offset, length, 0)?;
        sent(bench, ticket, station, &mut answered)?;
    }
    let pool = bench.pump.pool();
    Ok(answered || (bench.answer(LISTEN, |entry| heard(&pool, entry, station))?).is_some())
}

/// Waits until the frame is sent; frames that come in meanwhile are looked at.
fn sent(
    bench: &mut Bench,
    ticket: u32,
    station: [u8; 6],
    answered: &mut bool,
) -> Result<(), Reason> {
    let pool = bench.pump.pool();
    let entry = bench.answer(bench.patience, |entry| {
        *answered |= heard(&pool, entry, station);
        entry.kind == done::FINISHED && entry.ticket == ticket
    })?;
    match entry {
        Some(entry) if entry.ok == 1 => Ok(()),
        Some(_) => Err(Reason::Wrong("a frame could not be sent")),
        None => Err(Reason::Silent("a frame to be sent")),
    }
}

/// Whether it is a received frame for this station or a group, with a station of its own as sender.
fn heard(pool: &crate::Pool, entry: &Entry, station: [u8; 6]) -> bool {
    if entry.kind != done::RECEIVED || entry.ok != 1 || entry.length < 14 {
        return false;
    }
    let mut head = [0; 14];
    pool.read(u64::from(entry.offset), &mut head)
        && (head[..6] == station || head[0] & 1 == 1)
        && head[6..12] != [0; 6]
        && head[6] & 1 == 0
}

/// Sends the shortest and the longest frame that may be sent and those beside them; what is shorter or longer is refused.
fn limits(bench: &mut Bench, offset: u32, station: [u8; 6]) -> Result<(), Reason> {
    let facts = *bench.pump.facts();
    let min = facts.min.clamp(HEADER as u64, 1514) as u32;
    let longest = u32::try_from(facts.mtu.saturating_add(HEADER as u64));
    // The pool has room for the longest that Ethernet carries, and for jumbo frames.
    let room = (POOL as u32).saturating_sub(offset + 1);
    let Some(longest) = longest.ok().filter(|longest| *longest <= room) else {
        return Ok(());
    };
    // An experiment's, by its type (RFC 5342, 2.1 and appendix B.2): nobody answers.
    let mut header = [0xff; HEADER];
    header[6..12].copy_from_slice(&station);
    header[12..].copy_from_slice(&[0x88, 0xb5]);
    let shorter = (facts.min > HEADER as u64).then(|| min - 1);
    for length in [
        Some(min),
        Some(min + 1),
        Some(longest - 1),
        Some(longest),
        Some(longest + 1),
        shorter,
    ] {
        let Some(length) = length else { continue };
        write(bench, offset, length, &header);
        let ticket = bench.ask(todo::NIC_TRANSMIT, offset, length, 0)?;
        let went = bench.finished(ticket, "a frame as short or as long as may be")?;
        if went != (min..=longest).contains(&length) {
            return Err(Reason::Wrong(match went {
                true => "it sends a frame that is too short or too long",
                false => "it does not send the shortest or the longest frame",
            }));
        }
    }
    Ok(())
}

/// Sends until there is no more room, without looking at what comes back; then every one comes back, once.
fn burst(bench: &mut Bench, offset: u32, length: u32) -> Result<(), Reason> {
    let first = bench.ticket + 1;
    let mut put = 0;
    while put < BURST {
        while put < BURST && bench.client.room() > 0 {
            bench.ask(todo::NIC_TRANSMIT, offset, length, 0)?;
            put += 1;
        }
        let before = bench.client.room();
        bench.pump.turn(false);
        if bench.client.room() == before {
            break;
        }
    }
    let mut back = [false; BURST as usize];
    let mut count = 0;
    let start = bench.pump.clock();
    while count < put {
        bench.poll()?;
        count += collect(&mut bench.client, first, &mut back)?;
        if bench.pump.clock().saturating_sub(start) > bench.patience {
            return Err(Reason::Silent("frames sent while its queue was full"));
        }
        bench.pump.pause(STEP);
    }
    Ok(())
}

/// How many frames of the burst came back.
fn collect(client: &mut Client, first: u32, back: &mut [bool]) -> Result<u32, Reason> {
    let mut count = 0;
    while let Some(entry) = client.take() {
        if entry.kind != done::FINISHED {
            continue;
        }
        let Some(seen) = back.get_mut(entry.ticket.wrapping_sub(first) as usize) else {
            continue;
        };
        if core::mem::replace(seen, true) || entry.ok != 1 {
            return Err(Reason::Wrong(
                "a frame came back twice, or failed, when its queue was full",
            ));
        }
        count += 1;
    }
    Ok(count)
}

/// A broadcast ARP request.
fn question(station: [u8; 6], address: [u8; 4]) -> [u8; ARP_LENGTH] {
    let mut frame = [0; ARP_LENGTH];
    frame[..6].fill(0xff);
    frame[6..12].copy_from_slice(&station);
    // Type ARP; Ethernet, IPv4, lengths 6 and 4, a request.
    frame[12..22].copy_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame[22..28].copy_from_slice(&station);
    frame[38..42].copy_from_slice(&address);
    frame
}

/// Puts the frame into the pool, zeroes after it up to `length`.
fn write(bench: &mut Bench, at: u32, length: u32, frame: &[u8]) {
    let pool = bench.pump.pool();
    pool.write(u64::from(at), frame);
    for offset in frame.len() as u32..length {
        pool.write(u64::from(at + offset), &[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_an_arp_request() {
        let frame = question([2, 3, 4, 5, 6, 7], [10, 0, 2, 2]);
        assert_eq!(
            &frame[..14],
            &[255, 255, 255, 255, 255, 255, 2, 3, 4, 5, 6, 7, 8, 6]
        );
        assert_eq!(&frame[20..22], &[0, 1]);
        assert_eq!(&frame[28..32], &[0, 0, 0, 0]);
        assert_eq!(&frame[38..], &[10, 0, 2, 2]);
    }
}
