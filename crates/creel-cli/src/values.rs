//! The values that options take.

use std::str::FromStr;

use clap::ValueEnum;

/// Form of the records in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a record, with the keys level, msg and time.
    Json,
}

/// Least severity that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Only what made the command fail.
    Error,
    /// Also what was left out or done differently.
    Warning,
    /// Also what is done.
    Debug,
}

/// Who makes the cgroup of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CgroupManager {
    /// The runtime, in the cgroup filesystem.
    Cgroupfs,
    /// systemd, as a scope.
    Systemd,
    /// Nobody: the container stays in the caller's cgroup.
    Disabled,
}

/// Whether missing permissions on cgroups are tolerated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Rootless {
    /// Tolerate them.
    #[value(aliases = ["1", "t", "T", "TRUE", "True"])]
    True,
    /// Fail.
    #[value(aliases = ["0", "f", "F", "FALSE", "False"])]
    False,
    /// Tolerate them unless the caller is root of the host.
    #[default]
    Auto,
}

/// Form of the answer of `list` and `ps`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// Columns for people.
    #[default]
    Table,
    /// One JSON array.
    Json,
}

/// Form of the answer of `plan`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object, as --schema describes it.
    Json,
}

/// `UID[:GID]`, as `exec --user` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// User id inside the container.
    pub uid: u32,
    /// Group id inside the container; the container's own if absent.
    pub gid: Option<u32>,
}

impl FromStr for User {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (uid, gid) = match text.split_once(':') {
            Some((uid, gid)) => (uid, Some(gid)),
            None => (text, None),
        };
        Ok(Self { uid: id(uid)?, gid: gid.map(id).transpose()? })
    }
}

/// A number of bytes, as `update --memory` takes it; -1 is "unlimited".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub i64);

impl FromStr for Bytes {
    type Err = &'static str;

    /// As runc has it: an integer or decimal fraction, a unit of k, m, g, t or p in either case, `b` or `ib` after it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str =
            "expected a number of bytes, or of the units k, m, g, t, p, or -1 for unlimited";
        if text == "-1" {
            return Ok(Self(-1));
        }
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            "t" | "tb" | "tib" => 40,
            "p" | "pb" | "pib" => 50,
            _ => return Err(EXPECTED),
        };
        scaled(number, shift).map(Self).ok_or(EXPECTED)
    }
}

/// `number`, which may have up to nine decimal places, times two to the power of `shift`.
fn scaled(number: &str, shift: u32) -> Option<i64> {
    let (whole, places) = number.split_once('.').unwrap_or((number, "0"));
    let parts = u128::from(whole.parse::<u64>().ok()?) << shift;
    let digits = u32::try_from(places.len()).ok().filter(|digits| *digits <= 9)?;
    let fraction = (u128::from(places.parse::<u64>().ok()?) << shift) / 10_u128.pow(digits);
    i64::try_from(parts + fraction).ok()
}

/// A decimal id without sign; the kernel keeps the largest for "no change".
fn id(text: &str) -> Result<u32, &'static str> {
    const EXPECTED: &str = "expected UID[:GID], each a number from 0 to 4294967294";
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(EXPECTED);
    }
    text.parse().ok().filter(|id| *id != u32::MAX).ok_or(EXPECTED)
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn bytes_have_units() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("32k", 32 << 10),
            ("32 KiB", 32 << 10),
            ("1.5gb", 3 << 29),
            ("2T", 2 << 40),
            ("1p", 1 << 50),
            ("-1", -1),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for wrong in
            ["", "-2", "+1", "m", "1x", "1.m", ".5m", "1.2.3", "9223372036854775808", "8192p"]
        {
            assert!(wrong.parse::<Bytes>().is_err(), "{wrong:?}");
        }
    }
}
