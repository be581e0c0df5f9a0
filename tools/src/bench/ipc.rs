//! Portal calls and notifications: the program `benches/ipc` is started instead of the console and prints its figures.

use super::{Bench, Figures};
use crate::emulator;
use crate::image;
use crate::machines;
use crate::prompt::Guest;
use crate::terminal::Progress;
use crate::workspace::Workspace;
use anyhow::{bail, Result};
use std::time::Duration;

const MACHINES: [&str; 2] = ["q35-virtio", "virt-gicv3"];

pub fn measure(workspace: &Workspace) -> Result<Figures> {
    let mut figures = Figures::of(Bench::Ipc);
    for name in MACHINES {
        let machine = machines::named(workspace, name)?;
        let image = image::build(workspace, machine.arch)?;
        let program = image::build_program(workspace, machine.arch, "ipc")?;
        let extra = [
            "-initrd".to_owned(),
            program.display().to_string(),
            "-icount".into(),
            "shift=0,sleep=off".into(),
        ];
        let _progress = Progress::start(&format!("measuring on {name}"));
        let mut guest = Guest::start(emulator::command(
            workspace, &machine, &image, "stdio", &extra,
        )?)?;
        let ended = guest.wait_for_end(Duration::from_secs(120));
        let transcript = guest.transcript();
        let before = figures.count();
        for (figure, value) in read(&transcript) {
            figures.add(format!("ipc.{}.{figure}", machine.arch.name()), value);
        }
        if figures.count() == before {
            ended?;
            bail!("the program printed no figure on {name}:\n{transcript}");
        }
    }
    Ok(figures)
}

/// Lines of the form `NAME NUMBER`, where the name starts with `ipc.`.
fn read(transcript: &str) -> Vec<(String, f64)> {
    transcript
        .lines()
        .filter_map(|line| {
            let (name, value) = line.strip_prefix("ipc.")?.split_once(' ')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        })
        .collect()
}
