//! Whatever is typed, written and set, in whatever order: the terminal stays within its bounds and does not panic.

use noise::Random;
use tty::termios::Termios;
use tty::{Error, Flush, Tty, When};

fn settings(random: &mut Random) -> Termios {
    let mut bytes = Tty::new().termios().to_bytes();
    for byte in &mut bytes {
        if random.below(4) == 0 {
            *byte = random.word() as u8;
        }
    }
    Termios::from_bytes(&bytes)
}

fn step(tty: &mut Tty, random: &mut Random) {
    let most = random.pick(&[1, 30, 300, 5000]);
    let narrow = random.below(2) == 0;
    let bytes: Vec<u8> = (0..random.below(most))
        .map(|_| {
            if narrow {
                random.pick(b"a\t\n\r\x04\x12\x15\x16\x17\x7f\x13\x11\x03\xff")
            } else {
                random.word() as u8
            }
        })
        .collect();
    let mut to = vec![0; random.below(most)];
    match random.below(9) {
        0..=2 => assert!(tty.type_in(&bytes) <= bytes.len()),
        3 | 4 => assert!(tty.write(&bytes).unwrap_or(0) <= bytes.len()),
        5 => assert!(tty.read(&mut to).unwrap_or(0) <= to.len()),
        6 => assert!(tty.read_shown(&mut to).unwrap_or(0) <= to.len()),
        7 => tty.set_termios(
            settings(random),
            random.pick(&[When::Now, When::Drain, When::Flush]),
        ),
        _ if random.below(8) == 0 => {
            tty.flush(random.pick(&[Flush::Input, Flush::Output, Flush::Both]))
        }
        _ => assert!(!tty.wants_more(most, most)),
    }
    assert!(tty.unread() <= 4096 && tty.shown() <= 4095);
}

#[test]
fn nothing_makes_it_panic() {
    let mut random = noise::seeded(0x7474_7903);
    for _ in 0..noise::rounds(60) {
        let mut tty = Tty::new();
        for _ in 0..60 {
            step(&mut tty, &mut random);
        }
    }
}

#[test]
fn neither_way_takes_without_end() {
    let mut tty = Tty::new();
    let much = vec![b'\n'; 200_000];
    let typed = tty.type_in(&much);
    assert!(typed < much.len());
    assert!(tty.type_in(&much) + typed < much.len());
    assert_eq!(tty.type_in(&much), 0);
    assert!(tty.write(&much).unwrap_or(0) < much.len());
    assert_eq!(tty.write(&much), Err(Error::WouldBlock));
    // One byte more may fit where a line end, which is two, does not.
    assert!(tty.write(&[b'a'; 9]).unwrap_or(0) <= 1 && !tty.writable());
}

#[test]
fn many_reprints_of_a_long_line_are_bounded() {
    let mut tty = Tty::new();
    tty.type_in(&[b'a'; 4000]);
    // Output is stopped, and the line is printed again a hundred times.
    tty.type_in(b"\x13");
    tty.type_in(&[0x12; 100]);
    tty.type_in(b"\x11");
    let mut shown = 0;
    let mut to = [0; 1000];
    while let Ok(count) = tty.read_shown(&mut to) {
        shown += count;
    }
    assert!(shown < 20_000, "{shown} bytes");
}
