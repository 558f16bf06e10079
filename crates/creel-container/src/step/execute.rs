//! The table of steps: one arm, one `execute`.

use rustix::io::Errno;

use super::{Child, Failure, Op, Step};

impl Step {
    /// Does what the step says, in the child.
    ///
    /// The steps that speak with the creator or run programs are the child's own (`process/init`); for them this is a
    /// mistake of the caller.
    pub(crate) fn execute(&self, child: &mut Child) -> Result<(), Failure> {
        match self {
            Self::JoinNamespace(step) => step.execute(child),
            Self::SessionKeyring(step) => step.execute(child),
            Self::Loopback(step) => step.execute(),
            Self::Home(step) => step.execute(child),
            Self::Hostname(step) => step.execute(),
            Self::Domainname(step) => step.execute(),
            Self::RootPropagation(step) => step.execute(child),
            Self::MakeRoot(step) => step.execute(child),
            Self::Mount(step) => step.execute(child),
            Self::CgroupNamespace(step) => step.execute(),
            Self::Device(step) => step.execute(child),
            Self::DeviceLink(step) => step.execute(child),
            Self::Console(step) => step.execute(child),
            Self::Streams(step) => step.execute(child),
            Self::Pivot(step) => step.execute(child),
            Self::MoveRoot(step) => step.execute(child),
            Self::Chroot(step) => step.execute(child),
            Self::Sysctl(step) => step.execute(child),
            Self::Mask(step) => step.execute(child),
            Self::ReadonlyPath(step) => step.execute(child),
            Self::RootReadonly(step) => step.execute(child),
            Self::WorkingDirectory(step) => step.execute(child),
            Self::OomScoreAdj(step) => step.execute(child),
            Self::Rlimit(step) => step.execute(),
            Self::Scheduler(step) => step.execute(),
            Self::IoPriority(step) => step.execute(),
            Self::Affinity(step) => step.execute(),
            Self::Personality(step) => step.execute(),
            Self::MemoryPolicy(step) => step.execute(),
            Self::Umask(step) => step.execute(),
            Self::DropBounding(step) => step.execute(),
            Self::Identity(step) => step.execute(child),
            Self::SetCapabilities(step) => step.execute(),
            Self::NoNewPrivileges(step) => step.execute(),
            Self::AppArmor(step) => step.execute(child),
            Self::Selinux(step) => step.execute(child),
            Self::LookUpProgram(step) => step.execute(child),
            Self::LoadSeccomp(step) => step.execute(child),
            Self::AwaitGo | Self::RequestHooks | Self::CreateContainerHooks => {
                Err(Failure::new(Op::Mismatch, Errno::NOSYS))
            }
        }
    }
}
