//! The library in a process with threads: 64 of them, or 64 tasks of tokio, create, start, exec and delete at once; and
//! the two programs of the crate's front page. Needs root.
//!
//! It has a `main` of its own, since the worker's entry comes before any thread.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test ends with the panic"
)]

mod front_page;

use std::fs;
use std::path::Path;
use std::process::Command;

use creel_container::{
    Bundle, ContainerId, CreateOptions, Error, ExecOptions, Runtime, Status, worker_entry,
};
use serde_json::json;

const THREADS: i32 = 64;
const BUSYBOX: &str = "/bin/busybox";

fn main() {
    if let Some(program) = front_page::program() {
        return program().unwrap();
    }
    worker_entry();
    if !rustix::process::geteuid().is_root() || !Path::new(BUSYBOX).exists() {
        println!("skipped: needs root and a static {BUSYBOX}");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let rootfs = directory.path().join("rootfs");
    fs::create_dir_all(rootfs.join("bin")).unwrap();
    fs::copy(BUSYBOX, rootfs.join("bin/busybox")).unwrap();
    front_page::check(directory.path());
    let runtime = Runtime::new(directory.path().join("state"));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let (runtime, bundle) = (runtime.clone(), bundle(directory.path(), number));
                scope.spawn(move || one(&runtime, &bundle, number))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        // In a process with threads still: this scope has ended all but one.
        scope.spawn(|| errors_are_data(&runtime, directory.path())).join().unwrap();
        scope.spawn(|| a_worker_may_die(&runtime, directory.path())).join().unwrap();
    });
    tasks(&runtime, directory.path());
    assert!(runtime.list().unwrap().is_empty());
    assert_eq!(fs::read_dir(directory.path().join("state")).unwrap().count(), 0);
    let children = format!("/proc/self/task/{}/children", std::process::id());
    assert_eq!(fs::read_to_string(children).unwrap(), "", "every child was waited for");
    let cgroups =
        Command::new("find").args(["/sys/fs/cgroup", "-name", "embed-*"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&cgroups.stdout), "");
    println!("{THREADS} threads, {THREADS} tasks, the front page: ok");
}

/// The same by tasks of an async program, as the crate's page tells its author.
fn tasks(runtime: &Runtime, directory: &Path) {
    let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    executor.block_on(async {
        let start = |number| {
            let (runtime, bundle) = (runtime.clone(), bundle(directory, number));
            tokio::spawn(async move {
                tokio::task::spawn_blocking(move || one(&runtime, &bundle, number)).await
            })
        };
        let tasks: Vec<_> = (0..THREADS).map(start).collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    });
}

/// A container that lives until it is killed, a process in it with an exit code of its own, and the end of both.
fn one(runtime: &Runtime, bundle: &Bundle, number: i32) {
    let id = ContainerId::parse(&format!("embed-{}-{number}", std::process::id())).unwrap();
    let mut container = runtime.create(&id, bundle, CreateOptions::default()).unwrap();
    assert_eq!(container.status(), Status::Created);
    container.start().unwrap();
    let mut process = bundle.spec.process.clone().unwrap();
    let script = format!("exit {number}");
    process.args = Some(["/bin/busybox", "sh", "-c", &script].map(str::to_owned).to_vec());
    let launched = container.exec(&process, ExecOptions::default()).unwrap();
    assert_eq!(launched.wait(), Some(number), "the code of the exec");
    container.kill(creel_container::signal(9).unwrap()).unwrap();
    assert_eq!(container.wait().unwrap(), 128 + 9, "the code of the container");
    container.delete().unwrap();
}

fn errors_are_data(runtime: &Runtime, directory: &Path) {
    let id = ContainerId::parse("embed-error").unwrap();
    let mut bundle = bundle(directory, THREADS);
    if let Some(process) = &mut bundle.spec.process {
        process.args = Some(vec!["/no/such/program".to_owned()]);
    }
    let error = runtime.create(&id, &bundle, CreateOptions::default()).unwrap_err();
    let Error::Program { at, line, .. } = &error else { panic!("{error:?}") };
    assert_eq!(at.as_str(), "process.args[0]");
    assert!(line.is_some());
}

/// A worker that ends without an answer is an error, and nothing is left.
fn a_worker_may_die(runtime: &Runtime, directory: &Path) {
    let runtime = runtime.clone().with_worker("/bin/true");
    let id = ContainerId::parse("embed-death").unwrap();
    let bundle = bundle(directory, THREADS + 1);
    let error = runtime.create(&id, &bundle, CreateOptions::default()).unwrap_err();
    assert!(error.to_string().contains("worker"), "{error}");
    assert!(matches!(runtime.open(&id), Err(Error::NotFound { .. })));
}

fn bundle(directory: &Path, number: i32) -> Bundle {
    let namespaces = ["pid", "mount", "ipc", "uts"].map(|it| json!({ "type": it }));
    let config = json!({
        "ociVersion": "1.2.0",
        "root": { "path": "rootfs" },
        "process": {
            "args": ["/bin/busybox", "sleep", "1000"], "cwd": "/",
            "user": { "uid": 0, "gid": 0 }, "env": ["PATH=/bin"]
        },
        "mounts": [{ "destination": "/proc", "type": "proc", "source": "proc" }],
        "linux": {
            "namespaces": namespaces,
            "cgroupsPath": format!("/embed-{}-{number}", std::process::id())
        }
    });
    let file = directory.join(format!("config-{number}.json"));
    fs::write(&file, config.to_string()).unwrap();
    Bundle::open(directory, Some(&file)).unwrap()
}
