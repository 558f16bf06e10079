//! `start`: tells a created init to go, and learns from the end of its answer that the exec succeeded.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::channel::{ANSWER_SIZE, parse_answer};
use crate::error::{Error, Result, StepError};
use crate::state::{ANSWER_FIFO, Directory, START_FIFO};
use crate::step::{Failure, Op};

/// Lets the init of a created container go on. None: its exec succeeded; else what failed in it.
pub(crate) fn start(directory: &Directory) -> Result<Option<(u32, Failure)>> {
    let failed = |op| move |errno| StepError::new("tell init to start", op, errno);
    let open = |name: &str, how: OFlags| {
        let flags = how | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        openat(directory.fd(), name, flags, Mode::empty())
    };
    // The reader of the answer first: else init's answer would find nobody.
    let answer = open(ANSWER_FIFO, OFlags::RDONLY).map_err(failed(Op::Open))?;
    super::kill_point::creator();
    let start = match open(START_FIFO, OFlags::WRONLY) {
        Err(Errno::NXIO) => return Err(not_waiting()),
        other => other.map_err(failed(Op::Open))?,
    };
    match rustix::io::write(&start, &[1]) {
        Err(Errno::PIPE) => return Err(not_waiting()),
        other => other.map_err(failed(Op::Write))?,
    };
    super::kill_point::creator();
    let answer = hear(&answer).map_err(failed(Op::Read))?;
    // The exec closes both FIFOs, one after the other: until init has let go of the first one, too, its status
    // is still created.
    no_reader(&start).map_err(failed(Op::Read))?;
    Ok(answer)
}

fn not_waiting() -> Error {
    Error::State("cannot start a container that is not created: it has started or ended".to_owned())
}

/// Waits until nobody reads the FIFO any more.
fn no_reader(writer: &OwnedFd) -> Result<(), Errno> {
    loop {
        // An error of a writing end is always reported: it has no reader.
        let mut fds = [PollFd::new(writer, PollFlags::empty())];
        match poll(&mut fds, None) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Reads until the end. Less than a whole answer is the end of an init that was killed while it told.
fn hear(answer: &OwnedFd) -> Result<Option<(u32, Failure)>, Errno> {
    let mut bytes = [0; ANSWER_SIZE];
    let mut length = 0;
    loop {
        let rest = bytes.get_mut(length..).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
        match rustix::io::read(answer, rest) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(Errno::AGAIN) => match poll(&mut [PollFd::new(answer, PollFlags::IN)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            },
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(parse_answer(bytes.get(..length).unwrap_or_default()))
}
