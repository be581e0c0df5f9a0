//! Shows the code of a sample residual, or only its size: `cargo run -p emit --example show -- SEED [size]`.

use disassembly::entries;
use emit::{emit, Target};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seed = arguments.next().and_then(|s| s.parse().ok()).unwrap_or(1);
    let size = arguments.next().is_some();
    let residual = graph::sample::residual(seed);
    for target in [Target::X86_64, Target::Aarch64] {
        match emit(&residual, target) {
            Ok(code) if size => println!(
                "{target:?}: {} bytes from {} nodes in {} entries",
                code.bytes.len(),
                residual.graph.nodes.len(),
                code.entries.len()
            ),
            Ok(code) => print!("{}", entries(&code, &residual.entries, target, 0)),
            Err(why) => eprintln!("{why}"),
        }
    }
}
