//! For random profiles and random calls, the program answers as a reading rule by rule.

use crate::common::{listing, options, run};
use crate::{naive, random};
use creel_seccomp::{Arch, compile};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

fn check(machine: Arch, archs: &[Arch], big_endian: bool) {
    let mut runner =
        TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let strategy = (random::profile(random::Conflicts::Some), random::calls());
    let result = runner.run(&strategy, |(mut profile, calls)| {
        if machine != Arch::X86_64 {
            profile.architectures = archs.to_vec();
        }
        let ours = compile(&profile, &options(machine)).unwrap();
        for call in calls.iter().flat_map(|call| call.on(&profile, archs)) {
            let found = run(&ours.program, &call, big_endian).value;
            let expected = naive::answer(&profile, machine, &call);
            if found != expected {
                let reason = format!(
                    "{call:x?}: {found:#x} instead of {expected:#x}\n{}",
                    listing(&ours.program)
                );
                return Err(TestCaseError::fail(reason));
            }
        }
        Ok(())
    });
    result.unwrap();
}

#[test]
fn programs_for_x86_64_answer_as_the_profile_reads() {
    check(Arch::X86_64, &[Arch::X86_64, Arch::X86, Arch::X32, Arch::Arm], false);
}

#[test]
fn programs_for_aarch64_answer_as_the_profile_reads() {
    check(Arch::Aarch64, &[Arch::Aarch64, Arch::Arm], false);
}

#[test]
fn programs_for_s390x_answer_as_the_profile_reads() {
    check(Arch::S390X, &[Arch::S390X, Arch::S390], true);
}

#[test]
fn programs_for_mips_answer_as_the_profile_reads() {
    check(Arch::Mips64, &[Arch::Mips64, Arch::Mips64N32, Arch::Mips], true);
}

#[test]
fn programs_for_the_rest_answer_as_the_profile_reads() {
    for (arch, big_endian) in [
        (Arch::Riscv64, false),
        (Arch::Loongarch64, false),
        (Arch::Ppc64, true),
        (Arch::Ppc64Le, false),
        (Arch::M68k, true),
        (Arch::Sh, false),
        (Arch::Parisc, true),
    ] {
        check(arch, &[arch], big_endian);
    }
}
