//! What is behind each kind of step: the rule of the specification and the kernel's part, for `creel plan --explain`.

use std::fmt;

/// Why a step exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The kind of the step.
    pub step: &'static str,
    /// The section of the runtime specification.
    pub section: &'static str,
    /// The rule in our own words.
    pub rule: &'static str,
    /// The system calls that carry it out.
    pub calls: &'static str,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.step)?;
        writeln!(f, "  rule     {}", self.rule)?;
        writeln!(f, "  section  {}", self.section)?;
        writeln!(f, "  kernel   {}", self.calls)
    }
}

/// What is behind the steps of this kind, whatever the case of the letters.
#[must_use]
pub fn explain(step: &str) -> Option<&'static Explanation> {
    EXPLANATIONS.iter().find(|explanation| explanation.step.eq_ignore_ascii_case(step))
}

/// Every kind of step that a plan may show.
pub fn step_kinds() -> impl Iterator<Item = &'static str> {
    EXPLANATIONS.iter().map(|explanation| explanation.step)
}

const fn row(
    step: &'static str,
    section: &'static str,
    rule: &'static str,
    calls: &'static str,
) -> Explanation {
    Explanation { step, section, rule, calls }
}

const EXPLANATIONS: &[Explanation] = &[
    row(
        "OpenNamespace",
        "config-linux.md#namespaces",
        "A namespace with a path is joined, and a path that is no namespace of that type is an error. It is opened and checked before anything is made.",
        "open(2), ioctl(NS_GET_NSTYPE)",
    ),
    row(
        "Cgroup",
        "config-linux.md#cgroups-path",
        "An absolute path counts from the root of each hierarchy, a relative one from a place of the runtime's choice (/creel), and the same path always means the same cgroup.",
        "mkdirat(2), and on v2 clone3(2) with CLONE_INTO_CGROUP",
    ),
    row(
        "CgroupSetting",
        "config-linux.md#control-groups",
        "Every limit that is asked for is set before the program runs, and one that cannot be set is an error.",
        "openat(2), write(2)",
    ),
    row(
        "DeviceProgram",
        "config-linux.md#allowed-device-list",
        "The last rule that matches decides which devices may be opened and made. cgroup v2 has no file for it, but runs a program.",
        "bpf(2): BPF_PROG_LOAD, BPF_PROG_ATTACH",
    ),
    row(
        "JoinNamespace",
        "config-linux.md#namespaces",
        "A namespace with a path is joined. A pid namespace takes in children only, so the creator enters it for the clone and returns.",
        "setns(2)",
    ),
    row(
        "TimeOffset",
        "config-linux.md#offset-for-time-namespace",
        "The monotonic and the boot-time clock of a new time namespace may be offset, before the first process is in it.",
        "unshare(2), write(2) to /proc/self/timens_offsets",
    ),
    row(
        "Clone",
        "config-linux.md#namespaces",
        "A namespace without a path is made for the container, one that is not listed is the caller's.",
        "clone3(2) with CLONE_PIDFD",
    ),
    row(
        "SessionKeyring",
        "no section: a convention of runtimes, off with --no-new-keyring",
        "The container does not see the keys of whoever created it.",
        "keyctl(2): KEYCTL_JOIN_SESSION_KEYRING",
    ),
    row(
        "Loopback",
        "no section: a convention of runtimes",
        "A new network namespace has a loopback interface that is down. Programs expect it to be up.",
        "ioctl(2): SIOCSIFFLAGS",
    ),
    row(
        "Home",
        "no section: a convention of runtimes",
        "An environment without HOME gets the user's home of the container's /etc/passwd, or /.",
        "openat2(2), read(2)",
    ),
    row(
        "Hostname",
        "config.md#hostname",
        "The host name inside the container, in its UTS namespace.",
        "sethostname(2)",
    ),
    row(
        "Domainname",
        "config.md#domainname",
        "The NIS domain name inside the container, in its UTS namespace.",
        "setdomainname(2)",
    ),
    row(
        "RootPropagation",
        "config-linux.md#rootfs-mount-propagation",
        "While the container is built nothing that is mounted reaches the host. In the end the root has the propagation that the config asks for.",
        "mount(2) with MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE",
    ),
    row(
        "MakeRoot",
        "config.md#root",
        "The path is an existing directory, relative to the bundle or absolute. From here on every name inside it is resolved beneath this one descriptor.",
        "open_tree(2), move_mount(2), openat2(2)",
    ),
    row(
        "Mount",
        "config.md#mounts",
        "Mounts are made in the order of the list. Options that are no flags belong to the filesystem.",
        "fsopen(2), fsconfig(2), fsmount(2), or open_tree(2); mount_setattr(2), move_mount(2)",
    ),
    row(
        "AwaitGo",
        "config-linux.md#control-groups",
        "The process is in its cgroups before it does anything that they should count or limit. Mounts that need no cgroup are made meanwhile.",
        "recvmsg(2)",
    ),
    row(
        "CgroupNamespace",
        "config-linux.md#namespaces",
        "The root of a cgroup namespace is the cgroup its maker was in: so it is made after the process was moved.",
        "unshare(2): CLONE_NEWCGROUP",
    ),
    row(
        "Device",
        "config-linux.md#default-devices",
        "null, zero, full, random, urandom and tty are always there, and so is each device of the config. Nothing is made in a /dev that is the host's.",
        "mknodat(2), fchownat(2), fchmodat(2)",
    ),
    row(
        "DeviceLink",
        "runtime-linux.md#dev-symbolic-links",
        "/dev/fd, /dev/stdin, /dev/stdout and /dev/stderr lead to the process' own descriptors; /dev/ptmx to the container's own terminals.",
        "symlinkat(2)",
    ),
    row(
        "Console",
        "config.md#process",
        "With a terminal the standard streams are a pseudoterminal of the container's own, and /dev/console is it too.",
        "openat(2) of ptmx, ioctl(2): TIOCGPTPEER, TIOCSCTTY, TIOCSWINSZ; sendmsg(2): SCM_RIGHTS",
    ),
    row(
        "Streams",
        "no section: a convention of runtimes",
        "The user of the process can open its own /dev/stdout again.",
        "fchown(2)",
    ),
    row(
        "RequestHooks",
        "config.md#posix-platform-hooks",
        "prestart and createRuntime hooks run in the namespaces of the runtime, when the container's are made and its root is not yet entered.",
        "sendmsg(2), recvmsg(2)",
    ),
    row(
        "CreateContainerHooks",
        "config.md#posix-platform-hooks",
        "createContainer hooks run in the container's namespaces, found by a path of the host, before the root is entered.",
        "fork(2), execve(2)",
    ),
    row(
        "Hook",
        "config.md#posix-platform-hooks",
        "Hooks run in the order of the list, with the state on their standard input. A failure before start ends the container; one after delete is a warning.",
        "fork(2), execve(2), poll(2)",
    ),
    row(
        "Pivot",
        "config.md#root",
        "The root filesystem becomes the root of the process, and the host's is gone.",
        "pivot_root(2), umount2(2): MNT_DETACH",
    ),
    row(
        "MoveRoot",
        "config.md#root",
        "As pivot_root refuses a root on a ramfs, the root is moved over / instead.",
        "move_mount(2), chroot(2)",
    ),
    row(
        "Chroot",
        "config.md#root",
        "Without a mount namespace of its own the process only changes its root.",
        "chroot(2)",
    ),
    row(
        "Sysctl",
        "config-linux.md#sysctl",
        "Kernel parameters of the container's namespaces, written before the program runs. Parameters of the host are refused.",
        "openat(2), write(2) below /proc/sys",
    ),
    row(
        "Mask",
        "config-linux.md#masked-paths",
        "The path cannot be read from inside. One that does not exist needs no mask. Masks come after all mounts, as a later one could uncover them.",
        "openat2(2), open_tree(2), move_mount(2)",
    ),
    row(
        "ReadonlyPath",
        "config-linux.md#readonly-paths",
        "The path cannot be written to from inside; one that does not exist is passed over.",
        "open_tree(2), mount_setattr(2), move_mount(2)",
    ),
    row(
        "RootReadonly",
        "config.md#root",
        "With readonly the root filesystem cannot be written to from inside.",
        "mount_setattr(2)",
    ),
    row(
        "WorkingDirectory",
        "config.md#process",
        "The program starts in this directory, an absolute path inside the container. It is checked to be inside.",
        "openat2(2), fchdir(2)",
    ),
    row(
        "OomScoreAdj",
        "config.md#linux-process",
        "The kernel's preference when it has to end a process for want of memory.",
        "write(2) to /proc/self/oom_score_adj",
    ),
    row(
        "Rlimit",
        "config.md#posix-process",
        "Soft and hard limits by type, each type once.",
        "prlimit(2)",
    ),
    row(
        "Scheduler",
        "config.md#linux-process",
        "The policy by which the kernel gives the process time.",
        "sched_setattr(2)",
    ),
    row(
        "IoPriority",
        "config.md#linux-process",
        "The class and priority by which the kernel serves the process' input and output.",
        "ioprio_set(2)",
    ),
    row(
        "Affinity",
        "config.md#linux-process",
        "The CPUs of an exec's process are those of execCPUAffinity; otherwise the caller's own binding is taken off.",
        "sched_setaffinity(2)",
    ),
    row(
        "Personality",
        "config-linux.md#personality",
        "The execution domain, LINUX or LINUX32.",
        "personality(2)",
    ),
    row(
        "MemoryPolicy",
        "config-linux.md#memory-policy",
        "From which nodes the process gets its memory.",
        "set_mempolicy(2)",
    ),
    row(
        "Umask",
        "config.md#posix-platform-user",
        "The umask of the process; 0022 when none is given.",
        "umask(2)",
    ),
    row(
        "DropBounding",
        "config.md#linux-process",
        "What is not in the bounding set can never be had again.",
        "prctl(2): PR_CAPBSET_DROP",
    ),
    row(
        "Identity",
        "config.md#posix-platform-user",
        "The user, group and other groups of the process, as the container counts them.",
        "setgroups(2), setresgid(2), setresuid(2)",
    ),
    row(
        "SetCapabilities",
        "config.md#linux-process",
        "The program has these capabilities. One that the kernel does not know or the caller does not have is a warning, no error.",
        "capset(2), prctl(2): PR_CAP_AMBIENT",
    ),
    row(
        "NoNewPrivileges",
        "config.md#linux-process",
        "No program that is executed from here on can give more privileges.",
        "prctl(2): PR_SET_NO_NEW_PRIVS",
    ),
    row(
        "AppArmor",
        "config.md#linux-process",
        "The program is confined by this profile from its exec on.",
        "write(2) to /proc/self/attr/apparmor/exec",
    ),
    row(
        "Selinux",
        "config.md#linux-process",
        "The program has this label from its exec on.",
        "write(2) to /proc/self/attr/exec",
    ),
    row(
        "LoadSeccomp",
        "config-linux.md#seccomp",
        "The system calls of the program are filtered. The filter comes last, as it may forbid what the steps before it do.",
        "seccomp(2): SECCOMP_SET_MODE_FILTER",
    ),
    row(
        "LookUpProgram",
        "config.md#process",
        "args[0] is found along PATH, and proven to be a program that the user may execute: what can fail, fails in create.",
        "openat2(2), faccessat2(2)",
    ),
    row(
        "Exec",
        "runtime.md#start",
        "The program of process.args replaces the init, when start is called.",
        "execveat(2)",
    ),
    row(
        "RemoveCgroup",
        "runtime.md#delete",
        "What create made, delete removes.",
        "unlinkat(2): AT_REMOVEDIR",
    ),
];
