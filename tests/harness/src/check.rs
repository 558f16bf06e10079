//! Comparisons whose failure shows what was expected and what was found.

use std::fmt::Debug;

use anyhow::bail;

/// Both are equal.
///
/// # Errors
/// With both values if they are not.
#[expect(clippy::needless_pass_by_value, reason = "the callers compare temporaries")]
pub fn ensure_eq<A: Debug + PartialEq<B>, B: Debug>(
    what: &str,
    found: A,
    expected: B,
) -> anyhow::Result<()> {
    if found != expected {
        bail!("{what}\n  expected: {expected:?}\n  found:    {found:?}");
    }
    Ok(())
}

/// The text contains the words.
///
/// # Errors
/// With the whole text if it does not.
pub fn ensure_contains(what: &str, text: &str, words: &str) -> anyhow::Result<()> {
    if !text.contains(words) {
        bail!("{what}\n  expected to contain: {words:?}\n  found: {text:?}");
    }
    Ok(())
}
