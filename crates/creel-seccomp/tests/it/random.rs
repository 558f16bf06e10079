//! Random profiles, and calls that come near to what they say.

use creel_seccomp::{Action, Arch, Arg, Operator, Profile, Rule, syscall_number};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::common::Call;

/// Whether rules with comparisons may give one call different answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conflicts {
    /// Nor may two be about one call at all: of such, libseccomp 2.5.4 sometimes forgets one, and
    /// of different answers it takes one by how it sorts the comparisons.
    None,
    /// The first rule counts.
    Some,
}

const NAMES: [&str; 25] = [
    "read",
    "open",
    "close",
    "stat",
    "mmap",
    "ioctl",
    "socket",
    "connect",
    "accept",
    "semop",
    "shmget",
    "msgctl",
    "clone",
    "personality",
    "kexec_load",
    "seccomp",
    "clone3",
    "close_range",
    "openat2",
    "faccessat2",
    "set_tls",
    "io_setup",
    "setup",
    "recv",
    "futex",
];

fn action() -> impl Strategy<Value = Action> {
    select(vec![
        Action::KillThread,
        Action::KillProcess,
        Action::Trap,
        Action::Errno(1),
        Action::Errno(38),
        Action::Errno(22),
        Action::Trace(7),
        Action::Log,
        Action::Allow,
    ])
}

/// Values near edges of halves.
pub(crate) fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..4_u64,
        select(vec![
            0xffff_fffe,
            0xffff_ffff,
            1 << 32,
            (1 << 32) + 1,
            2 << 32,
            u64::MAX,
            u64::MAX - 1,
            1 << 63
        ]),
        any::<u64>(),
    ]
}

fn arg() -> impl Strategy<Value = Arg> {
    (0..4_u8, select(Operator::ALL.to_vec()), value(), value()).prop_map(
        |(index, op, value, value_two)| {
            let value_two = if op == Operator::MaskedEq { value_two } else { 0 };
            Arg { index, op, value, value_two }
        },
    )
}

fn rule() -> impl Strategy<Value = Rule> {
    (
        vec(select(NAMES.to_vec()), 1..4),
        action(),
        prop_oneof![2 => Just(vec![]), 3 => vec(arg(), 1..4)],
    )
        .prop_map(|(names, action, args)| Rule {
            names: names.into_iter().map(Into::into).collect(),
            action,
            args,
        })
}

pub(crate) fn profile(conflicts: Conflicts) -> impl Strategy<Value = Profile> {
    let archs = vec(select(vec![Arch::X86, Arch::X32, Arch::X86_64, Arch::Aarch64]), 0..3);
    (action(), archs, vec(rule(), 0..8)).prop_map(
        move |(default_action, architectures, mut rules)| {
            if conflicts == Conflicts::None {
                one_condition_each(&mut rules);
            }
            Profile {
                default_action,
                architectures,
                flags: None,
                rules,
                listener_path: None,
                listener_metadata: None,
            }
        },
    )
}

/// A call to be made on each architecture.
#[derive(Debug, Clone)]
pub(crate) struct Try {
    name: &'static str,
    number: Option<u32>,
    args: [u64; 6],
    /// Takes this argument from the profile's values, give or take one.
    near: Vec<(usize, usize, i8)>,
}

pub(crate) fn calls() -> impl Strategy<Value = Vec<Try>> {
    let number = prop_oneof![
        4 => Just(None),
        1 => (0..500_u32).prop_map(Some),
        1 => select(vec![102, 117, 0xf_0001, 0xf_0005, 0x10_0000, 0x3fff_ffff, 0x4000_0000, u32::MAX, u32::MAX - 1]).prop_map(Some),
    ];
    let near = vec((0..6_usize, any::<usize>(), -1..2_i8), 0..5);
    let one = (
        select(NAMES.to_vec()),
        number,
        [value(), value(), value(), value(), value(), value()],
        near,
    )
        .prop_map(|(name, number, args, near)| Try { name, number, args, near });
    vec(one, 20..60)
}

impl Try {
    pub(crate) fn on(&self, profile: &Profile, archs: &[Arch]) -> Vec<Call> {
        let values: Vec<&Arg> = profile.rules.iter().flat_map(|rule| &rule.args).collect();
        let mut args = self.args;
        for (index, which, by) in self.near.iter().filter(|_| !values.is_empty()) {
            let near = values[which % values.len()];
            let value = if near.op == Operator::MaskedEq { near.value_two } else { near.value };
            args[*index] = value.wrapping_add_signed((*by).into());
        }
        let numbered = |arch| self.number.or_else(|| syscall_number(self.name, arch));
        let call = |arch: &Arch| Some(Call { nr: numbered(*arch)?, audit: arch.audit(), args });
        archs.iter().filter_map(call).collect()
    }
}

fn one_condition_each(rules: &mut [Rule]) {
    // These share numbers where they are multiplexed.
    let shared = ["socket", "connect", "accept", "recv", "semop", "shmget", "msgctl"];
    let mut seen: Vec<String> = Vec::new();
    for rule in rules.iter_mut().filter(|rule| !rule.args.is_empty()) {
        // A mask without bits makes a rule without comparison in libseccomp, but not in the profile.
        rule.args
            .iter_mut()
            .filter(|arg| arg.op == Operator::MaskedEq)
            .for_each(|arg| arg.value |= 0x10);
        rule.args.sort_by_key(|arg| arg.index);
        rule.args.dedup_by_key(|arg| arg.index);
        rule.names.retain(|name| !shared.contains(&name.as_str()) && !seen.contains(name));
        rule.names.dedup();
        seen.extend(rule.names.iter().cloned());
    }
}
