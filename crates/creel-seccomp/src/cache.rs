//! Compiled filters on disk.
//!
//! A file has the name of a hash and holds, besides the program, all that the program was made
//! from: two profiles with one hash never get each other's filter.
//!
//! Reading takes about a tenth of the time that compiling takes. For Docker's profile that saves a
//! quarter of a millisecond, and no more is lost where there can be no cache.

mod entry;

use std::cmp::Reverse;
use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use self::entry::Entry;
use crate::{Compiled, Error, Options, Profile, Result, compile};

/// More filters than this are not kept; the oldest go first.
const MAX_FILES: usize = 64;
/// A file that is longer is none of ours.
const MAX_BYTES: u64 = 1 << 20;
/// What a writer that died left behind is older than this.
const STALE_SECONDS: i64 = 60;
const TEMPORARY: &str = ".new-";

/// When it was written, and its name: sorted, the newest comes first.
type Found = (Reverse<i64>, CString);

/// A directory of compiled filters.
#[derive(Debug)]
pub struct Cache {
    dir: OwnedFd,
}

impl Cache {
    /// Opens the directory, and makes it if it is not there (its parent has to be).
    ///
    /// # Errors
    /// [`Error::Cache`] if it is not a directory that belongs to the effective user with mode 0700.
    pub fn open(dir: &Path) -> Result<Self> {
        let failed = |reason: String| Error::Cache { path: dir.display().to_string(), reason };
        match rustix::fs::mkdir(dir, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed(format!("mkdir: {errno}"))),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(dir, flags, Mode::empty())
            .map_err(|errno| failed(format!("open: {errno}")))?;
        let stat = rustix::fs::fstat(&fd).map_err(|errno| failed(format!("fstat: {errno}")))?;
        if !is_private(&stat) {
            return Err(failed("belongs to or is open to another user".into()));
        }
        Ok(Self { dir: fd })
    }

    /// The filter for `profile`: from disk if it is there and whole, else compiled and written.
    ///
    /// A file that is truncated, changed, of another version or not private is replaced. Writers do
    /// not disturb each other or readers.
    ///
    /// # Errors
    /// Those of [`compile`]. A cache that cannot be read or written is no error.
    pub fn get_or_compile(&self, profile: &Profile, options: &Options) -> Result<Compiled> {
        let key = entry::key(profile, options);
        let name = entry::file_name(&key);
        if let Some(entry) = self.read(&name).and_then(|bytes| Entry::parse(&bytes, &key)) {
            return entry.into_compiled(profile);
        }
        let compiled = compile(profile, options)?;
        // The next one compiles again.
        let _ = self.write(&name, &Entry::bytes(&compiled, &key));
        Ok(compiled)
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.dir, name, flags, Mode::empty()).ok()?;
        let stat = rustix::fs::fstat(&fd).ok()?;
        let size = u64::try_from(stat.st_size).ok().filter(|size| *size <= MAX_BYTES)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || !is_private(&stat) {
            return None;
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).ok()?);
        File::from(fd).take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Errno> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        self.make_room()?;
        let unique = COUNTER.fetch_add(1, Ordering::Relaxed);
        let temporary =
            format!("{TEMPORARY}{}-{unique}", rustix::process::getpid().as_raw_nonzero());
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.dir, &temporary, flags, Mode::RUSR | Mode::WUSR)?;
        let written = File::from(fd)
            .write_all(bytes)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
            .and_then(|()| rustix::fs::renameat(&self.dir, &temporary, &self.dir, name));
        if written.is_err() {
            let _ = rustix::fs::unlinkat(&self.dir, &temporary, AtFlags::empty());
        }
        written
    }

    /// Removes the oldest filters and what writers left that died.
    fn make_room(&self) -> Result<(), Errno> {
        let mut files = self.files()?;
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec;
        files.retain(|(written, name)| {
            let temporary = name.as_bytes().starts_with(TEMPORARY.as_bytes());
            if temporary && written.0 < now - STALE_SECONDS {
                let _ = rustix::fs::unlinkat(&self.dir, name, AtFlags::empty());
            }
            !temporary
        });
        files.sort();
        for (_, name) in files.iter().skip(MAX_FILES - 1) {
            let _ = rustix::fs::unlinkat(&self.dir, name, AtFlags::empty());
        }
        Ok(())
    }

    fn files(&self) -> Result<Vec<Found>, Errno> {
        let mut files = Vec::new();
        for found in Dir::read_from(&self.dir)? {
            let name = found?.file_name().to_owned();
            if name.as_bytes() == b"." || name.as_bytes() == b".." {
                continue;
            }
            if let Ok(stat) = rustix::fs::statat(&self.dir, &name, AtFlags::SYMLINK_NOFOLLOW) {
                files.push((Reverse(stat.st_mtime), name));
            }
        }
        Ok(files)
    }
}

/// Nobody but the effective user can have written or read it.
fn is_private(stat: &Stat) -> bool {
    let others = Mode::RWXG | Mode::RWXO;
    stat.st_uid == rustix::process::geteuid().as_raw()
        && !Mode::from_raw_mode(stat.st_mode).intersects(others)
}
