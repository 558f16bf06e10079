//! Rules for `process`.

use serde_json::json;

use super::check;

#[test]
fn arguments_directory_and_environment() {
    check(&[
        ("/process", json!(null), ""),
        ("/process/args", json!([]), "process.args: expected at least one argument, found none"),
        ("/process/args", json!(null), "process.args: expected at least one argument, found none"),
        ("/process/cwd", json!("srv"), "process.cwd: expected an absolute path, found \"srv\""),
        ("/process/cwd", json!(null), "process.cwd: expected an absolute path, found \"\""),
        ("/process/env", json!(null), ""),
        ("/process/env", json!(["A"]), ""),
    ]);
}

#[test]
fn users() {
    check(&[
        (
            "/process/user",
            json!({ "uid": 1000, "gid": 1000, "umask": 511, "additionalGids": [1] }),
            "",
        ),
        (
            "/process/user/umask",
            json!(512),
            "process.user.umask: expected at most 511 (0777), found 512",
        ),
        (
            "/process/user/uid",
            json!(4_294_967_295_u32),
            "process.user.uid: expected an id below 4294967295, found 4294967295",
        ),
        (
            "/process/user/additionalGids",
            json!([1, 4_294_967_295_u32]),
            "process.user.additionalGids[1]: expected an id below 4294967295, found 4294967295",
        ),
        (
            "/process/user/username",
            json!("root"),
            "process.user.username: expected uid and gid, as on Linux, found \"root\"",
        ),
        ("/process/user/username", json!(""), ""),
    ]);
}

#[test]
fn limits() {
    check(&[
        ("/process/rlimits", json!([{ "type": "RLIMIT_CPU", "soft": 1, "hard": 1 }]), ""),
        (
            "/process/rlimits",
            json!([
                { "type": "RLIMIT_CPU", "soft": 2, "hard": 1 },
                { "type": "RLIMIT_CORE", "soft": 0, "hard": 0 },
                { "type": "RLIMIT_CPU", "soft": 1, "hard": 1 }
            ]),
            "process.rlimits[0].soft: expected at most the hard limit 1, found 2\n\
             process.rlimits[2].type: expected each type once, found RLIMIT_CPU",
        ),
        ("/process/oomScoreAdj", json!(-1000), ""),
        (
            "/process/oomScoreAdj",
            json!(1001),
            "process.oomScoreAdj: expected -1000 to 1000, found 1001",
        ),
        ("/process/ioPriority", json!({ "class": "IOPRIO_CLASS_RT", "priority": 7 }), ""),
        (
            "/process/ioPriority",
            json!({ "class": "IOPRIO_CLASS_IDLE", "priority": 8 }),
            "process.ioPriority.priority: expected 0 to 7, found 8",
        ),
    ]);
}

#[test]
fn schedulers() {
    check(&[
        ("/process/scheduler", json!({ "policy": "SCHED_OTHER", "nice": -20 }), ""),
        (
            "/process/scheduler",
            json!({ "policy": "SCHED_BATCH", "nice": 20 }),
            "process.scheduler.nice: expected -20 to 19, found 20",
        ),
        ("/process/scheduler", json!({ "policy": "SCHED_RR", "priority": 99 }), ""),
        (
            "/process/scheduler",
            json!({ "policy": "SCHED_FIFO" }),
            "process.scheduler.priority: expected 1 to 99 with SCHED_FIFO, found 0",
        ),
        (
            "/process/scheduler",
            json!({ "policy": "SCHED_OTHER", "priority": 5, "period": 9 }),
            "process.scheduler.priority: expected none, or 0, with SCHED_OTHER, found 5\n\
             process.scheduler.period: expected none without SCHED_DEADLINE, found 9",
        ),
        (
            "/process/scheduler",
            json!({ "policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 1024 }),
            "",
        ),
        (
            "/process/scheduler",
            json!({ "policy": "SCHED_DEADLINE", "runtime": 2000, "deadline": 1000, "period": 500 }),
            "process.scheduler.deadline: expected at least the runtime, found 1000\n\
             process.scheduler.period: expected at least the deadline, found 500",
        ),
        (
            "/process/scheduler",
            json!({ "policy": "SCHED_ISO" }),
            "process.scheduler.policy: expected a policy that Linux has, found SCHED_ISO, which it never had",
        ),
        ("/process/execCPUAffinity", json!({ "initial": "0-3,7" }), ""),
        (
            "/process/execCPUAffinity",
            json!({ "initial": "3-1", "final": "a" }),
            "process.execCPUAffinity.initial: expected a list such as 0-3,7, found \"3-1\"\n\
             process.execCPUAffinity.final: expected a list such as 0-3,7, found \"a\"",
        ),
    ]);
}

#[test]
fn terminals() {
    check(&[
        ("/process/consoleSize", json!({ "height": 70000, "width": 1 }), ""),
        (
            "/process",
            json!({ "args": ["sh"], "cwd": "/", "terminal": true, "consoleSize": { "height": 70000, "width": 1 } }),
            "process.consoleSize.height: expected at most 65535, found 70000",
        ),
    ]);
}
