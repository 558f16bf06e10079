//! `events` as a stream, and the rarer commands and flags of one peer.

use std::fs;
use std::os::fd::AsFd;

use anyhow::Context;
use harness::{Cases, Outcome, Runtime, cgroup, ensure_contains, ensure_eq, expected, skip, wait};
use serde_json::{Value, json};

pub(crate) fn register(cases: &mut Cases) {
    others(cases);
    cases.section("cli#events", "");
    cases.cli(&["B59"], "events --interval goes on telling, a record a line", |rt| {
        rt.running(&mut rt.bundle()?)?;
        stream(rt, "100ms", |records| {
            records.iter().filter(|record| record["type"] == "stats").count() >= 3
        })
    });
    cases.cli(&["B61"], "events tells that the kernel killed for want of memory", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/resources/memory", json!({ "limit": 16 << 20, "swap": 16 << 20 }));
        let script = "mkfifo /dev/shm/go; echo ready; read line < /dev/shm/go; \
                      while true; do dd if=/dev/zero of=/dev/null bs=200M count=1; done";
        bundle.shell(script);
        let created = rt.create(&bundle, &[])?.ok()?;
        rt.start()?.ok()?;
        wait::directory(rt.directory(), || Ok(created.stdout().contains("ready").then_some(())))?;
        fs::write(format!("/proc/{}/root/dev/shm/go", rt.pid()?), "go\n")?;
        stream(rt, "100ms", |records| records.iter().any(|record| record["type"] == "oom"))
    });
    for (rows, pointer, file) in [
        (&["B62"], "/data/cpu/psi", "cpu.pressure"),
        (&["B62"], "/data/memory/psi", "memory.pressure"),
        (&["B63"], "/data/hugetlb", ""),
    ] {
        cases.cli(
            rows,
            format!("events --stats has {pointer} where the kernel tells it"),
            move |rt| {
                rt.running(&mut rt.bundle()?)?;
                if !file.is_empty()
                    && (expected::cgroup_kind() != "v2"
                        || cgroup::read(rt.pid()?, "", file).is_err())
                {
                    return skip("the kernel does not tell it");
                }
                let stats = rt.command(&["events", "--stats", rt.id()])?.ok()?.json()?;
                ensure_eq(pointer, stats.pointer(pointer).is_some(), true)
            },
        );
    }
    cases.section("cli#update", "");
    cases.cli(
        &["B65"],
        "update --blkio-weight is done where the kernel has weights, else refused",
        |rt| {
            rt.running(&mut rt.bundle()?)?;
            let output = rt.command(&["update", "--blkio-weight=500", rt.id()])?;
            let (controller, files) = if expected::cgroup_kind() == "v2" {
                ("", ["io.bfq.weight", "io.weight"])
            } else {
                ("blkio", ["blkio.bfq.weight", "blkio.weight"])
            };
            let pid = rt.pid()?;
            let there = files.iter().any(|file| cgroup::read(pid, controller, file).is_ok());
            if there { output.ok().map(drop) } else { output.refused().map(drop) }
        },
    );
    cases.cli(
        &["B74"],
        "update --l3-cache-schema of a container without intelRdt is refused",
        |rt| {
            rt.running(&mut rt.bundle()?)?;
            rt.command(&["update", "--l3-cache-schema=L3:0=f", rt.id()])?
                .refused()?
                .says(&["ntelRdt", "ntel RDT", "resctrl"])
                .map(drop)
        },
    );
}

fn others(cases: &mut Cases) {
    cases.section("cli#info", "");
    cases.cli(&["B82"], "info tells of the host (youki has it)", |rt| {
        let text = rt.command(&["info"])?.ok()?.stdout();
        let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        ensure_contains("info", &text, release.trim())
    });
    cases.section("cli#mounts", "");
    cases.cli(&["B77"], "mounts add mounts into a running container (crun has it)", |rt| {
        rt.running(&mut rt.bundle()?)?;
        let file = rt.directory().join("mounts.json");
        let mount = json!([{ "destination": "/mnt", "type": "tmpfs", "source": "later" }]);
        fs::write(&file, mount.to_string())?;
        rt.finish(rt.call(["mounts", "add", rt.id()]).args([&file]))?.ok()?;
        let inside = fs::read_to_string(format!("/proc/{}/mountinfo", rt.pid()?))?;
        ensure_eq("is mounted", inside.contains(" /mnt "), true)
    });
}

/// Reads the stream of events until the records are enough, and ends it.
fn stream(rt: &Runtime, interval: &str, enough: impl Fn(&[Value]) -> bool) -> Outcome {
    let call = rt.call(["events", "--interval", interval, rt.id()]);
    let mut running = call.spawn()?;
    let process = wait::pidfd(running.pid())?.context("the command has ended")?;
    let read = || {
        let text = running.stdout();
        let records: Vec<Value> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(enough(&records).then_some(()))
    };
    let found = wait::directory_or_end(rt.directory(), process.as_fd(), read);
    let _ended_already = running.child.kill();
    rt.remember(&running.wait()?);
    found
}
