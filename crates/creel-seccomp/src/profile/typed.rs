//! Takes a profile from the types of the `oci-spec` crate.

use oci_spec::runtime::{
    Arch as OciArch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag,
    LinuxSeccompOperator, LinuxSyscall,
};

use super::read::{check_names, index, with_errno};
use super::{Arg, Operator, Profile, Rule};
use crate::{ActionKind, Arch, Error, FilterFlags, Result};

impl Profile {
    /// Takes the profile from the types of the `oci-spec` crate.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the place of the first value that is not the specification's.
    pub fn from_oci(seccomp: &LinuxSeccomp) -> Result<Self> {
        let default = kind(seccomp.default_action());
        let errno = seccomp.default_errno_ret().map(u64::from);
        let architectures = seccomp.architectures().iter().flatten();
        let rules = seccomp.syscalls().iter().flatten().enumerate();
        Ok(Self {
            default_action: with_errno(default, "defaultErrnoRet", errno)?,
            architectures: architectures.enumerate().map(arch).collect::<Result<_>>()?,
            flags: seccomp
                .flags()
                .as_ref()
                .map(|list| list.iter().fold(FilterFlags::EMPTY, |all, one| all.with(flag(*one)))),
            rules: rules.map(rule).collect::<Result<_>>()?,
            listener_path: seccomp
                .listener_path()
                .clone()
                .filter(|path| !path.as_os_str().is_empty()),
            listener_metadata: seccomp.listener_metadata().clone().filter(|data| !data.is_empty()),
        })
    }
}

fn arch((i, arch): (usize, &OciArch)) -> Result<Arch> {
    // The numbers are libseccomp's: `AUDIT_ARCH_*`, but for these two.
    if *arch == OciArch::ScmpArchNative {
        return Ok(Arch::native());
    }
    if *arch == OciArch::ScmpArchX32 {
        return Ok(Arch::X32);
    }
    let found = Arch::ALL.into_iter().find(|ours| ours.audit() == *arch as u32);
    found.ok_or_else(|| {
        let at = format!("architectures[{i}]");
        Error::invalid(at, "the name of an architecture", format!("{arch:?}"))
    })
}

fn flag(flag: LinuxSeccompFilterFlag) -> FilterFlags {
    match flag {
        LinuxSeccompFilterFlag::SeccompFilterFlagLog => FilterFlags::LOG,
        LinuxSeccompFilterFlag::SeccompFilterFlagTsync => FilterFlags::TSYNC,
        LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => FilterFlags::SPEC_ALLOW,
        LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => {
            FilterFlags::WAIT_KILLABLE_RECV
        }
    }
}

fn kind(action: LinuxSeccompAction) -> ActionKind {
    match action {
        LinuxSeccompAction::ScmpActKill => ActionKind::Kill,
        LinuxSeccompAction::ScmpActKillThread => ActionKind::KillThread,
        LinuxSeccompAction::ScmpActKillProcess => ActionKind::KillProcess,
        LinuxSeccompAction::ScmpActTrap => ActionKind::Trap,
        LinuxSeccompAction::ScmpActErrno => ActionKind::Errno,
        LinuxSeccompAction::ScmpActNotify => ActionKind::Notify,
        LinuxSeccompAction::ScmpActTrace => ActionKind::Trace,
        LinuxSeccompAction::ScmpActLog => ActionKind::Log,
        LinuxSeccompAction::ScmpActAllow => ActionKind::Allow,
    }
}

fn rule((i, rule): (usize, &LinuxSyscall)) -> Result<Rule> {
    let at = format!("syscalls[{i}]");
    check_names(&at, rule.names())?;
    let errno = rule.errno_ret().map(u64::from);
    let args = rule.args().iter().flatten().enumerate();
    Ok(Rule {
        names: rule.names().clone(),
        action: with_errno(kind(rule.action()), &format!("{at}.errnoRet"), errno)?,
        args: args
            .map(|(j, arg)| argument(&format!("{at}.args[{j}]"), arg))
            .collect::<Result<_>>()?,
    })
}

fn argument(at: &str, arg: &LinuxSeccompArg) -> Result<Arg> {
    let op = match arg.op() {
        LinuxSeccompOperator::ScmpCmpNe => Operator::Ne,
        LinuxSeccompOperator::ScmpCmpLt => Operator::Lt,
        LinuxSeccompOperator::ScmpCmpLe => Operator::Le,
        LinuxSeccompOperator::ScmpCmpEq => Operator::Eq,
        LinuxSeccompOperator::ScmpCmpGe => Operator::Ge,
        LinuxSeccompOperator::ScmpCmpGt => Operator::Gt,
        LinuxSeccompOperator::ScmpCmpMaskedEq => Operator::MaskedEq,
    };
    let index = index(at, u64::try_from(arg.index()).unwrap_or(u64::MAX))?;
    Ok(Arg { index, op, value: arg.value(), value_two: arg.value_two().unwrap_or_default() })
}
