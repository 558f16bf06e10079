//! The directory of all containers, and the one of each.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, fstat, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::id::ContainerId;
use super::record::Record;
use crate::error::{Error, Result, StepError};
use crate::step::Op;

/// The FIFO that init reads as long as it waits for `start`.
pub(crate) const START_FIFO: &str = "start";
/// The FIFO on which init tells that its exec failed; its end tells that it succeeded.
pub(crate) const ANSWER_FIFO: &str = "answer";

/// The directory of the socket for the program's notifications.
pub(crate) const NOTIFY: &str = "notify";

const STATE: &str = "state.json";
const STATE_NEW: &str = "state.json~";
/// No state file is longer; a longer one is not ours.
const LONGEST_STATE: u64 = 16 << 20;

/// The directory below which each container has its own.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: PathBuf,
    /// The program that clones for a process with threads.
    worker: Option<PathBuf>,
}

impl Store {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, worker: None }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn worker(&self) -> Option<&Path> {
        self.worker.as_deref()
    }

    pub(crate) fn with_worker(mut self, program: PathBuf) -> Self {
        self.worker = Some(program);
        self
    }

    /// The directory in which the container `id` has the socket for its notifications, absolute.
    pub(crate) fn notify_directory(&self, id: &ContainerId) -> Result<PathBuf> {
        let root = std::path::absolute(&self.root)
            .map_err(|error| failed("find", &self.root, Op::Open, errno_of(&error)))?;
        Ok(root.join(id.as_str()).join(NOTIFY))
    }

    /// Claims `id` by making its directory: of two that try, one fails with [`Error::Exists`].
    pub(crate) fn claim(&self, id: &ContainerId) -> Result<Directory> {
        fs::DirBuilder::new_recursive(&self.root)?;
        let path = self.root.join(id.as_str());
        match mkdirat(CWD, &path, Mode::from(0o700)) {
            Ok(()) => self.open(id),
            Err(Errno::EXIST) => Err(Error::Exists { id: id.to_string() }),
            Err(errno) => Err(failed("make", &path, Op::Mkdir, errno)),
        }
    }

    /// Opens the directory of an existing container.
    pub(crate) fn open(&self, id: &ContainerId) -> Result<Directory> {
        let path = self.root.join(id.as_str());
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match openat(CWD, &path, flags, Mode::empty()) {
            Ok(fd) => {
                check_owner(&fd, &path)?;
                Ok(Directory { fd, id: id.clone(), path, store: self.clone() })
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                Err(Error::NotFound { id: id.to_string() })
            }
            Err(errno) => Err(failed("open", &path, Op::Open, errno)),
        }
    }

    /// The ids of all containers, sorted. What is no container's directory is passed over.
    pub(crate) fn ids(&self) -> Result<Vec<ContainerId>> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("read", &self.root, Op::Open, errno_of(&error))),
        };
        let mut ids: Vec<ContainerId> = entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| ContainerId::parse(entry.file_name().to_str()?).ok())
            .collect();
        ids.sort();
        Ok(ids)
    }
}

/// What the state says is done with the caller's privileges, hooks above all: who else could write it could use them.
fn check_owner(directory: &OwnedFd, path: &Path) -> Result<()> {
    let stat = fstat(directory).map_err(|errno| failed("look at", path, Op::Stat, errno))?;
    if stat.st_uid == rustix::process::geteuid().as_raw() && stat.st_mode & 0o022 == 0 {
        return Ok(());
    }
    Err(Error::State(format!(
        "{}: the state of a container must belong to the caller and be writable by nobody else",
        path.display()
    )))
}

trait Recursive {
    fn new_recursive(path: &Path) -> Result<()>;
}

impl Recursive for fs::DirBuilder {
    fn new_recursive(path: &Path) -> Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        Self::new()
            .recursive(true)
            .mode(0o711)
            .create(path)
            .map_err(|error| failed("make", path, Op::Mkdir, errno_of(&error)))
    }
}

/// The directory of one container, open: a container of the same name made later is another one.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    id: ContainerId,
    path: PathBuf,
    store: Store,
}

impl Directory {
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Where it is kept.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn id(&self) -> &ContainerId {
        &self.id
    }

    /// The records of the other containers below the same root, as far as they can be read.
    pub(crate) fn others(&self) -> Vec<Record> {
        let Some(root) = self.path.parent() else { return Vec::new() };
        let store = Store::new(root.to_owned());
        let ids = store.ids().unwrap_or_default();
        let others = ids.iter().filter(|id| **id != self.id);
        others.filter_map(|id| store.open(id).ok()?.read().ok()).collect()
    }

    /// Reads the record. Without one the creator died before it wrote any: an empty record says so.
    pub(crate) fn read(&self) -> Result<Record> {
        let text = match self.read_file(STATE) {
            Ok(text) => text,
            Err(Errno::NOENT) => {
                return Ok(Record { id: self.id.to_string(), ..Record::default() });
            }
            Err(errno) => return Err(failed("read", &self.path.join(STATE), Op::Read, errno)),
        };
        let damaged = |what: String| Error::Bundle {
            file: self.path.join(STATE),
            message: format!("damaged: {what}; delete --force removes the container"),
        };
        let record: Record =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if record.id != self.id.as_str() {
            return Err(damaged(format!("it is of container {:?}", record.id)));
        }
        Ok(record)
    }

    /// Replaces the record, whole or not at all.
    pub(crate) fn write(&self, record: &Record) -> Result<()> {
        let failed = |errno| failed("write", &self.path.join(STATE), Op::Write, errno);
        let text = serde_json::to_vec(record).map_err(|_| failed(Errno::INVAL))?;
        self.write_file(STATE_NEW, &text).map_err(failed)?;
        renameat(&self.fd, STATE_NEW, &self.fd, STATE).map_err(failed)
    }

    /// Keeps a copy of `text` as `name`.
    pub(crate) fn write_file(&self, name: &str, text: &[u8]) -> Result<(), Errno> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = openat(&self.fd, name, flags, Mode::from(0o600))?;
        fs::File::from(fd).write_all(text).map_err(|error| errno_of(&error))
    }

    /// Reads the file `name`, if it is a plain one of reasonable length.
    pub(crate) fn read_file(&self, name: &str) -> Result<Vec<u8>, Errno> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = fs::File::from(openat(&self.fd, name, flags, Mode::empty())?);
        // As long as most states are: then it is one read, and one that finds the end.
        let mut text = Vec::with_capacity(4096);
        file.take(LONGEST_STATE).read_to_end(&mut text).map_err(|error| errno_of(&error))?;
        Ok(text)
    }

    /// Removes the directory and all in it.
    pub(crate) fn remove(&self) -> Result<()> {
        let failed = |errno| failed("remove", &self.path, Op::Open, errno);
        self.remove_files().map_err(failed)?;
        match unlinkat(CWD, &self.path, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// The lock goes last: who waits for it then sees that the container is gone.
    fn remove_files(&self) -> Result<(), Errno> {
        let mut last = None;
        for entry in Dir::read_from(&self.fd)? {
            let entry = entry?;
            match entry.file_name().to_bytes() {
                b"." | b".." => {}
                b"lock" => last = Some(entry),
                _ => self.unlink(entry.file_name())?,
            }
        }
        last.map_or(Ok(()), |entry| self.unlink(entry.file_name()))
    }

    fn unlink(&self, name: &std::ffi::CStr) -> Result<(), Errno> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            // That of the notification socket, which a container with privileges may have written to.
            Err(Errno::ISDIR) => {
                fs::remove_dir_all(self.path.join(NOTIFY)).map_err(|error| errno_of(&error))
            }
            Err(errno) => Err(errno),
        }
    }
}

fn failed(verb: &str, path: &Path, op: Op, errno: Errno) -> Error {
    StepError::new(format!("{verb} {}", path.display()), op, errno).into()
}

pub(crate) fn errno_of(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}
