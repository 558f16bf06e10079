use std::fs;
use std::os::unix::fs::symlink;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{Sandbox, sandbox};
use crate::root::Root;

fn root(sandbox: &mut Sandbox) -> Root {
    sandbox.child.root.take().unwrap()
}

fn mode() -> Mode {
    Mode::from_raw_mode(0o755)
}

fn content(root: &Root, name: &std::ffi::CStr) -> Result<String, Errno> {
    use std::io::Read;
    let mut text = String::new();
    fs::File::from(root.open(name, OFlags::RDONLY)?).read_to_string(&mut text).unwrap();
    Ok(text)
}

#[test]
fn links_and_dots_end_at_the_root() {
    sandbox(|s| {
        fs::write(s.path("etc/passwd"), "inside").unwrap();
        symlink("/etc", s.path("absolute")).unwrap();
        symlink("../../../../../etc", s.path("relative")).unwrap();
        let root = root(s);
        for name in [
            c"/etc/passwd",
            c"etc/passwd",
            c"/absolute/passwd",
            c"/relative/passwd",
            c"/../../etc/passwd",
            c"/absolute/../../../etc/passwd",
        ] {
            assert_eq!(content(&root, name).as_deref(), Ok("inside"), "{name:?}");
        }
    });
}

#[test]
fn a_magic_link_is_refused() {
    sandbox(|s| {
        rustix::mount::mount_bind_recursive("/proc", s.see("proc")).unwrap();
        assert_eq!(root(s).open_path(c"/proc/self/root/etc").err(), Some(Errno::LOOP));
    });
}

#[test]
fn a_link_itself_is_opened_without_being_followed() {
    sandbox(|s| {
        symlink("/nowhere", s.path("link")).unwrap();
        let root = root(s);
        assert_eq!(root.open_path(c"/link").err(), Some(Errno::NOENT));
        let link = root.open_nofollow(c"/link").unwrap();
        assert_eq!(rustix::fs::readlinkat(link, c"", Vec::new()).as_deref(), Ok(c"/nowhere"));
    });
}

#[test]
fn missing_directories_are_made_inside() {
    sandbox(|s| {
        let outside = s.outside("");
        symlink("/var/lib", s.path("dangling")).unwrap();
        symlink("deeper/still", s.path("etc/relative")).unwrap();
        symlink(&outside, s.path("out")).unwrap();
        let root = root(s);
        for name in [c"/a/b/c", c"a//b/./d/", c"/dangling/x", c"/etc/relative/y", c"/out/z"] {
            root.create_dirs(name, mode()).unwrap();
        }
        for made in ["a/b/c", "a/b/d", "var/lib/x", "etc/deeper/still/y"] {
            assert!(s.path(made).is_dir(), "{made}");
        }
        assert!(s.path(outside.to_str().unwrap()).join("z").is_dir());
        assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
    });
}

#[test]
fn a_file_in_the_way_is_an_error() {
    sandbox(|s| {
        fs::write(s.path("file"), "").unwrap();
        symlink("loop", s.path("loop")).unwrap();
        let root = root(s);
        assert_eq!(root.create_dirs(c"/file/x", mode()).err(), Some(Errno::NOTDIR));
        assert_eq!(root.create_dirs(c"/file", mode()).err(), Some(Errno::NOTDIR));
        assert_eq!(root.create_dirs(c"/loop/x", mode()).err(), Some(Errno::LOOP));
    });
}

#[test]
fn a_missing_file_is_made_inside_even_through_a_link() {
    sandbox(|s| {
        let outside = s.outside("file");
        symlink(&outside, s.path("etc/out")).unwrap();
        symlink("real", s.path("etc/near")).unwrap();
        let root = root(s);
        for name in [c"/new/dir/file", c"/etc/out", c"/etc/near"] {
            root.create_file(name, mode()).unwrap();
        }
        assert!(s.path("new/dir/file").is_file());
        assert!(s.path("etc/real").is_file());
        assert!(s.path(outside.to_str().unwrap()).is_file());
        assert!(!outside.exists());
    });
}

#[test]
fn the_root_is_known_by_every_name() {
    sandbox(|s| {
        symlink("/", s.path("link")).unwrap();
        let root = root(s);
        for (name, expected) in
            [(c"/", true), (c"/etc/..", true), (c"/link", true), (c"/etc", false)]
        {
            assert_eq!(root.is(&root.open_path(name).unwrap()), Ok(expected), "{name:?}");
        }
    });
}
