//! What the kernel refuses to root of a user namespace, and what is done instead.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;

use super::mount::{filesystem, flags, mount, run, said};
use super::sandbox::user_sandbox;
use super::text;
use crate::step::{Device, DeviceKind, Identity, Mask, Op, Step};
use crate::sys::mount::attr;

#[test]
fn the_hosts_filesystems_are_bound_where_no_new_ones_can_be_mounted() {
    user_sandbox(|s| {
        run(s, mount(filesystem("sysfs", &[]), "/sys")).unwrap();
        assert!(s.see("sys/kernel").is_dir());
        assert!(flags(s, "sys").contains(StatVfsMountFlags::RDONLY));
        let mut step = mount(filesystem("proc", &[]), "/proc");
        step.attributes.set = attr::NOSUID | attr::NODEV | attr::NOEXEC;
        run(s, step).unwrap();
        assert!(s.see("proc/self/status").exists());
        assert!(flags(s, "proc").contains(StatVfsMountFlags::NOSUID));
    });
}

#[test]
fn an_mqueue_of_the_host_is_bound_if_there_is_one() {
    user_sandbox(|s| {
        let mounted = run(s, mount(filesystem("mqueue", &[]), "/dev/mqueue"));
        if std::path::Path::new("/dev/mqueue").is_dir() {
            mounted.unwrap();
        } else {
            assert_eq!(said(mounted).1, Errno::PERM);
        }
    });
}

#[test]
fn a_devpts_does_without_a_group_that_is_not_mapped() {
    user_sandbox(|s| {
        let options = [("newinstance", None), ("gid", Some("5")), ("mode", Some("0620"))];
        run(s, mount(filesystem("devpts", &options), "/dev/pts")).unwrap();
        assert!(s.see("dev/pts/ptmx").exists());
    });
}

#[test]
fn devices_and_masks_are_the_hosts_null_device() {
    user_sandbox(|s| {
        fs::write(s.path("etc/secret"), "secret").unwrap();
        let device = Device {
            path: text("/dev/null"),
            kind: DeviceKind::Char,
            number: (1, 3),
            mode: 0o666,
            uid: 0,
            gid: 0,
            default: true,
        };
        s.execute(Step::Device(device)).unwrap();
        s.execute(Step::Mask(Mask { path: text("/etc/secret") })).unwrap();
        for name in ["dev/null", "etc/secret"] {
            let found = s.see(name).metadata().unwrap();
            assert_eq!(found.rdev(), rustix::fs::makedev(1, 3), "{name}");
            // Who is root of the host, too, could change its mode.
            assert!(flags(s, name).contains(StatVfsMountFlags::RDONLY), "{name}");
            fs::write(s.see(name), "nothing").unwrap();
        }
    });
}

#[test]
fn ids_that_are_not_mapped_are_named() {
    user_sandbox(|s| {
        let identity = |uid, gid, groups| Step::Identity(Identity { uid, gid, groups });
        let (op, _, detail) = said(s.execute(identity(0, 1000, Some(Vec::new()))));
        assert_eq!((op, detail.as_str()), (Op::Setgid, "1000 is not mapped in the user namespace"));
        let (op, _, detail) = said(s.execute(identity(1000, 0, None)));
        assert_eq!((op, detail.as_str()), (Op::Setuid, "1000 is not mapped in the user namespace"));
        let (op, errno, _) = said(s.execute(identity(0, 0, Some(vec![0]))));
        assert_eq!((op, errno), (Op::Setgroups, Errno::PERM));
        s.execute(identity(0, 0, Some(Vec::new()))).unwrap();
    });
}
