//! The container's terminal.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use super::attach::{Depth, attach, clone_of};
use super::{Child, Failure, Op, mask, procfs};

/// The magic number of devpts (`statfs(2)`).
const DEVPTS_SUPER_MAGIC: i64 = 0x1cd1;

/// Makes a pty in the container's devpts, gives its slave to the process, and sends its master to the creator's socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// Columns and rows at the start; zero leaves them.
    pub size: (u16, u16),
    /// The slave's owner.
    pub uid: u32,
    /// Whether `/dev/console` is mounted on the slave (create, not exec).
    pub dev_console: bool,
}

/// The standard streams before the process becomes its user: one that is the host's `/dev/null` becomes the
/// container's, or one of its own where the container has none, and the others are given to the user (`fchown(2)`), as far as the kernel lets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streams {
    /// `process.user.uid`.
    pub uid: u32,
}

impl Console {
    pub(super) fn execute(&self, child: &mut Child) -> Result<(), Failure> {
        let master = open_master(child)?;
        rustix::pty::unlockpt(&master).map_err(Failure::at(Op::Ioctl))?;
        // The slave by its master: what `/dev/pts/N` is in the container is not asked (CVE-2025-52565).
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let slave =
            rustix::pty::ioctl_tiocgptpeer(&master, flags).map_err(Failure::at(Op::Ioctl))?;
        self.resize(&slave)?;
        rustix::fs::fchown(&slave, Some(Uid::from_raw(self.uid)), None)
            .map_err(Failure::at(Op::Chown))?;
        if self.dev_console {
            mount_console(child, &slave)?;
        }
        // Without a holder of the master the terminal would hang up at once.
        let socket = child.console_socket.take().ok_or(Failure::new(Op::Send, Errno::NOTCONN))?;
        send_master(&socket, &master)?;
        take_over(&slave)
    }

    fn resize(&self, slave: &OwnedFd) -> Result<(), Failure> {
        let (columns, rows) = self.size;
        if columns == 0 && rows == 0 {
            return Ok(());
        }
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(slave, size).map_err(Failure::at(Op::Ioctl))
    }
}

/// The multiplexer of the container's devpts, proven to be one before it is opened.
fn open_master(child: &Child) -> Result<OwnedFd, Failure> {
    let wrong = |errno| {
        Failure::new(Op::Open, errno).with(b"a terminal needs a devpts mounted on /dev/pts")
    };
    let found = child.root()?.open_path(c"/dev/pts/ptmx").map_err(wrong)?;
    let filesystem = rustix::fs::fstatfs(&found).map_err(Failure::at(Op::Stat))?;
    let stat = rustix::fs::fstat(&found).map_err(Failure::at(Op::Stat))?;
    if filesystem.f_type != DEVPTS_SUPER_MAGIC || stat.st_rdev != rustix::fs::makedev(5, 2) {
        return Err(wrong(Errno::NODEV));
    }
    procfs::reopen(&child.proc, &found, OFlags::RDWR | OFlags::NOCTTY)
        .map_err(Failure::at(Op::Open))
}

/// Shows the slave as `/dev/console`.
fn mount_console(child: &Child, slave: &OwnedFd) -> Result<(), Failure> {
    let (parent, name) =
        child.root()?.create_parent(c"/dev/console").map_err(Failure::at(Op::Openat2))?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let target = match rustix::fs::openat(&parent, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => {
            let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o600))
        }
        opened => opened,
    }
    .map_err(Failure::at(Op::Open))?;
    let stat = rustix::fs::fstat(&target).map_err(Failure::at(Op::Stat))?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
        return Err(Failure::new(Op::Mismatch, Errno::LOOP).with(b"/dev/console is a link"));
    }
    attach(clone_of(slave, Depth::Mount)?, target)
}

/// One message: a name for people, and the descriptor.
fn send_master(socket: &OwnedFd, master: &OwnedFd) -> Result<(), Failure> {
    let descriptors = [master.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    let name = [IoSlice::new(b"/dev/ptmx")];
    rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(socket, &name, &mut control, SendFlags::NOSIGNAL)
    })
    .map(drop)
    .map_err(Failure::at(Op::Send))
}

/// The slave becomes the controlling terminal and the standard streams.
fn take_over(slave: &OwnedFd) -> Result<(), Failure> {
    match rustix::process::setsid() {
        // It leads a session already.
        Ok(_) | Err(Errno::PERM) => {}
        Err(errno) => return Err(Failure::new(Op::Setsid, errno)),
    }
    rustix::process::ioctl_tiocsctty(slave).map_err(Failure::at(Op::Ioctl))?;
    let failure = Failure::at(Op::Dup);
    rustix::stdio::dup2_stdin(slave).map_err(failure)?;
    rustix::stdio::dup2_stdout(slave).map_err(failure)?;
    rustix::stdio::dup2_stderr(slave).map_err(failure)
}

impl Streams {
    pub(super) fn execute(&self, child: &Child) -> Result<(), Failure> {
        self.take(child, rustix::stdio::stdin(), |null| rustix::stdio::dup2_stdin(null))?;
        self.take(child, rustix::stdio::stdout(), |null| rustix::stdio::dup2_stdout(null))?;
        self.take(child, rustix::stdio::stderr(), |null| rustix::stdio::dup2_stderr(null))
    }

    fn take(
        &self,
        child: &Child,
        stream: BorrowedFd<'_>,
        replace: impl Fn(&OwnedFd) -> Result<(), Errno>,
    ) -> Result<(), Failure> {
        let stat = match rustix::fs::fstat(stream) {
            Err(Errno::BADF) => return Ok(()),
            stat => stat.map_err(Failure::at(Op::Stat))?,
        };
        let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
        if is_device && stat.st_rdev == rustix::fs::makedev(1, 3) {
            return replace_null(child, &stat, replace);
        }
        if stat.st_uid == self.uid {
            return Ok(());
        }
        match rustix::fs::fchown(stream, Some(Uid::from_raw(self.uid)), None) {
            // A read-only filesystem, an owner that a user namespace does not map, a file that is not ours to give.
            Ok(()) | Err(Errno::INVAL | Errno::PERM | Errno::ROFS) => Ok(()),
            Err(errno) => Err(Failure::new(Op::Chown, errno)),
        }
    }
}

fn replace_null(
    child: &Child,
    host: &Stat,
    replace: impl Fn(&OwnedFd) -> Result<(), Errno>,
) -> Result<(), Failure> {
    let null = match child.root()?.open_path(c"/dev/null") {
        Ok(found) if mask::is_null(&found)? => found,
        // Who removes it must not get the host's, whose mode root inside could change.
        _ => match mask::private_null() {
            Err(failure) if failure.errno == Errno::PERM && is_unmapped(host) => return Ok(()),
            made => made?,
        },
    };
    let null = procfs::reopen(&child.proc, &null, OFlags::RDWR).map_err(Failure::at(Op::Open))?;
    replace(&null).map_err(Failure::at(Op::Dup))
}

/// Whether the owner is nobody in this user namespace (`fs.overflowuid`): then nobody in it can change the file.
fn is_unmapped(stat: &Stat) -> bool {
    stat.st_uid == 65534
}
