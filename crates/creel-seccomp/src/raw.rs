//! A ready program from the annotation `run.oci.seccomp_bpf_data`.

use crate::{Error, Instruction, Result};

/// The kernel's `BPF_MAXINSNS`.
pub(crate) const MAX_INSTRUCTIONS: usize = 4096;

/// Reads a program that is written as base64 of `struct sock_filter`s in this machine's byte order.
///
/// # Errors
/// [`Error::Raw`] if it is not base64, not a whole number of instructions, empty or too long. What
/// the instructions do is checked by the kernel.
pub fn parse_raw(base64: &str) -> Result<Vec<Instruction>> {
    let bytes = decode(base64)?;
    let (instructions, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(Error::Raw { reason: "the length is not a multiple of 8 bytes" });
    }
    if instructions.is_empty() {
        return Err(Error::Raw { reason: "the program is empty" });
    }
    if instructions.len() > MAX_INSTRUCTIONS {
        return Err(Error::Raw { reason: "the program has more than 4096 instructions" });
    }
    Ok(instructions.iter().map(Instruction::from_bytes).collect())
}

fn decode(base64: &str) -> Result<Vec<u8>> {
    const BAD: Error = Error::Raw { reason: "not base64" };
    let digits: Vec<u8> = base64.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let data = digits.strip_suffix(b"==").or_else(|| digits.strip_suffix(b"=")).unwrap_or(&digits);
    if !digits.len().is_multiple_of(4) {
        return Err(BAD);
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3);
    for group in data.chunks(4) {
        let mut word = 0u32;
        for byte in group {
            word = word << 6 | u32::from(digit(*byte).ok_or(BAD)?);
        }
        let used = match group.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return Err(BAD),
        };
        word <<= 6 * (4 - u32::try_from(group.len()).map_err(|_| BAD)?);
        bytes.extend(word.to_be_bytes().into_iter().skip(1).take(used));
    }
    Ok(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}
