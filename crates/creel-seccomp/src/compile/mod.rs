//! Profile to program.

mod assemble;
mod check;
mod emit;
mod ranges;
mod rules;

pub(crate) use self::check::is_filter;
use self::emit::Section;
use crate::raw::MAX_INSTRUCTIONS;
use crate::{Action, ActionSet, Arch, Error, FilterFlags, Listener, Profile, Result};

/// The answer to calls of an architecture that the profile does not name.
const BAD_ARCH: Action = Action::KillThread;

/// One instruction of classic BPF: `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// Class, size, mode or operation.
    pub code: u16,
    /// How many instructions to skip if the comparison holds.
    pub jt: u8,
    /// How many if it does not.
    pub jf: u8,
    /// The constant.
    pub k: u32,
}

impl Instruction {
    /// From its eight bytes in this machine's order.
    pub(crate) fn from_bytes(bytes: &[u8; 8]) -> Self {
        let [c0, c1, jt, jf, k0, k1, k2, k3] = *bytes;
        Self { code: u16::from_ne_bytes([c0, c1]), jt, jf, k: u32::from_ne_bytes([k0, k1, k2, k3]) }
    }

    /// Its eight bytes in this machine's order.
    pub(crate) fn to_bytes(self) -> [u8; 8] {
        let [c0, c1] = self.code.to_ne_bytes();
        let [k0, k1, k2, k3] = self.k.to_ne_bytes();
        [c0, c1, self.jt, self.jf, k0, k1, k2, k3]
    }
}

/// What this kernel is and can do: asked once, or invented by a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// The kernel's architecture.
    pub machine: Arch,
    /// The actions it knows.
    pub actions: ActionSet,
    /// The flags it knows.
    pub flags: FilterFlags,
}

/// How to compile.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The kernel that will get the program.
    pub host: Host,
    /// A name that no table knows is an error instead of a warning
    /// (annotation `run.oci.seccomp_fail_unknown_syscall`).
    pub fail_unknown_syscall: bool,
}

impl Host {
    /// Asks the running kernel.
    #[must_use]
    pub fn ask() -> Self {
        Self {
            machine: Arch::native(),
            actions: crate::supported_actions(),
            flags: crate::supported_flags(),
        }
    }

    /// A kernel that knows everything.
    #[must_use]
    pub fn newest(machine: Arch) -> Self {
        let flags =
            FilterFlags::KNOWN.iter().fold(FilterFlags::EMPTY, |all, (_, flag)| all.with(*flag));
        Self { machine, actions: ActionSet::ALL, flags }
    }
}

impl Options {
    /// For this kernel; names that no table knows are skipped with a warning.
    #[must_use]
    pub fn new(host: Host) -> Self {
        Self { host, fail_unknown_syscall: false }
    }
}

/// A program, and how to load it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// The program, for [`load`](crate::load).
    pub program: Vec<Instruction>,
    /// The flags, for [`load`](crate::load).
    pub flags: FilterFlags,
    /// Who gets the listener's fd: present if and only if a rule notifies.
    pub listener: Option<Listener>,
    /// What was left out of the filter, one line each, with its place.
    pub warnings: Vec<String>,
}

/// Compiles `profile`.
///
/// Of several rules for one call, those without `args` go before those with; else the first one
/// counts. A rule whose action is the default's is ignored. Calls above the last one that the
/// profile names get ENOSYS unless the default lets calls through. Architectures that the machine
/// cannot run need no code; calls of any that the profile does not name kill the thread.
///
/// # Errors
/// [`Error`] with the place in the profile.
pub fn compile(profile: &Profile, options: &Options) -> Result<Compiled> {
    if profile.default_action == Action::Notify {
        return Err(Error::Notify { at: "defaultAction".into(), place: "as default action" });
    }
    check_actions(profile, options.host.actions)?;
    let mut warnings = Vec::new();
    let calls = rules::calls(profile, options, &mut warnings)?;
    let sections: Vec<Section> = groups(profile, options.host.machine)
        .into_iter()
        .map(|archs| Section {
            audit: archs.first().map_or(0, |arch| arch.audit()),
            ranges: ranges::ranges(&calls, &archs, profile.default_action),
            archs,
        })
        .collect();
    let program = emit::program(&sections);
    if program.len() > MAX_INSTRUCTIONS {
        return Err(Error::TooLong { instructions: program.len() });
    }
    let notifies = profile.rules.iter().any(|rule| rule.action == Action::Notify);
    let flags = filter_flags(profile.flags, options.host.flags, notifies, &mut warnings)?;
    let listener = listener(profile, notifies)?;
    Ok(Compiled { program, flags, listener, warnings })
}

/// A ready program (see [`parse_raw`](crate::parse_raw)), to be loaded with the flags that `profile` names. With a
/// listener its descriptor is asked for, whether or not an instruction notifies.
///
/// # Errors
/// [`Error::Unsupported`] for a flag that this kernel does not know.
pub fn ready(
    program: Vec<Instruction>,
    profile: Option<&Profile>,
    listener: Option<Listener>,
    options: &Options,
) -> Result<Compiled> {
    let mut warnings = Vec::new();
    let asked = profile.and_then(|profile| profile.flags);
    let flags = filter_flags(asked, options.host.flags, listener.is_some(), &mut warnings)?;
    Ok(Compiled { program, flags, listener, warnings })
}

/// The architectures to filter, those with one `AUDIT_ARCH` together, the machine's first.
fn groups(profile: &Profile, machine: Arch) -> Vec<Vec<Arch>> {
    let mut groups: Vec<Vec<Arch>> = vec![vec![machine]];
    for arch in profile.architectures.iter().filter(|arch| machine.runs(**arch)) {
        match groups.iter_mut().find(|group| group.iter().any(|one| one.audit() == arch.audit())) {
            Some(group) if group.contains(arch) => {}
            Some(group) => group.push(*arch),
            None => groups.push(vec![*arch]),
        }
    }
    groups
}

fn check_actions(profile: &Profile, known: ActionSet) -> Result<()> {
    let check = |action: Action, at: &dyn Fn() -> String| {
        let kind = action.kind();
        if known.has(kind) {
            Ok(())
        } else {
            Err(Error::Unsupported { at: at(), name: kind.name() })
        }
    };
    check(profile.default_action, &|| "defaultAction".into())?;
    for (i, rule) in profile.rules.iter().enumerate() {
        check(rule.action, &|| format!("syscalls[{i}].action"))?;
    }
    Ok(())
}

fn filter_flags(
    asked: Option<FilterFlags>,
    known: FilterFlags,
    notifies: bool,
    warnings: &mut Vec<String>,
) -> Result<FilterFlags> {
    let Some(mut flags) = asked else {
        // Not asked for: a kernel without it is no error.
        let default = FilterFlags::SPEC_ALLOW;
        let default = if known.has(default) { default } else { FilterFlags::EMPTY };
        return Ok(if notifies { default.with(FilterFlags::NEW_LISTENER) } else { default });
    };
    if let Some(name) = flags.without(known).names().next() {
        return Err(Error::Unsupported { at: "flags".into(), name });
    }
    if notifies {
        flags = flags.with(FilterFlags::NEW_LISTENER);
        // Else the kernel could not say both a listener's fd and a thread's id.
        if flags.has(FilterFlags::TSYNC) {
            flags = flags.with(FilterFlags::TSYNC_ESRCH);
        }
    } else if flags.has(FilterFlags::WAIT_KILLABLE_RECV) {
        warnings.push(
            "flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is left out, for no rule notifies"
                .into(),
        );
        flags = flags.without(FilterFlags::WAIT_KILLABLE_RECV);
    }
    Ok(flags)
}

pub(crate) fn listener(profile: &Profile, notifies: bool) -> Result<Option<Listener>> {
    match &profile.listener_path {
        Some(path) if notifies => {
            Ok(Some(Listener { path: path.clone(), metadata: profile.listener_metadata.clone() }))
        }
        None if notifies => Err(Error::invalid(
            "listenerPath",
            "the socket of an agent, for a rule notifies",
            "none",
        )),
        Some(_) | None => Ok(None),
    }
}
