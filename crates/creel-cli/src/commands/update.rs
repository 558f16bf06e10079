//! `creel update`.

use std::path::PathBuf;

use clap::Args;

use crate::values::Bytes;

/// Changes the limits of a container.
///
/// What is not named stays as it is. SIZE is a number of bytes, or of one of the units k, m, g and t, each 1024 times the one before; -1 is unlimited.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Update {
    /// Read the limits from FILE, or from the standard input for -, an object like the configuration's linux.resources; its device rules have no effect.
    #[arg(long, short, value_name = "FILE", conflicts_with = "Limits")]
    pub resources: Option<PathBuf>,

    /// The limits named one by one.
    #[command(flatten)]
    pub limits: Limits,

    /// Name of the container.
    #[arg(value_name = "ID")]
    pub id: String,
}

/// The limits that options of `update` name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Limits {
    /// Set the share of block I/O, from 10 to 1000.
    #[arg(long, value_name = "WEIGHT")]
    pub blkio_weight: Option<u16>,

    /// Set the period for --cpu-quota, in microseconds.
    #[arg(long, value_name = "TIME")]
    pub cpu_period: Option<u64>,

    /// Limit the CPU time in a period, in microseconds; -1 is unlimited.
    #[arg(long, value_name = "TIME")]
    pub cpu_quota: Option<i64>,

    /// Set the share of CPU time, from 2 to 262144.
    #[arg(long, value_name = "SHARES")]
    pub cpu_share: Option<u64>,

    /// Allow so many microseconds beyond --cpu-quota that earlier periods left.
    #[arg(long, value_name = "TIME")]
    pub cpu_burst: Option<u64>,

    /// Give the container only CPU time that nobody else wants: 1, or 0 for not.
    #[arg(long, value_name = "0|1")]
    pub cpu_idle: Option<i64>,

    /// Set the period for --cpu-rt-runtime, in microseconds.
    #[arg(long, value_name = "TIME")]
    pub cpu_rt_period: Option<u64>,

    /// Limit the CPU time of real-time processes in a period, in microseconds.
    #[arg(long, value_name = "TIME")]
    pub cpu_rt_runtime: Option<i64>,

    /// Run only on these CPUs, such as 0-3,7.
    #[arg(long, value_name = "LIST")]
    pub cpuset_cpus: Option<String>,

    /// Use only these memory nodes.
    #[arg(long, value_name = "LIST")]
    pub cpuset_mems: Option<String>,

    /// Limit the memory.
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<Bytes>,

    /// Set how much memory is kept for the container when it gets scarce.
    #[arg(long, value_name = "SIZE")]
    pub memory_reservation: Option<Bytes>,

    /// Limit memory and swap together.
    #[arg(long, value_name = "SIZE")]
    pub memory_swap: Option<Bytes>,

    /// Accepted without effect: the kernel has no such limit any more.
    #[arg(long, value_name = "SIZE", hide = true)]
    pub kernel_memory: Option<Bytes>,

    /// Accepted without effect: the kernel has no such limit any more.
    #[arg(long, value_name = "SIZE", hide = true)]
    pub kernel_memory_tcp: Option<Bytes>,

    /// Limit the number of processes; -1 is unlimited.
    #[arg(long, value_name = "N")]
    pub pids_limit: Option<i64>,

    /// Refused: no container has Intel RDT.
    #[arg(long, value_name = "SCHEMA", hide = true)]
    pub l3_cache_schema: Option<String>,

    /// Refused: no container has Intel RDT.
    #[arg(long, value_name = "SCHEMA", hide = true)]
    pub mem_bw_schema: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::error::ErrorKind;

    use super::*;
    use crate::{Cli, Command, parse};

    fn try_parse(line: &str) -> Result<Cli, clap::Error> {
        parse(std::iter::once("creel").chain(line.split_whitespace()).map(OsString::from))
    }

    #[track_caller]
    fn parsed(line: &str) -> Update {
        match try_parse(line).unwrap_or_else(|error| panic!("{line}: {error}")).command {
            Some(Command::Update(args)) => args,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn update(limits: Limits) -> Update {
        Update { resources: None, limits, id: "c1".into() }
    }

    #[test]
    fn engines_update_from_a_file_or_the_standard_input() {
        for (line, file) in [
            ("--root /r --log /l --log-format json update --resources - c1", "-"),
            ("update --resources=/tmp/x c1", "/tmp/x"),
            ("update -r /tmp/x c1", "/tmp/x"),
        ] {
            let expected =
                Update { resources: Some(PathBuf::from(file)), ..update(Limits::default()) };
            assert_eq!(parsed(line), expected, "{line}");
        }
    }

    #[test]
    fn every_limit_of_update_is_kept() {
        let line = "update --blkio-weight 300 --cpu-period 1 --cpu-quota -1 --cpu-share 2 --cpu-burst 3 \
                --cpu-idle 1 --cpu-rt-period 4 --cpu-rt-runtime 5 --cpuset-cpus 0-3 --cpuset-mems 0 \
                --memory 64m --memory-reservation 1.5G --memory-swap -1 --kernel-memory 7 \
                --kernel-memory-tcp=8 --pids-limit=-1 --l3-cache-schema L3:0=f \
                --mem-bw-schema MB:0=9 c1";
        let expected = Limits {
            blkio_weight: Some(300),
            cpu_period: Some(1),
            cpu_quota: Some(-1),
            cpu_share: Some(2),
            cpu_burst: Some(3),
            cpu_idle: Some(1),
            cpu_rt_period: Some(4),
            cpu_rt_runtime: Some(5),
            cpuset_cpus: Some("0-3".into()),
            cpuset_mems: Some("0".into()),
            memory: Some(Bytes(64 << 20)),
            memory_reservation: Some(Bytes(3 << 29)),
            memory_swap: Some(Bytes(-1)),
            kernel_memory: Some(Bytes(7)),
            kernel_memory_tcp: Some(Bytes(8)),
            pids_limit: Some(-1),
            l3_cache_schema: Some("L3:0=f".into()),
            mem_bw_schema: Some("MB:0=9".into()),
        };
        assert_eq!(parsed(line), update(expected));
    }

    #[test]
    fn an_update_that_would_be_ignored_is_refused() {
        let error = try_parse("update -r - --pids-limit 1 c1").expect_err("both");
        assert_eq!(error.kind(), ErrorKind::ArgumentConflict);
    }
}
