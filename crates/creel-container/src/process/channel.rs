//! What creator and child tell each other: one socketpair, fixed-size messages, one enum.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::step::{Detail, Failure, Op};

/// One message. Creator to child: `Continue`, `Commit`. Child to creator: the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "the child makes it on its stack, without memory to ask for"
)]
pub(crate) enum Message {
    /// The hooks that were asked for have run.
    Continue,
    /// The container is handed over; the child may outlive its creator from its answer on.
    Commit,
    /// The child asks for the hooks of the runtime namespace.
    Hooks,
    /// All that can fail has been done.
    Ready {
        /// The number of the filter's notification descriptor in the child, or -1.
        listener: i32,
    },
    /// The answer to `Commit`.
    Committed,
    /// The child of an exec is in all its cgroups.
    Joined,
    /// A step failed; the child exits after this.
    Failed {
        /// Its place in the plan.
        step: u32,
        /// What it said.
        failure: Failure,
    },
}

/// Longer than any message.
const SIZE: usize = 272;

/// A message as bytes: a tag, three numbers, a text.
fn encode(message: &Message, bytes: &mut [u8; SIZE]) -> usize {
    let (tag, first, failure) = match message {
        Message::Continue => (2, 0, None),
        Message::Commit => (3, 0, None),
        Message::Hooks => (4, 0, None),
        Message::Ready { listener } => (5, listener.cast_unsigned(), None),
        Message::Committed => (6, 0, None),
        Message::Failed { step, failure } => (7, *step, Some(failure)),
        Message::Joined => (8, 0, None),
    };
    let op = failure.map_or(0, |it| it.op as u16);
    let errno = failure.map_or(0, |it| it.errno.raw_os_error());
    let detail = failure.map_or(&[][..], |it| it.detail.as_bytes());
    let head = [tag, first, u32::from(op), errno.cast_unsigned()];
    let all = head.iter().flat_map(|word| word.to_ne_bytes()).chain(detail.iter().copied());
    let mut length = 0;
    for (to, from) in bytes.iter_mut().zip(all) {
        *to = from;
        length += 1;
    }
    length
}

fn decode(bytes: &[u8]) -> Option<Message> {
    let word = |index: usize| {
        let four = bytes.get(index * 4..index * 4 + 4)?;
        Some(u32::from_ne_bytes(four.try_into().ok()?))
    };
    Some(match word(0)? {
        2 => Message::Continue,
        3 => Message::Commit,
        4 => Message::Hooks,
        5 => Message::Ready { listener: word(1)?.cast_signed() },
        6 => Message::Committed,
        7 => Message::Failed {
            step: word(1)?,
            failure: Failure {
                op: Op::from_number(u16::try_from(word(2)?).ok()?)?,
                errno: Errno::from_raw_os_error(word(3)?.cast_signed()),
                detail: Detail::new(bytes.get(16..)?),
            },
        },
        8 => Message::Joined,
        _ => return None,
    })
}

/// A connected pair of sockets that keep the bounds of messages.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

/// Sends a message; [`Errno::PIPE`] means that the other side is gone.
///
/// By `write`, and read by `read`: the child may be under a seccomp filter that knows no other calls. A child with the
/// default action of SIGPIPE dies when its creator is gone, as it should.
pub(crate) fn write(socket: impl AsFd, message: &Message) -> Result<(), Errno> {
    let mut bytes = [0; SIZE];
    let length = encode(message, &mut bytes);
    let message = bytes.get(..length).unwrap_or_default();
    loop {
        match rustix::io::write(&socket, message) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Waits for a message; none means that the other side is gone.
pub(crate) fn read(socket: impl AsFd) -> Result<Option<Message>, Errno> {
    let mut bytes = [0; SIZE];
    loop {
        return match rustix::io::read(&socket, &mut bytes[..]) {
            Ok(0) | Err(Errno::CONNRESET) => Ok(None),
            Ok(length) => {
                let message = bytes.get(..length).and_then(decode);
                message.ok_or(Errno::PROTO).map(Some)
            }
            Err(Errno::INTR) => continue,
            Err(errno) => Err(errno),
        };
    }
}

/// A failure as the start channel carries it, where there are no message bounds: always this long.
pub(crate) const ANSWER_SIZE: usize = SIZE;

/// The bytes of a failure, padded.
pub(crate) fn answer(step: u32, failure: Failure) -> [u8; ANSWER_SIZE] {
    let mut bytes = [0; SIZE];
    encode(&Message::Failed { step, failure }, &mut bytes);
    bytes
}

/// The failure in an answer, its padding cut off.
pub(crate) fn parse_answer(bytes: &[u8]) -> Option<(u32, Failure)> {
    let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1).max(16);
    match decode(bytes.get(..length)?)? {
        Message::Failed { step, failure } => Some((step, failure)),
        Message::Continue
        | Message::Commit
        | Message::Hooks
        | Message::Ready { .. }
        | Message::Committed
        | Message::Joined => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_socket() {
        let (creator, child) = pair().unwrap();
        let failure = Failure::new(Op::MoveMount, Errno::PERM).with(b"why");
        let messages = [
            Message::Joined,
            Message::Ready { listener: -1 },
            Message::Failed { step: 70_000, failure },
        ];
        for message in messages {
            write(&creator, &message).unwrap();
            assert_eq!(read(&child).unwrap(), Some(message));
        }
    }

    #[test]
    fn the_end_of_the_other_side_is_no_error() {
        let (creator, child) = pair().unwrap();
        drop(creator);
        assert_eq!(read(&child).unwrap(), None);
    }

    #[test]
    fn an_answer_keeps_its_detail() {
        let failure = Failure::new(Op::Execve, Errno::NOENT).with(b"/lib64/ld.so");
        assert_eq!(parse_answer(&answer(3, failure)), Some((3, failure)));
        assert_eq!(parse_answer(&[0; 4]), None);
    }
}
