//! Shipped rules, each changed in one place so that the device would use more memory than it was lent, or be given an
//! address that nobody lent: the specialiser refuses each, and says where.

use device_tests::rulebook_with;
use proof::models;
use proof::stand::{Outside, Stand};

/// Device model, file, what stands there, what stands there instead, and words of why it is refused.
type Mistake = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const FAR: &str = "the device may use";
const UPCALL: &str = "and the class takes at most";
const STRAY: &str = "no address that `dma` gave";
const UNSAID: &str = "nothing says how far the device reaches";
const KEPT: &str = "as if it were any number";
const UNTOLD: &str = "nothing tells how far the device reaches";

const MISTAKES: &[Mistake] = &[
    // Rings that are said to be longer than they are.
    (
        "e1000",
        "nic/e1000.rule",
        "RDLEN = 64 * 16",
        "RDLEN = 128 * 16",
        FAR,
    ),
    (
        "e1000",
        "nic/e1000.rule",
        "TDLEN = 64 * 16",
        "TDLEN = 65 * 16",
        FAR,
    ),
    (
        "e1000",
        "nic/e1000.rule",
        "arena tx: TD[64]",
        "arena tx: TD[63]",
        FAR,
    ),
    (
        "nvme",
        "block/nvme.rule",
        "AQA = { sq: 31, cq: 31 }",
        "AQA = { sq: 32, cq: 31 }",
        FAR,
    ),
    (
        "nvme",
        "block/nvme.rule",
        "AQA = { sq: 31, cq: 31 }",
        "AQA = { sq: 31, cq: 63 }",
        FAR,
    ),
    (
        "virtio-blk-pci",
        "transport/virtio.rule",
        "MOST[q] = n;",
        "MOST[q] = 2 * n;",
        FAR,
    ),
    (
        "virtio-blk-packed",
        "transport/virtio.rule",
        "MOST[q] = n;",
        "MOST[q] = n + 1;",
        FAR,
    ),
    (
        "virtio-blk-mmio2",
        "transport/virtio_mmio.rule",
        "SIZE[q] = n",
        "SIZE[q] = 2 * n",
        FAR,
    ),
    (
        "virtio-blk-legacy",
        "transport/virtio.rule",
        "far = 4096 when old else 4",
        "far = 4",
        FAR,
    ),
    // Sizes by a code, and rings that end where they should.
    (
        "rtl8139-memory",
        "nic/rtl8139.rule",
        "size: 2, fifo",
        "size: 3, fifo",
        FAR,
    ),
    (
        "rtl8139-memory",
        "nic/rtl8139.rule",
        "spill 65 KiB",
        "spill 16",
        FAR,
    ),
    // Buffers: more than they have, or a length that nobody looked at.
    (
        "rtl8139-memory",
        "nic/rtl8139.rule",
        "{ size: f.len, early",
        "{ size: 1792, early",
        FAR,
    ),
    (
        "e1000",
        "nic/e1000.rule",
        "fact  buffer = 2048",
        "fact  buffer = 1536",
        UPCALL,
    ),
    (
        "e1000",
        "nic/e1000.rule",
        "dma f, len: f.len, cmd",
        "dma f, len: 1514, cmd",
        FAR,
    ),
    (
        "virtio-net-pci",
        "transport/virtio.rule",
        "A.desc[s * per + k] = { addr: dma b, len: b.len,",
        "A.desc[s * per + k] = { addr: dma b, len: b.len + 1,",
        FAR,
    ),
    (
        "ahci",
        "block/ahci.rule",
        "last: b.len - 1",
        "last: b.len",
        FAR,
    ),
    (
        "ahci",
        "block/ahci.rule",
        "entries: k, table",
        "entries: 9, table",
        FAR,
    ),
    (
        "ahci",
        "block/ahci.rule",
        "arena heard: 8[256] align 256",
        "arena heard: 8[128] align 256",
        FAR,
    ),
    (
        "ide-bus-master",
        "block/ide.rule",
        "tell data.len / 512 * 512 of data",
        "tell data.len + 512 of data",
        FAR,
    ),
    (
        "nvme",
        "block/nvme.rule",
        "arena page: 8[4096]",
        "arena page: 8[2048]",
        FAR,
    ),
    (
        "pcnet",
        "nic/pcnet.rule",
        "check f.len in 1..4096",
        "check f.len in 0..4096",
        "does not fit 12 bits",
    ),
    (
        "pcnet",
        "nic/pcnet.rule",
        "lend RX = { addr: dma f, less: 4096 - f.len",
        "lend RX = { addr: dma f, less: 0",
        FAR,
    ),
    (
        "pcnet",
        "nic/pcnet.rule",
        "dma f, less: 4096 - f.len, ones: 15, flags",
        "dma f, less: 4095 - f.len, ones: 15, flags",
        FAR,
    ),
    ("pcnet", "nic/pcnet.rule", "rlen: 5", "rlen: 6", FAR),
    // What the device says is passed on unseen.
    (
        "e1000",
        "nic/e1000.rule",
        "check d.status.end and d.len <= 2048 else fail broken",
        "check d.status.end else fail broken",
        UPCALL,
    ),
    (
        "e1000",
        "nic/e1000.rule",
        "d.len <= 2048 else",
        "d.len <= 2049 else",
        UPCALL,
    ),
    (
        "virtio-net-pci",
        "nic/virtio_net.rule",
        "(headroom + buffer + 1)",
        "(headroom + buffer + 2)",
        UPCALL,
    ),
    // Addresses of nothing, and where nobody looks at them.
    (
        "e1000",
        "nic/e1000.rule",
        "RDBA = dma rx",
        "RDBA = 0x1000",
        STRAY,
    ),
    (
        "e1000",
        "nic/e1000.rule",
        "addr: dma f } keep",
        "addr: f.len } keep",
        STRAY,
    ),
    (
        "e1000",
        "nic/e1000.rule",
        "RDH = 0;",
        "RDH = (dma rx)[0..32];",
        UNSAID,
    ),
    // The same by every way round.
    (
        "e1000",
        "nic/e1000.rule",
        "RDH = 0;",
        "RDH = (dma rx ^ 16)[0..32];",
        UNSAID,
    ),
    (
        "e1000",
        "nic/e1000.rule",
        "RDH = 0;",
        "RDH = (dma rx >> 4 << 4)[0..32];",
        UNSAID,
    ),
    (
        "e1000",
        "nic/e1000.rule",
        "RDH = 0;",
        "let at = dma rx;  if STATUS.up { at = 0 };  RDH = at[0..32];",
        UNSAID,
    ),
    (
        "e1000",
        "nic/e1000.rule",
        "  op transmit(f, t)\n",
        "  state kept: 64\n  op transmit(f, t)\n    kept = dma rx\n",
        KEPT,
    ),
    (
        "nvme",
        "block/nvme.rule",
        "list: dma64[33] for told",
        "list: 64[33]",
        UNSAID,
    ),
    (
        "nvme",
        "block/nvme.rule",
        "tell 64 * 16 of io.cq;",
        "fence;",
        UNTOLD,
    ),
    (
        "ide-bus-master",
        "block/ide.rule",
        "tell 8 * n of prd",
        "fence",
        UNTOLD,
    ),
];

#[test]
fn what_reaches_too_far_is_refused() {
    let list = models::read(include_str!("../models.toml")).unwrap();
    let mut missed = Vec::new();
    for mistake in MISTAKES {
        if let Err(said) = refused(&list, mistake) {
            let (model, file, right, wrong, _) = mistake;
            missed.push(format!(
                "{file}: {wrong:?} instead of {right:?} on {model}: {said}"
            ));
        }
    }
    assert!(
        missed.is_empty(),
        "{} of {}\n{}",
        missed.len(),
        MISTAKES.len(),
        missed.join("\n")
    );
}

/// What was said instead, where the mistake is not refused for its reason.
fn refused(
    list: &[models::Model],
    (model, file, right, wrong, reason): &Mistake,
) -> Result<(), String> {
    let model = list.iter().find(|m| m.name == *model).unwrap();
    let book = match rulebook_with(file, right, wrong) {
        Ok(book) => book,
        Err(said) => return Err(format!("the checker: {said}")),
    };
    let outside = Outside::new(model).unwrap();
    let mut stand = Stand::start(model, &outside).unwrap();
    match stand.write(&book, &model.class) {
        Ok(_) => Err("it was taken".into()),
        Err(error) if error.to_string().contains(reason) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
