//! arm64 code written by hand, in its emulated processor beside a device model: every width, and everything that code
//! must not do. Whatever it was, the next entry runs.

use abi::status;
use graph::{Residual, Width, Window, WindowKind};
use meta::image::{self, Arch};
use meta::workspace::Workspace;
use qtest::run::{Blob, Device, Platform};
use qtest::{Config, Machine};

const RET: u32 = 0xd65f_03c0;
/// ldr x9, [x0, #104]: where window 0 is.
const WINDOW: u32 = 0xf940_3409;
/// mov x0, #0
const OK: u32 = 0xd280_0000;

/// Entries `(context, offset, value)`.
const ENTRIES: [(&str, &[u32]); 14] = [
    // ldrb w0, [x9, x1], and so on with wider ones
    ("read8", &[WINDOW, 0x3861_6920, RET]),
    ("read16", &[WINDOW, 0x7861_6920, RET]),
    ("read32", &[WINDOW, 0xb861_6920, RET]),
    ("read64", &[WINDOW, 0xf861_6920, RET]),
    ("signed32", &[WINDOW, 0xb8a1_6920, RET]),
    // strb w2, [x9, x1], and so on
    ("write8", &[WINDOW, 0x3821_6922, OK, RET]),
    ("write16", &[WINDOW, 0x7821_6922, OK, RET]),
    ("write32", &[WINDOW, 0xb821_6922, OK, RET]),
    ("write64", &[WINDOW, 0xf821_6922, OK, RET]),
    // str wzr, [x9, x1]
    ("zero32", &[WINDOW, 0xb821_693f, OK, RET]),
    // ldp w0, w3, [x9]
    ("pair", &[WINDOW, 0x2940_0d20, RET]),
    // ldr w0, [x1]: wherever the argument points
    ("wild", &[0xb940_0020, RET]),
    // mrs x0, sctlr_el1
    ("system", &[0xd538_1000, RET]),
    // ldr x9, [x0]; str x2, [x9, x1]; ldr x0, [x9, x1]: the private state
    ("state", &[0xf940_0009, 0xf821_6922, 0xf861_6920, RET]),
];

fn device(machine: &Machine) -> Device {
    let mut code = Vec::new();
    let mut entries = Vec::new();
    for (name, words) in ENTRIES {
        entries.push((name, code.len() as u32));
        code.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    }
    let residual = Residual {
        windows: vec![Window {
            name: "r".into(),
            kind: WindowKind::Memory,
            // RAM behaves as a device would that remembers everything; nothing else of the machine uses this piece.
            base: 0x40f0_0000,
            size: 0x10,
        }],
        state_size: 64,
        ..Residual::default()
    };
    let blob = Blob {
        code: &code,
        entries,
        residual: &residual,
    };
    let workspace = Workspace::from_environment().unwrap();
    let program = image::build_host_program(&workspace, Arch::Aarch64, "arm64-side").unwrap();
    Device::beside(machine, blob, &program).unwrap()
}

#[test]
fn every_width_reaches_the_device_and_nothing_else_is_reached() {
    let machine = Machine::start(Config::virt()).unwrap();
    let mut device = device(&machine);
    let mut code: Platform = device.direct().unwrap();
    let pattern = 0x8877_6655_4433_2211;
    assert_eq!(code.call("write64", &[0, pattern]).unwrap(), status::OK);
    assert_eq!(machine.read(0x40f0_0000, Width::B64).unwrap(), pattern);
    for (name, at, value) in [
        ("read8", 1, 0x22),
        ("read16", 2, 0x4433),
        ("read32", 4, 0x8877_6655),
        ("read64", 0, pattern),
        ("signed32", 4, 0xffff_ffff_8877_6655),
    ] {
        assert_eq!(code.call(name, &[at]).unwrap(), value, "{name}");
    }
    for (name, at, value) in [
        ("write8", 0, 0xaa),
        ("write16", 2, 0xbbbb),
        ("write32", 4, 0xcccc_cccc),
    ] {
        assert_eq!(code.call(name, &[at, value]).unwrap(), status::OK);
    }
    assert_eq!(
        machine.read(0x40f0_0000, Width::B64).unwrap(),
        0xcccc_cccc_bbbb_22aa
    );
    assert_eq!(code.call("zero32", &[4]).unwrap(), status::OK);
    assert_eq!(machine.read(0x40f0_0000, Width::B64).unwrap(), 0xbbbb_22aa);
    assert_eq!(code.call("state", &[8, 77]).unwrap(), 77);
    let touched = code.trace();
    assert_eq!(touched.len(), 10);
    assert!(touched[0].write && touched[0].value == pattern);

    for (name, words, said) in [
        ("read32", [0x10, 0], "outside"),
        ("write8", [0x10, 1], "outside"),
        ("read8", [0x10_0000, 0], "no window"),
        ("wild", [0x10, 0], "no window"),
        ("pair", [0, 0], "no plain load or store"),
        ("system", [0, 0], "not for programs"),
    ] {
        let error = code.call(name, &words).unwrap_err().to_string();
        assert!(
            error.contains(said) && error.contains("of the code"),
            "{name}: {error}"
        );
        assert_eq!(code.call("read8", &[1]).unwrap(), 0x22, "after {name}");
    }
}
