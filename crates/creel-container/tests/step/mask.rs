use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};

use rustix::fs::StatVfsMountFlags;

use super::mount::flags;
use super::{Sandbox, sandbox, text};
use crate::step::{Device, DeviceKind, Mask, ReadonlyPath, Step};

fn mask(s: &mut Sandbox, name: &str) {
    s.execute(Step::Mask(Mask { path: text(name) })).unwrap();
}

fn null(s: &mut Sandbox) {
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
}

#[test]
fn a_masked_file_reads_as_empty() {
    sandbox(|s| {
        fs::write(s.path("etc/secret"), "secret").unwrap();
        fs::write(s.path("etc/other"), "secret").unwrap();
        null(s);
        mask(s, "/etc/secret");
        mask(s, "/etc/other");
        for name in ["etc/secret", "etc/other"] {
            assert_eq!(fs::read_to_string(s.see(name)).unwrap(), "");
            assert!(s.see(name).metadata().unwrap().file_type().is_char_device());
        }
    });
}

#[test]
fn masked_directories_are_empty_and_share_one_superblock() {
    sandbox(|s| {
        for name in ["one", "two"] {
            fs::create_dir(s.path(name)).unwrap();
            fs::write(s.path(name).join("secret"), "secret").unwrap();
            mask(s, name);
            assert_eq!(fs::read_dir(s.see(name)).unwrap().count(), 0);
            assert!(fs::write(s.see(name).join("new"), "").is_err());
        }
        let device = |name: &str| s.see(name).metadata().unwrap().dev();
        assert_eq!(device("one"), device("two"));
    });
}

#[test]
fn a_path_that_is_not_there_needs_no_mask() {
    sandbox(|s| {
        fs::write(s.path("file"), "").unwrap();
        for name in ["/missing", "/missing/below", "/file/below"] {
            mask(s, name);
            s.execute(Step::ReadonlyPath(ReadonlyPath { path: text(name) })).unwrap();
            assert!(!s.path(name).exists());
        }
    });
}

#[test]
fn cve_2025_31133_a_false_null_device_hides_nothing_else() {
    sandbox(|s| {
        fs::write(s.path("dev/null"), "not a device").unwrap();
        fs::write(s.path("etc/secret"), "secret").unwrap();
        null(s);
        mask(s, "/etc/secret");
        assert_eq!(fs::read_to_string(s.see("etc/secret")).unwrap(), "");
        assert!(s.see("etc/secret").metadata().unwrap().file_type().is_char_device());
    });
}

#[test]
fn a_mask_cannot_be_changed_through_itself() {
    sandbox(|s| {
        fs::write(s.path("etc/secret"), "secret").unwrap();
        mask(s, "/etc/secret");
        let refused = fs::set_permissions(s.see("etc/secret"), fs::Permissions::from_mode(0o600));
        assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EROFS));
    });
}

#[test]
fn a_read_only_path_keeps_its_flags() {
    sandbox(|s| {
        let old = rustix::mount::MountFlags::NODEV | rustix::mount::MountFlags::NOSUID;
        fs::create_dir(s.path("x")).unwrap();
        rustix::mount::mount("tmpfs", s.see("x"), "tmpfs", old, None).unwrap();
        s.execute(Step::ReadonlyPath(ReadonlyPath { path: text("/x") })).unwrap();
        s.execute(Step::ReadonlyPath(ReadonlyPath { path: text("/etc") })).unwrap();
        let expected =
            StatVfsMountFlags::RDONLY | StatVfsMountFlags::NODEV | StatVfsMountFlags::NOSUID;
        assert!(flags(s, "x").contains(expected));
        assert!(!flags(s, "etc").contains(StatVfsMountFlags::NODEV));
        assert!(flags(s, "etc").contains(StatVfsMountFlags::RDONLY));
        assert!(!flags(s, "dev").contains(StatVfsMountFlags::RDONLY));
    });
}

#[test]
fn the_root_can_be_read_only_but_not_masked() {
    sandbox(|s| {
        let failure = s.execute(Step::Mask(Mask { path: text("/") })).unwrap_err();
        assert_eq!(failure.op, crate::step::Op::Mismatch);
        s.execute(Step::ReadonlyPath(ReadonlyPath { path: text("/") })).unwrap();
        assert!(flags(s, "/").contains(StatVfsMountFlags::RDONLY));
    });
}
