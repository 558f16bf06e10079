//! The rules as writes to `devices.deny` and `devices.allow`, for v1.
//!
//! The kernel keeps one default and a list of exceptions from it. Rules that follow the default only take exceptions away,
//! whole ones, and silently do nothing if there is none like them; so the list is worked out here, and what it cannot say
//! is refused.

use std::fmt;

use super::{Access, DeviceType, Rule};
use crate::{
    controller::Controller,
    error::Refused,
    settings::{IfMissing, Setting, Target, Write},
};

/// The writes for a cgroup.
///
/// # Errors
/// The first rule that v1 cannot express.
pub(crate) fn writes(rules: &[Rule]) -> Result<Vec<Write>, Refused> {
    let mut state =
        State { allow: false, set_by: None, exceptions: Vec::with_capacity(rules.len()) };
    for (index, rule) in rules.iter().enumerate() {
        state.apply(index, rule)?;
    }
    state.widen();
    let [default, exception] = if state.allow {
        ["devices.allow", "devices.deny"]
    } else {
        ["devices.deny", "devices.allow"]
    };
    let setting =
        state.set_by.map_or(Setting::of("devices"), |index| Setting::item("devices", index));
    let mut writes = Vec::with_capacity(state.exceptions.len() + 1);
    writes.push(write(setting, default, "a".to_owned()));
    writes.extend(
        state
            .exceptions
            .iter()
            .map(|e| write(Setting::item("devices", e.set_by), exception, e.to_string())),
    );
    Ok(writes)
}

fn write(setting: Setting, file: &'static str, value: String) -> Write {
    let target = Target::V1(Controller::Devices);
    Write {
        setting,
        target,
        file: file.into(),
        value,
        if_missing: IfMissing::Fail,
        any_order: false,
        must_exceed: None,
    }
}

/// What the kernel would hold after the rules.
struct State {
    allow: bool,
    set_by: Option<usize>,
    exceptions: Vec<Exception>,
}

/// Devices that are treated otherwise than the default says.
#[derive(Clone, Copy)]
struct Exception {
    kind: char,
    major: Option<u32>,
    minor: Option<u32>,
    bits: u8,
    /// The rule that made it, or added to it last.
    set_by: usize,
}

impl State {
    fn apply(&mut self, index: usize, rule: &Rule) -> Result<(), Refused> {
        if rule.is_for_everything() {
            *self = Self { allow: rule.allow, set_by: Some(index), exceptions: Vec::new() };
            return Ok(());
        }
        let kinds: &[char] = match rule.kind {
            DeviceType::All => &['c', 'b'],
            DeviceType::Char => &['c'],
            DeviceType::Block => &['b'],
        };
        for kind in kinds {
            let (major, minor) = (rule.major, rule.minor);
            let named =
                Exception { kind: *kind, major, minor, bits: rule.access.bits(), set_by: index };
            if rule.allow == self.allow { self.take(named)? } else { self.add(named) }
        }
        Ok(())
    }

    fn add(&mut self, new: Exception) {
        let same =
            |e: &&mut Exception| (e.kind, e.major, e.minor) == (new.kind, new.major, new.minor);
        match self.exceptions.iter_mut().find(same) {
            Some(e) => *e = Exception { bits: e.bits | new.bits, ..new },
            None => self.exceptions.push(new),
        }
    }

    fn take(&mut self, gone: Exception) -> Result<(), Refused> {
        for e in self.exceptions.iter_mut().filter(|e| e.bits & gone.bits != 0) {
            if gone.covers(e) {
                e.bits &= !gone.bits;
            } else if gone.overlaps(e) {
                let verb = if self.allow { "denied" } else { "allowed" };
                let reason = format!(
                    "cgroup v1 cannot except {gone} from {e}, which devices[{}] {verb}",
                    e.set_by
                );
                return Err(Refused { setting: Setting::item("devices", gone.set_by), reason });
            }
        }
        self.exceptions.retain(|e| e.bits != 0);
        Ok(())
    }

    /// The kernel looks for one exception that allows all of an access: reading *and* writing is not put together from two.
    fn widen(&mut self) {
        if !self.allow {
            let all = self.exceptions.clone();
            for e in &mut self.exceptions {
                e.bits = all
                    .iter()
                    .filter(|other| other.covers(e))
                    .fold(e.bits, |bits, other| bits | other.bits);
            }
        }
    }
}

impl Exception {
    fn covers(&self, other: &Self) -> bool {
        let within = |own: Option<u32>, others: Option<u32>| own.is_none() || own == others;
        self.kind == other.kind
            && within(self.major, other.major)
            && within(self.minor, other.minor)
    }

    fn overlaps(&self, other: &Self) -> bool {
        let meet = |own: Option<u32>, others: Option<u32>| {
            own.is_none() || others.is_none() || own == others
        };
        self.kind == other.kind && meet(self.major, other.major) && meet(self.minor, other.minor)
    }
}

/// As the kernel's files have it: `c 1:3 rwm`, `b *:* m`.
impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |n: Option<u32>| n.map_or("*".to_owned(), |n| n.to_string());
        write!(f, "{} {}:{} ", self.kind, number(self.major), number(self.minor))?;
        let named = [(Access::READ, 'r'), (Access::WRITE, 'w'), (Access::MKNOD, 'm')];
        named
            .into_iter()
            .filter(|(access, _)| self.bits & access.bits() != 0)
            .try_for_each(|(_, c)| write!(f, "{c}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::{
        DEFAULT_RULES,
        program::tests::{Random, Request, naive},
    };

    const DENY_ALL: Rule =
        Rule { allow: false, kind: DeviceType::All, major: None, minor: None, access: Access::ALL };
    const ALLOW_ALL: Rule = Rule { allow: true, ..DENY_ALL };

    fn rule(allow: bool, kind: DeviceType, major: u32, minor: Option<u32>, access: &str) -> Rule {
        Rule { allow, kind, major: Some(major), minor, access: Access::parse(access).unwrap() }
    }

    fn written(rules: &[Rule]) -> String {
        match writes(rules) {
            Ok(writes) => writes
                .iter()
                .map(|w| {
                    format!("{}{}", if w.file == "devices.allow" { "+" } else { "-" }, w.value)
                })
                .collect::<Vec<_>>()
                .join(", "),
            Err(refused) => refused.to_string(),
        }
    }

    #[test]
    fn rules_become_one_default_and_its_exceptions() {
        use DeviceType::{All, Block, Char};
        let table = [
            ("nothing is allowed without a rule", vec![], "-a"),
            ("all", vec![DENY_ALL, ALLOW_ALL], "+a"),
            ("one", vec![DENY_ALL, rule(true, Char, 1, Some(3), "rw")], "-a, +c 1:3 rw"),
            (
                "merged",
                vec![rule(true, Char, 1, Some(3), "r"), rule(true, Char, 1, Some(3), "wm")],
                "-a, +c 1:3 rwm",
            ),
            ("both types", vec![rule(true, All, 7, None, "r")], "-a, +c 7:* r, +b 7:* r"),
            (
                "taken back",
                vec![rule(true, Char, 1, Some(3), "rw"), rule(false, Char, 1, None, "w")],
                "-a, +c 1:3 r",
            ),
            ("all but one", vec![ALLOW_ALL, rule(false, Block, 8, Some(0), "w")], "+a, -b 8:0 w"),
            (
                "and again",
                vec![
                    ALLOW_ALL,
                    rule(false, Block, 8, Some(0), "w"),
                    rule(true, Block, 8, None, "w"),
                ],
                "+a",
            ),
            ("a later default", vec![rule(true, Char, 1, Some(3), "r"), DENY_ALL], "-a"),
            (
                "widened",
                vec![rule(true, Char, 1, None, "r"), rule(true, Char, 1, Some(3), "w")],
                "-a, +c 1:* r, +c 1:3 rw",
            ),
            (
                "not to be said",
                vec![rule(true, Char, 1, None, "rw"), rule(false, Char, 1, Some(3), "w")],
                "linux.resources.devices[1]: cgroup v1 cannot except c 1:3 w from c 1:* rw, which devices[0] allowed",
            ),
        ];
        for (name, rules, expected) in table {
            assert_eq!(written(&rules), expected, "{name}");
        }
    }

    #[test]
    fn the_defaults_after_an_engines_rules_are_not_written_twice() {
        let engine = [
            DENY_ALL,
            rule(true, DeviceType::Char, 1, Some(3), "rwm"),
            rule(true, DeviceType::Char, 136, None, "rwm"),
        ];
        let rules: Vec<_> = engine.into_iter().chain(DEFAULT_RULES).collect();
        assert_eq!(writes(&rules).unwrap().len(), 1 + DEFAULT_RULES.len());
    }

    /// The kernel's decision (`__devcgroup_check_permission`) after the writes.
    fn kernel(writes: &[Write], request: Request) -> bool {
        let kind = if request.block { "b" } else { "c" };
        let matches = |value: &str, allow: bool| {
            let parts: Vec<_> = value.split([' ', ':']).collect();
            let is = |text: &str, number: u32| text == "*" || text == number.to_string();
            let bits = Access::parse(parts[3]).unwrap().bits();
            let enough =
                if allow { request.access & !bits == 0 } else { request.access & bits != 0 };
            parts[0] == kind && is(parts[1], request.major) && is(parts[2], request.minor) && enough
        };
        let allow = writes[0].file == "devices.allow";
        let excepted = writes[1..].iter().any(|write| matches(&write.value, !allow));
        allow != excepted
    }

    #[test]
    fn the_kernel_decides_as_the_rules_read() {
        let mut random = Random(7);
        let mut compared = 0;
        for _ in 0..3_000 {
            let rules: Vec<_> = (0..random.below(7)).map(|_| random.rule()).collect();
            let Ok(writes) = writes(&rules) else { continue };
            for _ in 0..40 {
                let request = random.request();
                let (decided, read) = (kernel(&writes, request), naive(&rules, request));
                // It puts no access together from two exceptions that share only some devices.
                let same = decided == read || (!decided && !request.access.is_power_of_two());
                assert!(same, "{request:?} by {rules:?}: {decided}");
                compared += 1;
            }
        }
        assert!(compared > 20_000, "most rules can be said: {compared}");
    }
}
