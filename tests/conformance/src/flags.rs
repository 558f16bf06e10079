//! Flags that engines and people give, and sequences of calls as engines make them.

use std::fs;

use anyhow::Context;
use harness::{Cases, bundle, ensure_eq, wait};
use serde_json::json;

pub(crate) fn register(cases: &mut Cases) {
    cases.section("cli#global", "");
    for level in ["error", "warning", "debug"] {
        cases.cli(&["A06"], format!("--log-level {level} is accepted"), move |rt| {
            rt.command(&["--log-level", level, "list"])?.ok().map(drop)
        });
    }
    for value in ["--rootless=true", "--rootless=false", "--rootless=auto"] {
        cases.cli(&["A09"], format!("{value} is accepted, which go-runc passes"), move |rt| {
            rt.command(&[value, "list"])?.ok().map(drop)
        });
    }
    for manager in ["cgroupfs", "disabled"] {
        cases.cli(
            &["A08", "H15"],
            format!("--cgroup-manager={manager} is accepted (crun has it)"),
            move |rt| {
                let bundle = rt.bundle()?;
                rt.write(&bundle)?;
                let flag = format!("--cgroup-manager={manager}");
                let call = rt
                    .call([flag.as_str(), "run", "--bundle"])
                    .args([bundle.path()])
                    .args([rt.id()]);
                rt.finish(call)?.ok().map(drop)
            },
        );
    }
    create(cases);
    expressions(cases);
    engines(cases);
    parallel(cases);
    binary(cases);
}

fn create(cases: &mut Cases) {
    cases.section("cli#create", "");
    cases.cli(
        &["B03"],
        "create --config takes another file than config.json (crun has it)",
        |rt| {
            let bundle = rt.bundle()?;
            rt.write(&bundle)?;
            let other = rt.directory().join("other.json");
            fs::rename(bundle.path().join("config.json"), &other)?;
            let call = rt
                .call(["create", "--config"])
                .args([&other])
                .args(["--bundle"])
                .args([bundle.path()])
                .args([rt.id()]);
            rt.finish_living(rt.id(), call)?.ok().map(drop)
        },
    );
    cases.cli(&["B11"], "create --no-subreaper is accepted (crun has it)", |rt| {
        rt.create(&rt.bundle()?, &["--no-subreaper"])?.ok().map(drop)
    });
    cases.section("cli#run", "");
    cases.cli(&["B16"], "run --no-subreaper runs the container", |rt| {
        let output = rt.run(&rt.bundle()?, &["--no-subreaper"])?.ok()?;
        harness::Report::parse(&output.stdout()).map(drop)
    });
    cases.section("cli#spec", "");
    cases.cli(&["B80"], "spec --file writes that file (crun has it)", |rt| {
        let file = rt.directory().join("mine.json");
        rt.finish(rt.call(["spec", "--file"]).args([&file]))?.ok()?;
        let spec: serde_json::Value = serde_json::from_str(&fs::read_to_string(file)?)?;
        ensure_eq("has a version", spec["ociVersion"].is_string(), true)
    });
    cases.section("cli#create", "");
    cases.cli(&["C10"], "a create that fails after its cgroup was made leaves nothing", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.args(&["/no-such-program"]).set("/linux/resources/pids/limit", 77);
        rt.create(&bundle, &[])?.refused().map(drop)
    });
    cases.cli(&["C10"], "a create whose pid file cannot be written leaves nothing", |rt| {
        rt.create(&rt.bundle()?, &["--pid-file", "/no/such/directory/pid"])?.refused().map(drop)
    });
    cases.cli(&["C10"], "a create whose console socket does not exist leaves nothing", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/process/terminal", true);
        rt.create(&bundle, &["--console-socket", "/no/such/socket"])?.refused().map(drop)
    });
    cases
        .cli(
            &["C21"],
            "the pid that a hook of the host gets is the container's process on the host",
            |rt| {
                let out = rt.directory().join("hook");
                let mut bundle = rt.bundle()?;
                bundle
                    .hook("createRuntime", &["/bin/sh", "-c", &format!("cat > {}", out.display())]);
                rt.create(&bundle, &[])?.ok()?;
                let state: serde_json::Value = serde_json::from_str(&fs::read_to_string(out)?)?;
                ensure_eq("pid", state["pid"].as_i64(), Some(i64::from(rt.pid()?)))
            },
        )
        .mutation(|config| bundle::remove(config, "/hooks"));
    cases.cli(
        &["C36"],
        "a cgroup that is in use by another container is refused, or shared without harm",
        |rt| {
            let mut bundle = rt.bundle()?;
            bundle
                .set("/linux/cgroupsPath", format!("/{}", rt.id()))
                .probe(&["sleep-until-signal"]);
            rt.create(&bundle, &[])?.ok()?;
            rt.create_as(&format!("{}-other", rt.id()), &bundle, &[])?;
            ensure_eq("status of the first", rt.status()?.as_str(), "created")
        },
    );
    cases.cli(
        &["E11"],
        "an ambient capability that is not inheritable is left out, or refused in words",
        |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/process/capabilities/ambient", json!(["CAP_KILL"]));
            let output = rt.run(&bundle, &[])?;
            if output.code == 0 { Ok(()) } else { output.refused().map(drop) }
        },
    );
    cases.cli(&["E21"], "create without process is accepted", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.remove("/process");
        rt.create(&bundle, &[])?.ok().map(drop)
    });
}

fn expressions(cases: &mut Cases) {
    cases.section("cli#kill", "");
    cases.cli(&["B26"], "kill --regex ends all containers that match (crun has it)", |rt| {
        rt.running(&mut rt.bundle()?)?;
        let pid = rt.pid()?;
        rt.command(&["kill", "--regex", &format!("^{}$", rt.id()), "KILL"])?.ok()?;
        ensure_eq("exit code", wait::exit_code(pid)?, 128 + 9)
    });
    cases.section("cli#delete", "");
    cases.cli(
        &["B31"],
        "delete --force --regex removes all containers that match (crun has it)",
        |rt| {
            let bundle = rt.bundle()?;
            rt.create(&bundle, &[])?.ok()?;
            rt.create_as(&format!("{}-other", rt.id()), &bundle, &[])?.ok()?;
            rt.create_as(&format!("{}-third", rt.id()), &bundle, &[])?.ok()?;
            let left = |pattern: &str| -> anyhow::Result<String> {
                rt.command(&["delete", "--force", "--regex", pattern])?.ok()?;
                Ok(rt.command(&["list", "--quiet"])?.ok()?.stdout().trim().into())
            };
            ensure_eq("what does not match", left("(other|third)$")?.as_str(), rt.id())?;
            ensure_eq("what is left of all", left(&format!("^{}", rt.id()))?.as_str(), "")
        },
    );
}

fn engines(cases: &mut Cases) {
    cases.section("cli#engines", "");
    cases.cli(&["S01"], "the calls of containerd's shim, from create to the second delete", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.probe(&["sleep-until-signal"]);
        let file = rt.directory().join("init.pid");
        let created = rt.create(&bundle, &["--pid-file", &file.to_string_lossy()])?.ok()?;
        let pid: i32 = fs::read_to_string(&file)?.trim().parse().context("pid file")?;
        rt.command(&["start", rt.id()])?.ok()?;
        // A process 1 does not see a signal before it wants to.
        rt.report_of(&created)?;
        rt.command(&["kill", rt.id(), "15"])?.ok()?;
        ensure_eq("exit code", wait::exit_code(pid)?, 128 + 15)?;
        rt.command(&["kill", "--all", rt.id(), "9"])?;
        rt.delete(&[])?.ok()?;
        rt.command(&["delete", "--force", rt.id()])?.ok().map(drop)
    });
    cases.cli(&["S03"], "the calls of conmon and podman, from create to delete --force", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.probe(&["sleep-until-signal"]);
        let file = rt.directory().join("pidfile");
        let created = rt
            .create(&bundle, &["--pid-file", &file.to_string_lossy(), "--no-new-keyring"])?
            .ok()?;
        let pid: i32 = fs::read_to_string(&file)?.trim().parse().context("pid file")?;
        rt.start()?.ok()?;
        rt.report_of(&created)?;
        rt.command(&["kill", rt.id(), "15"])?.ok()?;
        wait::exit_code(pid)?;
        rt.delete(&["--force"])?.ok().map(drop)
    });
    cases.cli(&["S04"], "state of a container is told by its process id after each step", |rt| {
        rt.create(&rt.bundle()?, &[])?.ok()?;
        let pid = rt.pid()?;
        ensure_eq("status", rt.status()?.as_str(), "created")?;
        rt.start()?.ok()?;
        wait::exit_code(pid)?;
        ensure_eq("status", rt.status()?.as_str(), "stopped")
    });
    cases
        .cli(&["S06"], "a time namespace is tolerated, which docker lists", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.namespace("time", None);
            let found = rt.report(&bundle)?.at("/namespaces/time").as_u64();
            let own = std::os::unix::fs::MetadataExt::ino(&fs::metadata("/proc/self/ns/time")?);
            ensure_eq("is the caller's", found.is_none() || found == Some(own), false)
        })
        .mutation(|config| bundle::remove(config, "/linux/namespaces/5"));
}

fn parallel(cases: &mut Cases) {
    cases.section("cli#engines", "");
    cases.cli(&["S05"], "ten containers of one bundle are run at the same time", |rt| {
        let bundle = rt.bundle()?;
        rt.write(&bundle)?;
        let mut all = Vec::new();
        for number in 0..10 {
            all.push(
                rt.bundle_call("run", &format!("{}-{number}", rt.id()), &bundle, &[]).spawn()?,
            );
        }
        for running in all {
            harness::Report::parse(&running.wait()?.ok()?.stdout())?;
        }
        Ok(())
    });
    cases.cli(&["R07", "C02"], "of ten creates with one id exactly one succeeds", |rt| {
        let bundle = rt.bundle()?;
        rt.write(&bundle)?;
        let mut all = Vec::new();
        for _ in 0..10 {
            all.push(rt.bundle_call("create", rt.id(), &bundle, &[]).spawn()?);
        }
        let mut created = 0;
        for running in all {
            let output = running.wait()?;
            rt.remember(&output);
            created += i32::from(output.code == 0);
        }
        rt.delete(&["--force"])?.ok()?;
        ensure_eq("creates that succeeded", created, 1)
    });
}

fn binary(cases: &mut Cases) {
    cases.section("cli#security", "");
    cases.cli(
        &["C37"],
        "the runtime's binary cannot be written to through the container's /proc",
        |rt| {
            let before = fs::read(rt.binary())?;
            let mut bundle = rt.bundle()?;
            // What the runtime leaves running in a created container is the runtime itself.
            bundle.set("/root/readonly", false);
            rt.create(&bundle, &[])?.ok()?;
            let target = format!("/proc/{}/exe", rt.pid()?);
            let opened = fs::OpenOptions::new().append(true).open(&target);
            ensure_eq("opens for writing", opened.is_ok(), false)?;
            ensure_eq("is unchanged", fs::read(rt.binary())? == before, true)
        },
    );
    cases
        .cli(&["L02"], "many masked directories cost few mounts of their own", |rt| {
            let mut bundle = rt.bundle()?;
            let names: Vec<String> = (0..20).map(|number| format!("/etc/masked{number}")).collect();
            for name in &names {
                bundle.file(&format!("{name}/file"), "x")?;
            }
            bundle.set("/linux/maskedPaths", json!(names));
            let seen = rt.report(&bundle)?;
            let mounts = seen.at("/mounts").as_array().into_iter().flatten();
            let masks = mounts.filter(|mount| {
                mount["point"].as_str().is_some_and(|point| point.starts_with("/etc/masked"))
            });
            let devices: Vec<&str> = masks.filter_map(|mount| mount["device"].as_str()).collect();
            ensure_eq("masks", devices.len(), names.len())?;
            let devices: std::collections::BTreeSet<&str> = devices.into_iter().collect();
            ensure_eq("filesystems of the masks", devices.len(), 1)
        })
        .mutation(|config| bundle::remove(config, "/linux/maskedPaths"));
    cases.cli(
        &["L03"],
        "a /dev/null of the root filesystem that is a file does not become a mask",
        |rt| {
            let mut bundle = rt.bundle()?;
            bundle.file("/dev/null", "not null")?;
            bundle.file("/etc/secret", "secret")?;
            bundle.set(
                "/mounts",
                json!([{ "destination": "/proc", "type": "proc", "source": "proc" }]),
            );
            bundle
                .set("/root/readonly", false)
                .set("/linux/maskedPaths", json!(["/etc/secret"]))
                .probe(&["read", "/etc/secret"]);
            let output = rt.run(&bundle, &[])?;
            if output.code != 0 {
                return output.refused().map(drop);
            }
            let seen = harness::Report::parse(&output.stdout())?;
            ensure_eq("length", seen.allowed("read", "/etc/secret")?["length"].as_u64(), Some(0))
        },
    );
}
