//! Create and exec for a process with threads: a worker, which has one, clones in its place.
//!
//! A lock that another thread holds at a clone, the allocator's too, is never released in the child, which goes on
//! running our code. So the caller starts a fresh process, gives it the request as data and descriptors, and that one
//! clones a *sibling* of itself: the container's process is the caller's own child, to wait for as usual.
//!
//! The channel is the worker's standard input. On it goes one request (a memfd with JSON, the standard input of the
//! container, the terminal's socket); back come the clone's pid, pidfd and channel as soon as they are there, then the
//! result. Its end before a result is the worker's death: the caller ends what was cloned.

use std::io::{IoSlice, IoSliceMut, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, Process, Spec};
use crate::error::{Error, Result, StepError};
use crate::exec::ExecOptions;
use crate::process::{self, Launched, Relation};
use crate::runtime::{CreateOptions, Runtime};
use crate::state::{ContainerId, errno_of};
use crate::step::Op;

/// What a worker is called: nobody else's first argument.
const NAME: &str = "creel-worker";
/// Longer than any answer.
const LONGEST: usize = 128 << 10;
const CLONED: u8 = b'c';
const RESULT: u8 = b'r';

/// Whether this program becomes a worker when it is started as one.
static HAS_ENTRY: AtomicBool = AtomicBool::new(false);

/// Makes a program that has threads able to create containers and exec into them: its workers are itself.
///
/// To be called first in `main`, before any thread is started (a `#[tokio::main]` starts some before). In a worker it
/// does the work and never returns; else it returns at once.
pub fn worker_entry() {
    if std::env::args_os().next().is_some_and(|name| name == NAME) {
        process::exit(i32::from(work().is_err()));
    }
    HAS_ENTRY.store(true, Ordering::Relaxed);
}

/// What a worker is asked to do.
#[derive(Debug, Serialize, Deserialize)]
enum Request {
    Create {
        root: PathBuf,
        id: String,
        directory: PathBuf,
        file: PathBuf,
        spec: Box<Spec>,
        text: Vec<u8>,
        options: Box<CreateOptions>,
    },
    Exec {
        root: PathBuf,
        id: String,
        process: Box<Process>,
        options: Box<ExecOptions>,
    },
}

/// How many threads this process has.
pub(crate) fn threads() -> u64 {
    // Two links of the directory are its own, the others its threads' directories.
    rustix::fs::stat("/proc/self/task").map_or(1, |it| it.st_nlink.saturating_sub(2))
}

/// Creates by a worker; init is this process' child.
pub(crate) fn create(
    runtime: &Runtime,
    id: &ContainerId,
    bundle: &Bundle,
    mut options: CreateOptions,
) -> Result<Launched> {
    refuse_preserved(options.preserve_fds + options.listen_fds)?;
    let console = options.console.take();
    let request = Request::Create {
        root: runtime.root().to_owned(),
        id: id.to_string(),
        directory: bundle.directory.clone(),
        file: bundle.file.clone(),
        spec: Box::new(bundle.spec.clone()),
        text: bundle.text().to_vec(),
        options: Box::new(options),
    };
    match ask(runtime.worker(), &request, console.as_ref()) {
        Ok(launched) => Ok(launched),
        Err(Failed::Reported(error)) => Err(error),
        Err(Failed::Died { cloned }) => {
            // Only a worker that had cloned is known to have had the id.
            if cloned {
                runtime.delete_force(id)?;
            }
            Err(Error::State("the worker ended before the container was created".to_owned()))
        }
    }
}

/// Execs by a worker; the process is this one's child.
pub(crate) fn exec(
    runtime: &Runtime,
    id: &ContainerId,
    process: &Process,
    mut options: ExecOptions,
) -> Result<Launched> {
    refuse_preserved(options.preserve_fds + options.listen_fds)?;
    let console = options.console.take();
    let request = Request::Exec {
        root: runtime.root().to_owned(),
        id: id.to_string(),
        process: Box::new(process.clone()),
        options: Box::new(options),
    };
    ask(runtime.worker(), &request, console.as_ref()).map_err(|failed| match failed {
        Failed::Reported(error) => error,
        Failed::Died { .. } => {
            Error::State("the worker ended before the process was started".to_owned())
        }
    })
}

/// Numbers of descriptors mean nothing while other threads open and close some.
fn refuse_preserved(count: u32) -> Result<()> {
    match count {
        0 => Ok(()),
        _ => Err(Error::State(
            "a process with threads cannot pass descriptors by number (preserve_fds, listen_fds)"
                .to_owned(),
        )),
    }
}

/// Why there is no process.
enum Failed {
    Reported(Error),
    Died { cloned: bool },
}

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Reported(error.into())
    }
}

fn ask(
    worker: Option<&Path>,
    request: &Request,
    console: Option<&OwnedFd>,
) -> Result<Launched, Failed> {
    let failed = |op| move |errno| StepError::new("give the worker its task", op, errno);
    let text = payload(request).map_err(failed(Op::Write))?;
    let (socket, theirs) = process::channel_pair().map_err(failed(Op::Socket))?;
    let mut child = spawn(worker, theirs)?;
    let stdin = std::io::stdin();
    let mut fds = vec![text.as_fd(), stdin.as_fd()];
    fds.extend(console.map(AsFd::as_fd));
    let launched = match send(socket.as_fd(), b"q", &fds) {
        Ok(()) => follow(&socket),
        Err(errno) => Err(failed(Op::Send)(errno).into()),
    };
    drop(socket);
    // A caller that takes all its children from the process table may have been quicker.
    let _ = child.wait();
    launched
}

fn spawn(worker: Option<&Path>, channel: OwnedFd) -> Result<std::process::Child> {
    let program = match worker {
        Some(path) => path,
        None if HAS_ENTRY.load(Ordering::Relaxed) => Path::new("/proc/self/exe"),
        None => {
            return Err(Error::State(format!(
                "a process with {} threads cannot create a container or exec into one: call worker_entry first in main, or name the installed creel by Runtime::with_worker",
                threads()
            )));
        }
    };
    Command::new(program)
        .arg0(NAME)
        .env_remove(process::SEALED)
        .stdin(Stdio::from(channel))
        .spawn()
        .map_err(|error| {
            let doing = format!("start the worker {}", program.display());
            StepError::new(doing, Op::Execve, errno_of(&error)).into()
        })
}

/// Hears a worker until it tells the result, or is gone.
fn follow(socket: &OwnedFd) -> Result<Launched, Failed> {
    let mut launched = None;
    loop {
        let (bytes, fds) = receive(socket.as_fd())
            .map_err(|errno| StepError::new("hear the worker", Op::Receive, errno))?;
        match bytes.split_first() {
            Some((&CLONED, pid)) => launched = cloned(pid, fds),
            Some((&RESULT, result)) => {
                let result: Result<(), Error> = serde_json::from_slice(result)
                    .map_err(|error| Error::State(format!("hear the worker: {error}")))?;
                return match (result, launched) {
                    (Ok(()), Some(launched)) => Ok(launched),
                    (Ok(()), None) => Err(Failed::Died { cloned: false }),
                    (Err(error), launched) => {
                        end(launched.as_ref());
                        Err(error.into())
                    }
                };
            }
            Some(_) | None => {
                end(launched.as_ref());
                return Err(Failed::Died { cloned: launched.is_some() });
            }
        }
    }
}

fn cloned(pid: &[u8], fds: Vec<OwnedFd>) -> Option<Launched> {
    let pid = i32::from_ne_bytes(pid.try_into().ok()?);
    let [pidfd, socket] = fds.try_into().ok()?;
    Some(Launched { pid, pidfd, socket })
}

/// What was cloned and came to nothing is taken from the process table: only its parent can.
fn end(launched: Option<&Launched>) {
    if let Some(launched) = launched {
        launched.kill();
    }
}

/// The worker: one request, then the end.
fn work() -> Result<()> {
    let sealed = process::seal();
    let failed = |op| move |errno| StepError::new("take the caller's task", op, errno);
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let channel = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3);
    let channel = channel.map_err(failed(Op::Dup))?;
    let (_, fds) = receive(channel.as_fd()).map_err(failed(Op::Receive))?;
    let mut fds = fds.into_iter();
    let (Some(text), Some(stdin)) = (fds.next(), fds.next()) else {
        return Err(failed(Op::Receive)(Errno::PROTO).into());
    };
    rustix::stdio::dup2_stdin(&stdin).map_err(failed(Op::Dup))?;
    drop(stdin);
    let request = sealed.and_then(|()| read_payload(text));
    let result = request.and_then(|request| perform(request, fds.next(), &channel));
    let mut answer = vec![RESULT];
    let told = serde_json::to_writer(&mut answer, &result);
    if told.is_err() || answer.len() > LONGEST {
        let result: Result<(), Error> = result.map_err(|error| Error::State(error.to_string()));
        answer.truncate(1);
        let _ = serde_json::to_writer(&mut answer, &result);
    }
    send(channel.as_fd(), &answer, &[]).map_err(failed(Op::Send))?;
    Ok(())
}

fn perform(request: Request, console: Option<OwnedFd>, channel: &OwnedFd) -> Result<()> {
    let relation = Relation::Sibling(channel.as_fd());
    if threads() > 1 {
        return Err(Error::State(
            "the worker has threads: worker_entry must come first in main".to_owned(),
        ));
    }
    match request {
        Request::Create { root, id, directory, file, spec, text, mut options } => {
            options.console = console;
            let bundle = Bundle::from_parts(directory, file, *spec, text);
            let id = ContainerId::parse(&id)?;
            Runtime::new(root).create_from(&id, &bundle, *options, relation).map(drop)
        }
        Request::Exec { root, id, process, mut options } => {
            options.console = console;
            let container = Runtime::new(root).open(&ContainerId::parse(&id)?)?;
            container.exec_as(&process, *options, relation).map(drop)
        }
    }
}

/// Tells the caller of its new child.
pub(crate) fn announce(channel: BorrowedFd<'_>, launched: &Launched) -> Result<(), Errno> {
    let mut message = vec![CLONED];
    message.extend(launched.pid.to_ne_bytes());
    send(channel, &message, &[launched.pidfd.as_fd(), launched.socket.as_fd()])
}

fn payload(request: &Request) -> Result<OwnedFd, Errno> {
    let mut file = std::fs::File::from(memfd_create("request", MemfdFlags::CLOEXEC)?);
    let text = serde_json::to_vec(request).map_err(|_| Errno::INVAL)?;
    file.write_all(&text).and_then(|()| file.rewind()).map_err(|error| errno_of(&error))?;
    Ok(file.into())
}

fn read_payload(text: OwnedFd) -> Result<Request> {
    let mut bytes = Vec::new();
    std::fs::File::from(text)
        .read_to_end(&mut bytes)
        .map_err(|error| StepError::new("read the task", Op::Read, errno_of(&error)))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::State(format!("the worker and its caller do not fit: {error}")))
}

fn send(socket: BorrowedFd<'_>, text: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(fds));
    }
    sendmsg(socket, &[IoSlice::new(text)], &mut control, SendFlags::NOSIGNAL).map(drop)
}

/// A message and its descriptors; an empty one is the end.
fn receive(socket: BorrowedFd<'_>) -> Result<(Vec<u8>, Vec<OwnedFd>), Errno> {
    let mut bytes = vec![0; LONGEST];
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let buffers = &mut [IoSliceMut::new(&mut bytes)];
        match recvmsg(socket, buffers, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Ok((Vec::new(), Vec::new())),
            Err(errno) => return Err(errno),
            Ok(received) => {
                let mut fds = Vec::new();
                for message in control.drain() {
                    if let RecvAncillaryMessage::ScmRights(more) = message {
                        fds.extend(more);
                    }
                }
                bytes.truncate(received.bytes);
                return Ok((bytes, fds));
            }
        }
    }
}
