//! `exec`: what of the container its process has: namespaces, cgroups, filter, limits, scheduling.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use harness::{Bundle, Cases, Outcome, Report, Runtime, cgroup, ensure_eq, expected, preset};
use serde_json::{Value, json};

use crate::exec::{container, detach_checker, plain_process, process, report};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("cli#exec-joins", "");
    namespaces(cases);
    cgroups(cases);
    sub_cgroups(cases);
    filter(cases);
    from_config(cases);
    of_the_file(cases);
    affinity(cases);
}

type Change = fn(&mut Bundle);

const ALL: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

fn inodes(pid: i32) -> anyhow::Result<Value> {
    let mut all = serde_json::Map::new();
    for name in ALL {
        let found = fs::metadata(format!("/proc/{pid}/ns/{name}"))?;
        all.insert(String::from(name), json!(found.ino()));
    }
    Ok(Value::Object(all))
}

/// The user namespace's ids are the host's from 100000 on.
fn user_namespace(bundle: &mut Bundle) {
    bundle.namespace("user", None);
    for map in ["uidMappings", "gidMappings"] {
        let range = json!([{ "containerID": 0, "hostID": 100_000, "size": 65536 }]);
        bundle.set(&format!("/linux/{map}"), range);
    }
}

fn namespaces(cases: &mut Cases) {
    let table: [(&str, Change); 8] = [
        ("of the default config", |_| {}),
        ("with a cgroup namespace", |bundle| {
            bundle.namespace("cgroup", None);
        }),
        ("with a time namespace", |bundle| {
            bundle.namespace("time", None);
        }),
        ("with a user namespace", user_namespace),
        ("with a user and a cgroup namespace", |bundle| {
            bundle.namespace("cgroup", None);
            user_namespace(bundle);
        }),
        ("with the host's pid namespace", |bundle| {
            bundle.without_namespace("pid");
        }),
        ("with the host's network namespace", |bundle| {
            bundle.config = preset::host_network();
        }),
        ("with the host's ipc and uts namespaces", |bundle| {
            bundle.without_namespace("ipc").without_namespace("uts").remove("/hostname");
        }),
    ];
    for (name, change) in table {
        cases.cli(&["B32", "B51"], format!("exec joins all namespaces {name}"), move |rt| {
            container(rt, change)?;
            let seen = report(rt, &[], &[])?;
            ensure_eq("namespaces", seen.at("/namespaces"), &inodes(rt.pid()?)?)
        });
    }
    cases.cli(&["B32"], "exec joins a pid namespace that is another container's", |rt| {
        container(rt, |_| {})?;
        let path = format!("/proc/{}/ns/pid", rt.pid()?);
        let other = format!("{}-other", rt.id());
        let mut bundle = rt.bundle()?;
        bundle.namespace("pid", Some(Path::new(&path))).probe(&["sleep-until-signal"]);
        rt.create_as(&other, &bundle, &[])?.ok()?;
        rt.command(&["start", &other])?.ok()?;
        let seen = Report::parse(&rt.command(&["exec", &other, "/checker"])?.ok()?.stdout())?;
        let first = fs::metadata(&path)?.ino();
        ensure_eq("pid namespace", seen.at("/namespaces/pid").as_u64(), Some(first))?;
        let state = rt.command(&["state", &other])?.ok()?.json()?;
        rt.command(&["delete", "--force", &other])?.ok()?;
        // The first container's init ends when all of its pid namespace have been reaped.
        let pid = state["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).context("pid")?;
        harness::wait::exit_code(pid).map(drop)
    });
    cases.cli(&["T02"], "exec in a container without a mount namespace has its root", |rt| {
        container(rt, |bundle| {
            bundle.config = preset::minimal();
            bundle.without_namespace("mount").set("/mounts", json!([]));
        })?;
        let seen =
            report(rt, &[], &["stat", "/checker", "stat", "/work", "stat", "/../bin/busybox"])?;
        seen.allowed("stat", "/checker")?;
        seen.allowed("stat", "/../bin/busybox").map(drop)
    });
    cases.cli(&["B32"], "exec's process leads a session and has no parent inside", |rt| {
        container(rt, |_| {})?;
        let seen = report(rt, &[], &[])?;
        ensure_eq("parent", seen.at("/ppid").as_i64(), Some(0))?;
        ensure_eq("session", seen.at("/sid"), seen.at("/pid"))?;
        ensure_eq("blocked signals", seen.text("/signals/blocked"), "0000000000000000")
    });
}

fn cgroup_lines(pid: i32) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let line = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        Some((String::from(fields.next()?), PathBuf::from(fields.next()?)))
    };
    Ok(text.lines().filter_map(line).collect())
}

fn cgroups(cases: &mut Cases) {
    let table: [(&str, Change); 3] = [
        ("of the default config", |_| {}),
        ("with a cgroup namespace", |bundle| {
            bundle.namespace("cgroup", None);
        }),
        ("with a user namespace", user_namespace),
    ];
    for (name, change) in table {
        cases.cli(&["B32", "B50"], format!("exec joins every cgroup {name}"), move |rt| {
            container(rt, change)?;
            let left = detach_checker(rt, &["--detach"])?;
            ensure_eq("cgroups", cgroup_lines(left.pid)?, cgroup_lines(rt.pid()?)?)
        });
    }
}

/// Makes a cgroup of that name below the container's in every hierarchy where it has one of its own.
fn make_below(rt: &Runtime, name: &str) -> Outcome {
    let own = cgroup_lines(std::process::id().cast_signed())?;
    for (controllers, path) in cgroup_lines(rt.pid()?)? {
        if own.contains(&(controllers.clone(), path)) {
            continue;
        }
        let first = controllers.split(',').next().unwrap_or_default();
        let directory = cgroup::directory(rt.pid()?, first.trim_start_matches("name="))?;
        fs::create_dir(directory.join(name)).with_context(|| directory.display().to_string())?;
        if first == "cpuset" {
            for file in ["cpuset.cpus", "cpuset.mems"] {
                let all = fs::read_to_string(directory.join(file))?;
                fs::write(directory.join(name).join(file), all)?;
            }
        }
    }
    Ok(())
}

fn sub_cgroups(cases: &mut Cases) {
    cases.cli(&["B48"], "exec --cgroup PATH is below the container's cgroups", |rt| {
        container(rt, |_| {})?;
        make_below(rt, "below")?;
        let flags = ["--detach", "--cgroup", "below"];
        let left = detach_checker(rt, &flags)?;
        let own = cgroup_lines(std::process::id().cast_signed())?;
        for (line, of_init) in cgroup_lines(left.pid)?.into_iter().zip(cgroup_lines(rt.pid()?)?) {
            let wanted =
                if own.contains(&of_init) { of_init.1.clone() } else { of_init.1.join("below") };
            ensure_eq(&format!("cgroup of {:?}", line.0), line.1, wanted)?;
        }
        Ok(())
    });
    cases.cli(&["B48"], "exec --cgroup CONTROLLER:PATH changes that one alone", |rt| {
        if expected::cgroup_kind() == "v2" {
            return harness::skip("v2 has one hierarchy");
        }
        container(rt, |_| {})?;
        make_below(rt, "below")?;
        let flags = ["--detach", "--cgroup", "pids:below"];
        let left = detach_checker(rt, &flags)?;
        let of_init = cgroup_lines(rt.pid()?)?;
        for (line, of_init) in cgroup_lines(left.pid)?.into_iter().zip(of_init) {
            let wanted = if line.0 == "pids" { of_init.1.join("below") } else { of_init.1.clone() };
            ensure_eq(&format!("cgroup of {:?}", line.0), line.1, wanted)?;
        }
        Ok(())
    });
    for name in ["absent", "../..", "/../..", "no-controller:absent"] {
        cases.cli(&["B48"], format!("exec --cgroup {name} is refused"), move |rt| {
            container(rt, |_| {})?;
            rt.exec(&["--cgroup", name], &["/bin/true"])?.refused().map(drop)
        });
    }
}

fn filter(cases: &mut Cases) {
    for (name, user, privileged) in [
        ("root", 0, false),
        ("another user", 1000, false),
        ("root who may gain privileges", 0, true),
    ] {
        cases.cli(&["B32"], format!("exec's process has the container's filter, as {name}"), move |rt| {
            container(rt, |bundle| {
                let rule = json!({ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99 });
                let profile = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] });
                bundle.set("/linux/seccomp", profile).set("/process/user/uid", user);
                bundle.set("/process/noNewPrivileges", !privileged);
            })?;
            let mut flags = Vec::new();
            if !privileged {
                flags.push("--no-new-privs");
            }
            let seen = report(rt, &flags, &["mkdir", "/tmp/made"])?;
            ensure_eq("Seccomp", seen.text("/seccomp"), "2")?;
            ensure_eq("filters", seen.text("/seccomp_filters"), "1")?;
            ensure_eq("errno", seen.denied("mkdir", "/tmp/made")?, 99)
        });
    }
}

/// A config member, and what the report of exec has of it.
const MEMBERS: [(&str, &str, &str, &str); 5] = [
    ("oomScoreAdj", "333", "/oom_score_adj", "\"333\""),
    (
        "rlimits",
        r#"[{"type":"RLIMIT_NOFILE","soft":321,"hard":654},{"type":"RLIMIT_CORE","soft":0,"hard":1}]"#,
        "/rlimits/RLIMIT_NOFILE",
        r#"{"hard":654,"soft":321}"#,
    ),
    (
        "ioPriority",
        r#"{"class":"IOPRIO_CLASS_BE","priority":6}"#,
        "/ioprio",
        r#"{"class":2,"priority":6}"#,
    ),
    ("scheduler", r#"{"policy":"SCHED_BATCH","nice":7}"#, "/scheduler/policy", "\"SCHED_BATCH\""),
    ("scheduler", r#"{"policy":"SCHED_OTHER","nice":7}"#, "/scheduler/nice", "7"),
];

fn from_config(cases: &mut Cases) {
    for (member, value, pointer, expected) in MEMBERS {
        cases.cli(
            &["B32"],
            format!("exec's process has the config's {member} {value}"),
            move |rt| {
                let value: Value = serde_json::from_str(value)?;
                let expected: Value = serde_json::from_str(expected)?;
                let pointer_in = format!("/process/{member}");
                container(rt, |bundle| {
                    bundle.set(&pointer_in, value.clone());
                })?;
                ensure_eq(pointer, report(rt, &[], &[])?.at(pointer), &expected)
            },
        );
    }
    cases.cli(&["B32"], "exec's process has the five capability sets of the config", |rt| {
        let names = json!(["CAP_CHOWN", "CAP_KILL"]);
        container(rt, |bundle| {
            for set in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
                bundle.set(&format!("/process/capabilities/{set}"), names.clone());
            }
        })?;
        let seen = report(rt, &[], &[])?;
        for set in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
            ensure_eq(set, seen.at(&format!("/capabilities/{set}")), &names)?;
        }
        Ok(())
    });
    cases.cli(&["B09"], "exec's process has the session keyring of the container", |rt| {
        let first = container(rt, |_| {})?;
        let id = |seen: &Report| seen.at("/keyring/id").as_i64().context("no keyring");
        ensure_eq("keyring", id(&report(rt, &[], &[])?)?, id(&first)?)
    });
}

fn of_the_file(cases: &mut Cases) {
    for (member, value, pointer, expected) in MEMBERS {
        cases.cli(&["B33"], format!("exec's process has the file's {member} {value}"), move |rt| {
            container(rt, |_| {})?;
            let mut wanted = plain_process(&["/checker"]);
            wanted[member] = serde_json::from_str(value)?;
            let expected: Value = serde_json::from_str(expected)?;
            let seen = Report::parse(&process(rt, &wanted)?.ok()?.stdout())?;
            ensure_eq(pointer, seen.at(pointer), &expected)
        });
    }
    for set in ["bounding", "effective", "permitted"] {
        cases.cli(
            &["B33"],
            format!("without capabilities in the file {set} is the config's"),
            move |rt| {
                container(rt, |_| {})?;
                let mut wanted = plain_process(&["/checker"]);
                wanted["capabilities"] = Value::Null;
                let seen = Report::parse(&process(rt, &wanted)?.ok()?.stdout())?;
                let names = vec!["CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_AUDIT_WRITE"];
                ensure_eq(set, seen.texts(&format!("/capabilities/{set}")), names)
            },
        );
    }
    cases.cli(&["B33"], "without limits in the file they are the config's (no peer does)", |rt| {
        container(rt, |_| {})?;
        let seen = Report::parse(&process(rt, &plain_process(&["/checker"]))?.ok()?.stdout())?;
        ensure_eq("limit", seen.at("/rlimits/RLIMIT_NOFILE/hard").as_u64(), Some(1024))
    });
    cases.cli(&["B33"], "without oomScoreAdj in the file it is the config's", |rt| {
        container(rt, |bundle| {
            bundle.set("/process/oomScoreAdj", 222);
        })?;
        let seen = Report::parse(&process(rt, &plain_process(&["/checker"]))?.ok()?.stdout())?;
        ensure_eq("oom_score_adj", seen.text("/oom_score_adj"), "222")
    });
}

fn affinity(cases: &mut Cases) {
    let table = [
        (json!({ "final": "1" }), json!([1])),
        (json!({ "initial": "0", "final": "1" }), json!([1])),
        (json!({ "initial": "1", "final": "0" }), json!([0])),
        (json!({ "initial": "1" }), json!([1])),
    ];
    for (value, expected) in table {
        cases.cli(
            &["E16", "S07"],
            format!("execCPUAffinity {value} holds for exec's program"),
            move |rt| {
                if rustix::thread::sched_getaffinity(None)?.count() < 2 {
                    return harness::skip("this machine has one processor");
                }
                container(rt, |_| {})?;
                let mut wanted = plain_process(&["/checker"]);
                wanted["execCPUAffinity"] = value.clone();
                let seen = Report::parse(&process(rt, &wanted)?.ok()?.stdout())?;
                ensure_eq("affinity", seen.at("/affinity"), &expected)
            },
        );
    }
    cases.cli(&["E16"], "the caller's affinity does not hold for exec's program", |rt| {
        let all = rustix::thread::sched_getaffinity(None)?;
        container(rt, |_| {})?;
        let mut one = rustix::thread::CpuSet::new();
        one.set((0..64).find(|cpu| all.is_set(*cpu)).unwrap_or(0));
        rustix::thread::sched_setaffinity(None, &one)?;
        let seen = report(rt, &[], &[])?;
        let count = seen.at("/affinity").as_array().map(Vec::len);
        ensure_eq("processors", count, usize::try_from(all.count()).ok())
    });
}
