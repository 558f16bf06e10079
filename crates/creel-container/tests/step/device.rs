use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};

use rustix::io::Errno;

use super::mount::said;
use super::{Sandbox, sandbox, text};
use crate::step::{Device, DeviceKind, DeviceLink, Failure, Op, Step};

fn device(path: &str, kind: DeviceKind, number: (u32, u32)) -> Device {
    Device { path: text(path), kind, number, mode: 0o640, uid: 12, gid: 34, default: false }
}

fn run(s: &mut Sandbox, device: Device) -> Result<(), Failure> {
    s.execute(Step::Device(device))
}

#[test]
fn nodes_have_number_mode_and_owner() {
    sandbox(|s| {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        run(s, device("/dev/deep/null", DeviceKind::Char, (1, 3))).unwrap();
        run(s, device("/dev/block", DeviceKind::Block, (7, 0))).unwrap();
        run(s, device("/dev/fifo", DeviceKind::Fifo, (0, 0))).unwrap();
        let null = s.path("dev/deep/null").metadata().unwrap();
        assert!(null.file_type().is_char_device());
        assert_eq!(null.rdev(), rustix::fs::makedev(1, 3));
        assert_eq!((null.mode() & 0o7777, null.uid(), null.gid()), (0o640, 12, 34));
        assert!(s.path("dev/block").metadata().unwrap().file_type().is_block_device());
        assert!(s.path("dev/fifo").metadata().unwrap().file_type().is_fifo());
    });
}

#[test]
fn a_node_that_is_there_is_accepted_if_it_is_the_same_and_left_as_it_is() {
    sandbox(|s| {
        let mut same = device("/dev/null", DeviceKind::Char, (1, 3));
        run(s, same.clone()).unwrap();
        same.mode = 0o666;
        same.uid = 0;
        run(s, same.clone()).unwrap();
        assert_eq!(s.path("dev/null").metadata().unwrap().uid(), 12);
        same.number = (1, 5);
        let (op, errno, _) = said(run(s, same));
        assert_eq!((op, errno), (Op::Mismatch, Errno::EXIST));
    });
}

#[test]
fn a_default_device_leaves_anything_alone() {
    sandbox(|s| {
        fs::write(s.path("dev/null"), "mine").unwrap();
        let mut null = device("/dev/null", DeviceKind::Char, (1, 3));
        assert!(run(s, null.clone()).is_err());
        null.default = true;
        run(s, null).unwrap();
        assert_eq!(fs::read_to_string(s.path("dev/null")).unwrap(), "mine");
        assert!(s.child.null.is_none());
    });
}

#[test]
fn cve_2026_41579_a_dev_that_is_a_link_leads_nowhere_outside() {
    sandbox(|s| {
        fs::remove_dir(s.path("dev")).unwrap();
        symlink(s.outside(""), s.path("dev")).unwrap();
        run(s, device("/dev/null", DeviceKind::Char, (1, 3))).unwrap();
        let link = DeviceLink { path: text("/dev/fd"), target: text("/proc/self/fd") };
        s.execute(Step::DeviceLink(link)).unwrap();
        assert_eq!(fs::read_dir(s.outside("")).unwrap().count(), 0);
    });
}

#[test]
fn a_node_is_never_made_through_a_link_of_its_name() {
    sandbox(|s| {
        symlink(s.outside("null"), s.path("dev/null")).unwrap();
        let (op, errno, _) = said(run(s, device("/dev/null", DeviceKind::Char, (1, 3))));
        assert_eq!((op, errno), (Op::Mismatch, Errno::EXIST));
        assert!(!s.outside("null").exists());
    });
}

#[test]
fn links_are_made_only_where_nothing_is() {
    sandbox(|s| {
        let link =
            |path| Step::DeviceLink(DeviceLink { path: text(path), target: text("/proc/self/fd") });
        fs::write(s.path("dev/stdin"), "").unwrap();
        s.execute(link("/dev/fd")).unwrap();
        s.execute(link("/dev/stdin")).unwrap();
        assert_eq!(fs::read_link(s.path("dev/fd")).unwrap().to_str(), Some("/proc/self/fd"));
        assert!(s.path("dev/stdin").symlink_metadata().unwrap().is_file());
    });
}

#[test]
fn where_nodes_cannot_be_made_the_hosts_is_mounted() {
    sandbox(|s| {
        let sets = rustix::thread::capabilities(None).unwrap();
        let effective = sets.effective - rustix::thread::CapabilitySet::MKNOD;
        let less = rustix::thread::CapabilitySets { effective, ..sets };
        rustix::thread::set_capabilities(None, less).unwrap();
        run(s, device("/dev/null", DeviceKind::Char, (1, 3))).unwrap();
        assert_eq!(s.see("dev/null").metadata().unwrap().rdev(), rustix::fs::makedev(1, 3));
        let (op, _, _) = said(run(s, device("/dev/zero", DeviceKind::Char, (1, 3))));
        assert_eq!(op, Op::Mismatch);
        assert!(!s.path("dev/zero").exists());
    });
}
