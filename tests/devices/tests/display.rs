//! Displays: what is drawn, on the emulator's screen.

use ::proof::outside::{draw, screen};
use abi::ring::{done, todo};
use classes::selftest::{Effort, Outcome};
use classes::Class;
use device_tests::{pci_device, proof};
use qtest::run::Driver;
use qtest::{pci, Config, Machine};
use synthesis::Written;

fn display(device: &str) -> (Machine, Written) {
    let config = Config::q35().args(["-vga", "none", "-display", "none", "-device", device]);
    let machine = Machine::start(config).unwrap();
    let found = pci::scan(&machine).unwrap();
    let function = found.iter().find(|f| f.class >> 16 == 3).unwrap();
    function.bus_master(true).unwrap();
    let mut device = pci_device(function);
    let written = proof::written(&machine, &mut device, "framebuffer", "bochs_display");
    (machine, written)
}

fn set(driver: &mut Driver, width: u64, height: u64) -> bool {
    let value = width | height << 32;
    driver.ask(todo::FRAMEBUFFER_MODE, 0, 0, value).unwrap().ok == 1
}

fn proved(device: &str) {
    let (machine, written) = display(device);
    let mut running = proof::running(&machine, &written);
    let mut driver = running
        .pump(Class::Framebuffer, proof::facts(&written))
        .unwrap();
    assert_eq!(
        driver.selftest(Effort::Thorough).unwrap(),
        Outcome::Verified
    );
    assert!(set(&mut driver, 320, 200));
    let news = driver
        .wait(|e| e.kind == done::CHANGED && e.offset == 320)
        .unwrap();
    assert_eq!((news.length, news.value), (200, 1280));
    let picture = draw(&mut driver, 0, 320, 200).unwrap();
    let (width, height, seen) = screen(&machine).unwrap();
    assert_eq!((width, height), (320, 200));
    assert!(seen == picture, "the picture is on the screen");
    // Modes that cannot be leave it as it is.
    for (w, h) in [(321, 200), (320, 0), (16000, 12000), (1 << 20, 1)] {
        assert!(!set(&mut driver, w, h), "{w} by {h}");
    }
    assert!(screen(&machine).unwrap().2 == picture);
    // What is below the screen comes into view.
    let below = draw(&mut driver, 200, 320, 200).unwrap();
    assert_eq!(driver.ask(todo::FRAMEBUFFER_PAN, 0, 0, 200).unwrap().ok, 1);
    assert!(screen(&machine).unwrap().2 == below, "the picture below");
    drop(machine);
    drop(driver);
    proof::same_trace(Class::Framebuffer, || display(device));
}

#[test]
fn bochs_display_shows_what_is_drawn() {
    proved("bochs-display");
}

#[test]
fn the_emulators_vga_shows_what_is_drawn() {
    proved("VGA");
}
