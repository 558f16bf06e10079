//! The root filesystem: made a mount of its own, entered, sealed.

use std::os::unix::ffi::OsStrExt;

use oci_spec::runtime::LinuxNamespaceType;

use super::compiler::Compiler;
use crate::pointer::Pointer;
use crate::step::{Chroot, MakeRoot, MoveRoot, Pivot, RootPropagation, RootReadonly, Step};

const MS_REC: u64 = libc::MS_REC;

/// The word of `linux.rootfsPropagation` as flags; none when it is not set.
fn propagation_flags(c: &Compiler<'_>) -> Option<u64> {
    let word = c.linux?.rootfs_propagation().as_deref().filter(|word| !word.is_empty())?;
    super::options::propagation(word)
        .map(|propagation| propagation.flag | if propagation.recursive { MS_REC } else { 0 })
}

/// Where the host's mounts send what happens to them while the container is built.
///
/// Slaves, so that an `rslave` bind later follows the host, and nothing of the child reaches it. Only a shared root
/// keeps the peers: a bind of it that is `rshared` must reach the host.
pub(super) fn private(c: &mut Compiler<'_>) {
    if !c.has(LinuxNamespaceType::Mount) {
        return;
    }
    let asked = propagation_flags(c);
    let at =
        Pointer::new(if asked.is_some() { "linux.rootfsPropagation" } else { "linux.namespaces" });
    let flag = match asked {
        Some(flags) if flags & libc::MS_SHARED != 0 => libc::MS_SHARED,
        Some(_) | None => libc::MS_SLAVE,
    };
    c.step(at, Step::RootPropagation(RootPropagation { flags: flag | MS_REC }));
}

/// Opens the root filesystem, as a mount of its own where there is a mount namespace.
pub(super) fn make(c: &mut Compiler<'_>) {
    let at = Pointer::new("root.path");
    let Some(root) = &c.spec.root else { return };
    let path = c.bundle.join(root.path());
    let path = c.text(&at, path.as_os_str().as_bytes());
    let bind = c.has(LinuxNamespaceType::Mount);
    c.step(at, Step::MakeRoot(MakeRoot { path, bind }));
}

/// Makes the root the root of the process.
pub(super) fn enter(c: &mut Compiler<'_>) {
    let step = match (c.has(LinuxNamespaceType::Mount), c.options.no_pivot) {
        (true, false) => Step::Pivot(Pivot),
        (true, true) => Step::MoveRoot(MoveRoot),
        (false, _) => Step::Chroot(Chroot),
    };
    c.step(Pointer::new("root.path"), step);
}

/// The propagation that the config asks for, once the old root is gone.
pub(super) fn propagation(c: &mut Compiler<'_>) {
    if let Some(flags) = propagation_flags(c) {
        c.step(
            Pointer::new("linux.rootfsPropagation"),
            Step::RootPropagation(RootPropagation { flags }),
        );
    }
}

/// `root.readonly`, last of all that touches mounts.
pub(super) fn read_only(c: &mut Compiler<'_>) {
    if c.spec.root.as_ref().is_some_and(|root| root.readonly() == Some(true)) {
        let at = Pointer::new("root.readonly");
        if c.has(LinuxNamespaceType::Mount) {
            c.step(at, Step::RootReadonly(RootReadonly));
        } else {
            c.refuse(at, "a mount namespace in linux.namespaces is needed for a read-only root");
        }
    }
}
