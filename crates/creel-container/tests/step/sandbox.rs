//! A process with namespaces of its own, a root filesystem in a tmpfs, and a child's belongings.

#![expect(unsafe_code, reason = "fork, and unshare of everything at once")]

use std::io::{Read, Write};
use std::os::fd::FromRawFd;
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::{fs, ptr};

use crate::step::{Child, Failure, MakeRoot, Step, Text, procfs};

/// Where the tmpfs of each sandbox is mounted; nobody else sees it there.
const PLACE: &str = "/mnt";

pub(super) fn text(value: &str) -> Text {
    Text::new(value).unwrap()
}

/// What a test works with, in its own process.
pub(super) struct Sandbox {
    pub(super) child: Child,
}

impl Sandbox {
    /// A path of the root filesystem, as the host sees it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        rootfs().join(name.trim_start_matches('/'))
    }

    /// A path beside the root filesystem, which no step may touch.
    pub(super) fn outside(&self, name: &str) -> PathBuf {
        Path::new(PLACE).join("outside").join(name)
    }

    pub(super) fn execute(&mut self, step: impl std::borrow::Borrow<Step>) -> Result<(), Failure> {
        step.borrow().execute(&mut self.child)
    }

    /// The root becomes a mount of its own.
    pub(super) fn make_root(&mut self) {
        let path = text(rootfs().to_str().unwrap());
        self.execute(Step::MakeRoot(MakeRoot { path, bind: true })).unwrap();
    }

    /// Opens a name in the root, through the mounts that steps made.
    pub(super) fn see(&self, name: &str) -> PathBuf {
        use std::os::fd::AsRawFd;
        let root = self.child.root.as_ref().unwrap().as_owned().as_raw_fd();
        PathBuf::from(format!("/proc/self/fd/{root}/{}", name.trim_start_matches('/')))
    }
}

fn rootfs() -> PathBuf {
    Path::new(PLACE).join("rootfs")
}

/// Runs `test` in a forked process with a sandbox, with the root made a mount; its panic is ours.
pub(super) fn sandbox(test: impl FnOnce(&mut Sandbox)) {
    bare_sandbox(|sandbox| {
        sandbox.make_root();
        test(sandbox);
    });
}

/// The same in a user namespace that knows one id only, with the host's network, ipc and pid namespaces.
pub(super) fn user_sandbox(test: impl FnOnce(&mut Sandbox)) {
    forked(|| {
        // SAFETY: numbers only, in a process with one thread.
        let left = unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) };
        assert_eq!(left, 0, "unshare");
        fs::write("/proc/self/setgroups", "deny").unwrap();
        fs::write("/proc/self/uid_map", "0 0 1").unwrap();
        fs::write("/proc/self/gid_map", "0 0 1").unwrap();
        let mut sandbox = furnish();
        sandbox.make_root();
        test(&mut sandbox);
    });
}

/// The same before the root is made.
pub(super) fn bare_sandbox(test: impl FnOnce(&mut Sandbox)) {
    forked(|| {
        let namespaces = libc::CLONE_NEWNS
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWCGROUP;
        // SAFETY: numbers only, in a process with one thread.
        assert_eq!(unsafe { libc::unshare(namespaces) }, 0, "unshare");
        test(&mut furnish());
    });
}

/// A tmpfs with a root filesystem in it, in a mount namespace of our own.
fn furnish() -> Sandbox {
    rustix::mount::mount_change(
        "/",
        rustix::mount::MountPropagationFlags::PRIVATE | rustix::mount::MountPropagationFlags::REC,
    )
    .unwrap();
    let none = rustix::mount::MountFlags::empty();
    rustix::mount::mount("tmpfs", PLACE, "tmpfs", none, Some(c"mode=755")).unwrap();
    for name in ["rootfs", "rootfs/dev", "rootfs/proc", "rootfs/sys", "rootfs/etc", "outside"] {
        fs::create_dir(Path::new(PLACE).join(name)).unwrap();
    }
    fs::set_permissions(rootfs(), fs::Permissions::from_mode(0o755)).unwrap();
    Sandbox { child: Child::new(procfs::open().unwrap()) }
}

/// Set in a process that runs one test only.
const ALONE: &str = "CREEL_STEP_TEST_ALONE";

/// Runs `test` in a forked process. A panic there is a panic here, with its words.
///
/// Before that this program is executed again for the one test: a fork while other tests run could inherit a lock that
/// one of them holds.
pub(super) fn forked(test: impl FnOnce()) {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    if std::env::var_os(ALONE).is_some() {
        return forked_alone(test);
    }
    let name = std::thread::current().name().unwrap().to_owned();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture", "--test-threads=1"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

fn forked_alone(test: impl FnOnce()) {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for two descriptors.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
    // SAFETY: both were just made and belong to nobody else.
    let mut reader = unsafe { fs::File::from_raw_fd(ends[0]) };
    // SAFETY: as above.
    let mut writer = unsafe { fs::File::from_raw_fd(ends[1]) };
    // SAFETY: the child runs the test and ends by _exit; glibc's fork keeps its allocator usable.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork");
    if pid == 0 {
        drop(reader);
        std::panic::set_hook(Box::new(|_| {}));
        let said = match catch_unwind(AssertUnwindSafe(test)) {
            Ok(()) => "ok".to_owned(),
            Err(panic) => match panic.downcast::<String>() {
                Ok(words) => *words,
                Err(panic) => panic.downcast::<&str>().map_or("panic".into(), |w| (*w).to_owned()),
            },
        };
        drop(writer.write_all(said.as_bytes()));
        drop(writer);
        // SAFETY: ends this process without running what belongs to the parent.
        unsafe { libc::_exit(0) };
    }
    drop(writer);
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    // SAFETY: waits for our own child; no status is asked for.
    unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
    assert_eq!(said, "ok");
}

/// Leaves the mount namespace for a copy of it, as the clone of a container does.
pub(super) fn new_mount_namespace() {
    // SAFETY: a number only, in a process with one thread.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNS) }, 0, "unshare");
}

/// Makes the kernel answer `ENOSYS` to a system call from now on, as an old one would.
pub(super) fn without_syscall(number: libc::c_long) {
    let number = u32::try_from(number).unwrap();
    let instruction =
        |code: u32, jt, jf, k| libc::sock_filter { code: u16::try_from(code).unwrap(), jt, jf, k };
    let errno = libc::SECCOMP_RET_ERRNO | u32::try_from(libc::ENOSYS).unwrap();
    let mut filter = [
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, number),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, errno),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
    // SAFETY: `program` and what it points to live for the call.
    let loaded = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
    };
    assert_eq!(loaded, 0, "seccomp");
}
