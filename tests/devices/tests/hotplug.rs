//! A device that is a bus, and cards that come and go while its driver runs: asked for and torn out, by every way to carry a
//! driver out.

use abi::ring::{done, todo, Entry};
use classes::{Class, Units};
use device_tests::rulebook;
use proof::models;
use proof::stand::{Outside, Stand, Written};
use proof::ways::Way;
use qtest::run::Driver;
use qtest::{pci, Machine};

const MODEL: &str = "pcie-port";

fn start() -> (Stand, Written) {
    let list = include_str!("../models.toml");
    let models = models::read(list).unwrap();
    let model = models.iter().find(|m| m.name == MODEL).unwrap();
    let mut stand = Stand::start(model, &Outside::new(model).unwrap()).unwrap();
    let written = stand.write(&rulebook(), &model.class).unwrap();
    (stand, written)
}

fn pump<'d>(device: &'d mut qtest::run::Device, written: &Written) -> Driver<'d> {
    let facts = written.facts.iter().map(|(n, v)| (n.as_str(), *v));
    let mut driver = device.pump(Class::Bus, Units::from_pairs(facts)).unwrap();
    driver.start().unwrap();
    driver.turn(true).unwrap();
    driver
}

fn kinds(news: &[Entry]) -> Vec<u16> {
    news.iter().map(|entry| entry.kind).collect()
}

/// The slot's power is switched off behind the driver's back, by which the emulator takes the card out at once.
fn tear_out(machine: &Machine) {
    let found = pci::scan_only(machine).unwrap();
    let port = found.iter().find(|f| f.class >> 8 == 0x0604).unwrap();
    let list = port.capabilities().unwrap();
    let (_, at) = list.iter().find(|(id, _)| *id == 0x10).unwrap();
    let control = u64::from(*at) + 0x18;
    let before = port.read(control, graph::Width::B16).unwrap();
    let off = before | 1 << 10 | 3 << 8;
    port.write(control, graph::Width::B16, off).unwrap();
}

/// Turns until this comes, and all news up to it.
fn until(driver: &mut Driver, kind: u16) -> Vec<Entry> {
    let mut all = Vec::new();
    for _ in 0..1000 {
        driver.turn(true).unwrap();
        all.extend(driver.news());
        if all.iter().any(|entry| entry.kind == kind) {
            return all;
        }
        driver.machine().pause(20_000);
    }
    panic!("no news of kind {kind}: {all:?}");
}

/// One story of a slot; what the driver said in it.
fn story(machine: &Machine, driver: &mut Driver) -> Vec<Entry> {
    let mut all = driver.news();
    assert_eq!(kinds(&all), [done::ATTACHED], "the card of the beginning");
    // Asked for.
    machine.pull("card").unwrap();
    all.extend(until(driver, done::LEAVING));
    // Asked again while it is under way.
    assert!(machine.pull("card").is_err(), "the lamp blinks");
    assert_eq!(driver.ask(todo::BUS_RELEASE, 0, 0, 0).unwrap().ok, 1);
    all.extend(until(driver, done::DETACHED));
    assert_eq!(machine.card("way").unwrap(), None);
    // Another one, torn out.
    machine.plug("e1000e", "second", "way").unwrap();
    all.extend(until(driver, done::ATTACHED));
    tear_out(machine);
    all.extend(until(driver, done::DETACHED));
    assert_eq!(machine.card("way").unwrap(), None);
    // The first, again.
    machine.plug("virtio-rng-pci", "third", "way").unwrap();
    all.extend(until(driver, done::ATTACHED));
    // Letting go what nobody asked for is obeyed, and what is not there is refused.
    assert_eq!(driver.ask(todo::BUS_RELEASE, 0, 0, 1).unwrap().ok, 0);
    assert!(machine.card("way").unwrap().is_some());
    for _ in 0..4 {
        driver.turn(true).unwrap();
    }
    all.extend(driver.news());
    all
}

#[test]
fn cards_come_and_go_alike_by_every_way() {
    let mut stories = Vec::new();
    for way in [Way::Interpreter, Way::Code, Way::C] {
        let (stand, written) = start();
        let mut device = proof::ways::device(&stand, &written.residual, way).unwrap();
        let mut driver = pump(&mut device, &written);
        let news = story(&stand.machine, &mut driver);
        let told: Vec<u16> = kinds(&news)
            .into_iter()
            .filter(|kind| *kind != done::FINISHED)
            .collect();
        let wanted = [
            done::ATTACHED,
            done::LEAVING,
            done::DETACHED,
            done::ATTACHED,
            done::DETACHED,
            done::ATTACHED,
        ];
        assert_eq!(told, wanted, "{}", way.name());
        let facts = |n: usize| {
            let mut attached = news.iter().filter(|entry| entry.kind == done::ATTACHED);
            attached.nth(n).map(|e| (e.value, e.offset, e.length))
        };
        // By the makers' own lists: vendor and device, class, subsystem.
        let rng = Some((0x1044_1af4, 0x0000_ff00, 0x1100_1af4));
        assert_eq!((facts(0), facts(2)), (rng, rng), "{}", way.name());
        let card = Some((0x10d3_8086, 0x02_0000, 0x0000_8086));
        assert_eq!(facts(1), card, "{}", way.name());
        let lines = proof::settled(&written.residual, &written.values, &driver.events());
        stories.push((way.name(), lines));
    }
    for (name, lines) in &stories[1..] {
        let difference = proof::compare(&stories[0].1, lines);
        assert!(difference.is_none(), "{name}: {difference:?}");
    }
}

/// A card that is swapped between two looks is told as one that went and one that came.
#[test]
fn a_card_that_was_swapped_is_another() {
    let (stand, written) = start();
    let machine = &stand.machine;
    let mut device = proof::ways::device(&stand, &written.residual, Way::Code).unwrap();
    let mut driver = pump(&mut device, &written);
    driver.news();
    tear_out(machine);
    machine.plug("e1000e", "second", "way").unwrap();
    let told = kinds(&until(&mut driver, done::ATTACHED));
    assert_eq!(told, [done::DETACHED, done::ATTACHED]);
}

/// An empty slot tells nothing, cannot let anything go that hurts, and hears of the first card.
#[test]
fn an_empty_slot_waits() {
    let (stand, written) = start();
    let machine = &stand.machine;
    tear_out(machine);
    let mut device = proof::ways::device(&stand, &written.residual, Way::Code).unwrap();
    let mut driver = pump(&mut device, &written);
    assert!(driver.news().is_empty());
    assert_eq!(driver.ask(todo::BUS_RELEASE, 0, 0, 0).unwrap().ok, 1);
    machine.plug("e1000e", "second", "way").unwrap();
    let told = kinds(&until(&mut driver, done::ATTACHED));
    assert_eq!(told, [done::ATTACHED]);
}
