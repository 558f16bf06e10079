//! The steps: each struct is one thing the child does, each `execute` does it and nothing else.
//!
//! A step owns exactly its data, made by `plan`. It runs in the child between the clone and the exec: one thread, no
//! lock, no environment, nothing printed, few allocations, every descriptor close-on-exec.

mod attach;
mod cgroup_view;
mod child;
mod copy_up;
mod device;
mod diagnosis;
mod executable;
mod execute;
mod failure;
mod filesystem;
mod home;
mod identity;
mod limits;
mod mask;
mod mount;
mod namespace;
mod number;
pub(crate) mod procfs;
mod program;
mod rootfs;
mod security;
mod sysctl;
mod terminal;
mod text;

pub(crate) use child::Child;
pub(crate) use device::{Device, DeviceKind, DeviceLink};
pub(crate) use diagnosis::exec_failure;
pub use failure::{Detail, Failure, Op};
pub(crate) use home::Home;
pub(crate) use identity::{Capabilities, DropBounding, Identity, SetCapabilities, Umask};
pub(crate) use limits::{
    Affinity, IoPriority, MemoryPolicy, OomScoreAdj, Personality, Rlimit, Scheduler,
};
pub(crate) use mask::{Mask, ReadonlyPath};
pub(crate) use mount::{
    Attributes, Bind, CgroupHierarchy, CgroupMount, Filesystem, Links, Mount, MountKind,
    Propagation, Remount,
};
pub use namespace::Kind;
pub(crate) use namespace::{CgroupNamespace, Domainname, Hostname, JoinNamespace, Loopback};
pub(crate) use program::{LookUpProgram, NOT_IN_PATH, Program};
#[cfg(test)]
pub(crate) use rootfs::check_inside;
pub(crate) use rootfs::{
    Chroot, MakeRoot, MoveRoot, Pivot, RootPropagation, RootReadonly, WorkingDirectory,
};
pub(crate) use security::{AppArmor, LoadSeccomp, NoNewPrivileges, Selinux, SessionKeyring};
pub(crate) use sysctl::Sysctl;
pub(crate) use terminal::{Console, Streams};
pub(crate) use text::{ContainerPath, HostPath, Text};

/// One step of the child, in the order in which the plan lists them.
///
/// The discriminants are never reused: tests and failures name steps by their place in the plan, people by these words.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// Enters an existing namespace (`setns(2)`).
    JoinNamespace(JoinNamespace),
    /// A new session keyring (`keyctl(2)`, `KEYCTL_JOIN_SESSION_KEYRING`).
    SessionKeyring(SessionKeyring),
    /// Brings `lo` up.
    Loopback(Loopback),
    /// `sethostname(2)`.
    Hostname(Hostname),
    /// `setdomainname(2)`.
    Domainname(Domainname),
    /// The propagation of the host's mounts as the container's mount namespace sees them while it is built.
    RootPropagation(RootPropagation),
    /// The root filesystem becomes a mount of its own, and the root of all names.
    MakeRoot(MakeRoot),
    /// One entry of `mounts`.
    Mount(Box<Mount>),
    /// Waits until the creator has made the v1 cgroups, and enters them. Nothing may fork before.
    AwaitGo,
    /// A new cgroup namespace, rooted where this process is now.
    CgroupNamespace(CgroupNamespace),
    /// A device node below the root.
    Device(Device),
    /// A symbolic link in `/dev`.
    DeviceLink(DeviceLink),
    /// The container's terminal: pty, `/dev/console`, controlling terminal, standard streams.
    Console(Console),
    /// The standard streams become the user's.
    Streams(Streams),
    /// Asks the creator to run the hooks of the runtime namespace, and waits for them.
    RequestHooks,
    /// Runs the createContainer hooks, here.
    CreateContainerHooks,
    /// `pivot_root(2)` into the root.
    Pivot(Pivot),
    /// Moves the root over `/` and enters it: `--no-pivot`.
    MoveRoot(MoveRoot),
    /// `chroot(2)`, for a container without a mount namespace of its own.
    Chroot(Chroot),
    /// Writes a kernel parameter.
    Sysctl(Sysctl),
    /// Hides a path.
    Mask(Mask),
    /// Makes a path read-only.
    ReadonlyPath(ReadonlyPath),
    /// Makes the root itself read-only.
    RootReadonly(RootReadonly),
    /// Opens, or makes, the working directory and enters it.
    WorkingDirectory(WorkingDirectory),
    /// `/proc/self/oom_score_adj`.
    OomScoreAdj(OomScoreAdj),
    /// `setrlimit(2)`.
    Rlimit(Rlimit),
    /// `sched_setattr(2)`.
    Scheduler(Scheduler),
    /// `ioprio_set(2)`.
    IoPriority(IoPriority),
    /// `sched_setaffinity(2)`.
    Affinity(Affinity),
    /// `personality(2)`.
    Personality(Personality),
    /// `set_mempolicy(2)`.
    MemoryPolicy(MemoryPolicy),
    /// `umask(2)`.
    Umask(Umask),
    /// Drops what is not asked for from the capability bounding set.
    DropBounding(DropBounding),
    /// Groups, gid and uid, with capabilities kept.
    Identity(Identity),
    /// The five capability sets, as the program shall have them.
    SetCapabilities(SetCapabilities),
    /// `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivileges(NoNewPrivileges),
    /// The AppArmor profile of the program, from its exec on.
    AppArmor(AppArmor),
    /// The SELinux label of the program, from its exec on.
    Selinux(Selinux),
    /// Loads the seccomp filter.
    LoadSeccomp(LoadSeccomp),
    /// Finds `HOME`.
    Home(Home),
    /// Finds the program and proves that it can be executed.
    LookUpProgram(LookUpProgram),
}
