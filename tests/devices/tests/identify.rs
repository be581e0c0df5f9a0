//! Which rule a PCI function gets when nothing says what it is called: IDs and classes are hidden, so that only its
//! windows, its capabilities and what its registers answer can tell.

use device_tests::*;
use machine::{Arch, Device, Value};
use qtest::{pci, Config, Machine};
use synthesis::Subject;

/// PCI functions that the emulator offers. Which of them have a rule, and which one, their names say.
const DEVICES: [&str; 61] = [
    "virtio-net-pci,disable-legacy=on",
    "virtio-net-pci,disable-legacy=off",
    "virtio-blk-pci,drive=d0,disable-legacy=on",
    "virtio-rng-pci,disable-legacy=on",
    "virtio-serial-pci,disable-legacy=on",
    "e1000",
    "e1000-82544gc",
    "e1000-82545em",
    "e1000e",
    "rtl8139",
    "i6300esb",
    "bochs-display",
    "VGA",
    "secondary-vga",
    "nvme,serial=a,drive=d0",
    "ich9-ahci",
    "piix3-ide",
    "piix4-ide",
    "virtio-scsi-pci,disable-legacy=on",
    "virtio-balloon-pci,disable-legacy=on",
    "virtio-keyboard-pci",
    "virtio-tablet-pci",
    "virtio-gpu-pci",
    "virtio-iommu-pci",
    "virtio-crypto-pci,cryptodev=c0",
    "i82550",
    "i82551",
    "i82557b",
    "i82559er",
    "ne2k_pci",
    "pcnet",
    "tulip",
    "vmxnet3",
    "sun-gem",
    "AC97",
    "ES1370",
    "intel-hda",
    "ich9-intel-hda",
    "piix3-usb-uhci",
    "piix4-usb-uhci",
    "ich9-usb-uhci1",
    "ich9-usb-ehci1",
    "usb-ehci",
    "nec-usb-xhci",
    "qemu-xhci",
    "pci-ohci",
    "lsi53c895a",
    "lsi53c810",
    "megasas",
    "megasas-gen2",
    "mptsas1068",
    "am53c974",
    "dc390",
    "pvscsi",
    "cirrus-vga",
    "ati-vga",
    "vmware-svga",
    "edu",
    "pci-testdev",
    "pci-serial",
    "sdhci-pci",
];
/// As many have a rule at least.
const KNOWN: usize = 19;

/// What names a device, or its kind, or its maker.
const NAMES: [&str; 6] = [
    "vendor",
    "device",
    "revision",
    "class",
    "subvendor",
    "subsystem",
];

fn masked(mut device: Device) -> Device {
    device.facts.retain(|f| !NAMES.contains(&f.name.as_str()));
    for range in [0..4, 8..12, 0x2c..0x30] {
        device.config[range].fill(0xff);
    }
    device
}

/// The rules for the function that this argument adds to the machine, by its names and without them.
struct Identified {
    named: Option<String>,
    hidden: Option<String>,
}

/// `None` if the emulator does not have it.
fn identified(argument: &str) -> Option<Identified> {
    let disk = qtest::peer::Disk::new(&[0; 1 << 20]).unwrap();
    let mut config = Config::q35().args(["-vga", "none", "-display", "none", "-device", argument]);
    if argument.contains("drive=d0") {
        config = config.args(disk.drive("d0"));
    }
    if argument.contains("cryptodev=c0") {
        config = config.args(["-object", "cryptodev-backend-builtin,id=c0"]);
    }
    let machine = Machine::start(config).ok()?;
    let found = pci::scan(&machine).unwrap();
    let bridge = found.iter().find(|f| f.slot == 0).unwrap();
    bridge.write(0x60, graph::Width::B32, 0xb000_0001).unwrap();
    // The machine's own functions are at the ends.
    let function = found.iter().find(|f| f.slot != 0 && f.slot != 31)?;
    let mut device = pci_device(function);
    let place = 0xb000_0000 + u64::from(function.slot) * 0x8000;
    device
        .facts
        .push(fact("configuration", Value::Number(place)));
    let named = chosen(&machine, &device);
    let hidden = chosen(&machine, &masked(device));
    Some(Identified { named, hidden })
}

fn chosen(machine: &Machine, device: &Device) -> Option<String> {
    let book = rulebook();
    let model = machine_of(Arch::X86_64, device);
    let mut probe = Opening::new(machine).unwrap();
    let subject = Subject {
        book: &book,
        machine: &model,
        device,
        given: &[],
    };
    let verdict = synthesis::match_device(subject, Some(&mut probe));
    match verdict.chosen.first() {
        Some(choice) => Some(book.name(book.rules[choice.rules[0]].name).to_string()),
        None => {
            println!("{} nearest {:?}", shape(device), verdict.nearest);
            None
        }
    }
}

fn shape(device: &Device) -> String {
    let windows = device.windows.iter();
    windows
        .map(|w| format!("{} {:?} {}, ", w.index, w.kind, w.size))
        .collect()
}

#[test]
#[ignore = "takes long"]
fn devices_are_known_by_what_they_do() {
    let (mut wrong, mut known, mut tried) = (Vec::new(), 0, 0);
    for argument in DEVICES {
        println!("{argument}:");
        let Some(found) = identified(argument) else {
            println!("not offered");
            continue;
        };
        tried += 1;
        known += usize::from(found.named.is_some());
        if found.hidden != found.named {
            let (named, hidden) = (found.named, found.hidden);
            wrong.push(format!("{argument}: {hidden:?} instead of {named:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(known >= KNOWN, "only {known} devices have a rule");
    assert!(tried > 50, "only {tried} devices were tried");
}
