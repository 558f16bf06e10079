//! What a plan needs to know of the host: facts asked once, so that compiling is pure and a test can invent a host.

use std::path::Path;
use std::sync::Arc;

use creel_cgroups::Hierarchies;
use creel_seccomp::Cache;
use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType};
use rustix::fs::{Access, AtFlags, CWD};

use crate::bundle::{Process, Spec};
use crate::plan::kind;
use crate::step::Kind;
use crate::validate::{SECCOMP_BPF_DATA, annotation, namespace_path};

/// Compiled filters, of the containers of all engines.
const FILTERS: &str = "/var/cache/creel";

/// The host as a plan sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Host {
    /// The mounted cgroup hierarchies; none if there is no cgroup filesystem at `/sys/fs/cgroup`.
    pub cgroups: Option<Hierarchies>,
    /// The capabilities the caller can give: its permitted set, as bits `1 << CAP_X`.
    pub capabilities: u64,
    /// Filters that were compiled before; their profile is asked, so a plan is the same with them and without.
    pub filters: Option<Arc<Cache>>,
    /// What the kernel's seccomp can do.
    pub seccomp: creel_seccomp::Host,
    /// Whether AppArmor is enabled.
    pub apparmor: bool,
    /// Whether SELinux is enabled.
    pub selinux: bool,
    /// Namespaces that the config joins by a path and that are the caller's own: what is set in one is set on the host.
    pub own_namespaces: Vec<Kind>,
}

impl Host {
    /// Asks this host for what the plan of `spec` depends on, and for nothing else.
    #[must_use]
    pub fn ask(spec: &Spec) -> Self {
        Self {
            cgroups: Hierarchies::detect(Path::new("/sys/fs/cgroup")).ok(),
            ..Self::ask_for_exec(spec)
        }
    }

    /// The same for a process that joins a container: it has its cgroups already.
    pub(crate) fn ask_for_exec(spec: &Spec) -> Self {
        let seccomp = spec.linux.as_ref().is_some_and(|linux| linux.seccomp().is_some())
            || annotation(spec, SECCOMP_BPF_DATA).is_some();
        Self {
            cgroups: None,
            filters: None,
            capabilities: permitted(),
            seccomp: match seccomp {
                true => creel_seccomp::Host::ask(),
                false => creel_seccomp::Host::newest(creel_seccomp::Arch::native()),
            },
            apparmor: asks(spec, |process| &process.apparmor_profile)
                && exists("/sys/kernel/security/apparmor"),
            selinux: (asks(spec, |process| &process.selinux_label) || mount_label(spec))
                && exists("/sys/fs/selinux/enforce"),
            own_namespaces: own_namespaces(spec),
        }
    }

    /// The same with the filters compiled before, if `spec` asks for one.
    #[must_use]
    pub(crate) fn with_filters(self, spec: &Spec) -> Self {
        let seccomp = spec.linux.as_ref().is_some_and(|linux| linux.seccomp().is_some());
        // Without a place that nobody else can write to, each filter is compiled anew.
        let open = || Cache::open(Path::new(FILTERS)).ok().map(Arc::new);
        Self { filters: if seccomp { open() } else { None }, ..self }
    }

    /// A host that does not exist, for tests of plans: root, every capability, the hierarchies that are given, the
    /// newest kernel, no security module.
    #[must_use]
    pub fn invented(cgroups: Option<Hierarchies>) -> Self {
        Self {
            cgroups,
            filters: None,
            capabilities: (1 << 41) - 1,
            seccomp: creel_seccomp::Host::newest(creel_seccomp::Arch::native()),
            apparmor: false,
            selinux: false,
            own_namespaces: Vec::new(),
        }
    }
}

fn asks(spec: &Spec, label: impl Fn(&Process) -> &Option<String>) -> bool {
    spec.process
        .as_ref()
        .is_some_and(|process| label(process).as_ref().is_some_and(|label| !label.is_empty()))
}

fn mount_label(spec: &Spec) -> bool {
    let label = spec.linux.as_ref().and_then(|linux| linux.mount_label().as_ref());
    label.is_some_and(|label| !label.is_empty())
}

/// Asked only of those in which this config sets something.
fn own_namespaces(spec: &Spec) -> Vec<Kind> {
    let Some(linux) = &spec.linux else { return Vec::new() };
    let has_sysctl = linux.sysctl().as_ref().is_some_and(|map| !map.is_empty());
    let has_name = spec.hostname.is_some() || spec.domainname.is_some();
    let is_asked = |namespace: &&LinuxNamespace| match namespace.typ() {
        LinuxNamespaceType::Network | LinuxNamespaceType::Ipc => has_sysctl,
        LinuxNamespaceType::Uts => has_sysctl || has_name,
        LinuxNamespaceType::Mount
        | LinuxNamespaceType::Pid
        | LinuxNamespaceType::User
        | LinuxNamespaceType::Cgroup
        | LinuxNamespaceType::Time => false,
    };
    let joined = linux.namespaces().iter().flatten().filter(is_asked);
    joined.filter(|namespace| is_own(namespace)).map(|namespace| kind(namespace.typ())).collect()
}

/// Whether its path leads to the caller's own. A path that leads nowhere fails when it is joined.
fn is_own(namespace: &LinuxNamespace) -> bool {
    let own = format!("/proc/self/ns/{}", kind(namespace.typ()).file());
    let joined = namespace_path(namespace).map(rustix::fs::stat);
    match (joined, rustix::fs::stat(own.as_str())) {
        (Some(Ok(joined)), Ok(own)) => (joined.st_dev, joined.st_ino) == (own.st_dev, own.st_ino),
        _ => false,
    }
}

fn permitted() -> u64 {
    rustix::thread::capabilities(None).map_or(0, |sets| sets.permitted.bits())
}

fn exists(path: &str) -> bool {
    rustix::fs::accessat(CWD, path, Access::EXISTS, AtFlags::empty()).is_ok()
}
