//! What a step that failed says: fixed-size, so that the child needs no memory to say it.

use std::fmt;

use rustix::io::Errno;

/// The longest [`Detail`], in bytes; longer ones are cut.
pub(crate) const DETAIL_MAX: usize = 240;

/// A step's failure: the operation that was refused, the kernel's answer, and at times a word more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What was tried.
    pub op: Op,
    /// The kernel's answer.
    pub errno: Errno,
    /// What else the child knows: the filesystem's own message, a missing interpreter's name.
    pub detail: Detail,
}

impl Failure {
    /// A failure without detail.
    #[must_use]
    pub fn new(op: Op, errno: Errno) -> Self {
        Self { op, errno, detail: Detail::default() }
    }

    /// For `map_err`: turns an errno of `op` into a failure.
    pub fn at(op: Op) -> impl Fn(Errno) -> Self + Copy {
        move |errno| Self::new(op, errno)
    }

    /// The same with `detail`.
    #[must_use]
    pub fn with(mut self, detail: &[u8]) -> Self {
        self.detail = Detail::new(detail);
        self
    }
}

/// A short text of the child, cut at [`DETAIL_MAX`] bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    bytes: [u8; DETAIL_MAX],
    length: u8,
}

impl Default for Detail {
    fn default() -> Self {
        Self { bytes: [0; DETAIL_MAX], length: 0 }
    }
}

impl Detail {
    /// The first [`DETAIL_MAX`] bytes of `text`.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        let mut detail = Self::default();
        for (to, from) in detail.bytes.iter_mut().zip(text) {
            *to = *from;
            detail.length += 1;
        }
        detail
    }

    /// The text; empty when there is none.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl fmt::Debug for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.as_bytes()))
    }
}

macro_rules! ops {
    ($($(#[$doc:meta])* $name:ident = $number:literal $word:literal,)*) => {
        /// An operation that can fail. The numbers are part of the protocol between creator and child.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u16)]
        #[non_exhaustive]
        #[expect(missing_docs, reason = "each is named as its system call")]
        pub enum Op {
            $($(#[$doc])* $name = $number,)*
        }

        impl Op {
            /// The operation with this number, as it came in a message.
            #[must_use]
            pub fn from_number(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The word for people: the system call, or what was tried.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

// Append only.
ops! {
    Open = 1 "open",
    Openat2 = 2 "openat2",
    Mkdir = 3 "mkdir",
    Mknod = 4 "mknod",
    Symlink = 5 "symlink",
    Chown = 6 "chown",
    Chmod = 7 "chmod",
    Stat = 8 "stat",
    Fsopen = 9 "fsopen",
    Fsconfig = 10 "fsconfig",
    Fsmount = 11 "fsmount",
    OpenTree = 12 "open_tree",
    MoveMount = 13 "move_mount",
    MountSetattr = 14 "mount_setattr",
    Mount = 15 "mount",
    Umount = 16 "umount",
    PivotRoot = 17 "pivot_root",
    Chroot = 18 "chroot",
    Chdir = 19 "chdir",
    Setns = 20 "setns",
    Unshare = 21 "unshare",
    Sethostname = 22 "sethostname",
    Setdomainname = 23 "setdomainname",
    Write = 24 "write",
    Read = 25 "read",
    Setrlimit = 26 "setrlimit",
    SchedSetattr = 27 "sched_setattr",
    SchedSetaffinity = 28 "sched_setaffinity",
    IoprioSet = 29 "ioprio_set",
    Personality = 30 "personality",
    SetMempolicy = 31 "set_mempolicy",
    Keyctl = 32 "keyctl",
    Prctl = 33 "prctl",
    Setgroups = 34 "setgroups",
    Setgid = 35 "setgid",
    Setuid = 36 "setuid",
    Capset = 37 "capset",
    Seccomp = 38 "seccomp",
    Execve = 39 "exec",
    Ioctl = 40 "ioctl",
    Socket = 41 "socket",
    Setsid = 42 "setsid",
    Dup = 43 "dup",
    Fork = 44 "fork",
    Wait = 45 "wait",
    Hook = 46 "hook",
    CloseRange = 47 "close_range",
    Getcwd = 48 "getcwd",
    Clone = 49 "clone",
    Copy = 50 "copy",
    Send = 51 "send",
    Receive = 52 "receive",
    Connect = 53 "connect",
    LookUp = 54 "look-up",
    Mismatch = 55 "check",
    Umask = 56 "umask",
    Access = 57 "access",
    Setxattr = 58 "setxattr",
}
