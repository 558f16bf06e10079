use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::io::Errno;

use super::{Sandbox, sandbox, text};
use crate::step::{Identity, LookUpProgram, Pivot, Step, WorkingDirectory, exec_failure};

/// `(errno, detail)`, or the program that was found.
fn look_up(s: &mut Sandbox, name: &str, path: &[&str]) -> Result<String, (Errno, String)> {
    let candidates = if name.contains('/') {
        vec![text(name)]
    } else {
        path.iter().map(|directory| text(&format!("{directory}/{name}"))).collect()
    };
    let step = LookUpProgram { name: text(name), candidates, effective: u64::MAX };
    match s.execute(Step::LookUpProgram(step)) {
        Ok(()) => Ok(s.child.program.as_ref().unwrap().to_str().unwrap().to_owned()),
        Err(failure) => {
            Err((failure.errno, String::from_utf8_lossy(failure.detail.as_bytes()).into_owned()))
        }
    }
}

fn write(s: &Sandbox, name: &str, content: impl AsRef<[u8]>, mode: u32) {
    fs::create_dir_all(s.path(name).parent().unwrap()).unwrap();
    fs::write(s.path(name), content).unwrap();
    fs::set_permissions(s.path(name), fs::Permissions::from_mode(mode)).unwrap();
}

fn enter(s: &mut Sandbox, cwd: &str) {
    s.execute(Step::Pivot(Pivot)).unwrap();
    let step = WorkingDirectory { path: text(cwd), create: true };
    s.execute(Step::WorkingDirectory(step)).unwrap();
}

/// An ELF file of this machine's class with a loader.
fn elf(machine: u16, loader: &str) -> Vec<u8> {
    let mut file = vec![0_u8; 64 + 56];
    file[..6].copy_from_slice(b"\x7fELF\x02\x01");
    file[16..18].copy_from_slice(&2_u16.to_le_bytes());
    file[18..20].copy_from_slice(&machine.to_le_bytes());
    file[32..40].copy_from_slice(&64_u64.to_le_bytes());
    file[54..56].copy_from_slice(&56_u16.to_le_bytes());
    file[56..58].copy_from_slice(&1_u16.to_le_bytes());
    file[64..68].copy_from_slice(&3_u32.to_le_bytes());
    file[72..80].copy_from_slice(&120_u64.to_le_bytes());
    file[96..104].copy_from_slice(&(loader.len() as u64 + 1).to_le_bytes());
    file.extend_from_slice(loader.as_bytes());
    file.push(0);
    file
}

const NATIVE: u16 = crate::sys::machine::NATIVE[0];

#[test]
fn the_first_executable_in_the_path_is_found() {
    sandbox(|s| {
        write(s, "a/prog", "", 0o644);
        write(s, "b/prog", elf(NATIVE, "/lib/ld.so"), 0o755);
        write(s, "lib/ld.so", "", 0o755);
        write(s, "work/rel", elf(NATIVE, "/lib/ld.so"), 0o755);
        enter(s, "/work");
        let path = ["/missing", "/a", "/b"];
        assert_eq!(look_up(s, "prog", &path).as_deref(), Ok("/b/prog"));
        assert_eq!(look_up(s, "/b/prog", &path).as_deref(), Ok("/b/prog"));
        assert_eq!(look_up(s, "./rel", &path).as_deref(), Ok("./rel"));
        assert_eq!(look_up(s, "../b/prog", &path).as_deref(), Ok("../b/prog"));
        assert_eq!(look_up(s, "rel", &["."]).as_deref(), Ok("./rel"));
    });
}

#[test]
fn what_is_missing_is_told_from_what_is_forbidden() {
    sandbox(|s| {
        write(s, "a/prog", "", 0o644);
        fs::create_dir(s.path("dir")).unwrap();
        enter(s, "/");
        let nowhere = look_up(s, "nothing", &["/a", "/b"]).unwrap_err();
        assert_eq!(nowhere, (Errno::NOENT, "executable file not found in $PATH".into()));
        let (errno, detail) = look_up(s, "prog", &["/a"]).unwrap_err();
        assert_eq!(errno, Errno::NOENT);
        assert!(detail.starts_with("executable file not found in $PATH (/a/prog"), "{detail}");
        assert_eq!(look_up(s, "/a/nothing", &[]).unwrap_err().0, Errno::NOENT);
        let (errno, detail) = look_up(s, "/a/prog", &[]).unwrap_err();
        assert_eq!((errno, detail.as_str()), (Errno::ACCESS, "its mode is 0644, its owner 0:0"));
        assert_eq!(look_up(s, "/dir", &[]).unwrap_err(), (Errno::ACCESS, "is a directory".into()));
    });
}

#[test]
fn a_directory_that_the_user_may_not_search_is_named() {
    sandbox(|s| {
        write(s, "open/closed/prog", elf(NATIVE, "/x"), 0o755);
        fs::set_permissions(s.path("open/closed"), fs::Permissions::from_mode(0o700)).unwrap();
        enter(s, "/");
        let identity = Identity { uid: 1000, gid: 1000, groups: Some(Vec::new()) };
        s.execute(Step::Identity(identity)).unwrap();
        let own = rustix::thread::capabilities(None).unwrap();
        rustix::thread::set_capabilities(
            None,
            rustix::thread::CapabilitySets {
                effective: rustix::thread::CapabilitySet::empty(),
                ..own
            },
        )
        .unwrap();
        let step = LookUpProgram {
            name: text("/open/closed/prog"),
            candidates: vec![text("/open/closed/prog")],
            effective: 0,
        };
        let failure = s.execute(Step::LookUpProgram(step)).unwrap_err();
        assert_eq!(failure.errno, Errno::ACCESS);
        assert_eq!(failure.detail.as_bytes(), b"directory /open/closed may not be searched");
    });
}

#[test]
fn a_missing_interpreter_or_loader_is_named() {
    sandbox(|s| {
        write(s, "script", "#! /bin/nosh -e\necho\n", 0o755);
        write(s, "windows", "#!/bin/sh\r\necho\r\n", 0o755);
        write(s, "bin/sh", elf(NATIVE, "/lib/ld.so"), 0o755);
        write(s, "script-of-script", "#!/script\n", 0o755);
        write(s, "through-sh", "#!/bin/sh\n", 0o755);
        write(s, "foreign", elf(8, "/lib/ld-mips.so"), 0o755);
        write(s, "damaged", &elf(NATIVE, "/lib/ld.so")[..70], 0o755);
        enter(s, "/");
        for (name, expected) in [
            ("/script", "interpreter /bin/nosh of /script"),
            ("/script-of-script", "interpreter /bin/nosh of /script"),
            ("/bin/sh", "loader /lib/ld.so of /bin/sh"),
            ("/through-sh", "loader /lib/ld.so of /bin/sh"),
        ] {
            let (errno, detail) = look_up(s, name, &[]).unwrap_err();
            assert_eq!((errno, detail.as_str()), (Errno::NOENT, expected), "{name}");
        }
        let (_, detail) = look_up(s, "/windows", &[]).unwrap_err();
        assert!(detail.contains("CRLF"), "{detail}");
        assert!(look_up(s, "/foreign", &[]).is_ok(), "binfmt_misc may execute it");
        assert!(look_up(s, "/damaged", &[]).is_ok());
    });
}

#[test]
fn a_format_that_cannot_be_executed_is_explained_after_the_exec() {
    sandbox(|s| {
        write(s, "foreign", elf(8, "/lib/ld-mips.so"), 0o755);
        write(s, "text", "hello\n", 0o755);
        write(s, "empty", "", 0o755);
        enter(s, "/");
        let why = |name| {
            let failure = exec_failure(&s.child, name, Errno::NOEXEC);
            String::from_utf8_lossy(failure.detail.as_bytes()).into_owned()
        };
        assert!(why(c"/foreign").starts_with("it is for mips, this machine is "));
        assert!(why(c"/text").starts_with("it is neither"));
        assert!(why(c"/empty").starts_with("it is neither"));
        assert_eq!(exec_failure(&s.child, c"/text", Errno::TOOBIG).errno, Errno::TOOBIG);
    });
}

#[test]
fn a_mount_without_exec_is_the_reason() {
    sandbox(|s| {
        let mut step = super::mount::mount(super::mount::filesystem("tmpfs", &[]), "/x");
        step.attributes.set = crate::sys::mount::attr::NOEXEC;
        super::mount::run(s, step).unwrap();
        fs::write(s.see("x/prog"), "#!/x").unwrap();
        fs::set_permissions(s.see("x/prog"), fs::Permissions::from_mode(0o755)).unwrap();
        enter(s, "/");
        let expected = (Errno::ACCESS, "it is on a mount with noexec".to_owned());
        assert_eq!(look_up(s, "/x/prog", &[]).unwrap_err(), expected);
    });
}
