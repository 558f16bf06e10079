//! A profile's rules for one architecture: which answer has which call.

use crate::action::ENOSYS;
use crate::table::{self, ARM_PRIVATE, Syscall, X32_BIT};
use crate::{Action, Arch, Arg, Error, Operator, Options, Profile, Result};

/// What a call gets: the first conditional answer whose comparisons hold, else `otherwise`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) conditional: Vec<(Vec<Arg>, Action)>,
    pub(super) otherwise: Action,
}

impl Decision {
    pub(super) fn always(action: Action) -> Self {
        Self { conditional: Vec::new(), otherwise: action }
    }
}

/// One name of one rule, found in the table.
#[derive(Debug)]
pub(super) struct Call<'a> {
    syscall: Syscall,
    /// `socketcall(2)` or `ipc(2)`, and the first argument that makes it this call.
    carrier: Option<(Syscall, u64)>,
    action: Action,
    /// Alternatives; each is a list of comparisons that must all hold. None: no comparison at all.
    alternatives: Vec<&'a [Arg]>,
}

/// Looks every name up. Names that no table knows become warnings or the error.
pub(super) fn calls<'a>(
    profile: &'a Profile,
    options: &Options,
    warnings: &mut Vec<String>,
) -> Result<Vec<Call<'a>>> {
    let mut calls = Vec::new();
    for (i, rule) in profile.rules.iter().enumerate() {
        for (j, name) in rule.names.iter().enumerate() {
            let at = || format!("syscalls[{i}].names[{j}]");
            if rule.action == Action::Notify && name == "write" {
                return Err(Error::Notify { at: at(), place: "for the write syscall" });
            }
            let Some(syscall) = table::by_name(name) else {
                if options.fail_unknown_syscall {
                    return Err(Error::UnknownSyscall { at: at(), name: name.clone() });
                }
                warnings.push(format!("{}: unknown system call {name:?} is skipped", at()));
                continue;
            };
            let alternatives = if has_duplicate_index(&rule.args) {
                rule.args.chunks(1).collect()
            } else if rule.args.is_empty() {
                Vec::new()
            } else {
                vec![rule.args.as_slice()]
            };
            let carrier = table::multiplexed(name);
            calls.push(Call { syscall, carrier, action: rule.action, alternatives });
        }
    }
    Ok(calls)
}

/// Two comparisons of one argument are alternatives, and so is then every comparison of that rule.
fn has_duplicate_index(args: &[Arg]) -> bool {
    args.iter()
        .enumerate()
        .any(|(i, arg)| args.iter().take(i).any(|other| other.index == arg.index))
}

/// The answers by number for `arch`, without the default, in the order of numbers.
pub(super) fn by_number(calls: &[Call<'_>], arch: Arch, default: Action) -> Vec<(u32, Decision)> {
    let mut found: Vec<Found<'_>> = Vec::with_capacity(calls.len());
    // A rule that says what the default says is no rule: it does not stand in the way of others.
    for call in calls.iter().filter(|call| call.action != default) {
        if let Some(number) = call.syscall.number(arch) {
            found.push(Found { number, selector: None, call });
        }
        if let Some((carrier, value)) = call.carrier
            && let Some(number) = carrier.number(arch)
        {
            let selector = Some(Arg { index: 0, op: Operator::Eq, value, value_two: 0 });
            found.push(Found { number, selector, call });
        }
    }
    // Stable: rules for one number stay in the order of the profile.
    found.sort_by_key(|found| found.number);
    found
        .chunk_by(|one, next| one.number == next.number)
        .filter_map(|found| Some((found.first()?.number, decide(found, default))))
        .collect()
}

/// A rule that is about a number, and the comparison that tells a multiplexed call.
struct Found<'a> {
    number: u32,
    selector: Option<Arg>,
    call: &'a Call<'a>,
}

fn decide(found: &[Found<'_>], default: Action) -> Decision {
    let always =
        found.iter().find(|one| one.selector.is_none() && one.call.alternatives.is_empty());
    if let Some(one) = always {
        return Decision::always(one.call.action);
    }
    let mut conditional = Vec::new();
    for Found { selector, call, .. } in found {
        if call.alternatives.is_empty() {
            conditional.push((selector.iter().copied().collect(), call.action));
        }
        for args in &call.alternatives {
            // The selector takes the place of a comparison with the first argument: that argument
            // of the call itself is in memory, where no filter can look.
            let rest = args.iter().filter(|arg| selector.is_none() || arg.index != 0);
            conditional.push((selector.iter().chain(rest).copied().collect(), call.action));
        }
    }
    Decision { conditional, otherwise: default }
}

/// The range of numbers that the author of the profile could not know: above the last call that the
/// profile names, whatever it says of it. Such a call fails with ENOSYS, so that programs fall back
/// to an older one; EPERM would stop them.
///
/// A profile that allows, logs or traces what it does not name has nothing to say there.
pub(super) fn unknown_from(calls: &[Call<'_>], arch: Arch, default: Action) -> Option<u32> {
    match default {
        Action::Allow | Action::Log | Action::Trace(_) => return None,
        Action::KillThread
        | Action::KillProcess
        | Action::Trap
        | Action::Errno(_)
        | Action::Notify => {}
    }
    let last = calls
        .iter()
        .filter_map(|call| call.syscall.number(arch))
        .filter(|number| arch != Arch::Arm || !ARM_PRIVATE.contains(number))
        .max()?;
    Some(last + 1)
}

/// The answer to unknown calls.
pub(super) const UNKNOWN: Action = Action::Errno(ENOSYS);

/// Where the numbers of an architecture begin and end: x86-64 shares its `AUDIT_ARCH` with x32.
pub(super) fn span(arch: Arch) -> (u32, u32) {
    if arch == Arch::X86_64 {
        (0, X32_BIT - 1)
    } else if arch == Arch::X32 {
        (X32_BIT, u32::MAX)
    } else {
        (0, u32::MAX)
    }
}
