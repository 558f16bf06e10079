//! The two programs of the crate's front page, as they stand there: this test executes itself as one of them, where
//! `/run` and `/var/lib` are its own.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use creel_container::Result;
use serde_json::json;

mod run {
    include!("run.rs");

    pub(super) fn program() -> Result<()> {
        main()
    }
}

mod exec {
    include!("exec.rs");

    pub(super) fn program() -> Result<()> {
        main()
    }
}

/// What the first argument names.
pub(crate) fn program() -> Option<fn() -> Result<()>> {
    match std::env::args().nth(1)?.as_str() {
        "front-page-run" => Some(run::program),
        "front-page-exec" => Some(exec::program),
        _ => None,
    }
}

/// In a mount namespace of its own: the container is run until `/stop` exists, and executed into once it is there.
const SCRIPT: &str = r#"
mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib && mkdir /var/lib/my-program || exit 90
cp -a "$2" /var/lib/my-program/web || exit 91
"$1" front-page-run & run=$!
until "$1" front-page-exec 2> /run/errors; do
    kill -0 $run && test ! -e "$3" || { cat /run/errors; exit 92; }
done
touch /var/lib/my-program/web/rootfs/stop
wait $run
"#;

/// Both programs do what the page says.
pub(crate) fn check(directory: &Path) {
    let bundle = directory.join("front-page");
    let rootfs = bundle.join("rootfs");
    fs::create_dir_all(rootfs.join("bin")).unwrap();
    fs::copy(super::BUSYBOX, rootfs.join("bin/busybox")).unwrap();
    std::os::unix::fs::symlink("busybox", rootfs.join("bin/date")).unwrap();
    let loop_until = "until test -e /stop; do busybox usleep 10000; done; exit 7";
    let namespaces = ["pid", "mount", "ipc", "uts"].map(|it| json!({ "type": it }));
    let config = json!({
        "ociVersion": "1.2.0",
        "root": { "path": "rootfs" },
        "process": {
            "args": ["/bin/busybox", "sh", "-c", loop_until], "cwd": "/",
            "user": { "uid": 0, "gid": 0 }, "env": ["PATH=/bin"]
        },
        "mounts": [{ "destination": "/proc", "type": "proc", "source": "proc" }],
        "linux": {
            "namespaces": namespaces,
            "cgroupsPath": format!("/embed-{}-page", std::process::id())
        }
    });
    fs::write(bundle.join("config.json"), config.to_string()).unwrap();
    let late = directory.join("late");
    let mut child = Command::new("unshare")
        .args(["--mount", "--", "/bin/sh", "-c", SCRIPT, "sh"])
        .args([&std::env::current_exe().unwrap(), &bundle, &late])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            fs::write(&late, "").unwrap();
        }
        std::thread::yield_now();
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{:?}: {said}", output.status);
    assert!(said.contains("ended with Some(0)\n"), "{said}");
    assert!(said.ends_with("it ended with 7\n"), "{said}");
}
