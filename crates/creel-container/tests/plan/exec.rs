//! Plans of processes that join a container.

use std::path::Path;

use creel_container::{Bundle, PlanOptions, Report, compile_exec, parse_resources, read_process};
use serde_json::json;

use crate::{config, engine_config, host};

/// The lines of the plan of `process` in a container of `bundle`.
fn lines(process: &creel_container::Process, bundle: &Bundle) -> String {
    match compile_exec(process, bundle, &host(), &PlanOptions::new("web")) {
        Ok(plan) => {
            let report = Report::new(bundle, &plan);
            let rows = report.steps.iter();
            rows.map(|row| format!("{} {}: {}", row.stage.word(), row.pointer, row.does))
                .collect::<Vec<_>>()
                .join("\n")
        }
        Err(faults) => {
            faults.iter().map(|fault| format!("fault {fault}")).collect::<Vec<_>>().join("\n")
        }
    }
}

fn lines_of(process: &serde_json::Value) -> String {
    let text = serde_json::to_vec(&config(json!({ "process": process }))).unwrap();
    let bundle = Bundle::parse("/b".into(), "/b/config.json".into(), text).unwrap();
    lines(&bundle.spec.process.clone().unwrap(), &bundle)
}

#[test]
fn what_engines_execute_compiles() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine-processes");
    let bundle = engine_config("podman-run.json");
    let mut seen = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let file = entry.unwrap().path();
        let process = read_process(&file).unwrap();
        let plan = compile_exec(&process, &bundle, &host(), &PlanOptions::new("web")).unwrap();
        assert_eq!(plan.terminal, file.to_string_lossy().contains("tty"), "{}", file.display());
        assert!(
            plan.steps.iter().any(|planned| planned.step.kind_word() == "LoadSeccomp"),
            "the container's filter"
        );
        seen += 1;
    }
    assert_eq!(seen, 12);
}

#[test]
fn the_plan_of_podmans_exec_as_a_user() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine-processes/podman-exec-user.json");
    insta::assert_snapshot!(lines(
        &read_process(&file).unwrap(),
        &engine_config("podman-run.json")
    ));
}

#[test]
fn affinity_is_the_initial_one_until_the_cgroup_and_then_the_final_one() {
    let affinity = |affinity: serde_json::Value| {
        let lines = lines_of(&json!({ "args": ["id"], "cwd": "/", "execCPUAffinity": affinity }));
        let wanted = |line: &&str| line.contains("CPU") || line.contains("wait");
        lines.lines().filter(wanted).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(affinity(json!({ "initial": "0-1", "final": "1" })), @r"
    setup process.execCPUAffinity.initial: run on the CPUs [0, 1]
    setup linux.cgroupsPath: wait until the process is in all its cgroups
    child process.execCPUAffinity.final: run on the CPUs [1]
    ");
    insta::assert_snapshot!(affinity(json!({ "initial": "0" })), @r"
    setup process.execCPUAffinity.initial: run on the CPUs [0]
    setup linux.cgroupsPath: wait until the process is in all its cgroups
    ");
    insta::assert_snapshot!(affinity(json!(null)), @r"
    setup linux.cgroupsPath: wait until the process is in all its cgroups
    child process: run on every CPU
    ");
}

#[test]
fn a_terminal_of_exec_leaves_dev_console_alone_and_no_directory_is_made() {
    let process = json!({ "args": ["id"], "cwd": "/srv", "terminal": true });
    let text = serde_json::to_vec(&config(json!({ "process": process }))).unwrap();
    let bundle = Bundle::parse("/b".into(), "/b/config.json".into(), text).unwrap();
    let process = bundle.spec.process.clone().unwrap();
    let plan = compile_exec(&process, &bundle, &host(), &PlanOptions::new("web")).unwrap();
    let text = format!("{:?}", plan.steps);
    assert!(text.contains("dev_console: false"), "{text}");
    assert!(text.contains("create: false"), "{text}");
}

#[test]
fn a_bad_process_is_refused_with_all_its_faults() {
    insta::assert_snapshot!(lines_of(&json!({ "args": [], "cwd": "a" })), @r#"
    fault process.args: expected at least one argument, found none
    fault process.cwd: expected an absolute path, found "a"
    "#);
}

#[test]
fn what_engines_update_is_read() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine-resources");
    for entry in std::fs::read_dir(directory).unwrap() {
        let file = entry.unwrap().path();
        let resources = parse_resources(&file, &std::fs::read(&file).unwrap()).unwrap();
        assert!(
            resources.memory().is_some_and(|memory| memory.limit().is_some()),
            "{}",
            file.display()
        );
    }
}
