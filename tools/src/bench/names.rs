//! The names of all figures, by the bench that prints them. A bench can print no other name, and says which of its own it did
//! not measure; a test compares them with the names that are asked for (`docs/targets.toml`) and with `docs/bench.md`.
//!
//! A part in capital letters stands for any one part; `MODEL` and `ENTRY`, whose names may have points, for several.

use super::Bench;

/// The figures that a bench prints.
#[must_use]
pub const fn of(bench: Bench) -> &'static [&'static str] {
    match bench {
        Bench::Boot => BOOT,
        Bench::Ipc => IPC,
        Bench::Rules => RULES,
        Bench::Identify => IDENTIFY,
        Bench::Mutation => MUTATION,
        Bench::Generate => GENERATE,
        Bench::Discovery => DISCOVERY,
    }
}

const BOOT: &[&str] = &[
    "boot.MACHINE.instructions",
    "boot.MACHINE.instructions.linux",
    "boot.MACHINE.firmware_instructions",
    "boot.MACHINE.nucleus_to_user.instructions",
    "boot.MACHINE.wall_s",
    "boot.MACHINE.wall_s.linux",
    "boot.MACHINE.wall_ratio",
    "discovery.MACHINE.instructions",
    "generate.MACHINE.instructions",
    "prove.MACHINE.instructions",
    "install.MACHINE.instructions",
    "memory.MACHINE.in_use_kib",
    "memory.MACHINE.executable_kib",
    "memory.MACHINE.smallest_mib",
    "memory.MACHINE.smallest_mib.linux",
    "image.ARCH.kib",
    "image.ARCH.kib.linux",
    "nucleus.ARCH.text_bytes",
    "nucleus.ARCH.text_bytes.linux",
];
const IPC: &[&str] = &[
    "ipc.ARCH.portal_0w",
    "ipc.ARCH.portal_4w",
    "ipc.ARCH.portal_8w",
    "ipc.ARCH.null_call",
    "ipc.ARCH.notify_no_waiter",
    "ipc.ARCH.notify_pingpong",
    "ipc.ARCH.thread_switch",
    "ipc.ARCH.fp_switch",
    "ipc.ARCH.revoke_1000",
    "ipc.ARCH.map",
    "ipc.ARCH.unmap",
    "ipc.ARCH.now",
    "ipc.ARCH.foreign_call",
    "ipc.ARCH.fault",
];
const RULES: &[&str] = &[
    "rules.DEVICE.lines",
    "rules.DEVICE.tokens",
    "rules.DEVICE.linux_sloc",
    "rules.DEVICE.share",
    "rules.longer_than_wanted",
    "rules.all.lines",
    "rules.all.linux_sloc",
    "rules.all.share",
    "rules.rulebook.bytes",
    "rules.rulebook.compressed_bytes",
    "rules.MODEL.ARCH.bytes",
    "rules.MODEL.ARCH.ENTRY.bytes",
];
const IDENTIFY: &[&str] = &[
    "identify.devices",
    "identify.not_plugged",
    "identify.with_rule",
    "identify.found",
    "identify.found_share",
    "identify.wrong",
    "identify.found_by_data_sheet",
    "identify.found_by_model",
    "identify.others.with_rule",
    "identify.others.found",
    "identify.others.found_share",
    "identify.others.wrong",
    "identify.others.found_by_data_sheet",
    "identify.others.found_by_model",
];
const MUTATION: &[&str] = &[
    "mutation.possible",
    "mutation.tried",
    "mutation.caught_by_checks",
    "mutation.caught_when_written",
    "mutation.caught_by_selftest",
    "mutation.survived",
    "mutation.without_effect",
    "mutation.not_tried",
    "mutation.OPERATOR.caught",
    "mutation.OPERATOR.survived",
    "mutation.OPERATOR.caught_share",
    "mutation.caught_share",
    "mutation.caught_share_of_all",
];
const GENERATE: &[&str] = &["generate.MACHINE.instructions"];
const DISCOVERY: &[&str] = &[
    "discovery.MACHINE.instructions",
    "discovery.MACHINE.blind.instructions",
    "discovery.MACHINE.functions",
    "discovery.MACHINE.configuration_accesses",
    "discovery.MACHINE.accesses_per_function",
    "discovery.MACHINE.instructions_per_device",
    "tables.machines",
    "tables.devices",
    "tables.devices_share",
    "tables.extra",
    "tables.wrong_ids",
    "tables.complete",
    "tables.prt_entries",
    "tables.prt_right",
    "tables.prt_wrong",
    "tables.soft_off",
    "tables.soft_off_found",
    "tables.host_bridges",
    "tables.host_bridges_found",
];

/// Whether `name` is one that `pattern` stands for.
#[must_use]
pub fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<&str>, Vec<&str>) =
        (pattern.split('.').collect(), name.split('.').collect());
    parts_fit(&pattern, &name)
}

fn parts_fit(pattern: &[&str], name: &[&str]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([first, rest @ ..], _) if any(first) => {
            let most = if SEVERAL.contains(first) {
                name.len()
            } else {
                1
            };
            (1..=most.min(name.len())).any(|taken| parts_fit(rest, &name[taken..]))
        }
        ([first, rest @ ..], [part, parts @ ..]) => first == part && parts_fit(rest, parts),
        _ => false,
    }
}

const SEVERAL: [&str; 2] = ["MODEL", "ENTRY"];

fn any(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    /// `docs/targets.toml`.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        /// Names that a bench has to print.
        printed: Vec<String>,
        /// Names that none prints yet, by the reason.
        later: BTreeMap<String, Vec<String>>,
    }

    fn wanted() -> Wanted {
        toml::from_str(include_str!("../../../docs/targets.toml")).expect("docs/targets.toml")
    }

    fn all() -> impl Iterator<Item = &'static str> {
        let benches = Bench::value_variants().iter();
        benches.flat_map(|bench| of(*bench).iter().copied())
    }

    #[test]
    fn every_figure_that_is_asked_for_is_printed_or_excused() {
        let wanted = wanted();
        let printed = |name: &String| all().any(|pattern| fits(pattern, name));
        let missing: Vec<&String> = wanted.printed.iter().filter(|n| !printed(n)).collect();
        assert!(missing.is_empty(), "no bench prints {missing:?}");
        for (why, names) in &wanted.later {
            let there: Vec<&String> = names.iter().filter(|n| printed(n)).collect();
            assert!(there.is_empty(), "{there:?} are printed; not so: {why}");
        }
        assert!(wanted.printed.len() > 30, "{}", wanted.printed.len());
    }

    #[test]
    fn every_figure_is_explained() {
        let told = include_str!("../../../docs/bench.md");
        // In a row's first column the words before the last are left out where they are those of the figure before.
        let words: Vec<&str> = told.split('`').skip(1).step_by(2).collect();
        let explained = |pattern: &str| {
            words
                .iter()
                .any(|word| *word == pattern || word.starts_with('.') && pattern.ends_with(word))
        };
        let silent: Vec<&str> = all().filter(|pattern| !explained(pattern)).collect();
        assert!(
            silent.is_empty(),
            "docs/bench.md does not explain {silent:?}"
        );
    }

    #[test]
    fn a_part_in_capitals_stands_for_any() {
        assert!(fits("boot.MACHINE.wall_s", "boot.q35-virtio.wall_s"));
        assert!(fits(
            "rules.MODEL.ARCH.bytes",
            "rules.nvme.two.x86_64.bytes"
        ));
        assert!(!fits("boot.MACHINE.wall_s", "boot.q35-virtio.wall_s.linux"));
        assert!(!fits("boot.MACHINE.wall_s", "boot.wall_s"));
        assert!(!fits("boot.MACHINE.wall_s", "boot.q35-virtio.warm.wall_s"));
        assert!(!fits("rules.all.share", "rules.nvme.share"));
    }
}
