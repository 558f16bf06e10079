//! Binds whose source or destination is a symbolic link.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::io::Errno;

use super::mount::{mount, run, said};
use super::{sandbox, text};
use crate::step::{Bind, Links, Mount, MountKind, Op};

fn bind_with(source: &Path, links: Links, destination: &str) -> Mount {
    let source = text(source.to_str().unwrap());
    let kind = MountKind::Bind(Bind { source, recursive: false, links, ignored: Vec::new() });
    mount(kind, destination)
}

#[test]
fn a_link_is_copied_and_what_is_no_link_is_bound() {
    sandbox(|s| {
        let copy = Links { copy: true, ..Links::default() };
        let link = s.outside("link");
        symlink("/anything/at/all", &link).unwrap();
        for _ in 0..2 {
            run(s, bind_with(&link, copy, "/made/here")).unwrap();
            assert_eq!(fs::read_link(s.path("made/here")).unwrap(), Path::new("/anything/at/all"));
        }
        fs::write(s.path("other"), "").unwrap();
        symlink("/elsewhere", s.path("elsewhere")).unwrap();
        for there in ["/other", "/elsewhere"] {
            let (op, errno, text) = said(run(s, bind_with(&link, copy, there)));
            assert_eq!((op, errno), (Op::Symlink, Errno::EXIST));
            assert_eq!(text, "the destination is there and is not the same link");
        }
        fs::write(s.outside("file"), "bound").unwrap();
        run(s, bind_with(&s.outside("file"), copy, "/file")).unwrap();
        assert_eq!(fs::read_to_string(s.see("file")).unwrap(), "bound");
    });
}

#[test]
fn a_link_is_bound_and_covered_itself() {
    sandbox(|s| {
        fs::write(s.outside("file"), "the file").unwrap();
        let link = s.outside("link");
        symlink("file", &link).unwrap();
        let keep_source = Links { keep_source: true, ..Links::default() };
        run(s, bind_with(&link, keep_source, "/bound")).unwrap();
        assert_eq!(fs::read_link(s.see("bound")).unwrap(), Path::new("file"));

        fs::write(s.path("target"), "behind").unwrap();
        symlink("target", s.path("covered")).unwrap();
        let keep_destination = Links { keep_destination: true, ..Links::default() };
        run(s, bind_with(&s.outside("file"), keep_destination, "/covered")).unwrap();
        assert_eq!(fs::read_to_string(s.see("covered")).unwrap(), "the file");
        assert_eq!(fs::read_to_string(s.see("target")).unwrap(), "behind");
        run(s, bind_with(&s.outside("file"), keep_destination, "/new")).unwrap();
        assert_eq!(fs::read_to_string(s.see("new")).unwrap(), "the file");
    });
}
