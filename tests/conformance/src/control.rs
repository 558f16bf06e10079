//! The commands of running containers: `pause`, `resume`, `ps`, `update`, `events`.

use std::fs;

use harness::{Cases, Outcome, Runtime, cgroup, ensure_contains, ensure_eq, expected, wait};
use serde_json::{Value, json};

pub(crate) fn register(cases: &mut Cases) {
    pause(cases);
    ps(cases);
    update(cases);
    events(cases);
}

fn pause(cases: &mut Cases) {
    cases.section("cli#pause", "");
    cases.cli(&["B58", "I27"], "a paused container has the status paused", |rt| {
        rt.running(&mut rt.bundle()?)?;
        rt.command(&["pause", rt.id()])?.ok()?;
        ensure_eq("status", rt.status()?.as_str(), "paused")
    });
    cases.cli(&["B58", "I27"], "a resumed container has the status running", |rt| {
        rt.running(&mut rt.bundle()?)?;
        rt.command(&["pause", rt.id()])?.ok()?;
        rt.command(&["resume", rt.id()])?.ok()?;
        ensure_eq("status", rt.status()?.as_str(), "running")
    });
    cases.cli(&["I27"], "the processes of a paused container are frozen", |rt| {
        rt.running(&mut rt.bundle()?)?;
        rt.command(&["pause", rt.id()])?.ok()?;
        let pid = rt.pid()?;
        if expected::cgroup_kind() == "v2" {
            return ensure_contains("events", &cgroup::read(pid, "", "cgroup.events")?, "frozen 1");
        }
        // A hybrid machine has both freezers.
        let is_v1 =
            cgroup::read(pid, "freezer", "freezer.state").is_ok_and(|state| state == "FROZEN");
        let is_v2 =
            cgroup::read(pid, "", "cgroup.events").is_ok_and(|events| events.contains("frozen 1"));
        ensure_eq("is frozen", is_v1 || is_v2, true)
    });
    cases.cli(&["B58"], "pause of a created container is refused, or freezes it", |rt| {
        rt.create(&rt.bundle()?, &[])?.ok()?;
        let output = rt.command(&["pause", rt.id()])?;
        if output.code == 0 { Ok(()) } else { output.refused().map(drop) }
    });
    cases.cli(&["B58"], "resume of a container that is not paused is refused", |rt| {
        rt.running(&mut rt.bundle()?)?;
        rt.command(&["resume", rt.id()])?.refused().map(drop)
    });
    for command in ["pause", "resume"] {
        cases.cli(&["B58"], format!("{command} of a stopped container is refused"), move |rt| {
            rt.create(&rt.bundle()?, &[])?.ok()?;
            let pid = rt.pid()?;
            rt.start()?.ok()?;
            wait::exit_code(pid)?;
            rt.command(&[command, rt.id()])?.refused().map(drop)
        });
        cases.cli(&["B58"], format!("{command} of an absent container is refused"), move |rt| {
            rt.command(&[command, rt.id()])?.refused().map(drop)
        });
    }
    cases.cli(&["B58"], "kill KILL ends a paused container", |rt| {
        rt.running(&mut rt.bundle()?)?;
        rt.command(&["pause", rt.id()])?.ok()?;
        let pid = rt.pid()?;
        rt.kill("KILL")?.ok()?;
        ensure_eq("exit code", wait::exit_code(pid)?, 128 + 9)
    });
    cases.cli(&["B58"], "delete --force ends a paused container", |rt| {
        rt.running(&mut rt.bundle()?)?;
        rt.command(&["pause", rt.id()])?.ok()?;
        let pid = rt.pid()?;
        rt.delete(&["--force"])?.ok()?;
        wait::ended(pid)
    });
}

fn ps(cases: &mut Cases) {
    cases.section("cli#ps", "");
    cases.cli(
        &["B57"],
        "ps --format json is the list of the container's processes on the host",
        |rt| {
            rt.running(&mut rt.bundle()?)?;
            let found = rt.command(&["ps", "--format", "json", rt.id()])?.ok()?.json()?;
            ensure_eq("process ids", found, json!([rt.pid()?]))
        },
    );
    cases.cli(&["B56"], "ps shows a table with the program", |rt| {
        rt.running(&mut rt.bundle()?)?;
        let text = rt.command(&["ps", rt.id()])?.ok()?.stdout();
        ensure_contains("heading", text.lines().next().unwrap_or_default(), "PID")?;
        ensure_contains("table", &text, "/checker")
    });
    cases.cli(&["B56"], "ps of an absent container is refused", |rt| {
        rt.command(&["ps", rt.id()])?.refused().map(drop)
    });
}

/// Flag of `update`, v1 controller and file, v2 file, content in each.
const FLAGS: [(&str, &str, &str, &str, &str, &str, &str); 11] = [
    ("B66", "--cpu-share=512", "cpu", "cpu.shares", "512", "cpu.weight", "59"),
    ("B66", "--cpu-quota=40000", "cpu", "cpu.cfs_quota_us", "40000", "cpu.max", "40000 100000"),
    ("B66", "--cpu-period=50000", "cpu", "cpu.cfs_period_us", "50000", "cpu.max", "max 50000"),
    ("B68", "--cpu-idle=1", "cpu", "cpu.idle", "1", "cpu.idle", "1"),
    ("B70", "--cpuset-cpus=0", "cpuset", "cpuset.cpus", "0", "cpuset.cpus", "0"),
    ("B70", "--cpuset-mems=0", "cpuset", "cpuset.mems", "0", "cpuset.mems", "0"),
    (
        "B71",
        "--memory=67108864",
        "memory",
        "memory.limit_in_bytes",
        "67108864",
        "memory.max",
        "67108864",
    ),
    (
        "B71",
        "--memory=-1",
        "memory",
        "memory.limit_in_bytes",
        "9223372036854771712",
        "memory.max",
        "max",
    ),
    (
        "B71",
        "--memory-reservation=33554432",
        "memory",
        "memory.soft_limit_in_bytes",
        "33554432",
        "memory.low",
        "33554432",
    ),
    ("B73", "--pids-limit=77", "pids", "pids.max", "77", "pids.max", "77"),
    ("B73", "--pids-limit=-1", "pids", "pids.max", "max", "pids.max", "max"),
];

fn update(cases: &mut Cases) {
    cases.section("cli#update", "");
    for (row, flag, controller, file, content, file2, content2) in FLAGS {
        let rows: &'static [&'static str] = match row {
            "B66" => &["B66"],
            "B68" => &["B68"],
            "B70" => &["B70"],
            "B71" => &["B71"],
            _ => &["B73"],
        };
        cases.cli(
            rows,
            format!("update {flag} changes the limit of a running container"),
            move |rt| {
                let (controller, file, content) = match expected::cgroup_kind() {
                    "v2" => ("", file2, content2),
                    _ => (controller, file, content),
                };
                let mut bundle = rt.bundle()?;
                if flag.ends_with("=-1") {
                    let limits =
                        json!({ "memory": { "limit": 50 << 20 }, "pids": { "limit": 55 } });
                    bundle.set("/linux/resources", limits);
                }
                rt.running(&mut bundle)?;
                let pid = rt.pid()?;
                // The machine may have no other processor or node than the first.
                let may_be_same = flag.starts_with("--cpuset");
                let before = cgroup::read(pid, controller, file)?;
                ensure_eq("is to be changed", before != content || may_be_same, true)?;
                rt.command(&["update", flag, rt.id()])?.ok()?;
                ensure_eq(file, cgroup::read(pid, controller, file)?.as_str(), content)
            },
        );
    }
    for (name, from_stdin) in [("a file", false), ("standard input", true)] {
        cases.cli(
            &["B64"],
            format!("update --resources takes the limits from {name}"),
            move |rt| {
                rt.running(&mut rt.bundle()?)?;
                let text = json!({ "pids": { "limit": 55 }, "cpu": { "shares": 512 } }).to_string();
                if from_stdin {
                    rt.finish(rt.call(["update", "--resources", "-", rt.id()]).stdin(text))?
                        .ok()?;
                } else {
                    let file = rt.directory().join("resources.json");
                    fs::write(&file, text)?;
                    rt.finish(rt.call(["update", "--resources"]).args([&file]).args([rt.id()]))?
                        .ok()?;
                }
                limit_of(rt, "55")?;
                let (controller, file, content) = match expected::cgroup_kind() {
                    "v2" => ("", "cpu.weight", "59"),
                    _ => ("cpu", "cpu.shares", "512"),
                };
                ensure_eq(file, cgroup::read(rt.pid()?, controller, file)?.as_str(), content)
            },
        );
    }
    cases.cli(&["B76", "I02"], "update without device rules keeps those of the config", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.push("/linux/devices", json!({ "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666 }));
        let script = "mkfifo /dev/shm/fifo; echo ready; read line < /dev/shm/fifo; ( : < /dev/fuse ) && exit 7; exit 0";
        bundle.shell(script);
        let created = rt.create(&bundle, &[])?.ok()?;
        let pid = rt.pid()?;
        rt.start()?.ok()?;
        wait::directory(rt.directory(), || Ok(created.stdout().contains("ready").then_some(())))?;
        rt.command(&["update", "--pids-limit=77", rt.id()])?.ok()?;
        fs::write(format!("/proc/{pid}/root/dev/shm/fifo"), "go\n")?;
        ensure_eq("exit code (7: the device opened)", wait::exit_code(pid)?, 0)
    });
    cases.cli(&["B76"], "the device rule that Kubernetes passes to update denies nothing", |rt| {
        rt.running(&mut rt.bundle()?)?;
        let text = json!({
            "devices": [{ "allow": false, "access": "rwm" }],
            "memory": { "limit": 64 << 20, "swap": 64 << 20 },
            "pids": { "limit": 55 },
        });
        rt.finish(rt.call(["update", "--resources", "-", rt.id()]).stdin(text.to_string()))?
            .ok()?;
        limit_of(rt, "55")?;
        let script =
            ["exec", rt.id(), "/bin/sh", "-c", "echo x > /dev/null && head -c 1 /dev/zero"];
        rt.command(&script)?.ok().map(drop)
    });
    cases.cli(&["B64"], "zeros as Docker passes them to update ask for nothing", |rt| {
        rt.running(&mut rt.bundle()?)?;
        rt.command(&["update", "--cpu-share=512", rt.id()])?.ok()?;
        let text = json!({
            "memory": { "limit": 32 << 20, "reservation": 0, "swap": 64 << 20, "kernel": 0 },
            "cpu": { "shares": 0, "quota": 25_000, "period": 100_000 },
            "blockIO": { "weight": 0 },
        });
        rt.finish(rt.call(["update", "--resources", "-", rt.id()]).stdin(text.to_string()))?
            .ok()?;
        let (controller, file, shares) = match expected::cgroup_kind() {
            "v2" => ("", "cpu.weight", "59"),
            _ => ("cpu", "cpu.shares", "512"),
        };
        ensure_eq(file, cgroup::read(rt.pid()?, controller, file)?.as_str(), shares)
    });
    cases.cli(&["B66"], "update --cpu-period alone leaves the quota", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/resources/cpu", json!({ "quota": 20_000, "period": 100_000 }));
        rt.running(&mut bundle)?;
        rt.command(&["update", "--cpu-period=50000", rt.id()])?.ok()?;
        let (controller, file, content) = match expected::cgroup_kind() {
            "v2" => ("", "cpu.max", "20000 50000"),
            _ => ("cpu", "cpu.cfs_quota_us", "20000"),
        };
        ensure_eq(file, cgroup::read(rt.pid()?, controller, file)?.as_str(), content)?;
        if expected::cgroup_kind() == "v2" {
            return Ok(());
        }
        let period = cgroup::read(rt.pid()?, controller, "cpu.cfs_period_us")?;
        ensure_eq("period", period.as_str(), "50000")
    });
    cases.cli(&["B64"], "update of a stopped container is refused", |rt| {
        let mut bundle = rt.bundle()?;
        rt.running(&mut bundle)?;
        let pid = rt.pid()?;
        rt.command(&["kill", rt.id(), "KILL"])?.ok()?;
        wait::exit_code(pid)?;
        rt.command(&["update", "--pids-limit=7", rt.id()])?.refused().map(drop)
    });
    cases.cli(&["B64"], "update of what is no JSON is refused", |rt| {
        rt.running(&mut rt.bundle()?)?;
        rt.finish(rt.call(["update", "--resources", "-", rt.id()]).stdin("{"))?.refused().map(drop)
    });
    cases.cli(&["B64"], "update of an absent container is refused", |rt| {
        rt.command(&["update", "--pids-limit=1", rt.id()])?.refused().map(drop)
    });
    cases.cli(&["B72"], "update --kernel-memory is accepted", |rt| {
        rt.running(&mut rt.bundle()?)?;
        rt.command(&["update", "--kernel-memory=67108864", "--pids-limit=77", rt.id()])?.ok()?;
        limit_of(rt, "77")
    });
}

fn limit_of(rt: &Runtime, limit: &str) -> Outcome {
    let controller = if expected::cgroup_kind() == "v2" { "" } else { "pids" };
    ensure_eq("pids.max", cgroup::read(rt.pid()?, controller, "pids.max")?.as_str(), limit)
}

fn events(cases: &mut Cases) {
    cases.section("cli#events", "");
    for pointer in ["/data/cpu/usage/total", "/data/memory/usage/usage", "/data/pids/current"] {
        cases.cli(&["B60"], format!("events --stats has {pointer}"), move |rt| {
            rt.running(&mut rt.bundle()?)?;
            let stats = rt.command(&["events", "--stats", rt.id()])?.ok()?.json()?;
            ensure_eq("type", stats["type"].as_str(), Some("stats"))?;
            ensure_eq("id", stats["id"].as_str(), Some(rt.id()))?;
            let value: Option<u64> = stats.pointer(pointer).and_then(Value::as_u64);
            ensure_eq(
                &format!("{pointer} is a number above 0"),
                value.is_some_and(|number| number > 0),
                true,
            )
        });
    }
    cases.cli(&["B60"], "events of a stopped container is refused", |rt| {
        rt.create(&rt.bundle()?, &[])?.ok()?;
        let pid = rt.pid()?;
        rt.start()?.ok()?;
        wait::exit_code(pid)?;
        rt.command(&["events", "--stats", rt.id()])?.refused().map(drop)
    });
}
