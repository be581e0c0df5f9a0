//! Shows the code of a sample residual: `cargo run -p emit --example show -- SEED`.

fn main() {
    let seed = std::env::args()
        .nth(1)
        .and_then(|s| s.parse().ok())
        .unwrap_or(1);
    let residual = graph::sample::residual(seed);
    for target in [emit::Target::X86_64, emit::Target::Aarch64] {
        match emit::emit(&residual, target) {
            Ok(code) => print!("{}", emit::entries(&code, &residual.entries, target, 0)),
            Err(why) => eprintln!("{why}"),
        }
    }
}
