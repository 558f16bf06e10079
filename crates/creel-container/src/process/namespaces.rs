//! Namespaces that the creator opens, and those that it has to enter itself for its child to be in them.

#![expect(unsafe_code, reason = "rustix has no setns for every type and no NS_GET_NSTYPE")]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, fstatfs, openat};
use rustix::io::Errno;

use crate::error::{ConfigError, Error, Result, StepError};
use crate::plan::{Joined, Plan};
use crate::step::{Kind, Op, Text};
use crate::sys::last_errno;

const NSFS_MAGIC: u64 = 0x6e73_6673;
/// `_IO(0xb7, 0x3)`: the `CLONE_NEW…` flag of the namespace a descriptor is of.
const NS_GET_NSTYPE: u64 = 0xb703;

/// Opens every namespace to join, and checks that it is one of the type the config says.
pub(crate) fn open_joined(plan: &Plan) -> Result<Vec<OwnedFd>> {
    plan.joined.iter().map(open_checked).collect()
}

fn open_checked(joined: &Joined) -> Result<OwnedFd> {
    let refused = |expected: String| {
        let at = joined.at.field("path");
        Error::Config(vec![ConfigError::new(at, expected, joined.path.to_string())])
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = openat(CWD, joined.path.as_c_str(), flags, Mode::empty()).map_err(|errno| {
        let doing = format!("open namespace {}", joined.path);
        let mut error = StepError::new(doing, Op::Open, errno);
        error.at = Some(joined.at.field("path"));
        error
    })?;
    let is_namespace = fstatfs(&fd).is_ok_and(|it| it.f_type.cast_unsigned() == NSFS_MAGIC);
    if !is_namespace {
        return Err(refused(format!(
            "expected a {} namespace, not another file",
            joined.kind.word()
        )));
    }
    let found = namespace_type(fd.as_fd());
    if found != Some(joined.kind.flag()) {
        let word = Kind::ALL.iter().find(|kind| Some(kind.flag()) == found).map(|it| it.word());
        let other = word.unwrap_or("unknown");
        return Err(refused(format!(
            "expected a {} namespace, not a {other} one",
            joined.kind.word()
        )));
    }
    Ok(fd)
}

fn namespace_type(fd: BorrowedFd<'_>) -> Option<u32> {
    // SAFETY: this request takes no argument and only reads what the descriptor is.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), NS_GET_NSTYPE) };
    u32::try_from(result).ok()
}

/// `setns(2)` into the namespace of `fd`, which must be of type `kind`.
pub(crate) fn setns(fd: BorrowedFd<'_>, kind: u32) -> Result<(), Errno> {
    // SAFETY: takes two numbers; what changes is which namespaces this process is in.
    let result = unsafe { libc::setns(fd.as_raw_fd(), kind.cast_signed()) };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}

/// `unshare(2)`.
pub(crate) fn unshare(flags: u32) -> Result<(), Errno> {
    // SAFETY: takes a number; the namespaces of this process, which has one thread, change.
    let result = unsafe { libc::unshare(flags.cast_signed()) };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}

/// The creator in namespaces of its child: those that only a parent can choose, pid and time.
///
/// Dropping it, right after the clone, returns to the creator's own, before any hook or helper is started.
#[derive(Debug, Default)]
pub(crate) struct Entered {
    own: Vec<(Kind, OwnedFd)>,
}

impl Entered {
    /// Enters what the plan joins of the pid type, and makes a time namespace with its offsets.
    pub(crate) fn enter(plan: &Plan, joined: &[OwnedFd]) -> Result<Self> {
        let mut entered = Self::default();
        for (it, fd) in plan.joined.iter().zip(joined) {
            if it.kind == Kind::Pid {
                entered.remember(Kind::Pid)?;
                setns(fd.as_fd(), it.kind.flag()).map_err(|errno| {
                    let mut error =
                        StepError::new(format!("join pid namespace {}", it.path), Op::Setns, errno);
                    error.at = Some(it.at.clone());
                    error
                })?;
            }
        }
        if let Some((_, at)) = plan.new.iter().find(|(kind, _)| *kind == Kind::Time) {
            entered.remember(Kind::Time)?;
            new_time_namespace(&plan.time_offsets).map_err(|(op, errno)| {
                let mut error = StepError::new("make a time namespace", op, errno);
                error.at = Some(at.clone());
                error
            })?;
        }
        Ok(entered)
    }

    fn remember(&mut self, kind: Kind) -> Result<()> {
        let path = format!("/proc/self/ns/{}", kind.file());
        let fd = openat(CWD, path.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| StepError::new(format!("open {path}"), Op::Open, errno))?;
        self.own.push((kind, fd));
        Ok(())
    }

    /// In the child, which stays where it is.
    pub(crate) fn forget(mut self) {
        self.own.clear();
    }

    /// Returns to the creator's own namespaces.
    pub(crate) fn leave(&mut self) -> Result<()> {
        for (kind, fd) in self.own.drain(..) {
            setns(fd.as_fd(), kind.flag()).map_err(|errno| {
                StepError::new(
                    format!("return to the own {} namespace", kind.word()),
                    Op::Setns,
                    errno,
                )
            })?;
        }
        Ok(())
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // An error here leaves a creator that only fails and exits.
        let _ = self.leave();
    }
}

/// The offsets can be written only until the first process is in the namespace.
fn new_time_namespace(offsets: &[Text]) -> Result<(), (Op, Errno)> {
    unshare(Kind::Time.flag()).map_err(|errno| (Op::Unshare, errno))?;
    if offsets.is_empty() {
        return Ok(());
    }
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(CWD, "/proc/self/timens_offsets", flags, Mode::empty())
        .map_err(|errno| (Op::Open, errno))?;
    for line in offsets {
        rustix::io::write(&file, line.as_bytes()).map_err(|errno| (Op::Write, errno))?;
    }
    Ok(())
}
