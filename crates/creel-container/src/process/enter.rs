//! How a process gets into its cgroups: it is cloned into that of v2, and moves itself into those of v1.
//!
//! Moving another process waits for a grace period of the kernel, milliseconds; moving oneself does not. So the creator
//! makes the cgroups while the child mounts, and hands it the files that it has to write to.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use creel_cgroups::{Hierarchies, Version};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::step::{Failure, Op};

/// No host has more v1 hierarchies.
const MOST: usize = 64;

/// What the message is; it has no other content than the files.
const GO: [u8; 1] = [0];

/// Creator to child: go, with `tasks` of its v1 cgroups.
pub(crate) fn send_go(socket: impl AsFd, tasks: &[OwnedFd]) -> Result<(), Errno> {
    let fds: Vec<BorrowedFd<'_>> = tasks.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(Errno::TOOBIG);
    }
    sendmsg(socket, &[IoSlice::new(&GO)], &mut control, SendFlags::NOSIGNAL).map(drop)
}

/// The child's side of [`send_go`]: waits for the files; none if the creator is gone.
pub(crate) fn await_go(socket: impl AsFd) -> Result<Option<Vec<OwnedFd>>, Errno> {
    let mut bytes = [0xff; 2];
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut buffers = [IoSliceMut::new(&mut bytes)];
        let received = match recvmsg(&socket, &mut buffers, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => continue,
            Err(Errno::CONNRESET) => return Ok(None),
            received => received?.bytes,
        };
        let mut tasks = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                tasks.extend(fds);
            }
        }
        return match received {
            0 => Ok(None),
            _ if bytes.starts_with(&GO) => Ok(Some(tasks)),
            _ => Err(Errno::PROTO),
        };
    }
}

/// Enters the v1 cgroups of these files, which [`Cgroup::tasks`](creel_cgroups::Cgroup::tasks) has opened, and closes
/// them. Only for a process with one thread.
pub(crate) fn enter(tasks: Vec<OwnedFd>, hierarchies: Option<&Hierarchies>) -> Result<(), Failure> {
    let lists = hierarchies.into_iter().flat_map(Hierarchies::list);
    let mut names = lists.filter(|it| it.version == Version::V1).map(|it| it.name.as_bytes());
    for file in tasks {
        let name = names.next().unwrap_or_default();
        creel_cgroups::enter(file).map_err(|errno| Failure::new(Op::Write, errno).with(name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::channel;

    #[test]
    fn the_files_arrive_in_their_order() {
        let (creator, child) = channel::pair().unwrap();
        let files: Vec<OwnedFd> = (0..13).map(|_| channel::pair().unwrap().0).collect();
        let inode = |file: &OwnedFd| rustix::fs::fstat(file).unwrap().st_ino;
        send_go(&creator, &files).unwrap();
        let arrived = await_go(&child).unwrap().unwrap();
        assert!(arrived.iter().map(inode).eq(files.iter().map(inode)));
    }

    #[test]
    fn without_v1_there_are_none_and_a_creator_that_is_gone_is_no_error() {
        let (creator, child) = channel::pair().unwrap();
        send_go(&creator, &[]).unwrap();
        drop(creator);
        assert!(await_go(&child).unwrap().unwrap().is_empty());
        assert!(await_go(&child).unwrap().is_none());
    }
}
