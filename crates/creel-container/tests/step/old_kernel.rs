//! Every fallback, forced once by a filter that answers as an old kernel does.

use std::fs;

use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;

use super::mount::{bind, filesystem, flags, mount, run, said};
use super::sandbox::without_syscall;
use super::{sandbox, text};
use crate::step::{
    Attributes, Mask, MountKind, Op, Propagation, ReadonlyPath, Remount, RootReadonly, Step,
};
use crate::sys::mount::attr;

#[test]
fn attributes_are_changed_by_a_remount_before_linux_5_12() {
    sandbox(|s| {
        let old = rustix::mount::MountFlags::NODEV | rustix::mount::MountFlags::NOATIME;
        rustix::mount::mount("tmpfs", s.outside(""), "tmpfs", old, None).unwrap();
        without_syscall(libc::SYS_mount_setattr);
        let mut step = mount(bind(&s.outside(""), false), "/x");
        step.attributes = Attributes { set: attr::RDONLY | attr::NOSUID, clear: 0 };
        step.propagation = vec![Propagation { flag: libc::MS_SHARED, recursive: true }];
        run(s, step).unwrap();
        let expected = StatVfsMountFlags::RDONLY
            | StatVfsMountFlags::NOSUID
            | StatVfsMountFlags::NODEV
            | StatVfsMountFlags::NOATIME;
        assert!(flags(s, "x").contains(expected));
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(table.lines().any(|line| line.contains("rootfs/x") && line.contains("shared:")));
        let remount = MountKind::Remount(Remount { bind: true, options: Vec::new() });
        let mut step = mount(remount, "/x");
        step.attributes = Attributes { set: attr::STRICTATIME, clear: attr::RDONLY | attr::ATIME };
        run(s, step).unwrap();
        let gone = StatVfsMountFlags::RDONLY | StatVfsMountFlags::NOATIME;
        assert!(!flags(s, "x").intersects(gone));
        assert!(flags(s, "x").contains(StatVfsMountFlags::NODEV));
    });
}

#[test]
fn masks_and_read_only_paths_work_before_linux_5_12() {
    sandbox(|s| {
        fs::write(s.path("etc/secret"), "secret").unwrap();
        fs::create_dir(s.path("dir")).unwrap();
        without_syscall(libc::SYS_mount_setattr);
        for name in ["/etc/secret", "/dir"] {
            s.execute(Step::Mask(Mask { path: text(name) })).unwrap();
        }
        s.execute(Step::ReadonlyPath(ReadonlyPath { path: text("/sys") })).unwrap();
        s.execute(Step::RootReadonly(RootReadonly)).unwrap();
        assert_eq!(fs::read_to_string(s.see("etc/secret")).unwrap(), "");
        for name in ["dir", "sys", "/"] {
            assert!(flags(s, name).contains(StatVfsMountFlags::RDONLY), "{name}");
        }
    });
}

#[test]
fn what_an_old_kernel_cannot_do_is_named() {
    sandbox(|s| {
        without_syscall(libc::SYS_mount_setattr);
        let mut step = mount(bind(&s.outside(""), true), "/x");
        step.recursive.set = attr::RDONLY;
        let (op, errno, detail) = said(run(s, step));
        assert_eq!((op, errno), (Op::MountSetattr, Errno::NOSYS));
        assert!(detail.contains("5.12"), "{detail}");
        run(s, mount(filesystem("tmpfs", &[]), "/y")).unwrap();
    });
}
