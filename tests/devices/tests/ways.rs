//! Every device model of `models.toml`: interpreter, emitted code and compiled C view pass the class's self-test and do
//! the same to the device.

use proof::models;

#[test]
fn three_ways_to_carry_a_driver_out_do_the_same() {
    let book = device_tests::rulebook();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models.toml");
    let list = models::read(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for model in list.iter().filter(|model| model.elsewhere.is_none()) {
        match proof::ways::prove(&book, model) {
            Ok(report) if report.good() => {}
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
}
