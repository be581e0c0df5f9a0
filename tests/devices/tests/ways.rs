//! Every device model of `models.toml`: interpreter, emitted code for both processors and compiled C view pass the class's
//! self-test and do the same to the device.

use meta::image::{self, Arch};
use meta::workspace::Workspace;
use proof::models;

#[test]
fn all_ways_to_carry_a_driver_out_do_the_same() {
    let workspace = Workspace::from_environment().unwrap();
    let arm64 = image::build_host_program(&workspace, Arch::Aarch64, "arm64-side").unwrap();
    let book = device_tests::rulebook();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models.toml");
    let list = models::read(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut wrong = Vec::new();
    let mut on_arm64 = 0;
    for model in list.iter().filter(|model| model.elsewhere.is_none()) {
        match proof::ways::prove(&book, model, &arm64) {
            Ok(report) if report.good() => on_arm64 += usize::from(report.left_out.is_empty()),
            Ok(report) => wrong.push(format!(
                "{}: {:?} {:?} {:?}",
                model.name,
                report
                    .runs
                    .iter()
                    .map(|run| run.outcome)
                    .collect::<Vec<_>>(),
                report.difference,
                report.outside
            )),
            Err(error) => wrong.push(format!("{}: {error}", model.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(on_arm64 > 20, "only {on_arm64} drivers ran as arm64 code");
}
