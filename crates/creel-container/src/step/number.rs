//! Numbers as the kernel reads them in names.

/// A descriptor's number as text, ended by NUL.
pub(super) fn number_text(number: i32) -> [u8; 12] {
    let mut digits = [0_u8; 12];
    let mut rest = number.unsigned_abs();
    let length = rest.checked_ilog10().map_or(1, |log| log as usize + 1);
    for digit in digits.iter_mut().take(length).rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    digits
}
