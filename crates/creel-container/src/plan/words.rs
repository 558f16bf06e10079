//! What each step does, in one line for people: in plans, and in the errors of steps.

use std::fmt;

use crate::step::{
    Affinity, Attributes, Bind, CgroupMount, Device, DeviceKind, Filesystem, Identity, LoadSeccomp,
    Mount, MountKind, Personality, Propagation, Rlimit, Scheduler, SetCapabilities, Step,
};
use crate::validate::CAPABILITIES;

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::JoinNamespace(it) => {
                write!(f, "join the {} namespace {}", it.kind.word(), it.path)
            }
            Self::SessionKeyring(it) => {
                write!(f, "make the session keyring {}", it.name)?;
                it.label.as_ref().map_or(Ok(()), |label| write!(f, ", labelled {label}"))
            }
            Self::Loopback(_) => f.write_str("bring lo up"),
            Self::Home(it) => it.fmt(f),
            Self::Hostname(it) => write!(f, "set the host name {}", it.name),
            Self::Domainname(it) => write!(f, "set the domain name {}", it.name),
            Self::RootPropagation(it) => write!(f, "make / {}", propagation_word(it.flags)),
            Self::MakeRoot(it) if it.bind => write!(f, "make the root a mount of {}", it.path),
            Self::MakeRoot(it) => write!(f, "open the root {}", it.path),
            Self::Mount(it) => it.fmt(f),
            Self::AwaitGo => f.write_str("wait until the process is in all its cgroups"),
            Self::CgroupNamespace(_) => f.write_str("make a cgroup namespace"),
            Self::Device(it) => it.fmt(f),
            Self::DeviceLink(it) => write!(f, "link {} to {}", it.path, it.target),
            Self::Console(it) if it.size == (0, 0) => f.write_str("open a terminal"),
            Self::Console(it) => {
                write!(f, "open a terminal of {} columns and {} rows", it.size.0, it.size.1)
            }
            Self::Streams(it) => write!(f, "give the standard streams to user {}", it.uid),
            Self::RequestHooks => f.write_str("wait for the prestart and createRuntime hooks"),
            Self::CreateContainerHooks => f.write_str("run the createContainer hooks"),
            Self::Pivot(_) => f.write_str("pivot into the root"),
            Self::MoveRoot(_) => f.write_str("move the root over /"),
            Self::Chroot(_) => f.write_str("change into the root"),
            Self::Sysctl(it) => write!(f, "write {} to /proc/sys/{}", it.value, it.file),
            Self::Mask(it) => write!(f, "mask {}", it.path),
            Self::ReadonlyPath(it) => write!(f, "make {} read-only", it.path),
            Self::RootReadonly(_) => f.write_str("make the root read-only"),
            Self::WorkingDirectory(it) => write!(f, "enter the working directory {}", it.path),
            Self::OomScoreAdj(it) => write!(f, "adjust the oom score by {}", it.value),
            Self::Rlimit(it) => it.fmt(f),
            Self::Scheduler(it) => it.fmt(f),
            Self::IoPriority(it) => {
                write!(f, "set io class {}, priority {}", it.class, it.priority)
            }
            Self::Affinity(it) => it.fmt(f),
            Self::Personality(it) => it.fmt(f),
            Self::MemoryPolicy(it) => {
                write!(f, "set memory policy {:#x}, nodes {:x?}", it.mode, it.nodes)
            }
            Self::Umask(it) => write!(f, "set the umask {:04o}", it.mask),
            Self::DropBounding(it) => write!(f, "bound capabilities to {}", Names(it.keep)),
            Self::Identity(it) => it.fmt(f),
            Self::SetCapabilities(it) => it.fmt(f),
            Self::NoNewPrivileges(_) => f.write_str("gain no new privileges by exec"),
            Self::AppArmor(it) => write!(f, "exec with the AppArmor profile {}", it.profile),
            Self::Selinux(it) => write!(f, "exec with the SELinux label {}", it.label),
            Self::LoadSeccomp(it) => it.fmt(f),
            Self::LookUpProgram(it) => write!(f, "find the program {}", it.name),
        }
    }
}

impl fmt::Display for Rlimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit {} to {} of {}", self.name, Limit(self.soft), Limit(self.hard))
    }
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = match self.policy {
            0 => "SCHED_OTHER",
            1 => "SCHED_FIFO",
            2 => "SCHED_RR",
            3 => "SCHED_BATCH",
            5 => "SCHED_IDLE",
            6 => "SCHED_DEADLINE",
            _ => "an unknown policy",
        };
        write!(f, "schedule by {policy}, nice {}, priority {}", self.nice, self.priority)
    }
}

impl fmt::Display for Affinity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cpus.as_slice() {
            [] => f.write_str("run on every CPU"),
            cpus => write!(f, "run on the CPUs {cpus:?}"),
        }
    }
}

impl fmt::Display for Personality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "take the personality {}", if self.domain == 0 { "LINUX" } else { "LINUX32" })
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            MountKind::Filesystem(Filesystem { fstype, copy_up, label, .. }) => {
                write!(f, "mount {fstype} on {}", self.destination)?;
                if *copy_up {
                    f.write_str(", with what is there")?;
                }
                if let Some(label) = label {
                    write!(f, ", labelled {label}")?;
                }
            }
            MountKind::Bind(bind) => {
                let tree = if bind.recursive { "the tree " } else { "" };
                write!(f, "bind {tree}{} on {}", bind.source, self.destination)?;
                if bind.links.copy {
                    f.write_str(", a link as a link")?;
                }
            }
            MountKind::Remount(_) => write!(f, "remount {}", self.destination)?,
            MountKind::Cgroup(CgroupMount { namespaced: true, .. }) => {
                write!(f, "mount cgroups on {}", self.destination)?;
            }
            MountKind::Cgroup(_) => {
                write!(f, "bind the container's cgroups on {}", self.destination)?;
            }
        }
        let words = options(self);
        if words.is_empty() { Ok(()) } else { write!(f, " ({})", words.join(",")) }
    }
}

/// The options of a mount as the config would write them.
fn options(mount: &Mount) -> Vec<String> {
    let mut words: Vec<String> = attribute_words(mount.attributes).map(str::to_owned).collect();
    words.extend(attribute_words(mount.recursive).map(|word| format!("r{word}")));
    let propagation = |it: &Propagation| it.flag | if it.recursive { libc::MS_REC } else { 0 };
    words.extend(mount.propagation.iter().map(|it| propagation_word(propagation(it)).to_owned()));
    let data = match &mount.kind {
        MountKind::Filesystem(filesystem) => filesystem.options.as_slice(),
        MountKind::Remount(remount) => remount.options.as_slice(),
        MountKind::Bind(_) | MountKind::Cgroup(_) => &[],
    };
    if let MountKind::Bind(Bind { links, .. }) = &mount.kind {
        let given =
            [(links.keep_source, "src-nofollow"), (links.keep_destination, "dest-nofollow")];
        words.extend(given.into_iter().filter(|(is, _)| *is).map(|(_, word)| word.to_owned()));
    }
    words.extend(data.iter().map(|(key, value)| match value {
        Some(value) => format!("{key}={value}"),
        None => key.to_string(),
    }));
    words
}

fn attribute_words(attributes: Attributes) -> impl Iterator<Item = &'static str> {
    const WORDS: [(u64, &str, &str); 6] = [
        (0x1, "ro", "rw"),
        (0x2, "nosuid", "suid"),
        (0x4, "nodev", "dev"),
        (0x8, "noexec", "exec"),
        (0x80, "nodiratime", "diratime"),
        (0x20_0000, "nosymfollow", "symfollow"),
    ];
    let atime = (attributes.clear & 0x70 != 0).then_some(match attributes.set & 0x70 {
        0x10 => "noatime",
        0x20 => "strictatime",
        _ => "relatime",
    });
    let flags = WORDS.into_iter().filter_map(move |(bit, set, clear)| {
        if attributes.set & bit != 0 {
            Some(set)
        } else {
            (attributes.clear & bit != 0).then_some(clear)
        }
    });
    flags.chain(atime)
}

fn propagation_word(flags: u64) -> &'static str {
    let recursive = flags & libc::MS_REC != 0;
    match (flags & !libc::MS_REC, recursive) {
        (libc::MS_SHARED, true) => "rshared",
        (libc::MS_SHARED, false) => "shared",
        (libc::MS_SLAVE, true) => "rslave",
        (libc::MS_SLAVE, false) => "slave",
        (libc::MS_PRIVATE, true) => "rprivate",
        (libc::MS_PRIVATE, false) => "private",
        (_, true) => "runbindable",
        (_, false) => "unbindable",
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "make {} a ", self.path)?;
        let (major, minor) = self.number;
        match self.kind {
            DeviceKind::Char => write!(f, "character device {major}:{minor}")?,
            DeviceKind::Block => write!(f, "block device {major}:{minor}")?,
            DeviceKind::Fifo => f.write_str("fifo")?,
        }
        write!(f, ", mode {:04o}", self.mode)?;
        if (self.uid, self.gid) != (0, 0) {
            write!(f, ", owner {}:{}", self.uid, self.gid)?;
        }
        Ok(())
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "become user {}, group {}", self.uid, self.gid)?;
        match &self.groups {
            None => f.write_str(", keep the other groups"),
            Some(groups) if groups.is_empty() => Ok(()),
            Some(groups) => write!(f, ", other groups {groups:?}"),
        }
    }
}

impl fmt::Display for SetCapabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set the capabilities {}", Names(self.sets.effective))?;
        for (name, set) in [
            ("permitted", self.sets.permitted),
            ("inheritable", self.sets.inheritable),
            ("ambient", self.sets.ambient),
        ] {
            if set != self.sets.effective {
                write!(f, ", {name} {}", Names(set))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for LoadSeccomp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("load the seccomp filter")?;
        if self.filter.listener.is_some() {
            f.write_str(" and send its listener")?;
        }
        Ok(())
    }
}

/// Capabilities by name: `all 41`, `none`, or the names without `CAP_`.
struct Names(u64);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            CAPABILITIES.iter().enumerate().filter(|(number, _)| self.0 & (1 << number) != 0);
        match self.0.count_ones() {
            0 => return f.write_str("none"),
            41 => return f.write_str("all"),
            _ => {}
        }
        for (i, (_, name)) in names.enumerate() {
            let name = name.strip_prefix("CAP_").unwrap_or(name);
            write!(f, "{}{name}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// A resource limit; the greatest number is none.
struct Limit(u64);

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            u64::MAX => f.write_str("unlimited"),
            value => write!(f, "{value}"),
        }
    }
}

impl Step {
    /// The name of its kind, as `creel plan --explain` takes it.
    #[must_use]
    pub const fn kind_word(&self) -> &'static str {
        match self {
            Self::JoinNamespace(_) => "JoinNamespace",
            Self::SessionKeyring(_) => "SessionKeyring",
            Self::Loopback(_) => "Loopback",
            Self::Home(_) => "Home",
            Self::Hostname(_) => "Hostname",
            Self::Domainname(_) => "Domainname",
            Self::RootPropagation(_) => "RootPropagation",
            Self::MakeRoot(_) => "MakeRoot",
            Self::Mount(_) => "Mount",
            Self::AwaitGo => "AwaitGo",
            Self::CgroupNamespace(_) => "CgroupNamespace",
            Self::Device(_) => "Device",
            Self::DeviceLink(_) => "DeviceLink",
            Self::Console(_) => "Console",
            Self::Streams(_) => "Streams",
            Self::RequestHooks => "RequestHooks",
            Self::CreateContainerHooks => "CreateContainerHooks",
            Self::Pivot(_) => "Pivot",
            Self::MoveRoot(_) => "MoveRoot",
            Self::Chroot(_) => "Chroot",
            Self::Sysctl(_) => "Sysctl",
            Self::Mask(_) => "Mask",
            Self::ReadonlyPath(_) => "ReadonlyPath",
            Self::RootReadonly(_) => "RootReadonly",
            Self::WorkingDirectory(_) => "WorkingDirectory",
            Self::OomScoreAdj(_) => "OomScoreAdj",
            Self::Rlimit(_) => "Rlimit",
            Self::Scheduler(_) => "Scheduler",
            Self::IoPriority(_) => "IoPriority",
            Self::Affinity(_) => "Affinity",
            Self::Personality(_) => "Personality",
            Self::MemoryPolicy(_) => "MemoryPolicy",
            Self::Umask(_) => "Umask",
            Self::DropBounding(_) => "DropBounding",
            Self::Identity(_) => "Identity",
            Self::SetCapabilities(_) => "SetCapabilities",
            Self::NoNewPrivileges(_) => "NoNewPrivileges",
            Self::AppArmor(_) => "AppArmor",
            Self::Selinux(_) => "Selinux",
            Self::LoadSeccomp(_) => "LoadSeccomp",
            Self::LookUpProgram(_) => "LookUpProgram",
        }
    }
}
