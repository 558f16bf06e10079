use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::MountPropagationFlags;

use super::mount::{bind, filesystem, flags, mount, run, said};
use super::sandbox::{bare_sandbox, new_mount_namespace};
use super::{sandbox, text};
use crate::step::{
    Chroot, MoveRoot, Op, Pivot, RootPropagation, RootReadonly, Step, WorkingDirectory,
};

#[test]
fn after_the_pivot_only_the_root_is_left() {
    sandbox(|s| {
        fs::write(s.path("here"), "").unwrap();
        run(s, mount(filesystem("proc", &[]), "/proc")).unwrap();
        s.execute(Step::Pivot(Pivot)).unwrap();
        assert!(Path::new("/here").exists());
        assert!(!Path::new("/mnt/rootfs").exists());
        assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count(), 2);
        assert_eq!(std::env::current_dir().unwrap(), Path::new("/"));
    });
}

#[test]
fn a_root_can_be_moved_where_it_cannot_be_pivoted() {
    sandbox(|s| {
        fs::write(s.path("here"), "").unwrap();
        s.execute(Step::MoveRoot(MoveRoot)).unwrap();
        assert!(Path::new("/here").exists());
        assert!(!Path::new("/mnt/rootfs").exists());
    });
}

#[test]
fn a_container_without_mounts_of_its_own_is_only_chrooted() {
    sandbox(|s| {
        fs::write(s.path("here"), "").unwrap();
        s.execute(Step::Chroot(Chroot)).unwrap();
        assert!(Path::new("/here").exists());
        assert!(!Path::new("/mnt/rootfs").exists());
    });
}

#[test]
fn nothing_reaches_a_host_that_shares_its_mounts() {
    bare_sandbox(|s| {
        // The sandbox' own mounts play the host: a copy of them is looked at when the container is built.
        rustix::mount::mount_change(
            "/",
            MountPropagationFlags::SHARED | MountPropagationFlags::REC,
        )
        .unwrap();
        fs::create_dir(s.path("below")).unwrap();
        let none = rustix::mount::MountFlags::empty();
        rustix::mount::mount("tmpfs", s.path("below"), "tmpfs", none, None).unwrap();
        let host = fs::File::open("/proc/self/ns/mnt").unwrap();
        let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
        new_mount_namespace();
        s.execute(Step::RootPropagation(RootPropagation { flags: libc::MS_SHARED | libc::MS_REC }))
            .unwrap();
        s.make_root();
        run(s, mount(filesystem("tmpfs", &[]), "/new")).unwrap();
        run(s, mount(filesystem("tmpfs", &[]), "/below/new")).unwrap();
        s.execute(Step::Pivot(Pivot)).unwrap();
        s.execute(Step::RootPropagation(RootPropagation { flags: libc::MS_SHARED | libc::MS_REC }))
            .unwrap();
        rustix::thread::move_into_link_name_space(
            std::os::fd::AsFd::as_fd(&host),
            Some(rustix::thread::LinkNameSpaceType::Mount),
        )
        .unwrap();
        assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
    });
}

#[test]
fn a_read_only_root_leaves_its_mounts_writable() {
    sandbox(|s| {
        run(s, mount(filesystem("tmpfs", &[]), "/tmp")).unwrap();
        s.execute(Step::RootReadonly(RootReadonly)).unwrap();
        assert!(flags(s, "/").contains(rustix::fs::StatVfsMountFlags::RDONLY));
        fs::write(s.see("tmp/file"), "").unwrap();
        assert!(fs::write(s.see("file"), "").is_err());
    });
}

#[test]
fn the_working_directory_is_made_inside_the_root() {
    sandbox(|s| {
        symlink("/mnt/outside", s.path("link")).unwrap();
        s.execute(Step::Pivot(Pivot)).unwrap();
        for (path, expected) in [("/a/b", "/a/b"), ("/link/c", "/mnt/outside/c"), ("/", "/")] {
            let step = WorkingDirectory { path: text(path), create: true };
            s.execute(Step::WorkingDirectory(step)).unwrap();
            assert_eq!(std::env::current_dir().unwrap(), Path::new(expected));
        }
        let step = WorkingDirectory { path: text("/missing"), create: false };
        let (op, errno, _) = said(s.execute(Step::WorkingDirectory(step)));
        assert_eq!((op, errno), (Op::Openat2, Errno::NOENT));
    });
}

#[test]
fn cve_2024_21626_a_working_directory_of_the_host_is_refused() {
    sandbox(|s| {
        let host = fs::File::open("/etc").unwrap();
        run(s, mount(filesystem("proc", &[]), "/proc")).unwrap();
        s.execute(Step::Pivot(Pivot)).unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&host));
        let step = WorkingDirectory { path: text(&path), create: false };
        let (op, errno, _) = said(s.execute(Step::WorkingDirectory(step)));
        assert_eq!((op, errno), (Op::Openat2, Errno::LOOP));
        rustix::process::fchdir(&host).unwrap();
        assert_eq!(crate::step::check_inside().unwrap_err().op, Op::Getcwd);
    });
}

#[test]
fn a_bind_of_the_hosts_root_shows_the_host() {
    sandbox(|s| {
        run(s, mount(bind(Path::new("/"), true), "/host")).unwrap();
        s.execute(Step::Pivot(Pivot)).unwrap();
        assert!(Path::new("/host/proc/self").exists());
    });
}
