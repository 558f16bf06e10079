//! `mounts`: each entry becomes one step, in the order of the config.

use std::os::unix::ffi::OsStrExt;

use oci_spec::runtime::{self, LinuxNamespaceType};

use super::Planned;
use super::compiler::Compiler;
use super::options::{self, Binding, Options};
use crate::pointer::Pointer;
use crate::step::{
    Attributes, Bind, CgroupHierarchy, CgroupMount, Filesystem, Links, Mount, MountKind, Remount,
    Step, Text,
};
use crate::validate::is_bind;

/// Filesystems whose superblock is the kernel's or a tmpfs: `ro` makes the mount read-only, not the superblock.
const KERNEL_FILESYSTEMS: [&str; 10] = [
    "proc",
    "sysfs",
    "tmpfs",
    "devpts",
    "mqueue",
    "cgroup",
    "cgroup2",
    "securityfs",
    "bpf",
    "debugfs",
];

/// One step for each mount.
pub(super) fn all(c: &mut Compiler<'_>) -> Vec<Planned> {
    let mounts = c.spec.mounts.as_deref().unwrap_or_default();
    mounts.iter().enumerate().map(|(i, mount)| one(c, Pointer::item("mounts", i), mount)).collect()
}

fn one(c: &mut Compiler<'_>, at: Pointer, mount: &runtime::Mount) -> Planned {
    let mut options = Options::read(mount.options().iter().flatten().map(String::as_str));
    // Some engines write the type alone.
    match mount.typ().as_deref() {
        Some("bind") => options.bind = options.bind.max(Binding::One),
        Some("rbind") => options.bind = Binding::Tree,
        Some(_) | None => {}
    }
    let binds = options.bind != Binding::Nothing;
    let destination = destination(c, &at, mount);
    // Devices are made in a /dev that is read-only in the end: see `readonly_dev`.
    if destination.as_bytes() == b"/dev" && !binds && !options.remount && options.is_readonly() {
        options.writable();
    }
    if options.links != Links::default() && (options.remount || !binds) {
        c.refuse(
            at.field("options"),
            "copy-symlink, src-nofollow and dest-nofollow are for bind mounts",
        );
    }
    let kind = if options.remount {
        let settings = settings(c, &at, &options, true);
        MountKind::Remount(Remount { bind: binds, options: settings })
    } else if binds {
        MountKind::Bind(bind(c, &at, mount, &options))
    } else if mount.typ().as_deref() == Some("cgroup") {
        cgroup(c, &at, &options)
    } else {
        MountKind::Filesystem(filesystem(c, &at, mount, &options))
    };
    let step = Mount {
        kind,
        destination,
        attributes: options.attributes,
        recursive: options.recursive,
        propagation: options.propagation,
    };
    Planned { at, step: Step::Mount(Box::new(step)) }
}

/// A relative destination counts from the root (config.md#mounts).
fn destination(c: &mut Compiler<'_>, at: &Pointer, mount: &runtime::Mount) -> Text {
    let written = mount.destination().as_os_str().as_bytes();
    let mut path = Vec::with_capacity(written.len() + 1);
    if !written.starts_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(written);
    while path.len() > 1 && path.ends_with(b"/") {
        path.pop();
    }
    c.text(at, path)
}

/// A relative source counts from the bundle (config.md#posix-platform-mounts).
fn bind(c: &mut Compiler<'_>, at: &Pointer, mount: &runtime::Mount, options: &Options<'_>) -> Bind {
    let source = mount.source().clone().unwrap_or_default();
    let source = c.text(at, c.bundle.join(source).as_os_str().as_bytes());
    let ignored: Vec<&str> =
        options.superblock.iter().copied().chain(options.data.iter().copied()).collect();
    let ignored = ignored.into_iter().map(|option| c.text(at, option)).collect();
    let recursive = options.bind == Binding::Tree;
    Bind { source, recursive, links: options.links, ignored }
}

fn filesystem(
    c: &mut Compiler<'_>,
    at: &Pointer,
    mount: &runtime::Mount,
    options: &Options<'_>,
) -> Filesystem {
    let typ = mount.typ().as_deref().unwrap_or_default();
    let own_superblock = !KERNEL_FILESYSTEMS.contains(&typ);
    let mut settings = settings(c, at, options, own_superblock);
    let mut label = mount_label(c, typ).map(|label| c.text(at, label));
    // mqueue knows no such option.
    if let Some(label) = label.take_if(|_| typ != "mqueue") {
        settings.push((c.text(at, "context"), Some(label)));
    }
    if options.copy_up && typ != "tmpfs" {
        c.refuse(at.field("options"), "tmpcopyup is for tmpfs");
    }
    Filesystem {
        fstype: c.text(at, typ),
        source: c.text(
            at,
            mount.source().as_deref().map_or(&b""[..], |source| source.as_os_str().as_bytes()),
        ),
        options: settings,
        copy_up: options.copy_up,
        label,
    }
}

/// Flags and data of a superblock: `size=64k` is a key and its value, `noacl` a flag.
fn settings(
    c: &mut Compiler<'_>,
    at: &Pointer,
    options: &Options<'_>,
    own_superblock: bool,
) -> Vec<(Text, Option<Text>)> {
    let mut settings = Vec::with_capacity(options.data.len());
    if own_superblock && options.is_readonly() {
        settings.push((c.text(at, "ro"), None));
    }
    for flag in &options.superblock {
        settings.push((c.text(at, *flag), None));
    }
    for option in &options.data {
        settings.push(match option.split_once('=') {
            Some((key, value)) => (c.text(at, key), Some(c.text(at, value))),
            None => (c.text(at, *option), None),
        });
    }
    settings
}

/// `linux.mountLabel` for the filesystems that are made for the container (config-linux.md#mount-label).
fn mount_label<'a>(c: &Compiler<'a>, typ: &str) -> Option<&'a str> {
    let label = c.linux?.mount_label().as_deref()?;
    (!label.is_empty() && c.host.selinux && matches!(typ, "tmpfs" | "devpts" | "mqueue"))
        .then_some(label)
}

/// The container's cgroups, in every hierarchy of the host (config-linux.md#cgroup-ownership, `cgroup_namespaces(7)`).
fn cgroup(c: &mut Compiler<'_>, at: &Pointer, options: &Options<'_>) -> MountKind {
    let Some(hierarchies) = c.host.cgroups.as_ref() else {
        c.refuse(at.clone(), "no cgroup filesystem is mounted at /sys/fs/cgroup of the host");
        return MountKind::Cgroup(CgroupMount { hierarchies: Vec::new(), namespaced: false });
    };
    let own =
        c.plan.cgroup.as_ref().map(|cgroup| cgroup.path.as_str().to_owned()).unwrap_or_default();
    let mut list = Vec::with_capacity(hierarchies.list().len());
    for hierarchy in hierarchies.list() {
        let sole = hierarchy.name == ".";
        let path = match sole {
            true => hierarchies.root().join(&own),
            false => hierarchies.root().join(&hierarchy.name).join(&own),
        };
        let v1 = hierarchy.version == creel_cgroups::Version::V1;
        let controllers = match (v1, hierarchy.controllers.is_empty()) {
            (false, _) => None,
            (true, true) => Some(format!("name={}", hierarchy.name)),
            (true, false) => Some(hierarchy.name.clone()),
        };
        let links = hierarchy.name.split(',').filter(|_| v1 && hierarchy.name.contains(','));
        list.push(CgroupHierarchy {
            name: c.text(at, if sole { "" } else { hierarchy.name.as_str() }),
            links: links.map(|link| c.text(at, link)).collect(),
            controllers: controllers.map(|controllers| c.text(at, controllers)),
            path: c.text(at, path.as_os_str().as_bytes()),
        });
    }
    // Options such as `nosuid` are attributes; a cgroup filesystem has none of its own that a container may set.
    for option in &options.data {
        if *option != "nsdelegate" {
            c.refuse(at.field("options"), format!("{option:?} is no option of a cgroup mount"));
        }
    }
    MountKind::Cgroup(CgroupMount {
        hierarchies: list,
        namespaced: c.has(LinuxNamespaceType::Cgroup),
    })
}

/// Whether the container's `/dev` is a piece of the host: the last mount on it decides. Nothing is created, removed or
/// chowned in one.
pub(super) fn dev_is_the_hosts(c: &Compiler<'_>) -> bool {
    let mounts = c.spec.mounts.as_deref().unwrap_or_default();
    let on_dev = |mount: &&runtime::Mount| is_dev(mount.destination().as_os_str().as_bytes());
    mounts.iter().rfind(on_dev).is_some_and(is_bind)
}

fn is_dev(destination: &[u8]) -> bool {
    let mut parts =
        destination.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    parts.next() == Some(b"dev") && parts.next().is_none()
}

/// A `/dev` that the config wants read-only becomes so now, when its devices are made.
pub(super) fn readonly_dev(c: &mut Compiler<'_>) {
    let mounts = c.spec.mounts.as_deref().unwrap_or_default();
    let wanted = mounts
        .iter()
        .enumerate()
        .rfind(|(_, mount)| is_dev(mount.destination().as_os_str().as_bytes()));
    let Some((i, mount)) = wanted.filter(|(_, mount)| !is_bind(mount)) else { return };
    let options = Options::read(mount.options().iter().flatten().map(String::as_str));
    if !options.is_readonly() || options.remount {
        return;
    }
    let at = Pointer::item("mounts", i);
    let destination = c.text(&at, "/dev");
    let step = Mount {
        kind: MountKind::Remount(Remount { bind: true, options: Vec::new() }),
        destination,
        attributes: options::readonly(),
        recursive: Attributes::default(),
        propagation: Vec::new(),
    };
    c.step(at, Step::Mount(Box::new(step)));
}
