//! Both ends of terminals: what a person would see and type, and sockets that receive descriptors.

use std::fs::File;
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use anyhow::{Context, bail};
use harness::call::Running;
use harness::{Call, Runtime, ensure_eq, wait};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, IoSliceMut};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use crate::streams;

/// The master of a terminal.
#[derive(Debug)]
pub(crate) struct Screen {
    master: File,
    seen: Vec<u8>,
}

impl Screen {
    /// The terminal of this master.
    pub(crate) fn of(master: OwnedFd) -> Self {
        Self { master: File::from(master), seen: Vec::new() }
    }

    /// A new terminal of the host's.
    pub(crate) fn new(rows: u16, columns: u16) -> anyhow::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        unlockpt(&master)?;
        let screen = Self::of(master);
        screen.resize(rows, columns)?;
        Ok(screen)
    }

    /// Starts a command with this terminal as its standard streams and controlling terminal.
    pub(crate) fn spawn(&self, call: Call) -> anyhow::Result<Running> {
        self.spawn_with(call, 3)
    }

    /// The same, for the first `count` of the standard streams alone.
    pub(crate) fn spawn_with(&self, mut call: Call, count: usize) -> anyhow::Result<Running> {
        let slave = self.slave()?;
        streams::before_exec(&mut call, move || {
            let _leader = rustix::process::setsid();
            let _controlled = rustix::process::ioctl_tiocsctty(&slave);
            let _in = rustix::stdio::dup2_stdin(&slave);
            if count > 1 {
                let _out = rustix::stdio::dup2_stdout(&slave);
                let _err = rustix::stdio::dup2_stderr(&slave);
            }
        });
        call.spawn()
    }

    fn slave(&self) -> anyhow::Result<OwnedFd> {
        let name = ptsname(&self.master, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        rustix::fs::open(&name, flags, Mode::empty()).context("open the terminal's slave")
    }

    /// The settings of the terminal, which are the slave's.
    pub(crate) fn settings(&self) -> anyhow::Result<Termios> {
        Ok(tcgetattr(&self.master)?)
    }

    /// Changes the size of the window.
    pub(crate) fn resize(&self, rows: u16, columns: u16) -> anyhow::Result<()> {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(tcsetwinsize(&self.master, size)?)
    }

    /// Types these keys.
    pub(crate) fn enter(&mut self, keys: &str) -> anyhow::Result<()> {
        Ok(self.master.write_all(keys.as_bytes())?)
    }

    /// Waits until these words are seen, and returns all that came before and with them.
    pub(crate) fn see(&mut self, words: &str) -> anyhow::Result<String> {
        loop {
            let text = self.text();
            if text.contains(words) {
                return Ok(text);
            }
            if !self.more()? {
                bail!("the terminal hung up, {words:?} was not seen but {:?}", self.text());
            }
        }
    }

    /// Everything up to the end of the last process that has the terminal open.
    pub(crate) fn rest(&mut self) -> anyhow::Result<String> {
        while self.more()? {}
        Ok(self.text())
    }

    /// The same, byte by byte.
    pub(crate) fn bytes(&mut self) -> anyhow::Result<Vec<u8>> {
        while self.more()? {}
        Ok(std::mem::take(&mut self.seen))
    }

    /// What is there until a process ends, whose terminal this is no more.
    pub(crate) fn until_end(&mut self, running: &Running) -> anyhow::Result<Vec<u8>> {
        let pidfd = wait::pidfd(running.pid())?.context("the command is gone")?;
        loop {
            let ended = wait::readable(&pidfd, std::time::Duration::ZERO)?;
            while wait::readable(&self.master, std::time::Duration::ZERO)? && self.more()? {}
            if ended {
                return Ok(std::mem::take(&mut self.seen));
            }
            either(&self.master, &pidfd)?;
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).replace('\r', "")
    }

    fn more(&mut self) -> anyhow::Result<bool> {
        if !wait::readable(&self.master, wait::LIMIT)? {
            bail!("nothing more on the terminal after {:?}", self.text());
        }
        let mut bytes = [0; 65536];
        match self.master.read(&mut bytes) {
            Ok(0) => Ok(false),
            Ok(length) => {
                self.seen.extend(bytes.iter().take(length));
                Ok(true)
            }
            Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => Ok(false),
            Err(error) => Err(error).context("read the terminal"),
        }
    }
}

fn either(one: impl AsFd, other: impl AsFd) -> anyhow::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(&one, PollFlags::IN), PollFd::new(&other, PollFlags::IN)];
    if poll(&mut fds, Some(&Timespec::try_from(wait::LIMIT)?))? == 0 {
        bail!("neither output nor an end");
    }
    Ok(())
}

/// A socket that waits for a descriptor.
#[derive(Debug)]
pub(crate) struct Receiver {
    listener: UnixListener,
    path: PathBuf,
}

impl Receiver {
    /// Listens in the test's directory.
    pub(crate) fn new(rt: &Runtime) -> anyhow::Result<Self> {
        let path = rt.directory().join("receiver");
        let _first = std::fs::remove_file(&path);
        Ok(Self { listener: UnixListener::bind(&path)?, path })
    }

    /// Where it listens.
    pub(crate) fn path(&self) -> &str {
        self.path.to_str().unwrap_or_default()
    }

    /// The one descriptor of the one message of the one connection.
    pub(crate) fn receive(&self) -> anyhow::Result<OwnedFd> {
        let (fds, messages) = self.everything()?;
        ensure_eq("messages on the socket", messages, 1)?;
        ensure_eq("descriptors in the message", fds.len(), 1)?;
        fds.into_iter().next().context("no descriptor")
    }

    fn everything(&self) -> anyhow::Result<(Vec<OwnedFd>, usize)> {
        if !wait::readable(&self.listener, wait::LIMIT)? {
            bail!("nobody connected to the socket");
        }
        let (stream, _) = self.listener.accept()?;
        let (mut all, mut messages) = (Vec::new(), 0);
        loop {
            if !wait::readable(&stream, wait::LIMIT)? {
                bail!("the socket stays open after {messages} messages");
            }
            let (length, fds) = receive(&stream)?;
            if length == 0 && fds.is_empty() {
                return Ok((all, messages));
            }
            messages += 1;
            all.extend(fds);
        }
    }
}

fn receive(stream: &UnixStream) -> anyhow::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; 4096];
    let got =
        recvmsg(stream, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut all = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            all.extend(fds);
        }
    }
    Ok((got.bytes, all))
}
