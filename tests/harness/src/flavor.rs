//! Which runtimes there are, and what differs between them.

use std::path::Path;
use std::time::Duration;

/// Which runtime a binary is: what differs between them is decided by this alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// This project's.
    Creel,
    /// opencontainers/runc.
    Runc,
    /// containers/crun.
    Crun,
    /// youki-dev/youki.
    Youki,
}

impl Flavor {
    /// All runtimes known.
    pub const ALL: [Self; 4] = [Self::Creel, Self::Runc, Self::Crun, Self::Youki];

    /// Its name, by which its list of expectations is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Creel => "creel",
            Self::Runc => "runc",
            Self::Crun => "crun",
            Self::Youki => "youki",
        }
    }

    /// How much of its time a case gets. creel never hangs, so that all of it is for slow machines; the others hang in
    /// some cases, each of which costs its whole time.
    #[must_use]
    pub fn limit(self, limit: Duration) -> Duration {
        match self {
            Self::Creel => limit,
            Self::Runc | Self::Crun => limit / 3,
            Self::Youki => limit / 6,
        }
    }

    /// How often `delete --force` is tried after a case. youki removes cgroups before the processes it killed have
    /// left them, and gives up.
    #[must_use]
    pub fn deletes(self) -> u32 {
        if self == Self::Youki { 5 } else { 1 }
    }

    /// Guesses from the beginning of the file's name; an unknown runtime is taken for one like runc.
    #[must_use]
    pub fn of(binary: &Path) -> Self {
        let name = binary.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self::ALL.into_iter().find(|flavor| name.starts_with(flavor.name())).unwrap_or(Self::Runc)
    }
}
