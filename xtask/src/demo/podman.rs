//! The same root filesystem as an image under podman.

use std::process::Command;

use anyhow::Result;

use super::bundle::Workplace;
use super::{Runtime, show};
use crate::output;
use crate::repo;

/// Imports the root filesystem and runs it. podman's storage is the demo's own: the machine's
/// images and containers are left alone.
pub(super) fn show(runtime: &Runtime, place: &Workplace) -> Result<()> {
    output::heading("the same root filesystem as an image, run by podman");
    let archive = place.path().join("image.tar");
    let mut tar = runtime.repo.command("tar");
    tar.arg("--create").arg("--file").arg(&archive).arg("--directory").arg(place.rootfs()).arg(".");
    repo::run(&mut tar)?;
    let mut import = podman(runtime, place);
    repo::output(import.arg("import").arg(&archive).arg("demo:latest"))?;
    for words in [
        &["--memory", "64m", "demo:latest", "echo", "hello from podman's container"][..],
        &[
            "--hostname",
            "web",
            "--cap-drop",
            "all",
            "demo:latest",
            "grep",
            "CapEff",
            "/proc/self/status",
        ],
        &["demo:latest", "sh", "-c", "exit 7"],
    ] {
        let name = runtime.path.display().to_string();
        show::command("podman", &[&["--runtime", &name, "run", "--rm"], words].concat());
        let mut command = podman(runtime, place);
        // podman's own default for open files is above what root may set on some machines.
        command.args(["run", "--rm", "--network", "none"]);
        command.args(["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]).args(words);
        let output = command.output()?;
        show::text(&String::from_utf8_lossy(&output.stdout));
        show::text(&String::from_utf8_lossy(&output.stderr));
        show::text(&format!("exit code {}", output.status.code().unwrap_or(-1)));
        anyhow::ensure!(matches!(output.status.code(), Some(0 | 7)), "podman: {}", output.status);
    }
    Ok(())
}

fn podman(runtime: &Runtime, place: &Workplace) -> Command {
    let mut command = runtime.repo.command("podman");
    for (option, dir) in [("--root", "p"), ("--runroot", "r"), ("--tmpdir", "t")] {
        command.arg(option).arg(place.path().join(dir));
    }
    command.args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"]);
    command.args(["--events-backend", "file", "--log-level", "error"]);
    command.arg("--runtime").arg(&runtime.path);
    command
}
