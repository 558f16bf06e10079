//! What a config asks for (`linux.resources`), as typed values.

mod block_io;
mod compile;
mod compiler;
mod cpu;
mod memory;
#[cfg(test)]
mod tests;

use crate::devices::Rule;

/// `linux.resources` of the config. The default asks for nothing.
///
/// A zero of an engine that means "unset" is to be passed as `None`, except where a field says that zero is a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    /// `memory`
    pub memory: Memory,
    /// `cpu`
    pub cpu: Cpu,
    /// `pids`
    pub pids: Pids,
    /// `blockIO`
    pub block_io: BlockIo,
    /// `hugepageLimits`
    pub hugepage_limits: Vec<HugepageLimit>,
    /// `network`
    pub network: Network,
    /// `rdma`
    pub rdma: Vec<Rdma>,
    /// `unified`: file and value, in order.
    pub unified: Vec<(String, String)>,
    /// `devices`, in order, the engine's default rules ([`DEFAULT_RULES`](crate::devices::DEFAULT_RULES)) last. Empty:
    /// devices are not controlled. Anything else starts from "nothing is allowed".
    pub devices: Vec<Rule>,
}

/// `linux.resources.memory`, in bytes; -1 is "unlimited".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// `limit`; 0 is unset.
    pub limit: Option<i64>,
    /// `reservation`; 0 is unset.
    pub reservation: Option<i64>,
    /// `swap`: memory and swap together; 0 is unset.
    pub swap: Option<i64>,
    /// `swappiness`, 0 to 100, v1 only; 0 is a value.
    pub swappiness: Option<u64>,
    /// `disableOOMKiller`, v1 only.
    pub disable_oom_killer: bool,
    /// `useHierarchy`
    pub use_hierarchy: Option<bool>,
    /// `checkBeforeUpdate`
    pub check_before_update: bool,
}

/// `linux.resources.cpu`, times in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cpu {
    /// `shares`; 0 is unset.
    pub shares: Option<u64>,
    /// `quota`; -1 is "unlimited", 0 is unset.
    pub quota: Option<i64>,
    /// `period`; 0 is unset.
    pub period: Option<u64>,
    /// `burst`; 0 is a value.
    pub burst: Option<u64>,
    /// `idle`: 0 or 1.
    pub idle: Option<i64>,
    /// `realtimeRuntime`, v1 only; 0 is unset.
    pub realtime_runtime: Option<i64>,
    /// `realtimePeriod`, v1 only; 0 is unset.
    pub realtime_period: Option<u64>,
    /// `cpus`, a list such as `0-3,7`; empty is unset.
    pub cpus: Option<String>,
    /// `mems`, a list of memory nodes; empty is unset.
    pub mems: Option<String>,
}

/// `linux.resources.pids`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pids {
    /// `limit`; negative is "unlimited", 0 is a limit.
    pub limit: Option<i64>,
}

/// `linux.resources.blockIO`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockIo {
    /// `weight`, 10 to 1000; 0 is unset.
    pub weight: Option<u16>,
    /// `leafWeight`, v1 only; 0 is unset.
    pub leaf_weight: Option<u16>,
    /// `weightDevice`
    pub weight_device: Vec<DeviceWeight>,
    /// `throttleReadBpsDevice`
    pub throttle_read_bps: Vec<DeviceRate>,
    /// `throttleWriteBpsDevice`
    pub throttle_write_bps: Vec<DeviceRate>,
    /// `throttleReadIOPSDevice`
    pub throttle_read_iops: Vec<DeviceRate>,
    /// `throttleWriteIOPSDevice`
    pub throttle_write_iops: Vec<DeviceRate>,
}

/// The weight of one block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceWeight {
    /// Major number.
    pub major: i64,
    /// Minor number.
    pub minor: i64,
    /// `weight`, 10 to 1000.
    pub weight: Option<u16>,
    /// `leafWeight`, v1 only.
    pub leaf_weight: Option<u16>,
}

/// The rate of one block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceRate {
    /// Major number.
    pub major: i64,
    /// Minor number.
    pub minor: i64,
    /// Bytes or operations per second; 0 lifts the limit.
    pub rate: u64,
}

/// One item of `linux.resources.hugepageLimits`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HugepageLimit {
    /// `pageSize`, such as `2MB`.
    pub page_size: String,
    /// `limit` in bytes.
    pub limit: u64,
}

/// `linux.resources.network`, v1 only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// `classID`; 0 is unset.
    pub class_id: Option<u32>,
    /// `priorities`
    pub priorities: Vec<InterfacePriority>,
}

/// The priority of one network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfacePriority {
    /// The interface's name.
    pub name: String,
    /// Its priority.
    pub priority: u32,
}

/// One entry of `linux.resources.rdma`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rdma {
    /// The device's name, the key of the map.
    pub device: String,
    /// `hcaHandles`
    pub hca_handles: Option<u32>,
    /// `hcaObjects`
    pub hca_objects: Option<u32>,
}
