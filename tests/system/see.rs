//! `./meta see` without a boot: the driver that is written here from outside, in its views.

use crate::boots::workspace;
use clap::Parser;
use meta::see::{find, SeeArguments, Shown};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: SeeArguments,
}

fn shown(words: &[&str]) -> Result<Shown, String> {
    let line = Line::try_parse_from(["see"].iter().chain(words)).expect("words of a command line");
    find(&workspace(), &line.arguments).map_err(|error| format!("{error:#}"))
}

/// Every driver of the machine that can be written without its processor, by its hash twice the same.
#[test]
fn a_device_that_was_plugged_in_is_written_from_outside() {
    let words = [
        "i6300esb.start",
        "--machine",
        "q35-bare",
        "--",
        "-device",
        "i6300esb",
    ];
    let one = shown(&words).expect("the watchdog is written");
    assert_eq!(one.entries.len(), 1);
    let residual = &one.written.residual;
    let entry = one.entries[0];
    let forth = graph::view::forth(residual, entry, &one.names);
    for part in ["2 c.LOCK w8!\n", ": r.RELOAD ( -- place ) $c r ;\n"] {
        assert!(forth.contains(part), "no {part:?} in:\n{forth}");
    }
    let c = graph::view::c_named(residual, entry, &one.names);
    assert!(
        c.contains("write8(ctx, WINDOW_C, 0x68 /* LOCK */, 2);"),
        "{c}"
    );
    let again = shown(&words).expect("once more");
    let hash = |shown: &Shown| graph::hash::of(&shown.written.residual).expect("well formed");
    assert_eq!(hash(&one).residual, hash(&again).residual);
}

/// What `init` learns with memory of the machine is learned from outside too: a card's queues, a disk's size.
#[test]
fn drivers_with_memory_are_written_from_outside() {
    for node in ["virtio-net.transmit.then", "virtio-blk.read.then"] {
        let shown = shown(&[node]).unwrap_or_else(|why| panic!("{node}: {why}"));
        let text =
            graph::view::semantic_named(&shown.written.residual, shown.entries[0], &shown.names);
        assert!(text.contains("publish what was stored"), "{node}:\n{text}");
    }
}

#[test]
fn wrong_names_are_told_with_the_right_ones() {
    let why = shown(&["nothing"]).err().expect("there is no such device");
    assert!(
        why.contains("no device is called \"nothing\"; there are: "),
        "{why}"
    );
    let why = shown(&["hpet.later"])
        .err()
        .expect("there is no such operation");
    assert_eq!(why, "hpet has no operation \"later\"; it has: init, now");
    let why = shown(&["gicv3", "--machine", "virt-gicv3"]).err();
    let why = why.expect("system registers are the processor's");
    assert!(why.contains("--boot virt-gicv3"), "{why}");
}
