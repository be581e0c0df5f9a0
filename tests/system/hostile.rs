//! A program that is started instead of the console, calls the nucleus with arguments that must be refused, and makes
//! tasks that touch what is not theirs.

use crate::boots::{image, machine, workspace, PATIENCE};
use meta::emulator;
use meta::image::build_program;
use meta::prompt::Guest;

/// All of the program's checks pass, and there are as many as there should be: one that was never reached would not be missed.
fn nothing_hostile_succeeds(name: &str, checks: u32) {
    let (workspace, machine) = (workspace(), machine(name));
    let program = build_program(&workspace, machine.arch, "hostile")
        .unwrap_or_else(|error| panic!("{error:#}"));
    // By the machine's own clock: whether the host is busy is no business of the nucleus's.
    let extra = [
        "-initrd".to_owned(),
        program.display().to_string(),
        "-icount".to_owned(),
        "shift=0,sleep=off".to_owned(),
    ];
    let command = emulator::command(&workspace, &machine, &image(machine.arch), "stdio", &extra)
        .expect("a command");
    let mut guest = Guest::start(command).unwrap_or_else(|error| panic!("{error:#}"));
    let told =
        |guest: &Guest, error| panic!("{error:#}\neverything printed:\n{}", guest.transcript());
    if let Err(error) = guest.wait_for("hostile: begins", PATIENCE) {
        told(&guest, error);
    }
    // `hostile: N passed, M failed` is the last line.
    if let Err(error) = guest
        .wait_for("hostile: ", PATIENCE)
        .and_then(|_| guest.wait_for(" failed", PATIENCE))
    {
        told(&guest, error);
    }
    let transcript = guest.transcript();
    let verdict = transcript
        .lines()
        .rfind(|line| line.contains("hostile: "))
        .and_then(|line| line.split_once("hostile: "))
        .map_or("", |(_, verdict)| verdict.trim());
    let expected = format!("{checks} passed, 0 failed");
    assert_eq!(verdict, expected, "{transcript}");
}

/// Who adds a check, or takes one away, says so here.
#[test]
fn nothing_hostile_succeeds_on_q35_virtio() {
    nothing_hostile_succeeds("q35-virtio", 1249);
}
#[test]
fn nothing_hostile_succeeds_on_virt_gicv3() {
    nothing_hostile_succeeds("virt-gicv3", 1238);
}
