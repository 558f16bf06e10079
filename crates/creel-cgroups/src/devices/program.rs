//! The rules as an eBPF program of type `CGROUP_DEVICE`, for v2.
//!
//! The kernel runs it for each access with the type, the wanted access and the numbers of the device; 0 denies. The rules
//! are looked at from the last to the first: one that allows takes its access off what is still wanted, one that denies
//! any of it ends the search.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;

use super::{Access, DeviceType, Rule};
use crate::sys::bpf::{self, Instruction};

/// A device filter for a v2 cgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    instructions: Vec<Instruction>,
    /// It denies nothing, so a cgroup without any filter is the same.
    allows_everything: bool,
}

impl Program {
    /// The program of these rules.
    #[must_use]
    pub fn new(rules: &[Rule]) -> Self {
        let allows_everything =
            rules.last().is_some_and(|rule| rule.allow && rule.is_for_everything());
        Self { instructions: assemble(rules), allows_everything }
    }

    /// Attaches it to a v2 cgroup; a filter that is there already is replaced without a moment in which there is none.
    ///
    /// # Errors
    /// What was tried, and the kernel's answer.
    pub(crate) fn attach(&self, cgroup: BorrowedFd<'_>) -> Result<(), (&'static str, Errno)> {
        let at = |operation| move |errno| (operation, errno);
        let present = bpf::query(cgroup).map_err(at("query the device filters of"))?;
        if present.is_empty() && self.allows_everything {
            return Ok(());
        }
        let program = bpf::load(&self.instructions).map_err(at("load a device filter for"))?;
        if let [only] = present.as_slice() {
            let only = bpf::by_id(*only).map_err(at("open the device filter of"))?;
            let replaced = bpf::attach(cgroup, program.as_fd(), Some(only.as_fd()));
            return replaced.map_err(at("replace the device filter of"));
        }
        bpf::attach(cgroup, program.as_fd(), None).map_err(at("attach a device filter to"))?;
        for id in present {
            let old = bpf::by_id(id).map_err(at("open the device filter of"))?;
            bpf::detach(cgroup, old.as_fd()).map_err(at("detach a device filter from"))?;
        }
        Ok(())
    }
}

// What the registers hold.
const RESULT: u8 = 0;
const CONTEXT: u8 = 1;
/// The access that no rule has allowed yet.
const WANTED: u8 = 2;
const KIND: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

// `BPF_DEVCG_DEV_*`
const BLOCK: i32 = 1;
const CHAR: i32 = 2;

fn assemble(rules: &[Rule]) -> Vec<Instruction> {
    // struct bpf_cgroup_dev_ctx: access and type in one word, major, minor.
    let mut program = vec![
        Instruction::load(WANTED, CONTEXT, 0),
        Instruction::copy(KIND, WANTED),
        Instruction::and(KIND, 0xffff),
        Instruction::shift_right(WANTED, 16),
        Instruction::load(MAJOR, CONTEXT, 4),
        Instruction::load(MINOR, CONTEXT, 8),
    ];
    for rule in rules.iter().rev() {
        program.extend(check(rule));
        if rule.is_for_everything() {
            // What comes before cannot be reached, and the kernel refuses a program with such instructions.
            return program;
        }
    }
    program.extend(answer(false));
    program
}

/// The instructions of one rule; they are left at the end if it does not decide.
fn check(rule: &Rule) -> Vec<Instruction> {
    let access = i32::from(rule.access.bits());
    let mut decision = Vec::with_capacity(5);
    if rule.access == Access::ALL {
        decision.extend(answer(rule.allow));
    } else if rule.allow {
        decision.push(Instruction::and(WANTED, !access));
        decision.push(Instruction::unless_equal(WANTED, 0, 2));
        decision.extend(answer(true));
    } else {
        decision.push(Instruction::if_any(WANTED, access, 1));
        decision.push(Instruction::jump(2));
        decision.extend(answer(false));
    }
    let kind = match rule.kind {
        DeviceType::All => None,
        DeviceType::Char => Some(CHAR),
        DeviceType::Block => Some(BLOCK),
    };
    let number = |n: u32| i32::from_ne_bytes(n.to_ne_bytes());
    // The last condition first, since each one's jump is as long as what follows it.
    let conditions =
        [(MINOR, rule.minor.map(number)), (MAJOR, rule.major.map(number)), (KIND, kind)];
    for (register, value) in conditions {
        if let (Some(value), Ok(over)) = (value, i16::try_from(decision.len())) {
            decision.insert(0, Instruction::unless_equal(register, value, over));
        }
    }
    decision
}

fn answer(allow: bool) -> [Instruction; 2] {
    [Instruction::set(RESULT, i32::from(allow)), Instruction::exit()]
}

#[cfg(test)]
pub(super) mod tests;
