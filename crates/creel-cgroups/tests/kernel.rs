//! The real kernel, as root, on whatever layout this machine has; each test in a cgroup of its own.
//!
//! The v2 tests see only the v2 tree: in a child in a mount namespace of its own.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use std::{
    fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use creel_cgroups::{
    Cgroup, CgroupPath, Controller, Error, Hierarchies, Pids, Resources, Settings,
};
use rustix::process::{Pid, Signal};

const LIMIT: Duration = Duration::from_secs(10);

/// A path that no other test uses.
fn own_path() -> CgroupPath {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    CgroupPath::parse(&format!("/creel-test-{}-{next}", std::process::id())).unwrap()
}

fn hierarchies() -> Hierarchies {
    Hierarchies::detect(Path::new("/sys/fs/cgroup")).unwrap()
}

/// Says why and returns true if the tests of this file cannot run.
fn skipped() -> bool {
    if rustix::process::geteuid().is_root() {
        return false;
    }
    println!("skipped: needs root");
    true
}

/// A cgroup that is removed with everything in it when the test ends, however it ends.
struct Guard(Cgroup);

impl Guard {
    fn new(resources: &Resources) -> Self {
        let hierarchies = hierarchies();
        let settings = resources.compile(&hierarchies).unwrap();
        let guard = Self(Cgroup::create(hierarchies, own_path(), &settings).unwrap());
        guard.0.apply(&settings).unwrap();
        guard
    }

    fn exists(&self) -> bool {
        self.0.paths().any(|(_, path)| path.exists())
    }

    fn read(&self, controller: Controller, file: &str) -> String {
        let (_, path) = self.0.paths().find(|(h, _)| h.controllers.contains(controller)).unwrap();
        fs::read_to_string(path.join(file)).unwrap().trim().to_owned()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill_all(Signal::KILL);
        let _ = self.0.remove(LIMIT);
        assert!(
            std::thread::panicking() || !self.exists(),
            "the cgroup is left: {}",
            self.0.path()
        );
    }
}

/// A process that waits until it is killed, reaped when dropped.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Self(Command::new("/bin/sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap())
    }

    fn within(cgroup: &Cgroup) -> Self {
        let sleeper = Self::new();
        cgroup.join(sleeper.pid(), false).unwrap();
        sleeper
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_cgroup_is_made_in_every_hierarchy_and_removed() {
    if skipped() {
        return;
    }
    let guard = Guard::new(&Resources::default());
    assert!(guard.0.paths().all(|(_, path)| path.join("cgroup.procs").exists()));
    guard.0.remove(LIMIT).unwrap();
    assert!(!guard.exists());
    guard.0.remove(LIMIT).unwrap();
}

#[test]
fn a_process_joins_every_hierarchy() {
    if skipped() {
        return;
    }
    let guard = Guard::new(&Resources::default());
    let sleeper = Sleeper::within(&guard.0);
    let text = fs::read_to_string(format!("/proc/{}/cgroup", sleeper.0.id())).unwrap();
    let path = format!(":/{}", guard.0.path());
    assert_eq!(
        text.lines().filter(|line| !line.ends_with(&path)).collect::<Vec<_>>(),
        Vec::<&str>::new()
    );
    assert_eq!(guard.0.processes().unwrap(), [sleeper.pid()]);
}

#[test]
fn a_later_process_removes_by_path_alone() {
    if skipped() {
        return;
    }
    let guard = Guard::new(&Resources::default());
    let mut sleeper = Sleeper::within(&guard.0);
    let later = Cgroup::open(hierarchies(), guard.0.path().clone()).unwrap();
    later.kill_all(Signal::KILL).unwrap();
    sleeper.0.wait().unwrap();
    later.remove(LIMIT).unwrap();
    assert!(!guard.exists());
}

#[test]
fn removing_waits_for_a_process_that_is_ending_and_takes_cgroups_below() {
    if skipped() {
        return;
    }
    let guard = Guard::new(&Resources::default());
    let below = CgroupPath::parse(&format!("{}/a/b", guard.0.path())).unwrap();
    let below = Cgroup::create(hierarchies(), below, &Settings::default()).unwrap();
    let _in_leaf = Sleeper::within(&below);
    let _in_top = Sleeper::within(&guard.0);
    assert_eq!(guard.0.processes().unwrap().len(), 2);
    assert!(matches!(
        guard.0.remove(Duration::from_millis(20)),
        Err(Error::Populated { pid: Some(_), .. })
    ));
    guard.0.kill_all(Signal::KILL).unwrap();
    guard.0.remove(LIMIT).unwrap();
    assert!(!guard.exists());
}

#[test]
fn a_populated_cgroup_is_refused_and_an_empty_one_used() {
    if skipped() {
        return;
    }
    let guard = Guard::new(&Resources::default());
    let again = || Cgroup::create(hierarchies(), guard.0.path().clone(), &Settings::default());
    again().unwrap();
    let sleeper = Sleeper::within(&guard.0);
    let error = again().unwrap_err();
    assert!(
        matches!(&error, Error::Populated { pid: Some(pid), .. } if *pid == sleeper.pid()),
        "{error}"
    );
    assert!(
        guard.0.paths().all(|(_, path)| path.exists()),
        "a failing create removes only its own"
    );
}

#[test]
fn a_frozen_cgroup_is_refused() {
    if skipped() {
        return;
    }
    let guard = Guard::new(&Resources::default());
    guard.0.freeze(LIMIT).unwrap();
    let error =
        Cgroup::create(hierarchies(), guard.0.path().clone(), &Settings::default()).unwrap_err();
    assert!(matches!(error, Error::Frozen { .. }), "{error}");
    guard.0.thaw().unwrap();
}

#[test]
fn a_failing_create_removes_the_levels_it_made() {
    if skipped() {
        return;
    }
    let guard = Guard::new(&Resources::default());
    let _sleeper = Sleeper::within(&guard.0);
    // One hierarchy has the leaf already, with a process; everything else is new.
    let path = CgroupPath::parse(&format!("{}/a/b", guard.0.path())).unwrap();
    let (_, last) = guard.0.paths().last().unwrap();
    fs::create_dir_all(last.join("a/b")).unwrap();
    let other = Sleeper::new();
    fs::write(last.join("a/b/cgroup.procs"), other.0.id().to_string()).unwrap();
    assert!(Cgroup::create(hierarchies(), path, &Settings::default()).is_err());
    let left: Vec<_> = guard.0.paths().map(|(_, p)| p.join("a")).filter(|p| p.exists()).collect();
    assert_eq!(left, [last.join("a")]);
}

#[test]
fn undoing_a_create_removes_its_parents_unless_they_are_used() {
    if skipped() {
        return;
    }
    let parent = own_path();
    let path = |name: &str| CgroupPath::parse(&format!("{parent}/{name}")).unwrap();
    let first = Cgroup::create(hierarchies(), path("first"), &Settings::default()).unwrap();
    let second =
        Guard(Cgroup::create(hierarchies(), path("second"), &Settings::default()).unwrap());
    first.undo_create(LIMIT).unwrap();
    assert!(!first.paths().any(|(_, path)| path.exists()));
    assert!(second.0.paths().all(|(_, path)| path.exists()));
    second.0.remove(LIMIT).unwrap();
    let _parents = Guard(Cgroup::open(hierarchies(), parent).unwrap());
}

#[test]
fn freezing_stops_and_thawing_goes_on() {
    if skipped() {
        return;
    }
    let guard = Guard::new(&Resources::default());
    let mut sleeper = Sleeper::within(&guard.0);
    guard.0.freeze(LIMIT).unwrap();
    assert!(guard.0.is_frozen().unwrap());
    // A frozen process gets a signal only when it is thawed.
    guard.0.kill_all(Signal::TERM).unwrap();
    assert!(guard.0.is_frozen().unwrap());
    guard.0.thaw().unwrap();
    assert!(!guard.0.is_frozen().unwrap());
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&sleeper.0.wait().unwrap()), Some(15));
}

#[test]
fn killing_reaches_frozen_processes_of_either_freezer() {
    if skipped() {
        return;
    }
    let guard = Guard::new(&Resources::default());
    let mut first = Sleeper::within(&guard.0);
    guard.0.freeze(LIMIT).unwrap();
    guard.0.kill_all(Signal::KILL).unwrap();
    first.0.wait().unwrap();
    let Some((_, freezer)) =
        guard.0.paths().find(|(h, _)| h.controllers.contains(Controller::Freezer))
    else {
        return;
    };
    let mut second = Sleeper::within(&guard.0);
    fs::write(freezer.join("freezer.state"), "FROZEN").unwrap();
    assert!(guard.0.is_frozen().unwrap());
    guard.0.kill_all(Signal::KILL).unwrap();
    second.0.wait().unwrap();
}

#[test]
fn a_fork_storm_is_killed_whole() {
    if skipped() {
        return;
    }
    let guard = Guard::new(&Resources { pids: Pids { limit: Some(200) }, ..Resources::default() });
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "read go; while :; do sleep 1000 & sleep 0.001 & done"]);
    let mut storm =
        command.stdin(Stdio::piped()).stderr(Stdio::null()).process_group(0).spawn().unwrap();
    guard.0.join(Pid::from_child(&storm), false).unwrap();
    drop(storm.stdin.take());
    while guard.0.processes().unwrap().len() < 20 {
        std::thread::yield_now();
    }
    guard.0.kill_all(Signal::KILL).unwrap();
    storm.wait().unwrap();
    guard.0.remove(LIMIT).unwrap();
}
