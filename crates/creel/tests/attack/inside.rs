//! A process of the container goes for each new one in its pid namespace: nothing of the runtime or the host is reached.

use serde_json::json;

use crate::attacker::Attacker;
use crate::bed::Bed;

/// How many execs are attacked; `ATTACKED_EXECS` makes it more.
fn execs() -> usize {
    std::env::var("ATTACKED_EXECS").ok().and_then(|it| it.parse().ok()).unwrap_or(100)
}

#[test]
fn root_inside_reaches_nothing_of_a_process_that_enters() {
    let Some(attacker) = Attacker::new("", &[]) else { return };
    attacker.execute(execs(), &["/quiet", "exit", "0"]);
    let reached = attacker.reached();
    assert!(reached["seen"].as_u64().unwrap() >= execs() as u64 / 10, "{reached}");
    for what in [
        "memory",
        "attached",
        "root",
        "cwd",
        "executable",
        "descriptors",
        "written",
        "files",
        "host",
    ] {
        assert!(reached[what] == 0 || reached[what] == json!([]), "{what}: {reached}");
    }
    assert!(!attacker.has_harmed_the_runtime());
}

/// The kernel lets it attach to every process of its pid namespace, hidden or not: with this capability, and no user
/// namespace, a container is as mighty as what enters it. The executable is out of its reach all the same.
#[test]
fn root_inside_that_may_trace_does_not_reach_the_runtimes_file() {
    let Some(attacker) = Attacker::new("", &["CAP_SYS_PTRACE"]) else { return };
    attacker.execute(execs(), &["/checker", "exit", "0"]);
    let reached = attacker.reached();
    assert!(reached["seen"].as_u64().unwrap() >= execs() as u64 / 10, "{reached}");
    assert!(reached["executable"].as_u64() > Some(0), "{reached}");
    assert_eq!(reached["written"], 0, "{reached}");
    assert!(!attacker.has_harmed_the_runtime());
}

#[test]
fn cve_2019_5736_the_runtime_executed_inside_cannot_be_written_to() {
    let Some(attacker) = Attacker::new("", &[]) else { return };
    attacker.execute_the_runtime();
    let reached = attacker.reached();
    assert!(reached["executable"].as_u64() > Some(0), "{reached}");
    assert_eq!(reached["written"], 0, "{reached}");
    assert!(!attacker.has_harmed_the_runtime());
}

/// Names that are the runtime's own executable, for the one process that looks them up.
#[test]
fn cve_2019_5736_an_entry_point_is_not_the_runtime_itself() {
    let Some(mut bed) = Bed::new() else { return };
    let file = |name: &str, text: &str| {
        let path = bed.path("rootfs").join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
    };
    file("script", "#!/proc/self/exe\n");
    file("script-of-a-script", "#!/script\n");
    std::os::unix::fs::symlink("/proc/self/exe", bed.path("rootfs/link")).unwrap();
    bed.done(&["run", "--detach", "victim"]);
    for name in ["/proc/self/exe", "/proc/1/exe", "/script", "/script-of-a-script", "/link"] {
        let executed = bed.run(&["exec", "victim", name, "--version"]);
        bed.config["process"]["args"] = json!([name, "--version"]);
        for output in [executed, bed.run(&["run", "entry"])] {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{name}");
            assert!(said.contains("too many levels of symbolic links"), "{name}: {said}");
        }
    }
}
