//! Our programs answer as the filters that runc loads, fetched from its running containers.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use creel_seccomp::{Arch, Host, Instruction, Options, compile};
use serde_json::{Value, json};

use crate::common::{profile, run};
use crate::oracle::calls;

const BUSYBOX: &str = "/bin/busybox";
/// `PTRACE_SECCOMP_GET_FILTER`
const GET_FILTER: libc::c_uint = 0x420c;

/// A container that is deleted in the end.
struct Container {
    id: String,
    pid: libc::pid_t,
}

impl Container {
    fn start(bundle: &Path, name: &str) -> Self {
        let rootfs = bundle.join("rootfs/bin");
        fs::create_dir_all(&rootfs).unwrap();
        fs::copy(BUSYBOX, rootfs.join("busybox")).unwrap();
        assert!(Command::new("runc").arg("spec").current_dir(bundle).status().unwrap().success());
        let path = bundle.join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let seccomp =
            fs::read(format!("{}/tests/profiles/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap();
        config["linux"]["seccomp"] = serde_json::from_slice(&seccomp).unwrap();
        config["linux"]["resources"] = json!({});
        config["process"]["terminal"] = json!(false);
        config["process"]["rlimits"] = json!([]);
        config["process"]["args"] = json!(["/bin/busybox", "sleep", "600"]);
        fs::write(&path, config.to_string()).unwrap();
        let id = format!("creel-seccomp-{name}-{}", std::process::id());
        let mut container = Self { id, pid: 0 };
        let pid_file = bundle.join("pid");
        let started = Command::new("runc")
            .args(["run", "--detach", "--bundle"])
            .arg(bundle)
            .arg("--pid-file")
            .arg(&pid_file)
            .arg(&container.id)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(started.unwrap().success());
        container.pid = fs::read_to_string(pid_file).unwrap().parse().unwrap();
        container
    }

    fn ptrace(&self, request: libc::c_uint, data: *mut Instruction) -> libc::c_long {
        let none = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: `data` is null or has room for the whole filter.
        let result = unsafe { libc::ptrace(request, self.pid, none, data) };
        assert!(result >= 0, "{request:#x}: {}", std::io::Error::last_os_error());
        result
    }

    fn filter(&self) -> Vec<Instruction> {
        let none = std::ptr::null_mut();
        self.ptrace(libc::PTRACE_SEIZE, none);
        self.ptrace(libc::PTRACE_INTERRUPT, none);
        let mut status = 0;
        // SAFETY: `status` is written; the process is traced by this thread.
        assert_eq!(unsafe { libc::waitpid(self.pid, &raw mut status, libc::__WALL) }, self.pid);
        let length = usize::try_from(self.ptrace(GET_FILTER, none)).unwrap();
        let mut program = vec![Instruction { code: 0, jt: 0, jf: 0, k: 0 }; length];
        self.ptrace(GET_FILTER, program.as_mut_ptr());
        self.ptrace(libc::PTRACE_DETACH, none);
        program
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("runc")
            .args(["delete", "--force", &self.id])
            .stderr(Stdio::null())
            .status();
    }
}

#[test]
fn engines_profiles_answer_as_with_runc() {
    let has_runc = Command::new("runc").arg("--version").stdout(Stdio::null()).status().is_ok();
    if Arch::native() != Arch::X86_64
        || !has_runc
        || !Path::new(BUSYBOX).exists()
        || !rustix::process::geteuid().is_root()
    {
        println!("skipped: needs x86-64, runc, a static busybox and root");
        return;
    }
    for name in ["docker", "podman"] {
        let bundle = tempfile::tempdir().unwrap();
        let theirs = Container::start(bundle.path(), name).filter();
        let ours = compile(&profile(name), &Options::new(Host::ask())).unwrap().program;
        for call in [Arch::X86_64, Arch::X86, Arch::X32, Arch::Arm].into_iter().flat_map(calls) {
            let (found, expected) =
                (run(&ours, &call, false).value, run(&theirs, &call, false).value);
            assert_eq!(found, expected, "{name}: {call:x?}");
        }
        println!("{name}: {} instructions, runc {}", ours.len(), theirs.len());
    }
}
