//! Processes in a container's cgroup that are none of its own.

use std::fs;

use harness::{Outcome, Runtime, cgroup, ensure_eq};

/// A process that is none of the container's, in all of its cgroups.
pub(crate) fn delete(rt: &Runtime) -> Outcome {
    rt.running(&mut rt.bundle()?)?;
    let pid = rt.pid()?;
    let mut stranger = std::process::Command::new("/bin/sleep").arg("1000").spawn()?;
    let moved = enter_cgroups(pid, stranger.id());
    let deleted = moved.and_then(|()| rt.delete(&["--force"])?.ok());
    let ended = stranger.try_wait()?.is_some();
    stranger.kill()?;
    stranger.wait()?;
    // Whatever a runtime leaves when it gives up is not for the leak watch.
    rt.delete(&["--force"])?;
    deleted?;
    ensure_eq("the process has ended", ended, true)
}

fn enter_cgroups(pid: i32, stranger: u32) -> Outcome {
    for line in fs::read_to_string(format!("/proc/{pid}/cgroup"))?.lines() {
        let names = line.split(':').nth(1).unwrap_or_default();
        let name = names.split(',').next().unwrap_or_default().trim_start_matches("name=");
        fs::write(cgroup::directory(pid, name)?.join("cgroup.procs"), stranger.to_string())?;
    }
    Ok(())
}
