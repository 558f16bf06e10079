use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, SocketFlags, SocketType,
};

use super::mount::{filesystem, mount, run};
use super::{sandbox, text};
use crate::step::{Console, Op, Step, Streams};

fn console() -> Step {
    Step::Console(Console { size: (80, 24), uid: 1000, dev_console: true })
}

#[test]
fn a_terminal_is_the_containers_own() {
    sandbox(|s| {
        let options = [("newinstance", None), ("ptmxmode", Some("0666")), ("mode", Some("0620"))];
        run(s, mount(filesystem("devpts", &options), "/dev/pts")).unwrap();
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        s.child.console_socket = Some(theirs);
        s.execute(console()).unwrap();
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut name = [0; 64];
        let mut into = [std::io::IoSliceMut::new(&mut name)];
        let flags = rustix::net::RecvFlags::empty();
        rustix::net::recvmsg(&ours, &mut into, &mut control, flags).unwrap();
        let Some(RecvAncillaryMessage::ScmRights(mut master)) = control.drain().next() else {
            panic!("no descriptor came");
        };
        let master = master.next().unwrap();
        let size = rustix::termios::tcgetwinsize(&master).unwrap();
        assert_eq!((size.ws_col, size.ws_row), (80, 24));
        rustix::io::write(rustix::stdio::stdout(), b"said").unwrap();
        let mut heard = [0; 4];
        rustix::io::read(master.as_fd(), &mut heard).unwrap();
        assert_eq!(&heard, b"said");
        let console = s.see("dev/console").metadata().unwrap();
        assert!(console.file_type().is_char_device());
        assert_eq!(
            (console.uid(), console.rdev()),
            (1000, s.see("dev/pts/0").metadata().unwrap().rdev())
        );
        assert!(fs::File::open("/dev/tty").is_ok(), "it is the controlling terminal");
        // Its end would be a hangup for this process.
        let _held = std::os::fd::IntoRawFd::into_raw_fd(master);
    });
}

#[test]
fn cve_2025_52565_a_false_devpts_is_refused() {
    sandbox(|s| {
        fs::create_dir(s.path("dev/pts")).unwrap();
        let failure = s.execute(console()).unwrap_err();
        assert_eq!(failure.op, Op::Open);
        fs::write(s.path("dev/pts/ptmx"), "").unwrap();
        let failure = s.execute(console()).unwrap_err();
        assert!(failure.detail.as_bytes().starts_with(b"a terminal needs a devpts"));
    });
}

#[test]
fn streams_become_the_users() {
    sandbox(|s| {
        let device = crate::step::Device {
            path: text("/dev/null"),
            kind: crate::step::DeviceKind::Char,
            number: (1, 3),
            mode: 0o666,
            uid: 0,
            gid: 0,
            default: true,
        };
        s.execute(Step::Device(device)).unwrap();
        let file = fs::File::create(s.outside("log")).unwrap();
        rustix::stdio::dup2_stdout(&file).unwrap();
        rustix::stdio::dup2_stdin(fs::File::open("/dev/null").unwrap()).unwrap();
        let host = fs::metadata("/dev/null").unwrap();
        s.execute(Step::Streams(Streams { uid: 1000 })).unwrap();
        assert_eq!(file.metadata().unwrap().uid(), 1000);
        let stdin = rustix::fs::fstat(rustix::stdio::stdin()).unwrap();
        assert_eq!(stdin.st_dev, s.path("dev/null").metadata().unwrap().dev());
        assert_eq!(fs::metadata("/dev/null").unwrap().uid(), host.uid());
    });
}

#[test]
fn cve_2026_88264_a_console_that_is_a_link_is_refused() {
    for target in ["/outside/made", "../../outside/made"] {
        sandbox(|s| {
            run(s, mount(filesystem("devpts", &[("newinstance", None)]), "/dev/pts")).unwrap();
            std::os::unix::fs::symlink(target, s.path("dev/console")).unwrap();
            let failure = s.execute(console()).unwrap_err();
            assert_eq!(failure.op, Op::Mismatch);
            assert!(!s.outside("made").exists() && !s.path("outside").exists());
        });
    }
}

#[test]
fn cve_2026_88265_a_false_null_device_becomes_no_stream() {
    sandbox(|s| {
        fs::write(s.path("etc/secret"), "").unwrap();
        std::os::unix::fs::symlink("/etc/secret", s.path("dev/null")).unwrap();
        rustix::stdio::dup2_stdin(fs::File::open("/dev/null").unwrap()).unwrap();
        s.execute(Step::Streams(Streams { uid: 1000 })).unwrap();
        let stdin = rustix::fs::fstat(rustix::stdio::stdin()).unwrap();
        assert_eq!(stdin.st_rdev, rustix::fs::makedev(1, 3));
        // Nor is it the host's, whose mode root inside could change.
        let host = fs::metadata("/dev/null").unwrap();
        assert_ne!((stdin.st_dev, stdin.st_ino), (host.dev(), host.ino()));
        assert_eq!(fs::metadata(s.path("etc/secret")).unwrap().uid(), 0);
    });
}
