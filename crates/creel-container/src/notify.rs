//! What a container's program tells its service manager (`sd_notify(3)`), taken by a socket of the container's own and
//! passed on. The container is not trusted: only what is about the program itself goes through, and its process is
//! named by who passes it on.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{AtFlags, Mode, OFlags, chmodat, mkdirat, openat, unlinkat};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendFlags, SocketAddrUnix, SocketFlags, SocketType, recvmsg, sendmsg,
    socket_with, sockopt,
};

use crate::error::{Error, Result, StepError};
use crate::process;
use crate::state::{Directory, NOTIFY};
use crate::step::Op;

/// Where the container finds the directory of its socket, as with other runtimes.
pub(crate) const DIRECTORY_INSIDE: &str = "/run/notify";
/// The socket there.
pub(crate) const SOCKET_INSIDE: &str = "/run/notify/notify.sock";

const SOCKET: &str = "notify.sock";
/// The longest message that systemd takes.
const LONGEST: usize = 4096;
/// How many messages are passed on before the caller is asked again: a flood must not keep it from its signals.
const AT_ONCE: usize = 64;
/// How long a service manager may take to work through what it was sent.
const PATIENCE: Duration = Duration::from_secs(3);
const BARRIER: &[u8] = b"BARRIER=1";
/// What a program may say: of itself, and nothing that a service manager would take as an order on who may speak, or
/// as a process or descriptor to keep.
const VARIABLES: [&[u8]; 12] = [
    b"READY",
    b"RELOADING",
    b"STOPPING",
    b"MONOTONIC_USEC",
    b"STATUS",
    b"ERRNO",
    b"BUSERROR",
    b"VARLINKERROR",
    b"EXIT_STATUS",
    b"WATCHDOG",
    b"WATCHDOG_USEC",
    b"EXTEND_TIMEOUT_USEC",
];

/// Messages of a started container on their way to the service manager: readable when there is one.
///
/// What is not passed on when this is dropped is lost, and later senders are refused.
#[derive(Debug)]
pub struct Notify {
    socket: OwnedFd,
    manager: OwnedFd,
    main_pid: i32,
    is_ready: bool,
}

impl AsFd for Notify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// One datagram.
struct Received {
    text: Vec<u8>,
    descriptor: Option<OwnedFd>,
}

/// Makes the directory that will hold the socket; anybody in the container may look into it.
pub(crate) fn make_directory(directory: &Directory) -> Result<()> {
    let mode = Mode::from(0o755);
    mkdirat(directory.fd(), NOTIFY, mode)
        .and_then(|()| chmodat(directory.fd(), NOTIFY, mode, AtFlags::empty()))
        .map_err(|errno| StepError::new("make the notification directory", Op::Mkdir, errno).into())
}

impl Notify {
    /// Opens the container's socket; what it gets goes to `manager`, with `main_pid` as the service's process.
    pub(crate) fn open(directory: &Directory, manager: &Path, main_pid: i32) -> Result<Self> {
        let manager = connect(manager)?;
        let socket = bind(directory)
            .map_err(|errno| StepError::new("make the notification socket", Op::Socket, errno))?;
        Ok(Self { socket, manager, main_pid, is_ready: false })
    }

    /// Another process stands for the service: that of a command which stays with its container.
    #[must_use]
    pub fn with_main_pid(mut self, pid: i32) -> Self {
        self.main_pid = pid;
        self
    }

    /// Passes on what is there, without waiting for more. Whether the program has said that it is ready.
    pub fn forward(&mut self) -> bool {
        for _ in 0..AT_ONCE {
            match self.receive() {
                Ok(Some(message)) => self.pass(message),
                Ok(None) => {}
                Err(_) => break,
            }
        }
        self.is_ready
    }

    /// Passes on until the program is ready or `init` has ended, then waits until the service manager has seen it.
    pub(crate) fn forward_until_ready(mut self, init: &OwnedFd) {
        loop {
            let mut fds =
                [PollFd::new(&self.socket, PollFlags::IN), PollFd::new(init, PollFlags::IN)];
            match poll(&mut fds, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
            let [_, end] = &fds;
            let has_ended = !end.revents().is_empty();
            if self.forward() || has_ended {
                break;
            }
        }
        if self.is_ready {
            self.await_manager();
        }
        // Who is ready and waits until that is known gets its answer by the end of this socket, or here.
        self.forward();
    }

    /// A message and its descriptor. None: one that is too long, which the service manager would not take either.
    fn receive(&self) -> Result<Option<Received>, Errno> {
        let mut bytes = vec![0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let received =
            recvmsg(&self.socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags)?;
        let descriptor = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            RecvAncillaryMessage::ScmCredentials(_) | _ => None,
        });
        if received.flags.contains(ReturnFlags::TRUNC) {
            return Ok(None);
        }
        bytes.truncate(received.bytes);
        Ok(Some(Received { text: bytes, descriptor }))
    }

    fn pass(&mut self, message: Received) {
        let sent = match message.descriptor {
            Some(fd) if message.text.trim_ascii_end() == BARRIER => {
                process::send_descriptor(self.manager.as_fd(), BARRIER, fd.as_fd())
            }
            _ => match self.allowed(&message.text) {
                Some(text) => self.send(&text),
                None => Ok(()),
            },
        };
        if let Err(errno) = sent {
            tracing::warn!("tell NOTIFY_SOCKET: {}", crate::error::errno_words(errno));
        }
    }

    /// What of a message is passed on. In one message with its process: from then on systemd listens to that alone.
    fn allowed(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let is_allowed = |line: &&[u8]| {
            line.split(|byte| *byte == b'=').next().is_some_and(|name| VARIABLES.contains(&name))
        };
        let lines: Vec<&[u8]> = message.split(|byte| *byte == b'\n').filter(is_allowed).collect();
        let text = lines.join(&b'\n');
        if !lines.contains(&&b"READY=1"[..]) {
            return Some(text).filter(|text| !text.is_empty());
        }
        self.is_ready = true;
        Some([format!("MAINPID={}\n", self.main_pid).as_bytes(), &text].concat())
    }

    fn send(&self, text: &[u8]) -> Result<(), Errno> {
        let mut none = SendAncillaryBuffer::new(&mut []);
        sendmsg(&self.manager, &[IoSlice::new(text)], &mut none, SendFlags::NOSIGNAL).map(drop)
    }

    /// Waits until the service manager has worked through what it was sent: it looks the sender up by its pid, which
    /// must not be gone. It closes a descriptor to tell; one that takes no barriers does when it reads on.
    fn await_manager(&self) {
        let Ok((reader, writer)) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC) else {
            return;
        };
        if process::send_descriptor(self.manager.as_fd(), BARRIER, writer.as_fd()).is_err() {
            return;
        }
        drop(writer);
        process::ends_before(&reader, Some(Instant::now() + PATIENCE));
    }
}

fn connect(path: &Path) -> Result<OwnedFd> {
    let failed = |errno| {
        StepError::new(format!("connect to NOTIFY_SOCKET {}", path.display()), Op::Connect, errno)
    };
    let socket = match path.as_os_str().as_bytes() {
        [b'@', name @ ..] => connect_abstract(name),
        [b'/', ..] => process::connect_as(SocketType::DGRAM, path),
        _ => return Err(not_known(path)),
    };
    let socket = socket.map_err(failed)?;
    // A service manager that reads nothing must not stop its container.
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(PATIENCE)).map_err(failed)?;
    Ok(socket)
}

fn not_known(path: &Path) -> Error {
    Error::State(format!(
        "NOTIFY_SOCKET: expected an absolute path or a name that starts with @, found {:?}",
        path.display().to_string()
    ))
}

fn connect_abstract(name: &[u8]) -> Result<OwnedFd, Errno> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new_abstract_name(name)?)?;
    Ok(socket)
}

/// The socket is reached through the directory's descriptor: its path may be longer than an address holds.
fn bind(directory: &Directory) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inside = openat(directory.fd(), NOTIFY, flags, Mode::empty())?;
    // Of a start that failed.
    match unlinkat(&inside, SOCKET, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let path = format!("/proc/self/fd/{}/{SOCKET}", inside.as_raw_fd());
    rustix::net::bind(&socket, &SocketAddrUnix::new(path.as_str())?)?;
    // Whatever user the program is.
    chmodat(&inside, SOCKET, Mode::from(0o777), AtFlags::empty())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(message: &[u8]) -> Option<String> {
        let (socket, manager) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        let mut notify = Notify { socket, manager, main_pid: 42, is_ready: false };
        notify.allowed(message).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_program_speaks_of_itself_alone() {
        let table = [
            ("READY=1", Some("MAINPID=42\nREADY=1")),
            ("STATUS=up\nREADY=1\nMAINPID=1\n", Some("MAINPID=42\nSTATUS=up\nREADY=1")),
            ("STATUS=READY=1", Some("STATUS=READY=1")),
            ("WATCHDOG=1", Some("WATCHDOG=1")),
            ("MAINPID=1", None),
            ("NOTIFYACCESS=all\nFDSTORE=1", None),
            ("", None),
        ];
        for (message, expected) in table {
            assert_eq!(allowed(message.as_bytes()).as_deref(), expected, "{message:?}");
        }
    }
}
