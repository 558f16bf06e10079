//! `HOME`, for a process whose environment has none, from the container's `/etc/passwd`.

use std::ffi::CString;
use std::fmt;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, OFlags, fstat};
use rustix::io::Errno;

use super::{Child, Failure, Op};

/// No passwd file is read further: the container's own root may have written it.
const LONGEST: usize = 1 << 20;
const CHUNK: usize = 4096;

/// Finds the user's home; `/` where `/etc/passwd` does not tell, as runc and crun have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// `process.user.uid`.
    pub uid: u32,
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set HOME to that of uid {} in /etc/passwd", self.uid)
    }
}

impl Home {
    pub(super) fn execute(&self, child: &mut Child) -> Result<(), Failure> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let home = match child.root()?.open(c"/etc/passwd", flags) {
            Ok(file) => find(&file, self.uid).map_err(Failure::at(Op::Read))?,
            // Whatever stands there instead tells of no home.
            Err(_) => None,
        };
        let mut variable = b"HOME=".to_vec();
        variable.extend(home.filter(|home| !home.is_empty()).unwrap_or_else(|| b"/".to_vec()));
        child.home = CString::new(variable).ok();
        Ok(())
    }
}

/// The home of `uid`, read in pieces: only a regular file, and no more of it than is reasonable.
fn find(file: &OwnedFd, uid: u32) -> Result<Option<Vec<u8>>, Errno> {
    if FileType::from_raw_mode(fstat(file)?.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let number = uid.to_string();
    let mut line = Vec::new();
    let mut total = 0;
    let mut chunk = [0; CHUNK];
    loop {
        let length = rustix::io::read(file, &mut chunk[..])?;
        total += length;
        for byte in chunk.iter().take(length) {
            if *byte != b'\n' {
                line.push(*byte);
                continue;
            }
            if let Some(home) = home_of(&line, number.as_bytes()) {
                return Ok(Some(home));
            }
            line.clear();
        }
        if length == 0 || total > LONGEST {
            return Ok(home_of(&line, number.as_bytes()));
        }
    }
}

/// The sixth field of a line whose third is `uid` (`passwd(5)`).
fn home_of(line: &[u8], uid: &[u8]) -> Option<Vec<u8>> {
    let mut fields = line.split(|byte| *byte == b':');
    (fields.nth(2)? == uid).then(|| fields.nth(2).map(<[u8]>::to_vec))?
}

#[cfg(test)]
mod tests {
    use super::home_of;

    #[test]
    fn lines_of_passwd_are_read() {
        let table: [(&str, Option<&str>); 5] = [
            ("user:x:1000:1000:A User:/home/user:/bin/sh", Some("/home/user")),
            ("root:x:0:0:root:/root:/bin/sh", None),
            ("user:x:1000:1000::", Some("")),
            ("1000", None),
            ("", None),
        ];
        for (line, expected) in table {
            let found = home_of(line.as_bytes(), b"1000");
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{line}");
        }
    }
}
