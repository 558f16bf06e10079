//! Namespaces: new, joined, and what is set in them.

use oci_spec::runtime::{LinuxNamespaceType, LinuxTimeOffset};

use super::Joined;
use super::compiler::Compiler;
use crate::bundle::Process;
use crate::pointer::Pointer;
use crate::step::{
    CgroupNamespace, Domainname, Hostname, JoinNamespace, Kind, Loopback, SessionKeyring, Step,
    Sysctl, Text,
};
use crate::validate::{namespace_path, sysctl_file, sysctl_namespace};

/// The kernel's type of a namespace of the config.
pub(crate) const fn kind(typ: LinuxNamespaceType) -> Kind {
    match typ {
        LinuxNamespaceType::User => Kind::User,
        LinuxNamespaceType::Mount => Kind::Mount,
        LinuxNamespaceType::Pid => Kind::Pid,
        LinuxNamespaceType::Network => Kind::Network,
        LinuxNamespaceType::Ipc => Kind::Ipc,
        LinuxNamespaceType::Uts => Kind::Uts,
        LinuxNamespaceType::Cgroup => Kind::Cgroup,
        LinuxNamespaceType::Time => Kind::Time,
    }
}

/// A session keyring of the container's own, unless the caller keeps its own.
pub(super) fn keyring(c: &mut Compiler<'_>, process: Option<&Process>) {
    if !c.options.no_new_keyring {
        let at = Pointer::new("process");
        let name = c.text(&at, format!("_ses.{}", c.options.id));
        let label = process.and_then(|it| it.selinux_label.as_deref());
        let label = label.filter(|label| c.host.selinux && !label.is_empty());
        let label = label.map(|label| c.text(&at, label));
        c.step(at, Step::SessionKeyring(SessionKeyring { name, label }));
    }
}

/// Sorts the namespaces into those the clone makes and those that are joined, and joins what the child joins.
pub(super) fn new_and_joined(c: &mut Compiler<'_>) {
    let list = c.linux.and_then(|linux| linux.namespaces().as_deref()).unwrap_or_default();
    for (i, namespace) in list.iter().enumerate() {
        let at = Pointer::item("linux.namespaces", i);
        let kind = kind(namespace.typ());
        match namespace_path(namespace) {
            Some(path) => {
                let path = c.text(&at, path.as_os_str().as_encoded_bytes());
                c.plan.joined.push(Joined { kind, path, at });
            }
            // A cgroup namespace has its root where it was made: one that the clone makes is right only if the clone
            // is also born into its last cgroup.
            None if kind == Kind::Cgroup && !born_in_cgroup(c) => {}
            None => c.plan.new.push((kind, at)),
        }
    }
    time_offsets(c);
    // The mount namespace last, as names are looked up in it afterwards. The creator joins the pid namespace, which
    // is for children alone; the cgroup namespace comes after the go.
    let mut order: Vec<usize> = (0..c.plan.joined.len()).collect();
    order.sort_by_key(|i| {
        c.plan.joined.get(*i).map(|joined| (joined.kind == Kind::Mount, joined.kind))
    });
    for index in order {
        join(c, index, |kind| !matches!(kind, Kind::Pid | Kind::Cgroup));
    }
    if let Some((_, at)) = c.plan.new.iter().find(|(kind, _)| *kind == Kind::Network) {
        c.step(at.clone(), Step::Loopback(Loopback));
    }
}

fn join(c: &mut Compiler<'_>, index: usize, wanted: impl Fn(Kind) -> bool) {
    let Some(joined) = c.plan.joined.get(index).filter(|joined| wanted(joined.kind)) else {
        return;
    };
    let step = JoinNamespace { kind: joined.kind, path: joined.path.clone(), index };
    c.step(joined.at.clone(), Step::JoinNamespace(step));
}

/// Whether the clone puts the child into its last cgroup: one v2 hierarchy, or no cgroup of its own.
fn born_in_cgroup(c: &Compiler<'_>) -> bool {
    c.plan
        .cgroup
        .as_ref()
        .is_none_or(|cgroup| cgroup.hierarchies.layout() == creel_cgroups::Layout::V2)
}

/// The cgroup namespace, once the process is in all its cgroups.
pub(super) fn cgroup(c: &mut Compiler<'_>) {
    let list = c.linux.and_then(|linux| linux.namespaces().as_deref()).unwrap_or_default();
    for (i, namespace) in list.iter().enumerate() {
        if namespace.typ() == LinuxNamespaceType::Cgroup
            && namespace_path(namespace).is_none()
            && !born_in_cgroup(c)
        {
            c.step(Pointer::item("linux.namespaces", i), Step::CgroupNamespace(CgroupNamespace));
        }
    }
    for index in 0..c.plan.joined.len() {
        join(c, index, |kind| kind == Kind::Cgroup);
    }
}

/// Host and domain name.
pub(super) fn names(c: &mut Compiler<'_>) {
    if let Some(name) = c.spec.hostname.as_deref().filter(|name| !name.is_empty()) {
        let at = Pointer::new("hostname");
        keep_off_host(c, &at, Kind::Uts);
        let name = c.text(&at, name);
        c.step(at, Step::Hostname(Hostname { name }));
    }
    if let Some(name) = c.spec.domainname.as_deref().filter(|name| !name.is_empty()) {
        let at = Pointer::new("domainname");
        keep_off_host(c, &at, Kind::Uts);
        let name = c.text(&at, name);
        c.step(at, Step::Domainname(Domainname { name }));
    }
}

/// Refuses what would be set in a namespace that is joined and is the caller's own.
fn keep_off_host(c: &mut Compiler<'_>, at: &Pointer, kind: Kind) {
    if c.host.own_namespaces.contains(&kind) {
        let word = kind.word();
        c.refuse(
            at.clone(),
            format!("it would change the host: the {word} namespace that is joined is the host's"),
        );
    }
}

fn time_offsets(c: &mut Compiler<'_>) {
    let Some(offsets) = c.linux.and_then(|linux| linux.time_offsets().as_ref()) else { return };
    let line = |clock: &str, offset: &LinuxTimeOffset| {
        let (seconds, nanoseconds) = (offset.secs().unwrap_or(0), offset.nanosecs().unwrap_or(0));
        Text::new(format!("{clock} {seconds} {nanoseconds}"))
    };
    for clock in ["monotonic", "boottime"] {
        let line = offsets.get(clock).and_then(|offset| line(clock, offset));
        c.plan.time_offsets.extend(line);
    }
}

/// `linux.sysctl`, in the order of the keys.
pub(super) fn kernel_parameters(c: &mut Compiler<'_>) {
    let Some(sysctl) = c.linux.and_then(|linux| linux.sysctl().as_ref()) else { return };
    let mut entries: Vec<_> = sysctl.iter().collect();
    entries.sort();
    for (key, value) in entries {
        let at = Pointer::new("linux.sysctl").field(key);
        let file = sysctl_file(key);
        if let Some(typ) = sysctl_namespace(&file) {
            keep_off_host(c, &at, kind(typ));
        }
        let file = c.text(&at, file);
        let value = c.text(&at, value.as_str());
        c.step(at, Step::Sysctl(Sysctl { file, value }));
    }
}
