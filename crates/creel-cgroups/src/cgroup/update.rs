//! What a change of some limits has to know of those that the cgroup has now.

use rustix::io::Errno;

use super::{Cgroup, read_file};
use crate::{
    controller::Controller,
    error::{Error, Refused, Result},
    resources::{Cpu, Memory, Resources},
    settings::{Setting, Settings},
};

impl Cgroup {
    /// `asked` with what its values need beside themselves, as the cgroup has it now: the memory limit that `memory.swap`
    /// is counted from, and on v2 the quota, which is in one file with `cpu.period`.
    ///
    /// # Errors
    /// [`Error::Refused`] if a memory limit would be above the limit of memory and swap that v1 has; [`Error::Os`].
    pub fn complete(&self, mut asked: Resources) -> Result<Resources> {
        self.complete_memory(&mut asked.memory)?;
        self.complete_cpu(&mut asked.cpu)?;
        Ok(asked)
    }

    /// Enables the controllers that `settings` need down the path of the v2 hierarchy, as [`Cgroup::create`] does.
    ///
    /// # Errors
    /// [`Error::ControllerMissing`], [`Error::Os`].
    pub fn enable(&self, settings: &Settings) -> Result<()> {
        match self.v2_member() {
            Some(member) => self.enable_controllers(member, settings),
            None => Ok(()),
        }
    }

    fn complete_memory(&self, memory: &mut Memory) -> Result<()> {
        match (memory.limit, memory.swap) {
            (None, Some(swap)) if swap > 0 => {
                // It is the limit that is there already, so there is nothing to check.
                memory.check_before_update = false;
                memory.limit =
                    self.limit(Controller::Memory, ["memory.limit_in_bytes", "memory.max"])?;
            }
            (Some(limit), None) if limit > 0 && self.v1_member(Controller::Memory).is_some() => {
                let swap = self.limit(Controller::Memory, ["memory.memsw.limit_in_bytes", ""])?;
                if let Some(swap) = swap.filter(|swap| (0..limit).contains(swap)) {
                    let reason = format!(
                        "{limit} is above memory.swap, which is {swap} and counts memory and swap together: \
                         raise that, too"
                    );
                    return Err(Refused { setting: Setting::of("memory.limit"), reason }.into());
                }
            }
            (Some(_) | None, _) => {}
        }
        Ok(())
    }

    fn complete_cpu(&self, cpu: &mut Cpu) -> Result<()> {
        let is_v2 = self.v1_member(Controller::Cpu).is_none();
        if is_v2 && cpu.period.is_some() && cpu.quota.is_none() {
            cpu.quota = self.limit(Controller::Cpu, ["", "cpu.max"])?.filter(|quota| *quota > 0);
        }
        Ok(())
    }

    /// The limit in the first of these files on v1, in the second on v2; -1 is "unlimited", none if there is no such file.
    fn limit(&self, controller: Controller, [v1, v2]: [&str; 2]) -> Result<Option<i64>> {
        let (member, file) = match (self.v1_member(controller), self.v2_member()) {
            (Some(member), _) => (member, v1),
            (None, Some(member)) => (member, v2),
            (None, None) => return Ok(None),
        };
        let Some(directory) = self.directory(member)? else { return Ok(None) };
        match read_file(directory, file) {
            Ok(text) => Ok(limit_in(&text)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => {
                Err(Error::Os { operation: "read", at: self.place(member).join(file), errno })
            }
        }
    }
}

/// The first word of a file: a number or `max`.
fn limit_in(text: &str) -> Option<i64> {
    // v1 shows "unlimited" as the greatest number, rounded down to a page.
    const UNLIMITED: i64 = i64::MAX - (1 << 20);
    match text.split_whitespace().next()? {
        "max" => Some(-1),
        number => number.parse().ok().map(|limit| if limit > UNLIMITED { -1 } else { limit }),
    }
}

#[cfg(test)]
mod tests {
    use super::limit_in;

    #[test]
    fn limits_are_read_as_both_versions_show_them() {
        let table = [
            ("4096\n", Some(4096)),
            ("9223372036854771712\n", Some(-1)),
            ("9223372036854710272\n", Some(-1)),
            ("max\n", Some(-1)),
            ("max 100000\n", Some(-1)),
            ("20000 100000\n", Some(20_000)),
            ("", None),
            ("?", None),
        ];
        for (text, limit) in table {
            assert_eq!(limit_in(text), limit, "{text:?}");
        }
    }
}
