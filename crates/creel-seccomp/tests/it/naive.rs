//! What a profile says of one call, read rule by rule.

use creel_seccomp::{Action, Arch, Arg, Operator, Profile, syscall_number};

use crate::common::Call;

const X32_BIT: u32 = 0x4000_0000;

/// The value a filter must return.
pub(crate) fn answer(profile: &Profile, machine: Arch, call: &Call) -> u32 {
    let Some(arch) = arch_of(profile, machine, call) else { return Action::KillThread.ret() };
    if is_unknown(profile, arch, call.nr) {
        return Action::Errno(38).ret();
    }
    // -1 with x32's bit is no call of x32 if the profile does not have that architecture.
    let rules = || profile.rules.iter().filter(|rule| rule.action != profile.default_action);
    let named =
        |names: &[String]| names.iter().any(|name| syscall_number(name, arch) == Some(call.nr));
    if let Some(rule) = rules().find(|rule| rule.args.is_empty() && named(&rule.names)) {
        return rule.action.ret();
    }
    for rule in rules() {
        for name in &rule.names {
            let selected = |arg0: bool| {
                let args: Vec<Arg> =
                    rule.args.iter().filter(|arg| !arg0 || arg.index != 0).copied().collect();
                hold(&args, arch, call, rule.args.len() - args.len() + alternatives(&rule.args))
            };
            let direct = syscall_number(name, arch) == Some(call.nr) && selected(false);
            if direct || (is_multiplexed(name, arch, call) && selected(true)) {
                return rule.action.ret();
            }
        }
    }
    profile.default_action.ret()
}

/// The answer of the rule for unknown calls alone.
pub(crate) fn unknown(profile: &Profile, machine: Arch, call: &Call) -> Option<u32> {
    let arch = arch_of(profile, machine, call)?;
    is_unknown(profile, arch, call.nr).then(|| Action::Errno(38).ret())
}

fn arch_of(profile: &Profile, machine: Arch, call: &Call) -> Option<Arch> {
    let mut archs: Vec<Arch> =
        profile.architectures.iter().copied().filter(|arch| machine.runs(*arch)).collect();
    archs.push(machine);
    archs.retain(|arch| arch.audit() == call.audit);
    if call.audit == Arch::X86_64.audit() && call.nr & X32_BIT != 0 {
        let no_call = call.nr == u32::MAX;
        return if archs.contains(&Arch::X32) {
            Some(Arch::X32)
        } else {
            archs.first().copied().filter(|_| no_call)
        };
    }
    archs.into_iter().find(|arch| *arch != Arch::X32)
}

fn is_unknown(profile: &Profile, arch: Arch, nr: u32) -> bool {
    if matches!(profile.default_action, Action::Allow | Action::Log | Action::Trace(_)) {
        return false;
    }
    if arch == Arch::X86_64 && nr == u32::MAX {
        return false;
    }
    let names = profile.rules.iter().flat_map(|rule| &rule.names);
    let private = |nr: u32| arch == Arch::Arm && (0xf_0000..0x10_0000).contains(&nr);
    let numbers = names.filter_map(|name| syscall_number(name, arch));
    let last = numbers.filter(|number| !private(*number)).max();
    let zero = nr == 0 && matches!(arch, Arch::S390 | Arch::S390X);
    last.is_some_and(|last| (nr > last && !private(nr)) || zero)
}

/// More than one comparison of an argument makes alternatives of all.
fn alternatives(args: &[Arg]) -> usize {
    let duplicate = (0..6).any(|index| args.iter().filter(|arg| arg.index == index).count() > 1);
    if duplicate { 1 << 16 } else { 0 }
}

fn hold(args: &[Arg], arch: Arch, call: &Call, mode: usize) -> bool {
    let mut results = args.iter().map(|arg| holds(arg, arch, call));
    if mode >= 1 << 16 {
        // An alternative that only looked at the first argument of a multiplexed call always holds.
        mode > 1 << 16 || results.any(|holds| holds)
    } else {
        results.all(|holds| holds)
    }
}

fn holds(arg: &Arg, arch: Arch, call: &Call) -> bool {
    let narrow = matches!(
        arch,
        Arch::X86
            | Arch::X32
            | Arch::Arm
            | Arch::M68k
            | Arch::Mips
            | Arch::Mipsel
            | Arch::Mips64N32
            | Arch::Mipsel64N32
            | Arch::Parisc
            | Arch::Ppc
            | Arch::S390
            | Arch::Sh
            | Arch::Sheb
    );
    let bits = if narrow { u64::from(u32::MAX) } else { u64::MAX };
    let (found, value) = (call.args[usize::from(arg.index)] & bits, arg.value & bits);
    match arg.op {
        Operator::Ne => found != value,
        Operator::Lt => found < value,
        Operator::Le => found <= value,
        Operator::Eq => found == value,
        Operator::Ge => found >= value,
        Operator::Gt => found > value,
        Operator::MaskedEq => found & value == arg.value_two & value,
    }
}

fn is_multiplexed(name: &str, arch: Arch, call: &Call) -> bool {
    let socketcall = [
        "",
        "socket",
        "bind",
        "connect",
        "listen",
        "accept",
        "getsockname",
        "getpeername",
        "socketpair",
        "send",
        "recv",
        "sendto",
        "recvfrom",
        "shutdown",
        "setsockopt",
        "getsockopt",
        "sendmsg",
        "recvmsg",
        "accept4",
        "recvmmsg",
        "sendmmsg",
    ];
    let ipc = [
        "",
        "semop",
        "semget",
        "semctl",
        "semtimedop",
        "",
        "",
        "",
        "",
        "",
        "",
        "msgsnd",
        "msgrcv",
        "msgget",
        "msgctl",
        "",
        "",
        "",
        "",
        "",
        "",
        "shmat",
        "shmdt",
        "shmget",
        "shmctl",
    ];
    [("socketcall", &socketcall[..]), ("ipc", &ipc[..])].iter().any(|(carrier, names)| {
        let selector = usize::try_from(call.args[0] & u64::from(u32::MAX)).unwrap();
        let wide =
            matches!(arch, Arch::Ppc64 | Arch::Ppc64Le | Arch::S390X) && call.args[0] >> 32 != 0;
        syscall_number(carrier, arch) == Some(call.nr)
            && !wide
            && names.get(selector).is_some_and(|found| *found == name)
    })
}
