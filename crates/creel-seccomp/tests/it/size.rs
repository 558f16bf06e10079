//! How long programs are, and how fast they are made and run.

use crate::common::{Call, options, profile, run};
use creel_seccomp::{Arch, compile};

#[test]
fn dockers_profile_takes_less_than_350_instructions() {
    for name in ["docker", "podman"] {
        let compiled = compile(&profile(name), &options(Arch::X86_64)).unwrap();
        println!("{name}: {} {:?}", compiled.program.len(), compiled.warnings);
        assert!(compiled.program.len() < 350, "{name}: {} instructions", compiled.program.len());
    }
}

#[test]
fn no_call_without_comparisons_takes_more_than_20_instructions() {
    let compiled = compile(&profile("docker"), &options(Arch::X86_64)).unwrap();
    let worst = (0..500)
        .map(|nr| Call { nr, audit: Arch::X86_64.audit(), args: [0; 6] })
        .map(|call| (run(&compiled.program, &call, false).steps, call.nr))
        .max();
    println!("{worst:?}");
    assert!(worst.unwrap().0 <= 20, "{worst:?}");
}
