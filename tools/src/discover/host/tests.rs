//! A computer made of files.

use super::*;
use machine::MemoryKind;

/// A folder that looks like the root of a running system.
struct Computer(PathBuf);

impl Computer {
    fn new(name: &str) -> Computer {
        let folder = std::env::temp_dir().join(format!("meta-host-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        Computer(folder)
    }

    fn file(&self, path: &str, bytes: impl AsRef<[u8]>) -> &Computer {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
        self
    }

    fn model(&self) -> Machine {
        look(Linux::at(&self.0), Arch::X86_64, &[])
    }
}

impl Drop for Computer {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A function with a wide memory register of 1 MiB and 32 ports.
fn function() -> Vec<u8> {
    let mut config = vec![0; 256];
    config[..4].copy_from_slice(&[0xf4, 0x1a, 0x41, 0x10]);
    config[4] = 7;
    config[8..12].copy_from_slice(&[1, 0, 0, 2]);
    config[0x10..0x18].copy_from_slice(&0x40_0000_000c_u64.to_le_bytes());
    config[0x18..0x1c].copy_from_slice(&0xc001_u32.to_le_bytes());
    config[0x3d] = 1;
    config
}

const RESOURCES: &str = "0x0000004000000000 0x00000040000fffff 0x000000000014220c\n\
    0x0000000000000000 0x0000000000000000 0x0000000000000000\n\
    0x000000000000c000 0x000000000000c01f 0x0000000000040101\n";

#[test]
fn without_anything_there_is_a_processor() {
    let computer = Computer::new("empty");
    computer.file("proc/cpuinfo", "processor\t: 0\napicid\t\t: 0\n");
    let model = computer.model();
    assert_eq!(model.cpus.len(), 1);
    assert!(model.devices.iter().all(|d| d.bus != "pci"));
}

#[test]
fn functions_are_sized_by_what_the_kernel_found() {
    let computer = Computer::new("pci");
    let folder = "sys/bus/pci/devices/0000:00:03.0";
    computer
        .file("proc/cpuinfo", "apicid : 0\n\napicid : 2\n")
        .file(&format!("{folder}/config"), function())
        .file(&format!("{folder}/resource"), RESOURCES);
    let model = computer.model();
    let ids: Vec<u64> = model.cpus.iter().map(|cpu| cpu.id).collect();
    assert_eq!(ids, [0, 2]);
    let device = model.devices.iter().find(|d| d.path == "pci/00:03.0");
    let windows = &device.expect("the function").windows;
    let places: Vec<(u8, u64, u64)> = windows.iter().map(|w| (w.index, w.base, w.size)).collect();
    assert_eq!(places, [(0, 0x40_0000_0000, 1 << 20), (2, 0xc000, 32)]);
    // Nothing was written, so nothing was turned on.
    assert!(!model.notes.iter().any(|note| note.contains("turned on")));
}

#[test]
fn what_is_hidden_from_the_unprivileged_is_told() {
    let computer = Computer::new("hidden");
    let folder = "sys/bus/pci/devices/0000:00:03.0";
    let iomem = "00000000-00000000 : Reserved\n00000000-00000000 : System RAM\n";
    computer
        .file("proc/iomem", iomem)
        .file(&format!("{folder}/config"), &function()[..64])
        .file(&format!("{folder}/resource"), RESOURCES);
    let model = computer.model();
    let told = |what: &str| {
        model
            .unknown
            .iter()
            .any(|u| u.starts_with(what) && u.contains("sudo"))
    };
    assert!(told("the memory map"), "{:?}", model.unknown);
    assert!(told("PCI capabilities"), "{:?}", model.unknown);
    assert!(model.memory.iter().all(|r| r.kind != MemoryKind::Ram));
}

#[test]
fn the_kernels_map_is_read_where_the_firmwares_is_not_there() {
    let computer = Computer::new("iomem");
    let iomem = "00000000-00000fff : Reserved\n00001000-0009ffff : System RAM\n\
                 00100000-1fffffff : System RAM\n  01000000-01ffffff : Kernel code\n\
                 20000000-20000fff : ACPI Tables\nc0000000-ffffffff : PCI Bus 0000:00\n";
    computer.file("proc/iomem", iomem);
    let model = computer.model();
    let ram = model.memory.iter().filter(|r| r.kind == MemoryKind::Ram);
    let ram: Vec<(u64, u64)> = ram.map(|r| (r.base, r.size)).collect();
    assert_eq!(ram, [(0x1000, 0x9f000), (0x10_0000, 0x1ff0_0000)]);
    let tables = model
        .memory
        .iter()
        .find(|r| r.kind == MemoryKind::AcpiTables);
    assert_eq!(tables.map(|r| r.base), Some(0x2000_0000));
}
