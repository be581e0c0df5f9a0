//! What the crate plans for this test's own executable, against where Linux has put it; and broken executables.
use areas::elf::{Head, Image, Machine};
use areas::{protection, PAGE};

const LIMIT: u64 = 0x7fff_ffff_f000;
#[cfg(target_arch = "x86_64")]
const MACHINE: Machine = Machine::X86_64;
#[cfg(not(target_arch = "x86_64"))]
const MACHINE: Machine = Machine::Aarch64;

fn read(file: &[u8]) -> Result<Image, areas::Errno> {
    let head = Head::read(file, MACHINE)?;
    let table = usize::try_from(head.table)
        .ok()
        .and_then(|at| file.get(at..))
        .unwrap_or(&[]);
    Image::read(&head, table, LIMIT)
}

fn auxiliary(kind: u64) -> u64 {
    let bytes = std::fs::read("/proc/self/auxv").unwrap();
    let words: Vec<u64> = bytes
        .chunks_exact(8)
        .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
        .collect();
    words.chunks_exact(2).find(|pair| pair[0] == kind).unwrap()[1]
}

#[test]
fn this_executable_lies_where_it_is_planned() {
    let path = std::fs::read_link("/proc/self/exe").unwrap();
    let image = read(&std::fs::read(&path).unwrap()).unwrap();
    let bias = auxiliary(3) - image.table;
    assert_eq!(auxiliary(9), image.entry + bias, "AT_ENTRY");
    assert_eq!(auxiliary(5), image.entries as u64, "AT_PHNUM");
    assert!(bias.is_multiple_of(image.align));
    assert!(image.interpreter.is_some() && !image.executable_stack);
    let text = std::fs::read_to_string("/proc/self/maps").unwrap();
    let planned = image.at(bias, LIMIT).unwrap();
    let mut seen = 0;
    for line in text
        .lines()
        .filter(|line| line.ends_with(path.to_str().unwrap()))
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (start, end) = words[0].split_once('-').unwrap();
        let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
        let (start, end, offset) = (hex(start), hex(end), hex(words[2]));
        let plan = planned
            .iter()
            .find(|plan| plan.offset.is_some() && plan.start <= start && end <= plan.end);
        let plan = plan.unwrap_or_else(|| panic!("nothing planned at {line}"));
        assert_eq!(
            plan.offset.unwrap() + (start - plan.start),
            offset,
            "{line}"
        );
        let bits =
            [('r', 1), ('w', 2), ('x', 4)]
                .map(|(letter, bit)| if words[1].contains(letter) { bit } else { 0 });
        // The dynamic linker takes the right to write from what it has relocated.
        let hardened = plan.protection & !protection::WRITE;
        let found: u32 = bits.iter().sum();
        assert!(found == plan.protection || found == hardened, "{line}");
        seen += end - start;
    }
    let files = planned.iter().filter(|plan| plan.offset.is_some());
    assert_eq!(
        seen,
        files.map(|plan| plan.end - plan.start).sum::<u64>(),
        "every planned page is there"
    );
}

#[test]
fn broken_executables_are_refused_or_stay_within_bounds() {
    let mut file = std::fs::read("/proc/self/exe").unwrap();
    file.truncate(4096);
    let check = |file: &[u8]| match read(file) {
        Err(_) => false,
        Ok(image) => {
            for mapping in &image.mappings {
                assert!(mapping.start < mapping.end && mapping.end <= LIMIT);
                assert!(mapping.start >= image.start && mapping.end <= image.end);
                assert!(
                    mapping.zero < PAGE
                        && mapping.start.is_multiple_of(PAGE)
                        && mapping.end.is_multiple_of(PAGE)
                );
            }
            let _ = image.at(0x5555_5555_5000, LIMIT);
            true
        }
    };
    let (mut planned, mut refused) = (0, 0);
    for at in 0..4096 {
        let cut = check(&file[..at]);
        assert!(!cut || at >= 64);
        let byte = file[at];
        for change in [0xff, 0x80, 0x01, byte] {
            file[at] = byte ^ change;
            *(if check(&file) {
                &mut planned
            } else {
                &mut refused
            }) += 1;
        }
        file[at] = byte;
    }
    assert!(
        planned > 10_000 && refused > 100,
        "{planned} planned, {refused} refused"
    );
}
