//! The path of a cgroup below the root of each hierarchy.

use std::fmt;

use crate::error::{Error, Result};

/// A path below the root of each hierarchy: relative, not empty, without `.`, `..`, empty parts or NUL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CgroupPath(String);

/// Below it are the cgroups of containers whose `cgroupsPath` is relative or unset.
const DEFAULT_PARENT: &str = "creel";

impl CgroupPath {
    /// Reads an absolute or relative path: both mean "from the root of each hierarchy". Doubled slashes and
    /// one at the end are dropped.
    ///
    /// # Errors
    /// [`Error::Path`] if nothing is left, or for `.`, `..`, NUL, a newline, or a part of more than 255 bytes.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |reason| Error::Path { found: text.to_owned(), reason };
        let mut path = String::with_capacity(text.len());
        for part in text.split('/').filter(|part| !part.is_empty()) {
            match part {
                "." | ".." => return Err(refuse("`.` and `..` are not allowed")),
                long if long.len() > 255 => return Err(refuse("a part is longer than 255 bytes")),
                _ if part.contains(['\0', '\n']) => {
                    return Err(refuse("NUL and newline are not allowed"));
                }
                _ => {}
            }
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(part);
        }
        if path.is_empty() { Err(refuse("names no cgroup")) } else { Ok(Self(path)) }
    }

    /// The place of a container by `linux.cgroupsPath` (config-linux.md#cgroups-path): an absolute path counts from the
    /// root of each hierarchy, a relative one from `/creel`; none, or an empty one, is `/creel/ID`.
    ///
    /// # Errors
    /// As [`CgroupPath::parse`].
    pub fn of_container(cgroups_path: Option<&str>, id: &str) -> Result<Self> {
        match cgroups_path {
            None | Some("") => Self::parse(&format!("{DEFAULT_PARENT}/{id}")),
            Some(absolute) if absolute.starts_with('/') => Self::parse(absolute),
            // Parsed alone first, so that the error shows what was written.
            Some(relative) => {
                Self::parse(relative).map(|path| Self(format!("{DEFAULT_PARENT}/{path}")))
            }
        }
    }

    /// The path, without a slash in front.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of a cgroup below this one.
    #[must_use]
    pub fn join(&self, below: &Self) -> Self {
        Self(format!("{}/{}", self.0, below.0))
    }

    /// `a`, `a/b`, `a/b/c`: from the first level to the path itself.
    pub(crate) fn levels(&self) -> impl DoubleEndedIterator<Item = &str> {
        let ends = self.0.match_indices('/').map(|(at, _)| at).chain([self.0.len()]);
        ends.collect::<Vec<_>>().into_iter().filter_map(|end| self.0.get(..end))
    }
}

impl fmt::Display for CgroupPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_roots() {
        for (text, expected) in [
            ("/docker/abc", Some("docker/abc")),
            ("a//b/", Some("a/b")),
            ("x", Some("x")),
            ("/", None),
            ("", None),
            ("a/../b", None),
            ("./a", None),
            ("a\0b", None),
            ("a\nb", None),
        ] {
            let parsed = CgroupPath::parse(text).ok();
            assert_eq!(parsed.as_ref().map(CgroupPath::as_str), expected, "{text:?}");
        }
        assert!(CgroupPath::parse(&"x".repeat(256)).is_err());
    }

    #[test]
    fn containers_without_an_absolute_path_live_below_creel() {
        for (cgroups_path, expected) in [
            (None, "creel/web"),
            (Some(""), "creel/web"),
            (Some("pod/c"), "creel/pod/c"),
            (Some("/pod/c"), "pod/c"),
        ] {
            assert_eq!(
                CgroupPath::of_container(cgroups_path, "web").unwrap().as_str(),
                expected,
                "{cgroups_path:?}"
            );
        }
    }

    #[test]
    fn levels_go_down_to_the_path() {
        let path = CgroupPath::parse("a/b/c").unwrap();
        assert_eq!(path.levels().collect::<Vec<_>>(), ["a", "a/b", "a/b/c"]);
    }
}
