//! `linux.resources.blockIO`.

use super::{BlockIo, DeviceRate, DeviceWeight, compiler::Compiler};
use crate::{
    controller::Controller,
    settings::{IfMissing, Setting, Target},
};

pub(super) fn compile(compiler: &mut Compiler<'_>, block_io: &BlockIo) {
    compiler.weight(Setting::of("blockIO.weight"), None, block_io.weight);
    compiler.leaf_weight(Setting::of("blockIO.leafWeight"), None, block_io.leaf_weight);
    for (index, device) in block_io.weight_device.iter().enumerate() {
        let DeviceWeight { major, minor, weight, leaf_weight } = *device;
        let setting = Setting::item("blockIO.weightDevice", index);
        compiler.weight(setting.clone(), Some((major, minor)), weight);
        compiler.leaf_weight(setting, Some((major, minor)), leaf_weight);
    }
    let throttles = [
        (
            "blockIO.throttleReadBpsDevice",
            "blkio.throttle.read_bps_device",
            "rbps",
            &block_io.throttle_read_bps,
        ),
        (
            "blockIO.throttleWriteBpsDevice",
            "blkio.throttle.write_bps_device",
            "wbps",
            &block_io.throttle_write_bps,
        ),
        (
            "blockIO.throttleReadIOPSDevice",
            "blkio.throttle.read_iops_device",
            "riops",
            &block_io.throttle_read_iops,
        ),
        (
            "blockIO.throttleWriteIOPSDevice",
            "blkio.throttle.write_iops_device",
            "wiops",
            &block_io.throttle_write_iops,
        ),
    ];
    for (name, v1_file, v2_key, devices) in throttles {
        for (index, DeviceRate { major, minor, rate }) in devices.iter().enumerate() {
            let setting = Setting::item(name, index);
            match compiler.place(&setting, Controller::Blkio) {
                Some(target @ Target::V1(_)) => {
                    compiler.write(setting, target, v1_file, format!("{major}:{minor} {rate}"));
                }
                Some(target @ Target::V2(_)) => {
                    // v1 lifts a limit with 0, which v2 refuses.
                    let rate = if *rate == 0 { "max".to_owned() } else { rate.to_string() };
                    compiler.write(
                        setting,
                        target,
                        "io.max",
                        format!("{major}:{minor} {v2_key}={rate}"),
                    );
                }
                None => {}
            }
        }
    }
}

impl Compiler<'_> {
    /// The weight of the cgroup, or of one device in it. Which file there is depends on the I/O scheduler.
    fn weight(&mut self, setting: Setting, device: Option<(i64, i64)>, weight: Option<u16>) {
        let Some(weight) = self.in_range(&setting, weight) else { return };
        let value = |weight: u64| match device {
            Some((major, minor)) => format!("{major}:{minor} {weight}"),
            None => weight.to_string(),
        };
        let plain = value(weight.into());
        match self.place(&setting, Controller::Blkio) {
            Some(target @ Target::V1(_)) => {
                let (file, bfq) = match device {
                    None => ("blkio.weight", "blkio.bfq.weight"),
                    Some(_) => ("blkio.weight_device", "blkio.bfq.weight_device"),
                };
                self.write(setting, target, file, &plain)
                    .if_missing(IfMissing::Instead(bfq, plain));
            }
            Some(target @ Target::V2(_)) => {
                let instead = IfMissing::Instead("io.weight", value(io_weight(weight)));
                self.write(setting, target, "io.bfq.weight", plain).if_missing(instead);
            }
            None => {}
        }
    }

    fn leaf_weight(&mut self, setting: Setting, device: Option<(i64, i64)>, weight: Option<u16>) {
        let Some(weight) = self.in_range(&setting, weight) else { return };
        match (self.place(&setting, Controller::Blkio), device) {
            (Some(target @ Target::V1(_)), None) => {
                self.write(setting, target, "blkio.leaf_weight", weight);
            }
            (Some(target @ Target::V1(_)), Some((major, minor))) => {
                self.write(
                    setting,
                    target,
                    "blkio.leaf_weight_device",
                    format!("{major}:{minor} {weight}"),
                );
            }
            (Some(Target::V2(_)), _) => self.refuse(setting, "cgroup v2 has no leaf weight"),
            (None, _) => {}
        }
    }

    fn in_range(&mut self, setting: &Setting, weight: Option<u16>) -> Option<u16> {
        let weight = weight.filter(|weight| *weight != 0)?;
        if (10..=1000).contains(&weight) {
            return Some(weight);
        }
        self.refuse(setting.clone(), format!("weight {weight}: 10 to 1000 is expected"));
        None
    }
}

/// `io.weight` (1 to 10000) of a weight of 10 to 1000.
fn io_weight(weight: u16) -> u64 {
    1 + u64::from(weight.saturating_sub(10)) * 9999 / 990
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_spread_over_the_range_of_v2() {
        assert_eq!([10, 100, 500, 1000].map(io_weight), [1, 910, 4950, 10_000]);
    }
}
