//! Our programs answer as those of libseccomp with runc's rule for unknown calls in front.
//!
//! libseccomp is looked for at run time: nothing of it is needed to build.

use std::cell::Cell;

use crate::common::{Call, listing, options, profile, run};
use crate::scmp::Scmp;
use crate::{naive, random};
use creel_seccomp::{Arch, compile, syscall_number};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// Numbers round every edge and arguments round every value of the engines' profiles.
pub(crate) fn calls(arch: Arch) -> impl Iterator<Item = Call> {
    let base = if arch == Arch::X32 { 0x4000_0000 } else { 0 };
    let edges = [u32::MAX, u32::MAX - 1, 0x4000_0000, 0x3fff_ffff];
    let args = [
        0,
        1,
        2,
        8,
        9,
        16,
        40,
        0x2_0000,
        0x2_0008,
        0x1000_0000,
        0x7e02_0000,
        0xffff_ffff,
        1 << 32,
        u64::MAX,
    ];
    (0..=600).map(move |nr| nr + base).chain(edges).flat_map(move |nr| {
        args.into_iter().map(move |arg| Call {
            nr,
            audit: arch.audit(),
            args: [arg, 9, arg, 0, 1, 2],
        })
    })
}

#[test]
fn engines_profiles_answer_as_with_libseccomp() {
    let Some(scmp) = Scmp::open() else { return };
    for name in ["docker", "podman", "cri-localhost", "podman-custom"] {
        let mut profile = profile(name);
        // Our table is newer: what only we know has no counterpart.
        profile.rules.iter_mut().for_each(|rule| rule.names.retain(|name| scmp.knows(name)));
        let ours = compile(&profile, &options(Arch::X86_64)).unwrap();
        let theirs = scmp.compile(&profile, Arch::X86_64).unwrap();
        for call in [Arch::X86_64, Arch::X86, Arch::X32, Arch::Arm].into_iter().flat_map(calls) {
            let unknown = naive::unknown(&profile, Arch::X86_64, &call);
            let expected = unknown.unwrap_or_else(|| run(&theirs, &call, false).value);
            let found = run(&ours.program, &call, false).value;
            assert_eq!(found, expected, "{name}: {call:x?}\n{}", listing(&ours.program));
        }
        println!("{name}: {} instructions, libseccomp {}", ours.program.len(), theirs.len());
    }
}

#[test]
fn random_profiles_answer_as_with_libseccomp() {
    let Some(scmp) = Scmp::open() else { return };
    // The same cases each time: what libseccomp forgets in others is not ours to mend.
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let strategy = (random::profile(random::Conflicts::None), random::calls());
    let compared = Cell::new(0);
    let result = runner.run(&strategy, |(profile, calls)| {
        let ours = compile(&profile, &options(Arch::X86_64)).unwrap();
        let Some(theirs) = scmp.compile(&profile, Arch::X86_64) else { return Ok(()) };
        for call in calls
            .iter()
            .flat_map(|call| call.on(&profile, &[Arch::X86_64, Arch::X86, Arch::X32, Arch::Arm]))
        {
            let unknown = naive::unknown(&profile, Arch::X86_64, &call);
            let theirs = run(&theirs, &call, false);
            // libseccomp 2.5.4 joins equal ends of two architectures and loses the load of the number.
            if theirs.confused {
                continue;
            }
            compared.set(compared.get() + 1);
            let expected = unknown.unwrap_or(theirs.value);
            let found = run(&ours.program, &call, false).value;
            if found != expected {
                let reason = format!("{call:x?}: {found:#x} instead of {expected:#x}");
                return Err(TestCaseError::fail(reason));
            }
        }
        Ok(())
    });
    result.unwrap();
    assert!(compared.get() > 10_000, "{compared:?}");
}

/// Architectures that both know.
const SHARED: [Arch; 19] = [
    Arch::X86,
    Arch::X86_64,
    Arch::X32,
    Arch::Arm,
    Arch::Aarch64,
    Arch::Mips,
    Arch::Mips64,
    Arch::Mips64N32,
    Arch::Mipsel,
    Arch::Mipsel64,
    Arch::Mipsel64N32,
    Arch::Parisc,
    Arch::Parisc64,
    Arch::Ppc,
    Arch::Ppc64,
    Arch::Ppc64Le,
    Arch::Riscv64,
    Arch::S390,
    Arch::S390X,
];

#[test]
fn the_table_has_libseccomps_numbers() {
    let Some(scmp) = Scmp::open() else { return };
    let csv =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/syscalls.csv")).unwrap();
    let mut compared = 0;
    for name in csv.lines().skip(1).filter_map(|line| line.split(',').next()) {
        for arch in SHARED {
            if let Some(theirs) =
                scmp.number(name, arch).and_then(|number| u32::try_from(number).ok())
            {
                assert_eq!(syscall_number(name, arch), Some(theirs), "{name} on {arch:?}");
                compared += 1;
            }
        }
    }
    assert!(compared > 5000, "{compared}");
}
