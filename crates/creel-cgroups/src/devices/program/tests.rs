//! The program runs in a small interpreter and is compared with a naive reading of the rules.

use super::*;
use crate::sys::bpf::{AND, COPY, EXIT, IF_ANY, JUMP, LOAD, SET, SHIFT_RIGHT, UNLESS_EQUAL};

/// One access to one device.
#[derive(Debug, Clone, Copy)]
pub(in crate::devices) struct Request {
    pub(in crate::devices) block: bool,
    pub(in crate::devices) major: u32,
    pub(in crate::devices) minor: u32,
    pub(in crate::devices) access: u8,
}

/// Runs a program; what the verifier would refuse (a jump or a fall out of it) is a panic.
fn run(program: &Program, request: Request) -> bool {
    let kind: u32 = if request.block { 1 } else { 2 };
    let context = [u32::from(request.access) << 16 | kind, request.major, request.minor];
    let mut registers = [0_u32; 6];
    let mut at = 0;
    loop {
        let Instruction { code, registers: pair, offset, immediate } = program.instructions[at];
        let (to, from) = (usize::from(pair & 15), usize::from(pair >> 4));
        let value = u32::from_ne_bytes(immediate.to_ne_bytes());
        let jump = match code {
            LOAD => {
                registers[to] = context[usize::try_from(offset).unwrap() / 4];
                false
            }
            COPY => {
                registers[to] = registers[from];
                false
            }
            SET => {
                registers[to] = value;
                false
            }
            AND => {
                registers[to] &= value;
                false
            }
            SHIFT_RIGHT => {
                registers[to] >>= value;
                false
            }
            UNLESS_EQUAL => registers[to] != value,
            IF_ANY => registers[to] & value != 0,
            JUMP => true,
            EXIT => return registers[0] == 1,
            other => panic!("unknown instruction {other:#x}"),
        };
        at += 1 + if jump { usize::try_from(offset).unwrap() } else { 0 };
    }
}

/// Each kind of access by itself: the last rule that is for it decides, and without one it is denied.
pub(in crate::devices) fn naive(rules: &[Rule], request: Request) -> bool {
    let is_for = |rule: &Rule, bit: u8| {
        let kind = match rule.kind {
            DeviceType::All => true,
            DeviceType::Char => !request.block,
            DeviceType::Block => request.block,
        };
        kind && rule.major.is_none_or(|major| major == request.major)
            && rule.minor.is_none_or(|minor| minor == request.minor)
            && rule.access.bits() & bit != 0
    };
    let allowed =
        |bit| rules.iter().rev().find(|rule| is_for(rule, bit)).is_some_and(|rule| rule.allow);
    [1, 2, 4].into_iter().filter(|bit| request.access & bit != 0).all(allowed)
}

/// A small generator with a fixed seed (xorshift): the same rules on every run.
pub(in crate::devices) struct Random(pub(in crate::devices) u64);

impl Random {
    pub(in crate::devices) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn number(&mut self) -> u32 {
        [0, 1, 3, u32::MAX][usize::try_from(self.below(4)).unwrap()]
    }

    pub(in crate::devices) fn rule(&mut self) -> Rule {
        let kind = [DeviceType::All, DeviceType::Char, DeviceType::Block]
            [usize::try_from(self.below(3)).unwrap()];
        let major = (self.below(3) != 0).then(|| self.number());
        let minor = (self.below(3) != 0).then(|| self.number());
        let letters =
            ["r", "w", "m", "rw", "rm", "wm", "rwm"][usize::try_from(self.below(7)).unwrap()];
        Rule {
            allow: self.below(2) == 0,
            kind,
            major,
            minor,
            access: Access::parse(letters).unwrap(),
        }
    }

    pub(in crate::devices) fn request(&mut self) -> Request {
        let access = u8::try_from(1 + self.below(7)).unwrap();
        Request { block: self.below(2) == 0, major: self.number(), minor: self.number(), access }
    }
}

#[test]
fn the_program_decides_as_the_rules_read() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..3_000 {
        let rules: Vec<_> = (0..random.below(10)).map(|_| random.rule()).collect();
        let program = Program::new(&rules);
        for _ in 0..40 {
            let request = random.request();
            assert_eq!(run(&program, request), naive(&rules, request), "{request:?} by {rules:?}");
        }
    }
}

#[test]
fn no_instruction_is_unreachable() {
    let mut random = Random(42);
    for _ in 0..3_000 {
        let rules: Vec<_> = (0..random.below(10)).map(|_| random.rule()).collect();
        let program = Program::new(&rules).instructions;
        let mut reached = vec![false; program.len()];
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut reached[at], true) || program[at].code == EXIT {
                continue;
            }
            let over = at + 1 + usize::try_from(program[at].offset).unwrap();
            match program[at].code {
                JUMP => open.push(over),
                UNLESS_EQUAL | IF_ANY => open.extend([at + 1, over]),
                _ => open.push(at + 1),
            }
        }
        assert!(reached.iter().all(|reached| *reached), "{rules:?}");
    }
}

#[test]
fn an_open_that_asks_for_nothing_needs_a_rule_that_allows_the_device() {
    let rule = Rule {
        allow: true,
        kind: DeviceType::Char,
        major: Some(1),
        minor: Some(3),
        access: Access::READ,
    };
    let open = |minor| Request { block: false, major: 1, minor, access: 0 };
    assert!(run(&Program::new(&[rule]), open(3)));
    assert!(!run(&Program::new(&[rule]), open(5)));
}
