//! A container whose first process goes for every other one in it: see the checker's `attack`.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bed::Bed;

/// Nothing here takes a tenth of it.
const LIMIT: Duration = Duration::from_secs(60);

/// The container, with `/checker`, and `/quiet`, which nobody inside may read: a process that executes it stays as
/// closed to the others as the runtime is, so whatever they reach of it was the runtime's.
pub(crate) struct Attacker {
    pub(crate) bed: Bed,
    output: PathBuf,
}

/// What a container's processes may do, with what is added to what `spec` gives.
pub(crate) fn capabilities(bed: &mut Bed, more: &[&str]) {
    for set in ["bounding", "effective", "permitted"] {
        let set = &mut bed.config["process"]["capabilities"][set];
        set.as_array_mut().unwrap().extend(more.iter().map(|name| json!(name)));
    }
}

/// What the runtime needs to be executed inside, if it is not linked statically.
fn share_libraries(bed: &mut Bed) {
    for path in ["/lib", "/lib64", "/usr/lib"] {
        if std::path::Path::new(path).exists() {
            bed.config["mounts"].as_array_mut().unwrap().push(json!({
                "destination": path, "type": "bind", "source": path, "options": ["rbind", "ro"]
            }));
        }
    }
}

impl Attacker {
    /// Starts it. `without` names layers that the runtime goes without.
    pub(crate) fn new(without: &'static str, more: &[&str]) -> Option<Self> {
        let mut bed = Bed::new()?;
        bed.without = without;
        let checker = harness::build::checker().unwrap();
        fs::copy(&checker, bed.path("rootfs/checker")).unwrap();
        fs::copy(&checker, bed.path("rootfs/quiet")).unwrap();
        fs::set_permissions(bed.path("rootfs/quiet"), PermissionsExt::from_mode(0o111)).unwrap();
        // Tests run side by side, each with a container of this name.
        let cgroup = bed.path("").file_name().unwrap().to_string_lossy().into_owned();
        bed.config["linux"]["cgroupsPath"] = json!(format!("/creel/attack-{cgroup}"));
        let marker = bed.path("marker");
        fs::write(&marker, "the host's").unwrap();
        bed.config["process"]["args"] = json!(["/checker", "attack", marker]);
        bed.config["process"]["noNewPrivileges"] = json!(false);
        capabilities(&mut bed, more);
        share_libraries(&mut bed);
        let output = bed.path("reached");
        let run = bed
            .command(&["run", "--detach", "attacker"])
            .stdout(File::create(&output).unwrap())
            .stderr(File::create(bed.path("err")).unwrap())
            .status();
        assert!(run.unwrap().success(), "{}", fs::read_to_string(bed.path("err")).unwrap());
        let attacker = Self { bed, output };
        until(|| attacker.said().contains("ready\n").then_some(()));
        Some(attacker)
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }

    /// Executes a program in it, so many times.
    pub(crate) fn execute(&self, times: usize, program: &[&str]) {
        for _ in 0..times {
            let mut exec = self.bed.command(&[&["exec", "attacker"], program].concat());
            let status = exec.stdout(Stdio::null()).status().unwrap();
            assert!(status.success(), "{program:?}: {status}");
        }
    }

    /// Ends it; what it reached.
    pub(crate) fn reached(&self) -> Value {
        fs::write(self.bed.path("rootfs/stop"), "").unwrap();
        let report = until(|| {
            let said = self.said();
            said.lines().nth(1).and_then(|line| serde_json::from_str::<Value>(line).ok())
        });
        println!("{report}");
        report
    }

    /// Whether the runtime's file is another than it was.
    pub(crate) fn has_harmed_the_runtime(&self) -> bool {
        let original = fs::read(env!("CARGO_BIN_EXE_creel")).unwrap();
        fs::read(self.bed.path("creel")).unwrap() != original
    }

    /// Executes a file that makes the kernel execute the runtime in the container: a script whose interpreter is
    /// `/proc/self/exe`. No look-up can tell, since nobody may read it. Again and again, until the attacker has its
    /// hand on the executable.
    pub(crate) fn execute_the_runtime(&self) {
        let script = self.bed.path("rootfs/script");
        fs::write(&script, "#!/proc/self/exe --root\n").unwrap();
        fs::set_permissions(&script, PermissionsExt::from_mode(0o111)).unwrap();
        let caught = self.bed.path("rootfs/caught");
        until(|| {
            // The command line is: creel --root /script --version.
            let output = self.bed.run(&["exec", "attacker", "/script", "--version"]);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.starts_with("creel version"), "the runtime is not executed: {output:?}");
            caught.exists().then_some(())
        });
    }
}

fn until<T>(mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited for {LIMIT:?}");
        std::thread::yield_now();
    }
}
