//! What is measured.

use crate::bundle::Bundle;

/// A job: one command of a runtime, in a given situation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Job {
    /// `run` of `/bin/true` with the default config
    Run,
    /// The same under Docker's seccomp profile
    RunSeccomp,
    /// `create`
    Create,
    /// `start` of a created container
    Start,
    /// `delete` of a stopped container
    Delete,
    /// `state` of a running container
    State,
    /// `list` of one container
    List,
    /// `exec` of `/bin/true` in a running container
    Exec,
    /// The same in a container under Docker's seccomp profile
    ExecSeccomp,
}

impl Job {
    pub(crate) const ALL: [Self; 9] = [
        Self::Run,
        Self::RunSeccomp,
        Self::Create,
        Self::Start,
        Self::Delete,
        Self::State,
        Self::List,
        Self::Exec,
        Self::ExecSeccomp,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::RunSeccomp => "run-seccomp",
            Self::Create => "create",
            Self::Start => "start",
            Self::Delete => "delete",
            Self::State => "state",
            Self::List => "list",
            Self::Exec => "exec",
            Self::ExecSeccomp => "exec-seccomp",
        }
    }

    pub(crate) fn bundle(self) -> Bundle {
        match self {
            Self::Run | Self::Create | Self::Start | Self::Delete => Bundle::True,
            Self::RunSeccomp => Bundle::TrueSeccomp,
            Self::State | Self::List | Self::Exec => Bundle::Sleep,
            Self::ExecSeccomp => Bundle::SleepSeccomp,
        }
    }

    /// Whether a container runs beside the measured command all the time.
    pub(crate) fn needs_running(self) -> bool {
        matches!(self.bundle(), Bundle::Sleep | Bundle::SleepSeccomp)
    }
}
