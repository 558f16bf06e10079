//! Ranges to code: a balanced tree of comparisons with the number, then the arguments.

use super::assemble::{Assembler, Label, Test};
use super::ranges::Range;
use super::rules::{self, Decision};
use super::{BAD_ARCH, Instruction};
use crate::{Arch, Arg, Operator};

/// `offsetof(struct seccomp_data, nr)`
const NR: u32 = 0;
/// `offsetof(struct seccomp_data, arch)`
const AUDIT: u32 = 4;
/// `offsetof(struct seccomp_data, args)`
const ARGS: u32 = 16;
/// Single numbers that a leaf of the tree tests one after the other.
const EXCEPTIONS: usize = 3;

/// One `AUDIT_ARCH` of the program, x86-64 and x32 being one.
pub(super) struct Section {
    pub(super) audit: u32,
    pub(super) archs: Vec<Arch>,
    pub(super) ranges: Vec<Range>,
}

/// The whole program. The first section is the one whose calls come fastest to their answer.
pub(super) fn program(sections: &[Section]) -> Vec<Instruction> {
    let mut out = Assembler::default();
    let mut next = out.ret(BAD_ARCH.ret());
    for section in sections.iter().rev() {
        let tree = section_code(&mut out, section);
        next = out.branch(Test::Eq, section.audit, tree, next);
    }
    let start = out.load(AUDIT, next);
    out.finish(start)
}

fn section_code(out: &mut Assembler, section: &Section) -> Label {
    let leaves = leaves(&section.ranges);
    let tree = tree(out, section, &leaves);
    out.load(NR, tree)
}

/// A leaf of the tree: a range, less the single numbers in it that have another answer.
struct Leaf<'a> {
    first: u32,
    decision: &'a Decision,
    exceptions: &'a [Range],
}

/// Takes single numbers out of ranges that are alike on both sides: one comparison instead of two.
fn leaves(ranges: &[Range]) -> Vec<Leaf<'_>> {
    let mut leaves = Vec::new();
    let mut rest = ranges;
    while let [(first, decision), after @ ..] = rest {
        let mut taken = 0;
        while taken < 2 * EXCEPTIONS
            && let Some([(number, _), (next, again), ..]) = after.get(taken..)
            && again == decision
            && *next == number + 1
        {
            taken += 2;
        }
        let (exceptions, after) = after.split_at_checked(taken).unwrap_or((&[], after));
        leaves.push(Leaf { first: *first, decision, exceptions });
        rest = after;
    }
    leaves
}

fn tree(out: &mut Assembler, section: &Section, leaves: &[Leaf<'_>]) -> Label {
    match leaves {
        // A profile has at least the range from 0.
        [] => out.ret(BAD_ARCH.ret()),
        [leaf] => leaf_code(out, section, leaf),
        _ => {
            let (low, high) = leaves.split_at(leaves.len() / 2);
            let pivot = high.first().map_or(0, |leaf| leaf.first);
            let high = tree(out, section, high);
            let low = tree(out, section, low);
            out.branch(Test::Ge, pivot, high, low)
        }
    }
}

fn leaf_code(out: &mut Assembler, section: &Section, leaf: &Leaf<'_>) -> Label {
    let mut code = decision_code(out, leaf.decision, Layout::of(section, leaf.first));
    for (number, decision) in leaf.exceptions.iter().step_by(2) {
        let exception = decision_code(out, decision, Layout::of(section, *number));
        code = out.branch(Test::Eq, *number, exception, code);
    }
    code
}

fn decision_code(out: &mut Assembler, decision: &Decision, layout: Layout) -> Label {
    let mut otherwise = out.ret(decision.otherwise.ret());
    for (args, action) in decision.conditional.iter().rev() {
        let mut holds = out.ret(action.ret());
        for arg in args.iter().rev() {
            holds = compare(out, layout, arg, (holds, otherwise));
        }
        otherwise = holds;
    }
    otherwise
}

/// How the arguments of an architecture lie in `struct seccomp_data`.
#[derive(Debug, Clone, Copy)]
struct Layout {
    big_endian: bool,
    /// The upper half is looked at.
    wide: bool,
}

impl Layout {
    fn of(section: &Section, number: u32) -> Self {
        let mut archs = section.archs.iter();
        let arch = archs.find(|arch| {
            let (first, last) = rules::span(**arch);
            (first..=last).contains(&number)
        });
        let arch = arch.or(section.archs.first()).copied().unwrap_or(Arch::native());
        Self { big_endian: arch.is_big_endian(), wide: arch.has_wide_args() }
    }

    fn low(self, index: u8) -> u32 {
        ARGS + 8 * u32::from(index) + if self.big_endian { 4 } else { 0 }
    }

    fn high(self, index: u8) -> u32 {
        ARGS + 8 * u32::from(index) + if self.big_endian { 0 } else { 4 }
    }
}

/// Goes to the first target if the comparison holds, else to the second.
///
/// BPF has 32 bits: the lower half decides only where the upper halves are equal.
fn compare(out: &mut Assembler, layout: Layout, arg: &Arg, targets: (Label, Label)) -> Label {
    let (yes, no) = targets;
    match arg.op {
        Operator::Eq => equal(out, layout, arg.index, (u64::MAX, arg.value), (yes, no)),
        Operator::Ne => equal(out, layout, arg.index, (u64::MAX, arg.value), (no, yes)),
        Operator::MaskedEq => equal(out, layout, arg.index, (arg.value, arg.value_two), (yes, no)),
        Operator::Gt => order(out, layout, arg, Test::Gt, (yes, no)),
        Operator::Ge => order(out, layout, arg, Test::Ge, (yes, no)),
        Operator::Lt => order(out, layout, arg, Test::Ge, (no, yes)),
        Operator::Le => order(out, layout, arg, Test::Gt, (no, yes)),
    }
}

fn equal(
    out: &mut Assembler,
    layout: Layout,
    index: u8,
    (mask, value): (u64, u64),
    (yes, no): (Label, Label),
) -> Label {
    let low = masked(out, layout.low(index), (low(mask), low(value)), (yes, no));
    if !layout.wide {
        return low;
    }
    masked(out, layout.high(index), (high(mask), high(value)), (low, no))
}

fn masked(
    out: &mut Assembler,
    offset: u32,
    (mask, value): (u32, u32),
    (yes, no): (Label, Label),
) -> Label {
    if mask == 0 {
        return yes;
    }
    // Bits of the value that the mask does not have are not compared, as in libseccomp.
    let code = out.branch(Test::Eq, value & mask, yes, no);
    if code == yes {
        return yes;
    }
    let code = if mask == u32::MAX { code } else { out.and(mask, code) };
    out.load(offset, code)
}

fn order(
    out: &mut Assembler,
    layout: Layout,
    arg: &Arg,
    test: Test,
    (yes, no): (Label, Label),
) -> Label {
    let code = out.branch(test, low(arg.value), yes, no);
    if code == yes {
        return yes;
    }
    let code = out.load(layout.low(arg.index), code);
    if !layout.wide {
        return code;
    }
    let equal = out.branch(Test::Eq, high(arg.value), code, no);
    let greater = out.branch(Test::Gt, high(arg.value), yes, equal);
    out.load(layout.high(arg.index), greater)
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
fn low(value: u64) -> u32 {
    value as u32
}

fn high(value: u64) -> u32 {
    (value >> 32) as u32
}
