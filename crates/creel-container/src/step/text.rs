//! Strings as the kernel takes them, made once by the plan.

use std::ffi::{CStr, CString};
use std::fmt;

/// A string without NUL, ready for a system call.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Text(CString);

impl Text {
    /// Takes `text` unless it has a NUL byte.
    #[must_use]
    pub fn new(text: impl Into<Vec<u8>>) -> Option<Self> {
        CString::new(text).ok().map(Self)
    }

    /// The string as the kernel takes it.
    #[must_use]
    pub fn as_c_str(&self) -> &CStr {
        &self.0
    }

    /// The bytes without the final NUL.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.to_string_lossy().escape_debug().fmt(f)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A name inside the container: a claim. Only [`Root`](crate::root::Root) turns it into a descriptor.
pub(crate) type ContainerPath = Text;

/// A name on the host, absolute, opened before the root is.
pub(crate) type HostPath = Text;
