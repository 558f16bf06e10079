//! Made, joined, frozen, killed, removed.

use std::{
    fs,
    io::Write,
    os::{
        fd::{AsRawFd, BorrowedFd},
        unix::process::ExitStatusExt,
    },
    time::Duration,
};

use creel_cgroups::{
    Cgroup, CgroupPath, Controller, Error, Hierarchies, Pids, Resources, Settings, SubCgroup,
    Version,
};
use rustix::process::{Pid, Signal};

use crate::{Guard, LIMIT, Shell, own_path};

fn create(hierarchies: &Hierarchies, path: &str) -> Result<Cgroup, Error> {
    Cgroup::create(hierarchies.clone(), CgroupPath::parse(path)?, &Settings::default())
}

fn a_cgroup_is_made_in_every_hierarchy_and_removed(hierarchies: &Hierarchies) {
    let guard = Guard::empty(hierarchies);
    assert!(guard.0.paths().all(|(_, path)| path.join("cgroup.procs").exists()));
    guard.0.remove(LIMIT).unwrap();
    assert!(!guard.exists());
    guard.0.remove(LIMIT).unwrap();
}

fn a_process_joins_every_hierarchy(hierarchies: &Hierarchies) {
    let guard = Guard::empty(hierarchies);
    let shell = Shell::within(&guard.0);
    let pid = format!("{}\n", shell.child.id());
    let procs = |path: std::path::PathBuf| fs::read_to_string(path.join("cgroup.procs")).unwrap();
    assert!(guard.0.paths().all(|(_, path)| procs(path) == pid));
    assert_eq!(guard.0.processes().unwrap(), [shell.pid()]);
}

fn joining_can_leave_v2_out(hierarchies: &Hierarchies) {
    let guard = Guard::empty(hierarchies);
    let shell = Shell::new();
    guard.0.join(shell.pid(), true).unwrap();
    let v2 = guard.0.v2().unwrap();
    assert_eq!(v2.is_some(), hierarchies.has_v2());
    let inside = guard.0.processes().unwrap();
    assert_eq!(inside.is_empty(), v2.is_some());
}

fn a_thread_enters_the_v1_hierarchies_by_itself(hierarchies: &Hierarchies) {
    let guard = Guard::empty(hierarchies);
    let tasks = guard.0.tasks().unwrap();
    let v1 = hierarchies.list().iter().filter(|it| it.version == Version::V1).count();
    assert_eq!(tasks.len(), v1);
    let entered = std::thread::spawn(|| {
        tasks.into_iter().for_each(|file| creel_cgroups::enter(file).unwrap());
        fs::read_to_string("/proc/thread-self/cgroup").unwrap()
    });
    let entered = entered.join().unwrap();
    assert_eq!(entered.matches(guard.0.path().as_str()).count(), v1, "{entered}");
}

fn a_cgroup_that_is_gone_from_one_hierarchy_cannot_be_entered(hierarchies: &Hierarchies) {
    let guard = Guard::empty(hierarchies);
    let (_, first) = guard.0.paths().next().unwrap();
    fs::remove_dir(first).unwrap();
    let later = Cgroup::open(hierarchies.clone(), guard.0.path().clone()).unwrap();
    let error = later.tasks().unwrap_err();
    assert_eq!(error.errno(), Some(rustix::io::Errno::NOENT), "{error}");
}

fn v2_can_be_made_before_v1(hierarchies: &Hierarchies) {
    let settings = Settings::default();
    let guard = Guard(Cgroup::create_v2(hierarchies.clone(), own_path(), &settings).unwrap());
    let is_v2 = |version| version == Version::V2;
    assert!(guard.0.paths().all(|(it, path)| path.exists() == is_v2(it.version)));
    guard.0.create_v1().unwrap();
    assert!(guard.0.paths().all(|(_, path)| path.exists()));
    guard.0.undo_create(LIMIT).unwrap();
    assert!(!guard.exists());
}

fn a_process_can_be_cloned_into_the_v2_cgroup(hierarchies: &Hierarchies) {
    let guard = Guard::empty(hierarchies);
    let v2 = guard.0.v2().unwrap().unwrap();
    let pid = clone_into(v2);
    assert_eq!(guard.0.processes().unwrap(), [pid]);
    guard.0.kill_all(Signal::KILL).unwrap();
    rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).unwrap();
}

/// A child in the cgroup that does nothing until it is killed.
fn clone_into(cgroup: BorrowedFd<'_>) -> Pid {
    // struct clone_args: flags CLONE_INTO_CGROUP, exit_signal, cgroup; all else is zero.
    let mut arguments = [0_u64; 11];
    arguments[0] = 0x2_0000_0000;
    arguments[4] = u64::try_from(libc::SIGCHLD).unwrap();
    arguments[10] = u64::try_from(cgroup.as_raw_fd()).unwrap();
    // SAFETY: the arguments are of the size that is given; without CLONE_VM the child has a memory of its own.
    let pid =
        unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of_val(&arguments)) };
    if pid == 0 {
        loop {
            // SAFETY: pause(2) touches no memory and no lock, which is all that this child of a process with threads may do.
            unsafe { libc::pause() };
        }
    }
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

fn a_later_process_kills_and_removes_by_path_alone(hierarchies: &Hierarchies) {
    let guard = Guard::empty(hierarchies);
    let mut shell = Shell::within(&guard.0);
    let later = Cgroup::open(hierarchies.clone(), guard.0.path().clone()).unwrap();
    later.kill_all(Signal::KILL).unwrap();
    assert_eq!(shell.child.wait().unwrap().signal(), Some(9));
    later.remove(LIMIT).unwrap();
    assert!(!guard.exists());
    later.kill_all(Signal::KILL).unwrap();
    later.remove(LIMIT).unwrap();
    assert!(!later.is_frozen().unwrap());
    assert!(later.processes().unwrap().is_empty());
}

fn removing_waits_for_processes_that_end_and_takes_the_cgroups_below(hierarchies: &Hierarchies) {
    let guard = Guard::empty(hierarchies);
    // First this one: a v2 cgroup with controllers for those below it takes no process.
    let _in_top = Shell::within(&guard.0);
    let below = create(hierarchies, &format!("{}/a/b", guard.0.path())).unwrap();
    let _in_leaf = Shell::within(&below);
    assert_eq!(guard.0.processes().unwrap().len(), 2);
    let error = guard.0.remove(Duration::from_millis(20)).unwrap_err();
    assert!(matches!(error, Error::Populated { pid: Some(_), .. }), "{error}");
    guard.0.kill_all(Signal::KILL).unwrap();
    guard.0.remove(LIMIT).unwrap();
    assert!(!guard.exists());
}

fn a_populated_cgroup_is_refused_and_an_empty_one_used(hierarchies: &Hierarchies) {
    let guard = Guard::empty(hierarchies);
    let again = || create(hierarchies, guard.0.path().as_str());
    again().unwrap();
    let shell = Shell::within(&guard.0);
    let error = again().unwrap_err();
    assert!(
        matches!(&error, Error::Populated { pid: Some(pid), .. } if *pid == shell.pid()),
        "{error}"
    );
    assert!(
        guard.0.paths().all(|(_, path)| path.exists()),
        "a failing create removes only its own"
    );
}

fn a_frozen_cgroup_is_refused(hierarchies: &Hierarchies) {
    let guard = Guard::empty(hierarchies);
    guard.0.freeze(LIMIT).unwrap();
    let error = create(hierarchies, guard.0.path().as_str()).unwrap_err();
    assert!(matches!(error, Error::Frozen { .. }), "{error}");
    guard.0.thaw().unwrap();
}

fn a_failing_create_removes_the_levels_it_made(hierarchies: &Hierarchies) {
    let guard = Guard::empty(hierarchies);
    // The last hierarchy has the leaf already, with a process in it.
    let (_, last) = guard.0.paths().last().unwrap();
    fs::create_dir_all(last.join("a/b")).unwrap();
    let shell = Shell::new();
    fs::write(last.join("a/b/cgroup.procs"), shell.child.id().to_string()).unwrap();
    assert!(create(hierarchies, &format!("{}/a/b", guard.0.path())).is_err());
    let left: Vec<_> =
        guard.0.paths().map(|(_, path)| path.join("a")).filter(|path| path.exists()).collect();
    assert_eq!(left, [last.join("a")]);
}

fn undoing_a_create_removes_its_parents_unless_they_are_used(hierarchies: &Hierarchies) {
    let parent = own_path();
    let _parents = Guard(Cgroup::open(hierarchies.clone(), parent.clone()).unwrap());
    let first = create(hierarchies, &format!("{parent}/x/first")).unwrap();
    let second = create(hierarchies, &format!("{parent}/second")).unwrap();
    first.undo_create(LIMIT).unwrap();
    assert!(!first.paths().any(|(_, path)| path.parent().unwrap().exists()));
    assert!(second.paths().all(|(_, path)| path.exists()));
    // Used, but not made: stays.
    create(hierarchies, second.path().as_str()).unwrap().undo_create(LIMIT).unwrap();
    assert!(second.paths().all(|(_, path)| path.exists()));
    second.undo_create(LIMIT).unwrap();
    assert!(second.paths().all(|(_, path)| path.parent().unwrap().exists()), "made by another");
}

fn freezing_stops_and_thawing_goes_on(hierarchies: &Hierarchies) {
    let guard = Guard::empty(hierarchies);
    let mut shell = Shell::within(&guard.0);
    guard.0.freeze(LIMIT).unwrap();
    assert!(guard.0.is_frozen().unwrap());
    guard.0.kill_all(Signal::TERM).unwrap();
    assert!(guard.0.is_frozen().unwrap(), "a frozen cgroup stays frozen");
    guard.0.thaw().unwrap();
    assert!(!guard.0.is_frozen().unwrap());
    assert_eq!(shell.child.wait().unwrap().signal(), Some(15));
}

fn killing_reaches_frozen_processes_of_either_freezer(hierarchies: &Hierarchies) {
    let guard = Guard::empty(hierarchies);
    let mut first = Shell::within(&guard.0);
    guard.0.freeze(LIMIT).unwrap();
    guard.0.kill_all(Signal::KILL).unwrap();
    assert_eq!(first.child.wait().unwrap().signal(), Some(9));
    guard.0.thaw().unwrap();
    let v1 = |h: &creel_cgroups::Hierarchy| h.controllers.contains(Controller::Freezer);
    if let Some((_, freezer)) = guard.0.paths().find(|(h, _)| v1(h)) {
        let mut second = Shell::within(&guard.0);
        fs::write(freezer.join("freezer.state"), "FROZEN").unwrap();
        assert!(guard.0.is_frozen().unwrap());
        guard.0.kill_all(Signal::KILL).unwrap();
        assert_eq!(second.child.wait().unwrap().signal(), Some(9));
    }
}

fn processes_that_go_on_forking_are_all_killed(hierarchies: &Hierarchies) {
    let limited = Resources { pids: Pids { limit: Some(500) }, ..Resources::default() };
    let resources =
        if hierarchies.v1(Controller::Pids).is_some() { limited } else { Resources::default() };
    let guard = Guard::new(hierarchies, &resources);
    let mut shell = Shell::within(&guard.0);
    // Each process forks the next one and ends a little later.
    let line = "f() { (f 2>&-) & exec /bin/sleep 0.02; }; (f) & wait";
    writeln!(shell.input, "{line}").unwrap();
    while guard.0.processes().unwrap().len() < 3 {
        std::thread::yield_now();
    }
    guard.0.kill_all(Signal::KILL).unwrap();
    shell.child.wait().unwrap();
    guard.0.remove(LIMIT).unwrap();
}

fn a_process_of_exec_can_be_put_into_a_cgroup_below(hierarchies: &Hierarchies) {
    let guard = Guard::empty(hierarchies);
    let below = create(hierarchies, &format!("{}/sub", guard.0.path())).unwrap();
    let open = || Cgroup::open(hierarchies.clone(), guard.0.path().clone()).unwrap();
    let sub = open().below(&[SubCgroup::parse("/sub").unwrap()]).unwrap();
    let shell = Shell::within(&sub);
    assert_eq!(below.processes().unwrap(), [shell.pid()]);
    drop(shell);
    let one = open().below(&[SubCgroup::parse("memory:sub").unwrap()]);
    assert_eq!(one.is_ok(), hierarchies.v1(Controller::Memory).is_some());
    if let Ok(one) = one {
        let shell = Shell::within(&one);
        let text = fs::read_to_string(format!("/proc/{}/cgroup", shell.child.id())).unwrap();
        let line =
            |name: &str| text.lines().find(|line| line.contains(name)).unwrap().ends_with("/sub");
        assert_eq!([line(":memory:"), line(":pids:")], [true, false]);
    }
}

fn where_a_process_has_moved_below_is_found(hierarchies: &Hierarchies) {
    let guard = Guard::empty(hierarchies);
    let (own, v2) = (guard.0.path().as_str(), guard.0.v2().unwrap().unwrap());
    rustix::fs::mkdirat(v2, "sub", 0o755.into()).unwrap();
    let found = |line: &str| guard.0.v2_below(line);
    let inode = |fd: &std::os::fd::OwnedFd| rustix::fs::fstat(fd).unwrap().st_ino;
    let below = found(&format!("4:memory:/x\n0::/{own}/sub\n")).unwrap().unwrap();
    let sub = rustix::fs::statat(v2, "sub", rustix::fs::AtFlags::empty()).unwrap();
    assert_eq!(inode(&below), sub.st_ino);
    for elsewhere in
        [format!("0::/{own}"), format!("0::/{own}-sub/a"), "0::/".to_owned(), String::new()]
    {
        assert!(found(&elsewhere).unwrap().is_none(), "{elsewhere}");
    }
    for wrong in ["..", "sub/../..", "gone"] {
        assert!(found(&format!("0::/{own}/{wrong}")).is_err(), "{wrong}");
    }
}

#[test]
fn a_cgroup_below_is_named_by_controllers_that_exist_and_a_path_that_stays_below() {
    assert!(SubCgroup::parse("nope:/a").is_err());
    assert!(SubCgroup::parse("cpu:/../a").is_err());
    assert_eq!(SubCgroup::parse("/").unwrap(), SubCgroup { controllers: None, path: None });
}

on_each_layout!(
    a_cgroup_is_made_in_every_hierarchy_and_removed,
    a_process_joins_every_hierarchy,
    joining_can_leave_v2_out,
    a_thread_enters_the_v1_hierarchies_by_itself,
    a_cgroup_that_is_gone_from_one_hierarchy_cannot_be_entered,
    v2_can_be_made_before_v1,
    a_later_process_kills_and_removes_by_path_alone,
    removing_waits_for_processes_that_end_and_takes_the_cgroups_below,
    a_populated_cgroup_is_refused_and_an_empty_one_used,
    a_frozen_cgroup_is_refused,
    a_failing_create_removes_the_levels_it_made,
    undoing_a_create_removes_its_parents_unless_they_are_used,
    freezing_stops_and_thawing_goes_on,
    killing_reaches_frozen_processes_of_either_freezer,
    processes_that_go_on_forking_are_all_killed,
    a_process_of_exec_can_be_put_into_a_cgroup_below; with v2:
    a_process_can_be_cloned_into_the_v2_cgroup,
    where_a_process_has_moved_below_is_found
);
