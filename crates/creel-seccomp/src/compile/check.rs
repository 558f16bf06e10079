//! Whether a program is one that this compiler could have made.

use super::Instruction;
use super::assemble::{AND, JUMP, LOAD, RETURN};
use crate::raw::MAX_INSTRUCTIONS;

/// The size of `struct seccomp_data`.
const DATA: u32 = 64;
/// `BPF_JMP | BPF_K`, with equal, greater, and greater or equal.
const COMPARISONS: [u16; 3] = [0x15, 0x25, 0x35];

/// Only the compiler's instructions, aligned loads of the call's data, jumps that stay inside, and a return at the end:
/// every way through it comes to an answer.
pub(crate) fn is_filter(program: &[Instruction]) -> bool {
    let Some((last, _)) = program.split_last() else { return false };
    let fits = |(at, instruction): (usize, &Instruction)| {
        let after = program.len() - at - 1;
        match instruction.code {
            LOAD => instruction.k < DATA && instruction.k.is_multiple_of(4),
            AND | RETURN => true,
            JUMP => usize::try_from(instruction.k).is_ok_and(|skipped| skipped < after),
            code => {
                let furthest = usize::from(instruction.jt.max(instruction.jf));
                COMPARISONS.contains(&code) && furthest < after
            }
        }
    };
    program.len() <= MAX_INSTRUCTIONS && last.code == RETURN && program.iter().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_come_to_an_answer_is_no_filter() {
        let one = |code, jt, jf, k| Instruction { code, jt, jf, k };
        let end = one(RETURN, 0, 0, 0);
        let load = one(LOAD, 0, 0, 4);
        for (program, expected) in [
            (vec![], false),
            (vec![end], true),
            (vec![load], false),
            (vec![load, end], true),
            (vec![one(LOAD, 0, 0, 64), end], false),
            (vec![one(LOAD, 0, 0, 3), end], false),
            (vec![one(JUMP, 0, 0, 0), end], true),
            (vec![one(JUMP, 0, 0, 1), end], false),
            (vec![one(JUMP, 0, 0, u32::MAX), end], false),
            (vec![one(0x15, 0, 1, 0), end, end], true),
            (vec![one(0x15, 0, 2, 0), end, end], false),
            (vec![one(0x1d, 0, 0, 0), end], false),
            (vec![one(0x00, 0, 0, 0), end], false),
            (vec![end; MAX_INSTRUCTIONS + 1], false),
        ] {
            assert_eq!(is_filter(&program), expected, "{program:?}");
        }
    }
}
