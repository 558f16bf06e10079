use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;

use super::{Sandbox, sandbox, text};
use crate::step::{
    Attributes, Bind, CgroupHierarchy, CgroupMount, Failure, Filesystem, Links, Mount, MountKind,
    Op, Propagation, Remount, Step,
};
use crate::sys::mount::attr;

pub(super) fn filesystem(fstype: &str, options: &[(&str, Option<&str>)]) -> MountKind {
    let options = options.iter().map(|(key, value)| (text(key), value.map(text))).collect();
    let source = text(fstype);
    MountKind::Filesystem(Filesystem {
        fstype: text(fstype),
        source,
        options,
        copy_up: false,
        label: None,
    })
}

pub(super) fn bind(source: &Path, recursive: bool) -> MountKind {
    let source = text(source.to_str().unwrap());
    MountKind::Bind(Bind { source, recursive, links: Links::default(), ignored: Vec::new() })
}

pub(super) fn mount(kind: MountKind, destination: &str) -> Mount {
    Mount {
        kind,
        destination: text(destination),
        attributes: Attributes::default(),
        recursive: Attributes::default(),
        propagation: Vec::new(),
    }
}

pub(super) fn run(s: &mut Sandbox, mount: Mount) -> Result<(), Failure> {
    s.execute(Step::Mount(Box::new(mount)))
}

pub(super) fn flags(s: &Sandbox, name: &str) -> StatVfsMountFlags {
    rustix::fs::statvfs(s.see(name)).unwrap().f_flag
}

pub(super) fn said(failure: Result<(), Failure>) -> (Op, Errno, String) {
    let failure = failure.unwrap_err();
    (failure.op, failure.errno, String::from_utf8_lossy(failure.detail.as_bytes()).into_owned())
}

#[test]
fn a_filesystem_has_its_options_and_attributes() {
    sandbox(|s| {
        let options = [("size", Some("64k")), ("mode", Some("0700")), ("ro", None)];
        let mut step = mount(filesystem("tmpfs", &options), "/made/here");
        step.attributes.set = attr::NOSUID | attr::NOEXEC | attr::STRICTATIME;
        run(s, step).unwrap();
        let shown = rustix::fs::statvfs(s.see("made/here")).unwrap();
        assert_eq!(shown.f_blocks * shown.f_frsize, 64 * 1024);
        assert!(shown.f_flag.contains(
            StatVfsMountFlags::NOSUID | StatVfsMountFlags::NOEXEC | StatVfsMountFlags::RDONLY
        ));
        assert!(!shown.f_flag.contains(StatVfsMountFlags::RELATIME));
        assert_eq!(s.see("made/here").metadata().unwrap().mode() & 0o7777, 0o700);
    });
}

#[test]
fn a_tmpfs_has_the_mode_of_what_it_covers() {
    sandbox(|s| {
        fs::create_dir(s.path("tmp")).unwrap();
        fs::set_permissions(s.path("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        run(s, mount(filesystem("tmpfs", &[]), "/tmp")).unwrap();
        assert_eq!(s.see("tmp").metadata().unwrap().mode() & 0o7777, 0o1777);
    });
}

#[test]
fn a_filesystem_says_itself_what_it_refuses() {
    sandbox(|s| {
        let step = mount(filesystem("tmpfs", &[("nonsense", Some("1"))]), "/x");
        let (op, errno, detail) = said(run(s, step));
        assert_eq!((op, errno), (Op::Fsconfig, Errno::INVAL));
        assert!(detail.contains("nonsense"), "{detail}");
        let (op, errno, detail) = said(run(s, mount(filesystem("nofs", &[]), "/x")));
        assert_eq!((op, errno), (Op::Fsopen, Errno::NODEV));
        assert!(detail.contains("nofs"), "{detail}");
    });
}

#[test]
fn directories_and_files_are_bound_to_places_that_are_made() {
    sandbox(|s| {
        fs::create_dir(s.outside("dir")).unwrap();
        fs::write(s.outside("dir/inner"), "directory").unwrap();
        fs::write(s.outside("file"), "file").unwrap();
        run(s, mount(bind(&s.outside("dir"), true), "/a/dir")).unwrap();
        run(s, mount(bind(&s.outside("file"), false), "b/file")).unwrap();
        assert_eq!(fs::read_to_string(s.see("a/dir/inner")).unwrap(), "directory");
        assert_eq!(fs::read_to_string(s.see("b/file")).unwrap(), "file");
    });
}

#[test]
fn a_bind_changes_only_the_attributes_that_are_asked_for() {
    sandbox(|s| {
        let none = rustix::mount::MountFlags::NOSUID | rustix::mount::MountFlags::NODEV;
        rustix::mount::mount("tmpfs", s.outside(""), "tmpfs", none, None).unwrap();
        let mut step = mount(bind(&s.outside(""), false), "/x");
        step.attributes = Attributes { set: attr::RDONLY, clear: attr::NODEV };
        run(s, step).unwrap();
        let shown = flags(s, "x");
        assert!(shown.contains(StatVfsMountFlags::RDONLY | StatVfsMountFlags::NOSUID));
        assert!(!shown.contains(StatVfsMountFlags::NODEV));
        fs::write(s.outside("host"), "the host still writes").unwrap();
    });
}

#[test]
fn recursive_attributes_reach_the_whole_tree() {
    sandbox(|s| {
        fs::create_dir(s.outside("below")).unwrap();
        let none = rustix::mount::MountFlags::empty();
        rustix::mount::mount("tmpfs", s.outside("below"), "tmpfs", none, None).unwrap();
        let mut step = mount(bind(&s.outside(""), true), "/x");
        step.recursive.set = attr::RDONLY;
        run(s, step).unwrap();
        assert!(flags(s, "x/below").contains(StatVfsMountFlags::RDONLY));
    });
}

#[test]
fn a_destination_through_links_stays_inside() {
    sandbox(|s| {
        fs::write(s.outside("file"), "source").unwrap();
        symlink(s.outside("target"), s.path("etc/resolv.conf")).unwrap();
        symlink(s.outside(""), s.path("link")).unwrap();
        run(s, mount(bind(&s.outside("file"), false), "/etc/resolv.conf")).unwrap();
        run(s, mount(filesystem("tmpfs", &[]), "/link/../dir")).unwrap();
        run(s, mount(filesystem("tmpfs", &[]), "/link")).unwrap();
        assert_eq!(fs::read_dir(s.outside("")).unwrap().count(), 1);
        assert!(!s.outside("../dir").exists());
    });
}

#[test]
fn a_file_cannot_be_mounted_on_a_directory_nor_the_reverse() {
    sandbox(|s| {
        fs::write(s.outside("file"), "").unwrap();
        fs::write(s.path("file"), "").unwrap();
        let (op, errno, _) = said(run(s, mount(bind(&s.outside("file"), false), "/etc")));
        assert_eq!((op, errno), (Op::Mismatch, Errno::ISDIR));
        let (op, errno, _) = said(run(s, mount(bind(&s.outside(""), false), "/file")));
        assert_eq!((op, errno), (Op::Openat2, Errno::NOTDIR));
        let (op, errno, detail) = said(run(s, mount(bind(Path::new("/no/source"), true), "/y")));
        assert_eq!((op, errno), (Op::OpenTree, Errno::NOENT));
        assert!(detail.contains("/no/source"), "{detail}");
    });
}

#[test]
fn cve_2019_19921_a_procfs_is_not_mounted_on_a_link() {
    for fstype in ["proc", "sysfs"] {
        sandbox(|s| {
            fs::create_dir(s.path("elsewhere")).unwrap();
            symlink("elsewhere", s.path("link")).unwrap();
            let (op, errno, detail) = said(run(s, mount(filesystem(fstype, &[]), "/link")));
            assert_eq!((op, errno), (Op::Mismatch, Errno::NOTDIR));
            assert!(detail.contains("ordinary directory"));
            run(s, mount(filesystem(fstype, &[]), "/proc")).unwrap();
        });
    }
}

#[test]
fn cve_2019_16884_nothing_is_mounted_into_a_procfs() {
    sandbox(|s| {
        run(s, mount(filesystem("proc", &[]), "/proc")).unwrap();
        symlink("/proc/self/attr", s.path("link")).unwrap();
        fs::write(s.outside("file"), "42\n").unwrap();
        for destination in ["/proc/self/attr", "/link", "/proc/sys", "/proc/1"] {
            let (op, errno, _) = said(run(s, mount(filesystem("tmpfs", &[]), destination)));
            assert_eq!((op, errno), (Op::Mismatch, Errno::PERM), "{destination}");
        }
        run(s, mount(bind(&s.outside("file"), false), "/proc/uptime")).unwrap();
        assert_eq!(fs::read_to_string(s.see("proc/uptime")).unwrap(), "42\n");
    });
}

#[test]
fn a_procfs_may_cover_a_procfs() {
    sandbox(|s| {
        run(s, mount(filesystem("proc", &[]), "/proc")).unwrap();
        run(s, mount(bind(Path::new("/proc"), true), "/proc")).unwrap();
        run(s, mount(filesystem("proc", &[]), "/proc")).unwrap();
        let (op, ..) = said(run(s, mount(bind(Path::new("/proc/sys"), true), "/proc")));
        assert_eq!(op, Op::Mismatch);
    });
}

#[test]
fn later_names_see_earlier_mounts() {
    sandbox(|s| {
        run(s, mount(filesystem("tmpfs", &[]), "/a")).unwrap();
        run(s, mount(filesystem("tmpfs", &[]), "/a/b")).unwrap();
        assert!(s.see("a/b").is_dir());
        assert!(
            !s.path("a/b")
                .symlink_metadata()
                .is_ok_and(|m| m.dev() == s.path("").metadata().unwrap().dev())
        );
    });
}

#[test]
fn a_mount_on_the_root_becomes_the_root() {
    sandbox(|s| {
        fs::create_dir(s.outside("new")).unwrap();
        fs::write(s.outside("new/file"), "new root").unwrap();
        run(s, mount(bind(&s.outside("new"), true), "/")).unwrap();
        run(s, mount(filesystem("tmpfs", &[]), "/tmp")).unwrap();
        s.execute(Step::Pivot(crate::step::Pivot)).unwrap();
        assert_eq!(fs::read_to_string("/file").unwrap(), "new root");
        assert!(Path::new("/tmp").is_dir());
    });
}

#[test]
fn a_remount_changes_what_is_there() {
    sandbox(|s| {
        run(s, mount(filesystem("tmpfs", &[]), "/x")).unwrap();
        let remount = MountKind::Remount(Remount { bind: true, options: Vec::new() });
        let mut step = mount(remount, "/x");
        step.attributes.set = attr::RDONLY | attr::NOEXEC;
        run(s, step).unwrap();
        assert!(flags(s, "x").contains(StatVfsMountFlags::RDONLY | StatVfsMountFlags::NOEXEC));
        let options = vec![(text("size"), Some(text("128k")))];
        let remount = MountKind::Remount(Remount { bind: false, options });
        run(s, mount(remount, "/x")).unwrap();
        let shown = rustix::fs::statvfs(s.see("x")).unwrap();
        assert_eq!(shown.f_blocks * shown.f_frsize, 128 * 1024);
    });
}

#[test]
fn propagation_is_what_is_asked_for() {
    sandbox(|s| {
        let mut step = mount(filesystem("tmpfs", &[]), "/shared");
        step.propagation = vec![Propagation { flag: libc::MS_SHARED, recursive: true }];
        run(s, step).unwrap();
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let line = table.lines().find(|line| line.contains("rootfs/shared")).unwrap();
        assert!(line.contains("shared:"), "{line}");
    });
}

#[test]
fn a_copied_up_tmpfs_starts_with_what_it_covers() {
    sandbox(|s| {
        let dir = s.path("data");
        fs::create_dir_all(dir.join("deep/er")).unwrap();
        fs::write(dir.join("deep/er/file"), vec![b'x'; 300_000]).unwrap();
        fs::set_permissions(dir.join("deep/er/file"), fs::Permissions::from_mode(0o4711)).unwrap();
        symlink(s.outside("secret"), dir.join("link")).unwrap();
        std::os::unix::fs::chown(dir.join("deep"), Some(12), Some(34)).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o1770)).unwrap();
        rustix::fs::lsetxattr(
            dir.join("deep"),
            "trusted.mark",
            b"kept",
            rustix::fs::XattrFlags::empty(),
        )
        .unwrap();
        let mut step = mount(filesystem("tmpfs", &[]), "/data");
        step.attributes.set = attr::RDONLY;
        if let MountKind::Filesystem(new) = &mut step.kind {
            new.copy_up = true;
        }
        run(s, step).unwrap();
        assert!(flags(s, "data").contains(StatVfsMountFlags::RDONLY));
        let file = s.see("data/deep/er/file").metadata().unwrap();
        assert_eq!((file.len(), file.mode() & 0o7777), (300_000, 0o4711));
        let deep = s.see("data/deep").metadata().unwrap();
        assert_eq!((deep.uid(), deep.gid()), (12, 34));
        assert_eq!(s.see("data").metadata().unwrap().mode() & 0o7777, 0o1770);
        assert_eq!(fs::read_link(s.see("data/link")).unwrap(), s.outside("secret"));
        let mut value = [0; 8];
        let length = rustix::fs::getxattr(s.see("data/deep"), "trusted.mark", &mut value).unwrap();
        assert_eq!(&value[..length], b"kept");
    });
}

#[test]
fn options_longer_than_fsconfig_takes_are_mounted_all_the_same() {
    sandbox(|s| {
        let deep = format!("lower/{}/{}", "a".repeat(120), "b".repeat(140));
        for name in [deep.as_str(), "upper", "work"] {
            fs::create_dir_all(s.outside(name)).unwrap();
        }
        fs::write(s.outside(&deep).join("file"), "lower").unwrap();
        let value = |name: &str| s.outside(name).to_str().unwrap().to_owned();
        let (lower, upper, work) = (value(&deep), value("upper"), value("work"));
        let options = [
            ("lowerdir", Some(lower.as_str())),
            ("upperdir", Some(upper.as_str())),
            ("workdir", Some(work.as_str())),
        ];
        let mut step = mount(filesystem("overlay", &options), "/x");
        step.attributes.set = attr::NOSUID;
        run(s, step).unwrap();
        assert_eq!(fs::read_to_string(s.see("x/file")).unwrap(), "lower");
        assert!(flags(s, "x").contains(StatVfsMountFlags::NOSUID));
    });
}

#[test]
fn the_kernels_own_filesystems_are_mounted() {
    sandbox(|s| {
        run(s, mount(filesystem("proc", &[]), "/proc")).unwrap();
        run(s, mount(filesystem("sysfs", &[]), "/sys")).unwrap();
        run(s, mount(filesystem("mqueue", &[]), "/dev/mqueue")).unwrap();
        let options = [("newinstance", None), ("ptmxmode", Some("0666")), ("gid", Some("5"))];
        run(s, mount(filesystem("devpts", &options), "/dev/pts")).unwrap();
        assert!(s.see("proc/self/status").exists());
        assert!(s.see("sys/kernel").is_dir());
        assert!(s.see("dev/pts/ptmx").exists());
    });
}

fn v1_view(namespaced: bool) -> Option<(Mount, std::path::PathBuf)> {
    let host = Path::new("/sys/fs/cgroup/pids");
    if !host.join("cgroup.procs").exists() {
        println!("skipped: there is no v1 pids hierarchy");
        return None;
    }
    let hierarchies = vec![CgroupHierarchy {
        name: text("pids"),
        links: vec![text("alias")],
        controllers: Some(text("pids")),
        path: text(host.to_str().unwrap()),
    }];
    let mut step =
        mount(MountKind::Cgroup(CgroupMount { hierarchies, namespaced }), "/sys/fs/cgroup");
    step.attributes.set = attr::RDONLY | attr::NOSUID;
    Some((step, host.to_owned()))
}

#[test]
fn cgroups_of_v1_are_shown_in_a_read_only_directory() {
    for namespaced in [true, false] {
        sandbox(|s| {
            let Some((step, _)) = v1_view(namespaced) else { return };
            run(s, step).unwrap();
            for name in ["sys/fs/cgroup/pids/cgroup.procs", "sys/fs/cgroup/alias/cgroup.procs"] {
                assert!(s.see(name).exists(), "{name}");
            }
            for name in ["sys/fs/cgroup", "sys/fs/cgroup/pids"] {
                assert!(flags(s, name).contains(StatVfsMountFlags::RDONLY), "{name}");
            }
        });
    }
}
