//! A BPF interpreter and calls to feed it.

use creel_seccomp::{Arch, Host, Instruction, Options, Profile};

/// `struct seccomp_data`
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) nr: u32,
    pub(crate) audit: u32,
    pub(crate) args: [u64; 6],
}

impl Call {
    fn word(&self, offset: u32, big_endian: bool) -> u32 {
        match offset {
            0 => self.nr,
            4 => self.audit,
            16..64 => {
                let arg = self.args[usize::try_from((offset - 16) / 8).unwrap()];
                let second = offset % 8 == 4;
                if second == big_endian { arg as u32 } else { (arg >> 32) as u32 }
            }
            _ => panic!("load from {offset}"),
        }
    }
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) value: u32,
    pub(crate) steps: usize,
    /// It took the architecture for a number: it compared it with what is none.
    pub(crate) confused: bool,
}

pub(crate) fn run(program: &[Instruction], call: &Call, big_endian: bool) -> Outcome {
    let (mut pc, mut a, mut from, mut steps, mut confused) = (0, 0, 0, 0, false);
    loop {
        let Instruction { code, jt, jf, k } = program[pc];
        pc += 1;
        steps += 1;
        let jump = |holds: bool| usize::from(if holds { jt } else { jf });
        if matches!(code, 0x15 | 0x25 | 0x35 | 0x45) && from == 4 {
            confused |= Arch::ALL.iter().all(|arch| arch.audit() != k);
        }
        match code {
            0x20 => (a, from) = (call.word(k, big_endian), k),
            0x54 => a &= k,
            0x05 => pc += usize::try_from(k).unwrap(),
            0x15 => pc += jump(a == k),
            0x25 => pc += jump(a > k),
            0x35 => pc += jump(a >= k),
            0x45 => pc += jump(a & k != 0),
            0x06 => return Outcome { value: k, steps, confused },
            _ => panic!("code {code:#x}"),
        }
    }
}

pub(crate) fn profile(name: &str) -> Profile {
    let path = format!("{}/tests/profiles/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let json = std::fs::read(path).unwrap();
    Profile::from_json(&serde_json::from_slice(&json).unwrap()).unwrap()
}

pub(crate) fn options(machine: Arch) -> Options {
    Options::new(Host::newest(machine))
}

/// Prints a program, for the message of a failed test.
pub(crate) fn listing(program: &[Instruction]) -> String {
    program
        .iter()
        .enumerate()
        .map(|(i, Instruction { code, jt, jf, k })| {
            format!("{i:4} {code:#04x} +{jt} +{jf} {k:#x}\n")
        })
        .collect()
}
