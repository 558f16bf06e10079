//! The proof of the attacks: without the layer that protects from it, each succeeds.

use crate::attacker::Attacker;

/// The attacker is quick enough for one of these, however busy the machine is.
const EXECS: usize = 200;

/// Executes until the attacker has caught an executable, or many times.
fn execute_until_caught(attacker: &Attacker) {
    for _ in 0..EXECS {
        attacker.execute(1, &["/quiet", "exit", "0"]);
        if attacker.bed.path("rootfs/caught").exists() {
            return;
        }
    }
}

#[test]
fn without_the_seal_the_runtime_executed_inside_is_overwritten() {
    let Some(attacker) = Attacker::new("seal", &[]) else { return };
    attacker.execute_the_runtime();
    let reached = attacker.reached();
    assert!(reached["written"].as_u64() > Some(0), "{reached}");
    assert!(attacker.has_harmed_the_runtime());
}

#[test]
fn without_the_seal_the_runtime_is_overwritten_by_whoever_may_trace() {
    let Some(attacker) = Attacker::new("seal", &["CAP_SYS_PTRACE"]) else { return };
    execute_until_caught(&attacker);
    let reached = attacker.reached();
    assert!(reached["written"].as_u64() > Some(0), "{reached}");
    assert!(attacker.has_harmed_the_runtime());
}

#[test]
fn a_hidden_process_is_not_overwritten_even_without_the_seal() {
    let Some(attacker) = Attacker::new("seal", &[]) else { return };
    attacker.execute(50, &["/quiet", "exit", "0"]);
    let reached = attacker.reached();
    assert_eq!(reached["executable"], 0, "{reached}");
    assert!(!attacker.has_harmed_the_runtime());
}

#[test]
fn without_hiding_a_process_that_enters_is_attached_to_and_read() {
    let Some(attacker) = Attacker::new("hiding", &[]) else { return };
    execute_until_caught(&attacker);
    attacker.execute(50, &["/quiet", "exit", "0"]);
    let reached = attacker.reached();
    for what in ["memory", "attached", "root", "cwd", "executable", "descriptors"] {
        assert!(reached[what].as_u64() > Some(0), "{what}: {reached}");
    }
    assert!(!attacker.has_harmed_the_runtime(), "the seal holds");
}

#[test]
fn without_hiding_and_the_seal_each_exec_gives_the_runtime_away() {
    let Some(attacker) = Attacker::new("hiding,seal", &[]) else { return };
    execute_until_caught(&attacker);
    let reached = attacker.reached();
    assert!(reached["written"].as_u64() > Some(0), "{reached}");
    assert!(attacker.has_harmed_the_runtime());
}
