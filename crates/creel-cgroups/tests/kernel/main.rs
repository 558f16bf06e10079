//! The real kernel, as root; each test in a cgroup of its own, on each layout that this machine can show: a hybrid one
//! also has a pure v2 view (its `unified` tree) and a pure v1 view (all but that).
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

/// Makes a test of each function for each layout that it is about, so that what this machine cannot show is a skip of
/// its own.
macro_rules! on_each_layout {
    ($($test:ident),* $(; with v2: $($v2:ident),*)? $(; with v1: $($v1:ident),*)? $(,)?) => {
        mod hybrid {
            tests_on!(Hybrid: $($test)* $($($v2)*)? $($($v1)*)?);
        }
        mod v1 {
            tests_on!(V1: $($test)* $($($v1)*)?);
        }
        mod v2 {
            tests_on!(V2: $($test)* $($($v2)*)?);
        }
    };
}

macro_rules! tests_on {
    ($layout:ident: $($test:ident)*) => {
        $(#[test]
        fn $test() {
            $crate::on(creel_cgroups::Layout::$layout, super::$test);
        })*
    };
}

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

use creel_cgroups::{
    Cgroup, CgroupPath, Controller, Controllers, Hierarchies, Layout, Resources, Version,
};
use rustix::process::{Pid, Signal};

/// Nothing here takes as long; it is only there so that a fault does not hang the tests.
const LIMIT: Duration = Duration::from_secs(10);

/// Runs a test on a layout, if this machine can show it.
fn on(layout: Layout, test: impl Fn(&Hierarchies)) {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    let found = Hierarchies::detect(Path::new("/sys/fs/cgroup")).unwrap();
    let shown = match (found.layout(), layout) {
        (there, wanted) if there == wanted => found,
        (Layout::Hybrid, Layout::V2) => {
            Hierarchies::detect(Path::new("/sys/fs/cgroup/unified")).unwrap()
        }
        (Layout::Hybrid, _) => {
            let v1 = found.list().iter().filter(|h| h.version == Version::V1).cloned().collect();
            Hierarchies::from_list(found.root(), v1).unwrap()
        }
        (there, _) => return println!("skipped: the layout of this machine is {there:?}"),
    };
    assert_eq!(shown.layout(), layout);
    test(&shown);
}

/// On v2 whether there is a controller is the kernel's to say; here it is asked before.
fn has(hierarchies: &Hierarchies, controller: Controller) -> bool {
    let v2 = hierarchies.list().iter().find(|h| h.name == ".").is_some_and(|_| {
        let names = fs::read_to_string(hierarchies.root().join("cgroup.controllers")).unwrap();
        Controllers::from_v2_names(&names).contains(controller)
    });
    v2 || hierarchies.v1(controller).is_some()
}

/// Whether a test cannot run for want of a controller; it has then said so.
fn lacks(hierarchies: &Hierarchies, controller: Controller) -> bool {
    let lacks = !has(hierarchies, controller);
    if lacks {
        println!("skipped: there is no controller {}", controller.v1_name());
    }
    lacks
}

/// The same, for a controller of v2.
fn lacks_on_v2(hierarchies: &Hierarchies, controller: Controller) -> bool {
    let is_v1 = hierarchies.v1(controller).is_some();
    if is_v1 {
        println!("skipped: {} is in a v1 hierarchy", controller.v1_name());
    }
    is_v1 || lacks(hierarchies, controller)
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
        self.find(file).unwrap()
    }

    fn find(&self, file: &str) -> Option<String> {
        let found = self.0.paths().map(|(_, path)| path.join(file)).find(|path| path.exists())?;
        Some(fs::read_to_string(found).unwrap().trim().to_owned())
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
