//! `creel update`.

use std::path::Path;

use creel_cli::{Limits, Update};
use creel_container::{parse_resources, read_resources};
use serde_json::{Value, json};

use super::Done;
use crate::Context;
use crate::exit::ExitCode;
use crate::failure::Failure;

pub(super) fn run(context: &Context<'_>, args: &Update) -> Done {
    let container = context.open(&args.id)?;
    refuse_rdt(args)?;
    let resources = match args.resources.as_deref() {
        Some(file) => read_resources(Some(file).filter(|file| *file != Path::new("-")))?,
        None => {
            let text = of_line(&args.limits).to_string();
            parse_resources(Path::new("the command line"), text.as_bytes())?
        }
    };
    container.update(&resources)?;
    Ok(ExitCode::SUCCESS)
}

/// A config with `intelRdt` is refused by create, so there is nothing that could be changed.
fn refuse_rdt(args: &Update) -> Result<(), Failure> {
    let schemas = [
        ("--l3-cache-schema", &args.limits.l3_cache_schema),
        ("--mem-bw-schema", &args.limits.mem_bw_schema),
    ];
    match schemas.into_iter().find(|(_, schema)| schema.is_some()) {
        Some((option, _)) => Err(Failure::new(format!(
            "{option}: the config of container {} has no linux.intelRdt",
            args.id
        ))),
        None => Ok(()),
    }
}

/// The options as `--resources` would have them; `null` asks for nothing.
fn of_line(limits: &Limits) -> Value {
    let bytes = |size: Option<creel_cli::Bytes>| size.map(|size| size.0);
    json!({
        "memory": {
            "limit": bytes(limits.memory),
            "reservation": bytes(limits.memory_reservation),
            "swap": bytes(limits.memory_swap),
            "kernel": bytes(limits.kernel_memory),
            "kernelTCP": bytes(limits.kernel_memory_tcp),
        },
        "cpu": {
            "shares": limits.cpu_share,
            "quota": limits.cpu_quota,
            "period": limits.cpu_period,
            "burst": limits.cpu_burst,
            "idle": limits.cpu_idle,
            "realtimeRuntime": limits.cpu_rt_runtime,
            "realtimePeriod": limits.cpu_rt_period,
            "cpus": limits.cpuset_cpus,
            "mems": limits.cpuset_mems,
        },
        "pids": limits.pids_limit.map(|limit| json!({ "limit": limit })),
        "blockIO": { "weight": limits.blkio_weight },
    })
}
