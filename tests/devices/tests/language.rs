//! What the language promises of instances, on registers of a network card that are plain memory.

use device_tests::*;
use emit::{emit, Target};
use graph::Width;
use qtest::run::{Blob, Device as Running};
use qtest::{pci, Config, Machine};

/// Six lamps, of which the third is not there and the fifth says so later. They differ in `kind`, which decides how they
/// are lit, and in `shade`, which does not.
const TEXT: &str = "
class lamp direct
  fact  shade: 16
  op    glow(n: 8)
rule lantern : lamp each p on pci
  match vendor == 0x8086 and device == 0x100e                            score 9
  space r = le bar(0)
  reg MTA[128] 0x5200:32                                in r
  init
    for k in 0..6 { MTA[k] = k * 2 + (k >> 1 & 1) }
    MTA[2] = 0xff
    learn there = those k in 0..6 where MTA[k] != 0xff
  each p in there where lit
    state count: 32 wraps
    flow lit
      check p != 4 else return false
      learn kind = MTA[p] & 1
      learn shade = MTA[p] >> 1 & 0xffff
      return true
    op glow(n)
      count += 1
      check n < 200 else fail broken
      when kind == 1 { MTA[64 + p] = shade * 1000 + n }
      else           { MTA[64 + p] = n }
      MTA[96 + p] = count
    recover broken { MTA[32 + p] = 0xdead }
";

fn lanterns(machine: &Machine) -> synthesis::Written {
    let book = rulebook::read(&[("lantern.rule", TEXT)])
        .unwrap_or_else(|p| panic!("{}", p[0].render("", &[("lantern.rule", TEXT)])));
    let found = pci::scan(machine).unwrap();
    let function = found.iter().find(|f| f.class >> 16 == 2).unwrap();
    let mut device = pci_device(function);
    let (_, written) = write_driver(&book, machine, &mut device, "lamp", &[]);
    assert_eq!(
        device.fact("there"),
        Some(&machine::Value::Bytes(vec![0, 1, 3, 4, 5]))
    );
    assert_eq!(
        device.fact("p"),
        Some(&machine::Value::Numbers(vec![0, 1, 3, 5]))
    );
    written
}

#[test]
fn instances_share_code_until_a_fact_decides() {
    let machine = Machine::start(
        Config::q35()
            .args(["-netdev", "user,id=n0"])
            .args(["-device", "e1000,netdev=n0"]),
    )
    .unwrap();
    let written = lanterns(&machine);
    let fact = |name: &str| written.facts.iter().find(|(n, _)| n == name).map(|f| f.1);
    // 0, 1 and 5 are of kind 0 and share their code; 3 is of kind 1 and has its own. Their numbers follow that order.
    let order: Vec<_> = ["p", "1.p", "2.p", "3.p"].map(fact).into();
    assert_eq!(order, [Some(0), Some(1), Some(5), Some(3)]);
    assert_eq!(fact("2.shade"), Some(5));
    assert_eq!(fact("units"), Some(4));

    let code = emit(&written.residual, Target::X86_64).unwrap();
    let blob = Blob::new(&written.residual, &code.bytes, &code.entries);
    let found = pci::scan(&machine).unwrap();
    let base = found.iter().find(|f| f.class >> 16 == 2).unwrap().bars[0].base;
    let mut running = Running::attach(&machine, blob).unwrap();
    let mut lamps = running.direct().unwrap();
    assert_eq!(lamps.start().unwrap(), abi::status::OK);
    let at = |n: u64| machine.read(base + 0x5200 + 4 * n, Width::B32).unwrap();
    for unit in [0, 1, 2, 3, 2] {
        assert_eq!(
            lamps.call("glow", &[7 + unit, unit]).unwrap(),
            abi::status::OK
        );
    }
    assert_eq!([0, 1, 5].map(|p| at(64 + p)), [7, 8, 9]);
    assert_eq!(at(64 + 3), 3 * 1000 + 10, "its shade comes from the device");
    assert_eq!(
        [0, 1, 5, 3].map(|p| at(96 + p)),
        [1, 1, 2, 1],
        "each counts for itself"
    );

    // The one that failed is the one that recovers.
    for (unit, p) in [(2, 5), (3, 3), (0, 0)] {
        let failed = lamps.call("glow", &[255, unit]).unwrap();
        assert_eq!(failed, abi::status::FAIL);
        lamps.call("recover.broken", &[]).unwrap();
        assert_eq!(at(32 + p), 0xdead);
        machine
            .write(base + 0x5200 + 4 * (32 + p), Width::B32, 0)
            .unwrap();
    }
    assert_eq!([1, 3, 5, 0].map(|p| at(32 + p)), [0; 4]);
}

/// Three cells and a link, whose marks change with each lap.
const LINKED: &str = "
class lamp direct
  op    glow(n: 8), dim()
rule lantern : lamp on pci
  match vendor == 0x8086 and device == 0x100e                            score 9
  space r = le bar(0)
  reg MTA[128] 0x5200:32                                in r
  record CELL le { n:16 kind:8 _:7 lap:1 }
  arena cells: CELL[4] align 16
  ring  R 4 of cells lent { lap: lap } link { kind: 6, n: 99 }
  init { MTA[0] = 0 }
  op glow(n)
    lend R = { n: n, kind: 1 } else busy
    show()
  op dim
    publish R
    show()
    while R.lent > 0 at most 3 { R.got += 1 }
  op show { for k in 0..4 { MTA[k] = cells[k].n | cells[k].kind << 16 | cells[k].lap << 31 } }
";

#[test]
fn a_ring_with_a_link_shows_its_first_cell_last() {
    let machine = Machine::start(
        Config::q35()
            .args(["-netdev", "user,id=n0"])
            .args(["-device", "e1000,netdev=n0"]),
    )
    .unwrap();
    let book = rulebook::read(&[("linked.rule", LINKED)])
        .unwrap_or_else(|p| panic!("{}", p[0].render("", &[("linked.rule", LINKED)])));
    let found = pci::scan(&machine).unwrap();
    let function = found.iter().find(|f| f.class >> 16 == 2).unwrap();
    let base = function.bars[0].base;
    function.bus_master(true).unwrap();
    let mut device = pci_device(function);
    let (_, written) = write_driver(&book, &machine, &mut device, "lamp", &[]);
    let code = emit(&written.residual, Target::X86_64).unwrap();
    let blob = Blob::new(&written.residual, &code.bytes, &code.entries);
    let mut running = Running::attach(&machine, blob).unwrap();
    let mut lamps = running.direct().unwrap();
    assert_eq!(lamps.start().unwrap(), abi::status::OK);
    let cells = || -> Vec<(u64, u64, u64)> {
        (0..4)
            .map(|k| machine.read(base + 0x5200 + 4 * k, Width::B32).unwrap())
            .map(|cell| (cell & 0xffff, cell >> 16 & 0xff, cell >> 31))
            .collect()
    };
    let mut glow = |n: u64| lamps.call("glow", &[n]).unwrap();
    assert_eq!((glow(10), glow(11)), (0, 0));
    assert_eq!(
        cells(),
        [(10, 1, 0), (11, 1, 1), (0, 0, 0), (0, 0, 0)],
        "the first is held back"
    );
    lamps.call("dim", &[]).unwrap();
    assert_eq!(cells()[0], (10, 1, 1), "and shown at publish");
    let mut glow = |n: u64| lamps.call("glow", &[n]).unwrap();
    assert_eq!((glow(12), glow(13), glow(14)), (0, 0, 0));
    assert_eq!(
        glow(15),
        abi::status::BUSY,
        "three cells, for the fourth is the link"
    );
    let second = [(13, 1, 0), (14, 1, 0), (12, 1, 0), (99, 6, 1)];
    assert_eq!(
        cells(),
        second,
        "12 is held back with the mark that it had; the link ends the first lap"
    );
    lamps.call("dim", &[]).unwrap();
    assert_eq!(cells()[2], (12, 1, 1));
}

/// A ring in registers, whose device gives two of three cells back at once.
const DRAINED: &str = "
class lamp direct
  fact  sum: 32
  op    glow(n: 8)
rule lantern : lamp on pci
  match vendor == 0x8086 and device == 0x100e                            score 9
  space r = le bar(0)
  reg MTA[64]  0x5200:32                                in r
  reg CELL[4]  0x5300:32 { n@0:16 done@16; else 0 }
  ring  R 4 of CELL back when cell.done
  state seen: 32 wraps
  init
    seen = 0
    for k in 0..3 { lend R = { n: k + 1, done: k < 2 } keep (k + 40) else fail full }
    for i, t in back R { seen += t * 10 + i }
    learn sum = seen, left = R.lent
  op glow(n) { MTA[0] = sum * 0x10000 + left * 0x100 + n }
  recover full { reset }
";

#[test]
fn what_came_back_is_drained_while_init_runs() {
    let machine = Machine::start(
        Config::q35()
            .args(["-netdev", "user,id=n0"])
            .args(["-device", "e1000,netdev=n0"]),
    )
    .unwrap();
    let book = rulebook::read(&[("drained.rule", DRAINED)])
        .unwrap_or_else(|p| panic!("{}", p[0].render("", &[("drained.rule", DRAINED)])));
    let found = pci::scan(&machine).unwrap();
    let function = found.iter().find(|f| f.class >> 16 == 2).unwrap();
    let base = function.bars[0].base;
    let mut device = pci_device(function);
    let (_, written) = write_driver(&book, &machine, &mut device, "lamp", &[]);
    // 40 came from cell 0 and 41 from cell 1; the third is still lent.
    let number = |n| Some(machine::Value::Number(n));
    assert_eq!(device.fact("sum").cloned(), number(811));
    assert_eq!(device.fact("left").cloned(), number(1));
    // The written code finds the same when it runs.
    let code = emit(&written.residual, Target::X86_64).unwrap();
    let blob = Blob::new(&written.residual, &code.bytes, &code.entries);
    let mut running = Running::attach(&machine, blob).unwrap();
    let mut lamps = running.direct().unwrap();
    assert_eq!(lamps.start().unwrap(), abi::status::OK);
    lamps.call("glow", &[7]).unwrap();
    let told = machine.read(base + 0x5200, Width::B32).unwrap();
    assert_eq!(told, 811 << 16 | 1 << 8 | 7);
}
