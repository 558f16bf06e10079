//! The container's cgroup: its place, and `linux.resources` as the cgroup crate takes them.

use creel_cgroups::devices::{Access, DEFAULT_RULES, DeviceType, Rule};
use creel_cgroups::{
    BlockIo, CgroupPath, Cpu, DeviceRate, DeviceWeight, HugepageLimit, InterfacePriority, Memory,
    Network, Pids, Rdma, Resources, Setting,
};
use oci_spec::runtime::{
    LinuxBlockIo, LinuxDeviceCgroup, LinuxDeviceType, LinuxNetwork, LinuxResources,
    LinuxThrottleDevice,
};

use super::Cgroup;
use super::compiler::Compiler;
use crate::error::ConfigError;
use crate::pointer::Pointer;
use crate::validate::Faults;

/// Where the container's cgroup is, and what is written into it.
pub(super) fn place_and_limits(c: &mut Compiler<'_>) {
    let none = LinuxResources::default();
    let resources = c.linux.and_then(|linux| linux.resources().as_ref()).unwrap_or(&none);
    let resources = match asked(resources) {
        Ok(resources) => resources,
        Err(mut faults) => {
            c.faults.append(&mut faults);
            return;
        }
    };
    let hierarchies = match (&c.host.cgroups, c.options.no_cgroup) {
        (Some(hierarchies), false) => hierarchies.clone(),
        (_, disabled) => {
            let why = match disabled {
                true => "cgroups are disabled by --cgroup-manager",
                false => "no cgroup filesystem is mounted at /sys/fs/cgroup of the host",
            };
            // Device rules alone are what engines always write.
            if resources
                != (Resources { devices: resources.devices.clone(), ..Resources::default() })
                || !disabled
            {
                c.refuse(Pointer::new("linux.resources"), why);
            }
            return;
        }
    };
    let written =
        c.linux.and_then(|linux| linux.cgroups_path().as_deref()).and_then(|path| path.to_str());
    let at = Pointer::new("linux.cgroupsPath");
    match (CgroupPath::of_container(written, &c.options.id), resources.compile(&hierarchies)) {
        (Ok(path), Ok(settings)) => c.plan.cgroup = Some(Cgroup { path, settings, hierarchies }),
        (path, settings) => {
            if let Err(error) = path {
                c.refuse(at, error.to_string());
            }
            for refused in settings.err().unwrap_or_default() {
                c.refuse(setting_pointer(&refused.setting), refused.reason);
            }
        }
    }
}

/// Where in the config a setting of a cgroup stands.
pub(crate) fn setting_pointer(setting: &Setting) -> Pointer {
    let name = format!("linux.resources.{}", setting.name);
    let at = match setting.index {
        Some(index) => Pointer::item(&name, index),
        None => Pointer::new(&name),
    };
    match &setting.key {
        Some(key) => at.field(key),
        None => at,
    }
}

/// `linux.resources`, or what `update` was given, with the zeros of engines taken as "unset".
///
/// # Errors
/// What the kernel has no number for.
pub(crate) fn asked(resources: &LinuxResources) -> Result<Resources, Faults> {
    let mut faults = Faults::new();
    let hugepage_limits = hugepage_limits(resources, &mut faults);
    let mut unified: Vec<_> = resources.unified().iter().flatten().collect();
    unified.sort();
    let mut rdma: Vec<_> = resources.rdma().iter().flatten().collect();
    rdma.sort_by_key(|(device, _)| *device);
    let rdma = rdma.into_iter().map(|(device, limits)| Rdma {
        device: device.clone(),
        hca_handles: limits.hca_handles(),
        hca_objects: limits.hca_objects(),
    });
    let asked = Resources {
        memory: memory(resources),
        cpu: cpu(resources),
        pids: Pids { limit: resources.pids().map(|pids| pids.limit()) },
        block_io: resources.block_io().as_ref().map(block_io).unwrap_or_default(),
        hugepage_limits,
        network: resources.network().as_ref().map(network).unwrap_or_default(),
        rdma: rdma.collect(),
        unified: unified.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        devices: rules(resources.devices().as_deref().unwrap_or_default()),
    };
    if faults.is_empty() { Ok(asked) } else { Err(faults) }
}

fn memory(resources: &LinuxResources) -> Memory {
    let Some(memory) = resources.memory() else { return Memory::default() };
    // Kernel memory limits are accepted without effect, as the kernel no longer has them.
    Memory {
        limit: memory.limit().filter(|bytes| *bytes != 0),
        reservation: memory.reservation().filter(|bytes| *bytes != 0),
        swap: memory.swap().filter(|bytes| *bytes != 0),
        swappiness: memory.swappiness(),
        disable_oom_killer: memory.disable_oom_killer().unwrap_or(false),
        use_hierarchy: memory.use_hierarchy(),
        check_before_update: memory.check_before_update().unwrap_or(false),
    }
}

fn cpu(resources: &LinuxResources) -> Cpu {
    let Some(cpu) = resources.cpu() else { return Cpu::default() };
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    Cpu {
        shares: cpu.shares().filter(|shares| *shares != 0),
        quota: cpu.quota().filter(|quota| *quota != 0),
        period: cpu.period().filter(|period| *period != 0),
        burst: cpu.burst(),
        idle: cpu.idle(),
        realtime_runtime: cpu.realtime_runtime().filter(|runtime| *runtime != 0),
        realtime_period: cpu.realtime_period().filter(|period| *period != 0),
        cpus: filled(cpu.cpus()),
        mems: filled(cpu.mems()),
    }
}

fn block_io(io: &LinuxBlockIo) -> BlockIo {
    let rates = |list: &Option<Vec<LinuxThrottleDevice>>| {
        let rate = |d: &LinuxThrottleDevice| DeviceRate {
            major: d.major(),
            minor: d.minor(),
            rate: d.rate(),
        };
        list.iter().flatten().map(rate).collect()
    };
    let weights = io.weight_device().iter().flatten().map(|device| DeviceWeight {
        major: device.major(),
        minor: device.minor(),
        weight: device.weight().filter(|weight| *weight != 0),
        leaf_weight: device.leaf_weight().filter(|weight| *weight != 0),
    });
    BlockIo {
        weight: io.weight().filter(|weight| *weight != 0),
        leaf_weight: io.leaf_weight().filter(|weight| *weight != 0),
        weight_device: weights.collect(),
        throttle_read_bps: rates(io.throttle_read_bps_device()),
        throttle_write_bps: rates(io.throttle_write_bps_device()),
        throttle_read_iops: rates(io.throttle_read_iops_device()),
        throttle_write_iops: rates(io.throttle_write_iops_device()),
    }
}

fn hugepage_limits(resources: &LinuxResources, faults: &mut Faults) -> Vec<HugepageLimit> {
    let mut limits = Vec::new();
    for (i, limit) in resources.hugepage_limits().iter().flatten().enumerate() {
        match u64::try_from(limit.limit()) {
            Ok(bytes) => {
                limits.push(HugepageLimit { page_size: limit.page_size().clone(), limit: bytes });
            }
            Err(_) => {
                let at = Pointer::item("linux.resources.hugepageLimits", i).field("limit");
                faults.push(ConfigError::new(
                    at,
                    "expected a number of bytes",
                    limit.limit().to_string(),
                ));
            }
        }
    }
    limits
}

fn network(network: &LinuxNetwork) -> Network {
    let priorities = network.priorities().iter().flatten();
    Network {
        class_id: network.class_id().filter(|class| *class != 0),
        priorities: priorities
            .map(|one| InterfacePriority { name: one.name().clone(), priority: one.priority() })
            .collect(),
    }
}

/// The config's rules, then those that engines rely on. No rule at all asks for no device control.
fn rules(list: &[LinuxDeviceCgroup]) -> Vec<Rule> {
    let mut rules: Vec<Rule> = list.iter().map(rule).collect();
    if !rules.is_empty() {
        rules.extend(DEFAULT_RULES);
    }
    rules
}

fn rule(rule: &LinuxDeviceCgroup) -> Rule {
    let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
    Rule {
        allow: rule.allow(),
        kind: match rule.typ() {
            Some(LinuxDeviceType::C | LinuxDeviceType::U) => DeviceType::Char,
            Some(LinuxDeviceType::B) => DeviceType::Block,
            Some(LinuxDeviceType::A | LinuxDeviceType::P) | None => DeviceType::All,
        },
        major: number(rule.major()),
        minor: number(rule.minor()),
        access: rule.access().as_deref().and_then(Access::parse).unwrap_or(Access::ALL),
    }
}
