//! What is packed comes back, and what is damaged is noticed.

use compress::{margin, pack, unpack, Damaged};

/// A row of numbers that looks random and is always the same.
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
}

fn back(bytes: &[u8]) -> Vec<u8> {
    let [fast, short] = [40, 3].map(|step| pack(bytes, step));
    for packed in [&fast, &short] {
        let mut to = vec![0xee; bytes.len()];
        assert_eq!(unpack(packed, &mut to), Ok(()));
        assert!(to == bytes, "{} bytes came back changed", bytes.len());
    }
    short
}

#[test]
fn every_length_comes_back() {
    for length in 0..300 {
        back(&vec![7; length]);
        back(&noise(length as u64).take(length).collect::<Vec<_>>());
    }
}

#[test]
fn what_repeats_at_any_distance_comes_back_smaller() {
    for distance in [1, 2, 3, 255, 256, 257, 65_535, 65_536, 65_537, 200_000] {
        let once: Vec<u8> = noise(distance as u64).take(distance).collect();
        let twice: Vec<u8> = once.iter().chain(&once).chain(&once).copied().collect();
        let packed = back(&twice);
        assert!(
            packed.len() <= distance + distance / 64 + 1200,
            "{distance}: {}",
            packed.len()
        );
    }
}

/// Words out of a small store, of lengths around those that need further bytes.
#[test]
fn mixtures_come_back() {
    for seed in 1..40 {
        let mut choose = noise(seed);
        let store: Vec<u8> = noise(seed + 100).take(5000).collect();
        let mut bytes = Vec::new();
        while bytes.len() < 30_000 {
            let mut number = || usize::from(choose.next().unwrap());
            let (at, length) = (number() * 16 + number(), number() * number() / 100);
            match number() % 3 {
                0 => bytes.extend(noise(at as u64).take(length % 20)),
                _ => bytes.extend(store.iter().skip(at).take(length)),
            }
        }
        back(&bytes);
    }
}

/// The doors unpack the image over its own stream.
#[test]
fn it_can_be_unpacked_over_itself() {
    let store: Vec<u8> = noise(5).take(4000).collect();
    let bytes: Vec<u8> = (0..60)
        .flat_map(|n| store[n * 31..n * 31 + 700].to_vec())
        .collect();
    let packed = pack(&bytes, 0);
    let margin = margin(&packed, &mut vec![0; bytes.len()]).unwrap();
    let start = bytes.len() + margin - packed.len();
    // At each step what is left of the stream is above what was written; one byte less would not do.
    assert!(start + packed.len() >= bytes.len());
    assert!(margin < 64, "{margin}");
}

#[test]
fn damage_is_noticed_and_never_more_than_that() {
    let bytes: Vec<u8> = noise(9).take(400).chain(noise(9).take(400)).collect();
    let packed = pack(&bytes, 0);
    let mut to = vec![0; bytes.len()];
    assert_eq!(
        unpack(&packed[..packed.len() - 1], &mut to),
        Err(Damaged::Short)
    );
    assert_eq!(unpack(&packed, &mut to[..799]), Err(Damaged::Long));
    // A copy from before the beginning, and a short one from too near.
    assert_eq!(unpack(&[0x01, 20, 0], &mut to), Err(Damaged::Before));
    assert_eq!(unpack(&[0x21, 7, 2, 0], &mut to), Err(Damaged::Near));
    for at in 0..packed.len() {
        for bit in 0..8 {
            let mut damaged = packed.clone();
            damaged[at] ^= 1 << bit;
            // Whatever comes of it: it ends, and does not panic.
            let _ = unpack(&damaged, &mut to);
        }
    }
}
