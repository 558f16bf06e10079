//! The caller's terminal as the container's: raw mode, and bytes copied both ways.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, IoSliceMut, read, write};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType,
    recvmsg, socketpair,
};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{
    OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use crate::failure::Failure;

/// Bytes copied at once.
const CHUNK: usize = 16 << 10;

/// The caller's terminal, and once it has come, the master of the container's.
#[derive(Debug)]
pub(crate) struct Terminal {
    socket: OwnedFd,
    master: Option<OwnedFd>,
    /// The settings to restore.
    settings: Option<Termios>,
    /// What was typed and not yet taken.
    typed: Vec<u8>,
    /// Whether more can be typed.
    open: bool,
}

impl Terminal {
    /// The terminal of the standard input, and the socket by which the container sends its own.
    pub(crate) fn prepare() -> Result<(Self, OwnedFd), Failure> {
        if !isatty(stdin()) {
            return Err(Failure::new(
                "process.terminal is true, but the standard input is no terminal: run it from one, or give --console-socket",
            ));
        }
        let failed =
            |errno: Errno| Failure::new(format!("make a socket for the terminal: {errno}"));
        let kind = (AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC);
        let (socket, other) = socketpair(kind.0, kind.1, kind.2, None).map_err(failed)?;
        let terminal = Self { socket, master: None, settings: None, typed: Vec::new(), open: true };
        Ok((terminal, other))
    }

    /// Takes the master that the container has sent, and makes the caller's terminal raw.
    pub(crate) fn receive(&mut self) -> Result<(), Failure> {
        let failed =
            |errno: Errno| Failure::new(format!("receive the container's terminal: {errno}"));
        let master = receive_descriptor(&self.socket).map_err(failed)?;
        let flags = fcntl_getfl(&master).map_err(failed)?;
        fcntl_setfl(&master, flags | OFlags::NONBLOCK).map_err(failed)?;
        self.master = Some(master);
        let settings = tcgetattr(stdin()).map_err(failed)?;
        let mut raw = settings.clone();
        raw.make_raw();
        self.settings = Some(settings);
        tcsetattr(stdin(), OptionalActions::Now, &raw).map_err(failed)
    }

    /// Rows and columns of the caller's terminal, if it has a size.
    pub(crate) fn size(&self) -> Option<(u16, u16)> {
        let size = tcgetwinsize(stdin()).ok()?;
        (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
    }

    /// Gives the container's terminal the size of the caller's.
    pub(crate) fn resize(&self) {
        if let (Some(master), Ok(size)) = (&self.master, tcgetwinsize(stdin())) {
            let _ = tcsetwinsize(master, size);
        }
    }

    /// What to wait for: typing, when all of it has been taken, and the container's output.
    pub(crate) fn add_to<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        let Some(master) = &self.master else { return };
        let mut wanted = PollFlags::IN;
        if !self.typed.is_empty() {
            wanted |= PollFlags::OUT;
        } else if self.open {
            fds.push(PollFd::from_borrowed_fd(stdin(), PollFlags::IN));
        }
        fds.push(PollFd::new(master, wanted));
    }

    /// Copies what there is.
    pub(crate) fn copy(&mut self) -> Result<(), Failure> {
        let failed = |errno: Errno| Failure::new(format!("copy the terminal: {errno}"));
        if self.open && self.typed.is_empty() && is_readable(stdin()) {
            let mut bytes = [0; CHUNK];
            match read(stdin(), &mut bytes[..]) {
                // In raw mode only a terminal that has hung up has an end.
                Ok(0) | Err(Errno::IO) => {
                    self.hang_up();
                    return Ok(());
                }
                Ok(length) => self.typed.extend(bytes.iter().take(length)),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        self.give_typed();
        match self.show(1) {
            Err(Errno::IO) => self.hang_up(),
            shown => shown.map_err(failed)?,
        }
        Ok(())
    }

    /// Without a master the container's terminal hangs up too: its process is told, and reads an end.
    fn hang_up(&mut self) {
        self.open = false;
        self.master = None;
    }

    fn give_typed(&mut self) {
        let Some(master) = &self.master else { return };
        match write(master, &self.typed) {
            Ok(length) => drop(self.typed.drain(..length)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            // Nobody reads any more.
            Err(_) => self.typed.clear(),
        }
    }

    /// Shows at most `chunks` of output.
    fn show(&self, chunks: usize) -> Result<(), Errno> {
        let Some(master) = &self.master else { return Ok(()) };
        let mut bytes = [0; CHUNK];
        for _ in 0..chunks {
            match read(master, &mut bytes[..]) {
                Ok(0) | Err(Errno::AGAIN | Errno::INTR | Errno::IO) => return Ok(()),
                Ok(length) => write_all(bytes.get(..length).unwrap_or_default())?,
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Shows what is left after the end of the process. What its children go on writing is not waited for.
    pub(crate) fn drain(&mut self) {
        let _ = self.show(64);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(settings) = &self.settings {
            let _ = tcsetattr(stdin(), OptionalActions::Now, settings);
        }
    }
}

fn is_readable(fd: impl AsFd) -> bool {
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(rustix::event::poll(&mut fds, Some(&now)), Ok(1))
}

fn write_all(mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match write(stdout(), bytes) {
            Ok(length) => bytes = bytes.get(length..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn receive_descriptor(socket: &OwnedFd) -> Result<OwnedFd, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; 64];
    let mut slices = [IoSliceMut::new(&mut bytes)];
    recvmsg(socket, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut fds) = message {
            return fds.next().ok_or(Errno::BADMSG);
        }
    }
    Err(Errno::BADMSG)
}
