//! What executes the guest's instructions: the emulator's translator (TCG), or this computer's processor through KVM.

use crate::image::Arch;
use anyhow::{bail, Result};
use clap::ValueEnum;
use std::fs::OpenOptions;

/// What `--accel` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Wanted {
    /// The emulator translates the guest's code: works everywhere, and repeats
    #[default]
    Tcg,
    /// This computer's processor runs the guest's code: needs Linux's /dev/kvm, and a machine of the same architecture
    Kvm,
    /// KVM where it can be used, else TCG
    Auto,
}

/// What a machine runs with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accel {
    #[default]
    Tcg,
    Kvm,
}

impl Accel {
    /// The emulator's arguments. KVM on arm64 knows no processor but the host's; a later `-cpu` replaces an earlier one.
    #[must_use]
    pub fn arguments(self, arch: Arch) -> &'static [&'static str] {
        match (self, arch) {
            (Self::Tcg, _) => &["-accel", "tcg"],
            (Self::Kvm, Arch::X86_64) => &["-accel", "kvm"],
            (Self::Kvm, Arch::Aarch64) => &["-accel", "kvm", "-cpu", "host"],
        }
    }
}

/// Decides for a guest of `arch` whose emulator gets `words`; and why not KVM, where `auto` had to do without.
///
/// # Errors
/// When KVM is wanted and cannot be had; the message says why.
pub fn choose(wanted: Wanted, arch: Arch, words: &[&[String]]) -> Result<(Accel, Option<String>)> {
    decide(
        wanted,
        obstacle(arch, std::env::consts::ARCH, words, usable),
    )
}

fn decide(wanted: Wanted, obstacle: Option<String>) -> Result<(Accel, Option<String>)> {
    Ok(match (wanted, obstacle) {
        (Wanted::Tcg, _) => (Accel::Tcg, None),
        (_, None) => (Accel::Kvm, None),
        (Wanted::Auto, why) => (Accel::Tcg, why),
        (Wanted::Kvm, Some(why)) => bail!("--accel kvm: {why}; --accel tcg goes without KVM"),
    })
}

/// What stands against KVM.
fn obstacle(
    arch: Arch,
    host: &str,
    words: &[&[String]],
    usable: impl Fn() -> std::io::Result<()>,
) -> Option<String> {
    // Two dashes are the same to the emulator.
    let counted = |word: &String| matches!(word.as_str(), "-icount" | "--icount");
    if words.iter().any(|words| words.iter().any(counted)) {
        return Some("-icount counts translated instructions, which KVM does not do".into());
    }
    if arch.name() != host {
        return Some(format!(
            "the machine is {} and this computer {host}",
            arch.name()
        ));
    }
    let error = usable().err()?;
    Some(format!("/dev/kvm cannot be opened ({error})"))
}

fn usable() -> std::io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open("/dev/kvm");
    file.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }
    fn there() -> std::io::Result<()> {
        Ok(())
    }

    #[test]
    fn counting_instructions_is_refused_by_name_wherever_it_is_said() {
        let machine = words("-machine q35 -icount shift=0");
        let extra = words("-m 64 --icount shift=0,sleep=off");
        for said in [[&machine[..], &[]], [&[][..], &extra]] {
            let why = obstacle(Arch::X86_64, "x86_64", &said, there);
            let error = decide(Wanted::Kvm, why.clone()).expect_err("KVM cannot count");
            assert!(format!("{error}").contains("-icount"), "{error}");
            let (accel, why) = decide(Wanted::Auto, why).expect("TCG can");
            assert_eq!(accel, Accel::Tcg);
            assert!(why.expect("it says why").contains("-icount"));
        }
        // A value is not an option.
        let file = words("-drive file=-icount.img");
        assert_eq!(obstacle(Arch::X86_64, "x86_64", &[&file], there), None);
    }

    #[test]
    fn kvm_runs_only_its_own_architecture_and_needs_its_device() {
        let why = obstacle(Arch::Aarch64, "x86_64", &[], there).expect("an obstacle");
        assert!(why.contains("aarch64") && why.contains("x86_64"), "{why}");
        let locked = || Err(Error::from(ErrorKind::PermissionDenied));
        let why = obstacle(Arch::X86_64, "x86_64", &[], locked).expect("an obstacle");
        assert!(why.contains("/dev/kvm"), "{why}");
        let accel = |wanted, why| decide(wanted, why).ok().map(|(accel, _)| accel);
        assert_eq!(accel(Wanted::Tcg, Some(why.clone())), Some(Accel::Tcg));
        assert_eq!(accel(Wanted::Auto, Some(why.clone())), Some(Accel::Tcg));
        assert_eq!(accel(Wanted::Kvm, Some(why)), None);
        assert_eq!(accel(Wanted::Kvm, None), Some(Accel::Kvm));
        assert_eq!(accel(Wanted::Auto, None), Some(Accel::Kvm));
        assert_eq!(accel(Wanted::Tcg, None), Some(Accel::Tcg));
    }
}
