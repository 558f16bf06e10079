//! One file: head, program, warnings, and what the program was made from.

use crate::compile::{is_filter, listener};
use crate::{Compiled, FilterFlags, Instruction, Options, Profile, Result};

const MAGIC: &[u8; 8] = b"creelbpf";

/// Magic, checksum of the rest, flags, and the lengths of program, warnings and key.
const HEAD: usize = 8 + 8 + 4 + 4 + 4 + 4;

/// What a file says.
#[derive(Debug)]
pub(super) struct Entry {
    program: Vec<Instruction>,
    flags: FilterFlags,
    warnings: Vec<String>,
}

impl Entry {
    /// The file for `compiled`.
    pub(super) fn bytes(compiled: &Compiled, key: &[u8]) -> Vec<u8> {
        let program: Vec<u8> = compiled.program.iter().flat_map(|one| one.to_bytes()).collect();
        let warnings = compiled.warnings.join("\n").into_bytes();
        let mut rest = Vec::with_capacity(HEAD + program.len() + warnings.len() + key.len());
        put_u32(&mut rest, compiled.flags.bits());
        for part in [&program, &warnings, key] {
            put_len(&mut rest, part.len());
        }
        for part in [&program, &warnings, key] {
            rest.extend_from_slice(part);
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&hash(&rest).to_le_bytes());
        bytes.append(&mut rest);
        bytes
    }

    /// Reads a file, if it is whole and was made from `key`.
    pub(super) fn parse(bytes: &[u8], key: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (checksum, mut rest) = rest.split_first_chunk::<8>()?;
        if hash(rest).to_le_bytes() != *checksum {
            return None;
        }
        let flags = FilterFlags::from_bits(take_u32(&mut rest)?);
        let lengths = [take_len(&mut rest)?, take_len(&mut rest)?, take_len(&mut rest)?];
        let [program, warnings, made_from] = lengths.map(|length| rest.split_off(..length));
        if made_from? != key || !rest.is_empty() {
            return None;
        }
        let (instructions, left) = program?.as_chunks::<8>();
        let program: Vec<_> = instructions.iter().map(Instruction::from_bytes).collect();
        if !left.is_empty() || !is_filter(&program) {
            return None;
        }
        let warnings = std::str::from_utf8(warnings?).ok()?;
        Some(Self { program, flags, warnings: warnings.lines().map(Into::into).collect() })
    }

    /// With the listener, which the file does not have.
    pub(super) fn into_compiled(self, profile: &Profile) -> Result<Compiled> {
        let listener = listener(profile, self.flags.has(FilterFlags::NEW_LISTENER))?;
        Ok(Compiled { program: self.program, flags: self.flags, listener, warnings: self.warnings })
    }
}

/// All that the program depends on.
pub(super) fn key(profile: &Profile, options: &Options) -> Vec<u8> {
    let mut key = Vec::with_capacity(8192);
    put_text(&mut key, env!("CARGO_PKG_VERSION"));
    key.push(options.host.machine as u8);
    put_u32(&mut key, options.host.actions.bits().into());
    put_u32(&mut key, options.host.flags.bits());
    key.push(options.fail_unknown_syscall.into());
    put_u32(&mut key, profile.default_action.ret());
    put_len(&mut key, profile.architectures.len());
    key.extend(profile.architectures.iter().map(|arch| *arch as u8));
    put_u32(&mut key, profile.flags.map_or(u32::MAX, FilterFlags::bits));
    put_len(&mut key, profile.rules.len());
    for rule in &profile.rules {
        put_u32(&mut key, rule.action.ret());
        put_len(&mut key, rule.names.len());
        rule.names.iter().for_each(|name| put_text(&mut key, name));
        put_len(&mut key, rule.args.len());
        for arg in &rule.args {
            key.extend([arg.index, arg.op as u8]);
            key.extend(arg.value.to_le_bytes());
            key.extend(arg.value_two.to_le_bytes());
        }
    }
    key
}

pub(super) fn file_name(key: &[u8]) -> String {
    format!("{:016x}", hash(key))
}

/// FNV-1a: finds accidents, keeps no secrets. The directory is what keeps others out.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_len(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn put_len(out: &mut Vec<u8>, length: usize) {
    put_u32(out, u32::try_from(length).unwrap_or(u32::MAX));
}

fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    let (value, left) = rest.split_first_chunk::<4>()?;
    *rest = left;
    Some(u32::from_le_bytes(*value))
}

fn take_len(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(take_u32(rest)?).ok()
}
