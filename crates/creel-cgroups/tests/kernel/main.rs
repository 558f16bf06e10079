//! The real kernel, as root; each test in a cgroup of its own, on each layout that this machine can show: a hybrid one
//! also has a pure v2 view (its `unified` tree) and a pure v1 view (all but that).
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod devices;
mod fake;
mod lifecycle;
mod limits;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use creel_cgroups::{Cgroup, CgroupPath, Hierarchies, Layout, Resources, Version};
use rustix::process::{Pid, Signal};

/// Nothing here takes as long; it is only there so that a fault does not hang the tests.
const LIMIT: Duration = Duration::from_secs(10);

/// Runs a test on each layout.
fn on_each_layout(test: impl Fn(&Hierarchies)) {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    let found = Hierarchies::detect(Path::new("/sys/fs/cgroup")).unwrap();
    test(&found);
    if found.layout() == Layout::Hybrid {
        let v2 = Hierarchies::detect(Path::new("/sys/fs/cgroup/unified")).unwrap();
        assert_eq!(v2.layout(), Layout::V2);
        test(&v2);
        let v1 = found.list().iter().filter(|h| h.version == Version::V1).cloned().collect();
        let v1 = Hierarchies::from_list(found.root(), v1).unwrap();
        assert_eq!(v1.layout(), Layout::V1);
        test(&v1);
    }
}

/// A path that no other test uses.
fn own_path() -> CgroupPath {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    CgroupPath::parse(&format!("/creel-test-{}-{next}", std::process::id())).unwrap()
}

/// A cgroup that is removed with everything in it when the test ends, however it ends.
struct Guard(Cgroup);

impl Guard {
    fn new(hierarchies: &Hierarchies, resources: &Resources) -> Self {
        let settings = resources.compile(hierarchies).unwrap();
        let guard = Self(Cgroup::create(hierarchies.clone(), own_path(), &settings).unwrap());
        guard.0.apply(&settings).unwrap();
        guard
    }

    fn empty(hierarchies: &Hierarchies) -> Self {
        Self::new(hierarchies, &Resources::default())
    }

    fn exists(&self) -> bool {
        self.0.paths().any(|(_, path)| path.exists())
    }

    /// The text of a file, whichever hierarchy has it.
    fn read(&self, file: &str) -> String {
        let found = self.0.paths().map(|(_, path)| path.join(file)).find(|path| path.exists());
        fs::read_to_string(found.unwrap()).unwrap().trim().to_owned()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill_all(Signal::KILL);
        let _ = self.0.remove(LIMIT);
        assert!(std::thread::panicking() || !self.exists(), "left behind: {}", self.0.path());
    }
}

/// A shell in a cgroup that runs one line at a time; killed and reaped when dropped.
struct Shell {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Shell {
    fn new() -> Self {
        let mut command = Command::new("/bin/sh");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) =
            (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    fn within(cgroup: &Cgroup) -> Self {
        let shell = Self::new();
        cgroup.join(shell.pid(), false).unwrap();
        shell
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Runs a line that prints one line.
    fn answer(&mut self, line: &str) -> String {
        writeln!(self.input, "{line}").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
