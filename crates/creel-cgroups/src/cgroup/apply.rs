//! Writes the settings into the cgroup's files.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::{
    fs::OFlags,
    io::{Errno, write},
};

use super::{Cgroup, Member, open_file, read_file, write_file};
use crate::{
    error::{Error, RefusedWrite, Result},
    settings::{IfMissing, Settings, Target, Write},
};

/// The file written to last: device rules are a dozen writes to one file.
struct Last<'a> {
    file: &'a str,
    target: Target,
    open: OwnedFd,
}

impl Cgroup {
    /// Writes the settings and attaches the device filter.
    ///
    /// # Errors
    /// [`Error::Write`] with the setting, file, value and errno; [`Error::Os`]. What was written before stays.
    pub fn apply(&self, settings: &Settings) -> Result<()> {
        let mut last = None;
        let mut refused: Vec<(&Write, Error)> = Vec::new();
        for write in &settings.writes {
            if !write.any_order {
                self.again(&mut refused)?;
            }
            match self.put(write, &mut last) {
                Err(error) if write.any_order && error.errno() == Some(Errno::INVAL) => {
                    refused.push((write, error));
                }
                other => other?,
            }
        }
        self.again(&mut refused)?;
        match (&settings.device_program, self.v2()?) {
            (Some(program), Some(directory)) => {
                program.attach(directory).map_err(|(operation, errno)| Error::Os {
                    operation,
                    at: self.v2_member().map(|member| self.place(member)).unwrap_or_default(),
                    errno,
                })
            }
            (Some(_) | None, _) => Ok(()),
        }
    }

    /// As [`Cgroup::apply`], but if a setting is refused, those that were written before it get back the values that
    /// they had. Not so what is kept by device or interface (`blockIO`, `rdma`, `network.priorities`), and the device
    /// filter: these stay.
    ///
    /// # Errors
    /// As [`Cgroup::apply`].
    pub fn change(&self, settings: &Settings) -> Result<()> {
        let before: Vec<Write> =
            settings.writes.iter().filter_map(|write| self.as_it_is(write)).collect();
        self.apply(settings).inspect_err(|_| {
            // Neighbours (memory and swap, quota and burst) hold each other: what the first round could not set back,
            // the second can.
            for write in before.iter().rev().chain(&before) {
                let _refused = self.put(write, &mut None);
            }
        })
    }

    /// What would set the file back to what it has now, if that is one value.
    fn as_it_is(&self, write: &Write) -> Option<Write> {
        let directory = self.directory(self.member_of(write)?).ok().flatten()?;
        let value = read_file(directory, &write.file).ok()?;
        let value = value.trim();
        if value.contains('\n') || write.value.contains(':') {
            return None;
        }
        // An empty list of cpus is written as a line; a write of nothing would change nothing.
        let value = if value.is_empty() { "\n" } else { value }.to_owned();
        Some(Write { value, must_exceed: None, if_missing: IfMissing::Skip, ..write.clone() })
    }

    fn member_of(&self, write: &Write) -> Option<&Member> {
        match write.target {
            Target::V1(controller) => self.v1_member(controller),
            Target::V2(_) => self.v2_member(),
        }
    }

    /// Tries again what was refused, now that its neighbours are written, as long as something changes.
    fn again(&self, refused: &mut Vec<(&Write, Error)>) -> Result<()> {
        loop {
            let before = refused.len();
            let retried = std::mem::take(refused)
                .into_iter()
                .map(|(write, _)| (write, self.put(write, &mut None)));
            refused.extend(retried.filter_map(|(write, result)| Some((write, result.err()?))));
            if refused.is_empty() {
                return Ok(());
            }
            if refused.len() == before {
                return Err(refused.remove(0).1);
            }
        }
    }

    fn put<'w>(&self, write: &'w Write, last: &mut Option<Last<'w>>) -> Result<()> {
        let Some(member) = self.member_of(write) else {
            return Err(Error::NoHierarchy { at: self.hierarchies.root().to_owned() });
        };
        let Some(directory) = self.directory(member)? else {
            return Err(self.failed("open", member, Errno::NOENT));
        };
        let fail = |errno| self.refused(write, (&write.file, &write.value), member, errno);
        if let Some(file) = write.must_exceed {
            let used = read_file(directory, file).map_err(fail)?.trim().parse::<u64>().unwrap_or(0);
            if write.value.parse().is_ok_and(|limit: u64| limit <= used) {
                return Err(fail(Errno::BUSY));
            }
        }
        match put_value(directory, write, last) {
            Err(Errno::NOENT) => match &write.if_missing {
                IfMissing::Skip => Ok(()),
                IfMissing::Instead(file, value) => write_file(directory, file, value)
                    .map_err(|errno| self.refused(write, (file, value), member, errno)),
                IfMissing::Fail => Err(fail(Errno::NOENT)),
            },
            other => other.map_err(fail),
        }
    }

    fn refused(
        &self,
        write: &Write,
        (file, value): (&str, &str),
        member: &Member,
        errno: Errno,
    ) -> Error {
        let refused = RefusedWrite {
            setting: write.setting.clone(),
            file: self.place(member).join(file),
            value: value.to_owned(),
            errno,
            hint: member
                .directory
                .get()
                .and_then(Option::as_ref)
                .map_or(String::new(), |d| hint(write, d, errno)),
        };
        Box::new(refused).into()
    }
}

fn put_value<'w>(
    directory: BorrowedFd<'_>,
    asked: &'w Write,
    last: &mut Option<Last<'w>>,
) -> std::result::Result<(), Errno> {
    let open = match last {
        Some(last) if last.file == asked.file && last.target == asked.target => &last.open,
        _ => {
            let open = open_file(directory, &asked.file, OFlags::WRONLY)?;
            &last.insert(Last { file: &asked.file, target: asked.target, open }).open
        }
    };
    write(open, asked.value.as_bytes()).map(drop)
}

/// What the errno means for this setting, as far as it can be known.
fn hint(write: &Write, directory: &OwnedFd, errno: Errno) -> String {
    match (write.setting.name, errno) {
        ("memory.limit" | "memory.swap", Errno::BUSY) => {
            let usage = ["memory.usage_in_bytes", "memory.current"];
            let charged =
                usage.iter().find_map(|file| read_file(directory, file).ok()).unwrap_or_default();
            format!(": {} bytes are charged already", charged.trim())
        }
        ("cpu.realtimeRuntime", Errno::INVAL) => {
            ": the parent cgroup's budget (cpu.rt_runtime_us) is too small".into()
        }
        ("cpu.cpus" | "cpu.mems", Errno::ACCESS) => {
            ": the parent cgroup does not have all of them".into()
        }
        ("devices", Errno::PERM) => ": the parent cgroup does not allow it".into(),
        (_, Errno::NODEV | Errno::NXIO) => ": there is no such device".into(),
        (_, Errno::NOENT) => ": this kernel does not have the file".into(),
        _ => String::new(),
    }
}
