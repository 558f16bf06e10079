//! `exec` on cgroup v2, where a cgroup that gives controllers to those below it takes no process.

use std::fs;
use std::path::PathBuf;

use harness::{Cases, Outcome, Runtime, cgroup, ensure_eq, expected, skip, wait};

use crate::exec::{container, detach_checker};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("cli#exec-cgroups", "");
    let first = cases.list.len();
    cases.cli(
        &["B32", "H04"],
        "exec joins init where the container's own cgroup takes no process",
        |rt| {
            container(rt, |_| {})?;
            let own = own_cgroup(rt)?;
            fs::create_dir(own.join("init"))?;
            fs::write(own.join("init/cgroup.procs"), rt.pid()?.to_string())?;
            give_controllers(&own)?;
            joins_init(rt)
        },
    );
    cases.cli(&["B32", "H04"], "exec joins an init that has moved itself below its cgroup", |rt| {
        if expected::cgroup_kind() != "v2" {
            return skip("needs cgroup v2");
        }
        let share = rt.directory().join("share");
        fs::create_dir(&share)?;
        let mut bundle = rt.bundle()?;
        bundle
            .namespace("cgroup", None)
            .mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev"])
            .mount("/share", "bind", &share.to_string_lossy(), &["bind"])
            .shell(
                "cd /sys/fs/cgroup && mkdir init && echo 1 > init/cgroup.procs && \
                 echo +pids > cgroup.subtree_control && touch /share/moved; exec sleep 1000",
            );
        rt.create(&bundle, &[])?.ok()?;
        rt.start()?.ok()?;
        wait::directory(&share, || Ok(share.join("moved").exists().then_some(())))?;
        joins_init(rt)
    });
    cases.cli(&["B48"], "exec --cgroup / where that takes no process is refused", |rt| {
        container(rt, |_| {})?;
        let own = own_cgroup(rt)?;
        fs::create_dir(own.join("init"))?;
        fs::write(own.join("init/cgroup.procs"), rt.pid()?.to_string())?;
        give_controllers(&own)?;
        rt.exec(&["--cgroup", "/"], &["/bin/true"])?.refused().map(drop)
    });
    cases.cli(&["B48"], "exec --cgroup PATH works beside an init that has moved", |rt| {
        container(rt, |_| {})?;
        let own = own_cgroup(rt)?;
        for name in ["init", "other"] {
            fs::create_dir(own.join(name))?;
        }
        fs::write(own.join("init/cgroup.procs"), rt.pid()?.to_string())?;
        give_controllers(&own)?;
        if expected::cgroup_kind() != "v2" {
            return skip("needs cgroup v2");
        }
        let left = detach_checker(rt, &["--detach", "--cgroup", "other"])?;
        ensure_eq("cgroup", cgroup::directory(left.pid, "")?, own.join("other"))
    });
    for case in cases.list.iter_mut().skip(first) {
        case.limit(120);
    }
}

/// The container's directory in the v2 hierarchy.
fn own_cgroup(rt: &Runtime) -> anyhow::Result<PathBuf> {
    let own = cgroup::directory(rt.pid()?, "")?;
    if own == cgroup::directory(std::process::id().cast_signed(), "")? {
        return skip("the runtime makes no cgroup in the unified hierarchy");
    }
    Ok(own)
}

/// From now on the cgroup takes no process: it gives a controller to those below it.
fn give_controllers(own: &std::path::Path) -> Outcome {
    let list = fs::read_to_string(own.join("cgroup.controllers"))?;
    let Some(name) = list.split_whitespace().next() else {
        return skip("needs controllers in the unified hierarchy");
    };
    Ok(fs::write(own.join("cgroup.subtree_control"), format!("+{name}"))?)
}

fn joins_init(rt: &Runtime) -> Outcome {
    let left = detach_checker(rt, &["--detach"])?;
    ensure_eq("cgroup", cgroup::directory(left.pid, "")?, cgroup::directory(rt.pid()?, "")?)
}
