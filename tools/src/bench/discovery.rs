//! What finding out costs: instructions inside, accesses to configuration space as seen from outside.

use super::boot::stages;
use super::{Bench, Figures};
use crate::discover::outside;
use crate::emulator;
use crate::image;
use crate::machines::{self, Machine};
use crate::prompt::{Guest, PATIENCE, PROMPT};
use crate::rules;
use crate::terminal::{bad, Progress};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use machine::Candidate;
use machine::Value;

/// The machines to which devices are added, to see what one more costs.
const GROWN: [&str; 2] = ["q35-bare", "virt-gicv3"];
/// What is added, and how many of it.
const ADDED: &str = "virtio-rng-pci,disable-legacy=on";
const MANY: usize = 8;

pub fn measure(workspace: &Workspace) -> Result<Figures> {
    let mut figures = Figures::of(Bench::Discovery);
    let book = rules::book(&workspace.root.join("rules"))?;
    let candidates = synthesis::candidates(&book);
    for machine in machines::all(workspace)? {
        let name = machine.name.clone();
        let mut blind = machine.clone();
        blind.options.push(abi::options::BLIND.into());
        for (machine, figure) in [(&machine, "instructions"), (&blind, "blind.instructions")] {
            match instructions(workspace, machine, &[]) {
                Ok(count) => figures.add(format!("discovery.{name}.{figure}"), count),
                // One machine that does not come up is no reason not to measure the others.
                Err(error) => eprintln!("{} {error:#}", bad(&format!("{name}, {figure}:"))),
            }
        }
        match accesses(workspace, &machine, &candidates) {
            Ok((count, functions)) => {
                figures.add(format!("discovery.{name}.functions"), functions);
                figures.add(format!("discovery.{name}.configuration_accesses"), count);
                if functions > 0.0 {
                    let each = count / functions;
                    figures.add(format!("discovery.{name}.accesses_per_function"), each);
                }
            }
            Err(error) => eprintln!("{} {error:#}", bad(&format!("{name} from outside:"))),
        }
    }
    for name in GROWN {
        let machine = machines::named(workspace, name)?;
        let with = |count: usize| {
            let extra: Vec<String> = (0..count)
                .flat_map(|_| ["-device".to_owned(), ADDED.to_owned()])
                .collect();
            instructions(workspace, &machine, &extra)
        };
        // The first one may need what the others find there: a window of the bridge.
        let (one, many) = (with(1)?, with(1 + MANY)?);
        let each = (many - one) / MANY as f64;
        figures.add(format!("discovery.{name}.instructions_per_device"), each);
    }
    Ok(figures)
}

/// Instructions that the stage `discover` of one boot takes: the guest's clock ticks one an instruction.
fn instructions(workspace: &Workspace, machine: &Machine, extra: &[String]) -> Result<f64> {
    let image = image::build(workspace, machine.arch)?;
    let _progress = Progress::start(&format!("counting discovery on {}", machine.name));
    let mut words: Vec<String> = vec!["-icount".into(), "shift=0,sleep=off".into()];
    words.extend(extra.iter().cloned());
    let command = emulator::command(workspace, machine, &image, "stdio", &words)?;
    let mut guest = Guest::start(command)?;
    guest
        .wait_for(PROMPT, PATIENCE)
        .with_context(|| machine.name.clone())?;
    let told = stages(&guest.ask("stages", PATIENCE)?)?;
    let counted = told.iter().find(|(figure, _)| *figure == "discovery");
    let (_, counted) = counted.context("the guest does not say how long its discovery took")?;
    Ok(*counted)
}

/// Reads and writes of configuration space, and how many functions there are.
fn accesses(
    workspace: &Workspace,
    machine: &Machine,
    candidates: &[Candidate],
) -> Result<(f64, f64)> {
    let _progress = Progress::start(&format!("counting accesses on {}", machine.name));
    let found = outside::discover(workspace, machine, candidates)?;
    let functions = found.model.devices.iter().filter(|d| d.bus == "pci");
    // Where a function's registers are mapped tells where all are: 1 MiB a bus, in the order of their addresses.
    let mapped: Vec<u64> = (functions.clone())
        .filter_map(|d| match d.fact("configuration") {
            Some(Value::Number(place)) => Some(place & !0xfff_ffff),
            _ => None,
        })
        .collect();
    let configuration = found.accesses.iter().filter(|access| match access.port {
        true => (0xcfc..0xd00).contains(&access.at),
        false => mapped.contains(&(access.at & !0xfff_ffff)),
    });
    Ok((configuration.count() as f64, functions.count() as f64))
}
