//! `linux.resources.cpu`.

use super::{Cpu, compiler::Compiler};
use crate::{
    controller::Controller,
    settings::{IfMissing, Setting, Target},
};

impl Compiler<'_> {
    pub(super) fn cpu(&mut self, cpu: &Cpu) {
        let cpu = Cpu {
            shares: cpu.shares.filter(|shares| *shares != 0),
            quota: cpu.quota.filter(|quota| *quota != 0),
            period: cpu.period.filter(|period| *period != 0),
            realtime_runtime: cpu.realtime_runtime.filter(|runtime| *runtime != 0),
            realtime_period: cpu.realtime_period.filter(|period| *period != 0),
            ..cpu.clone()
        };
        for (name, file, list) in
            [("cpu.cpus", "cpuset.cpus", &cpu.cpus), ("cpu.mems", "cpuset.mems", &cpu.mems)]
        {
            let Some(list) = list.as_ref().filter(|list| !list.is_empty()) else { continue };
            if let Some(target) = self.place(&Setting::of(name), Controller::Cpuset) {
                self.write(Setting::of(name), target, file, list);
            }
        }
        if cpu.idle.is_some_and(|idle| !matches!(idle, 0 | 1)) {
            return self.refuse(Setting::of("cpu.idle"), "0 or 1 is expected");
        }
        let Some(first) = first_setting(&cpu) else { return };
        match self.place(&Setting::of(first), Controller::Cpu) {
            Some(target @ Target::V1(_)) => self.cpu_v1(&cpu, target),
            Some(target @ Target::V2(_)) => self.cpu_v2(&cpu, target),
            None => {}
        }
    }

    fn cpu_v1(&mut self, cpu: &Cpu, target: Target) {
        // An idle cgroup has the least weight there is, and the kernel takes no other.
        if let Some(shares) = cpu.shares.filter(|_| cpu.idle != Some(1)) {
            // The kernel would take the nearest value that it allows and not say so.
            if (2..=MOST_SHARES).contains(&shares) {
                self.write(SHARES, target, "cpu.shares", shares).any_order();
            } else {
                self.refuse(SHARES, format!("2 to {MOST_SHARES} is expected"));
            }
        }
        self.idle(cpu, target);
        if let Some(period) = cpu.period {
            self.write(Setting::of("cpu.period"), target, "cpu.cfs_period_us", period).any_order();
        }
        if let Some(quota) = cpu.quota {
            self.write(Setting::of("cpu.quota"), target, "cpu.cfs_quota_us", quota.max(-1))
                .any_order();
        }
        self.burst(cpu, target, "cpu.cfs_burst_us");
        if let Some(period) = cpu.realtime_period {
            self.write(Setting::of("cpu.realtimePeriod"), target, "cpu.rt_period_us", period)
                .any_order();
        }
        if let Some(runtime) = cpu.realtime_runtime {
            self.write(Setting::of("cpu.realtimeRuntime"), target, "cpu.rt_runtime_us", runtime)
                .any_order();
        }
    }

    fn cpu_v2(&mut self, cpu: &Cpu, target: Target) {
        if let Some(shares) = cpu.shares.filter(|_| cpu.idle != Some(1)) {
            self.write(SHARES, target, "cpu.weight", weight_of_shares(shares)).any_order();
        }
        self.idle(cpu, target);
        let value = match (cpu.quota, cpu.period) {
            (Some(quota), None) if quota < 0 => Some("max".to_owned()),
            (Some(quota), None) => Some(quota.to_string()),
            (Some(quota), Some(period)) if quota > 0 => Some(format!("{quota} {period}")),
            (Some(_) | None, Some(period)) => Some(format!("max {period}")),
            (None, None) => None,
        };
        if let Some(value) = value {
            let setting = if cpu.quota.is_some() { "cpu.quota" } else { "cpu.period" };
            self.write(Setting::of(setting), target, "cpu.max", value).any_order();
        }
        self.burst(cpu, target, "cpu.max.burst");
        let realtime = [
            ("cpu.realtimeRuntime", cpu.realtime_runtime.is_some()),
            ("cpu.realtimePeriod", cpu.realtime_period.is_some()),
        ];
        for (name, _) in realtime.into_iter().filter(|(_, asked)| *asked) {
            self.refuse(Setting::of(name), "cgroup v2 has no real-time budget");
        }
    }

    fn idle(&mut self, cpu: &Cpu, target: Target) {
        if let Some(idle) = cpu.idle {
            // Before Linux 5.15 nothing is ever idle.
            let if_missing = if idle == 0 { IfMissing::Skip } else { IfMissing::Fail };
            self.write(Setting::of("cpu.idle"), target, "cpu.idle", idle)
                .any_order()
                .if_missing(if_missing);
        }
    }

    fn burst(&mut self, cpu: &Cpu, target: Target, file: &'static str) {
        if let Some(burst) = cpu.burst {
            // Before Linux 5.14 there is none.
            let if_missing = if burst == 0 { IfMissing::Skip } else { IfMissing::Fail };
            self.write(Setting::of("cpu.burst"), target, file, burst)
                .any_order()
                .if_missing(if_missing);
        }
    }
}

const SHARES: Setting = Setting::of("cpu.shares");
const MOST_SHARES: u64 = 262_144;

/// The setting to name if there is no cpu controller; none if nothing of it is asked for.
fn first_setting(cpu: &Cpu) -> Option<&'static str> {
    let asked = [
        ("cpu.shares", cpu.shares.is_some()),
        ("cpu.quota", cpu.quota.is_some()),
        ("cpu.period", cpu.period.is_some()),
        ("cpu.burst", cpu.burst.is_some()),
        ("cpu.idle", cpu.idle.is_some()),
        ("cpu.realtimeRuntime", cpu.realtime_runtime.is_some()),
        ("cpu.realtimePeriod", cpu.realtime_period.is_some()),
    ];
    asked.into_iter().find(|(_, asked)| *asked).map(|(name, _)| name)
}

/// `cpu.weight` (1 to 10000, usually 100) of `cpu.shares` (2 to 262144, usually 1024): the power of ten whose exponent is
/// the parabola, over the logarithm, through the least, the usual and the greatest value of both.
fn weight_of_shares(shares: u64) -> u64 {
    match shares {
        0..=2 => 1,
        3..MOST_SHARES => {
            #[expect(clippy::cast_precision_loss, reason = "below 2^18, exact in an f64")]
            let log = (shares as f64).log2();
            let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 1 and 10000"
            )]
            let weight = 10_f64.powf(exponent).ceil() as u64;
            weight
        }
        MOST_SHARES.. => 10_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_become_weights() {
        let table = [
            (0, 1),
            (1, 1),
            (2, 1),
            (3, 2),
            (100, 17),
            (512, 59),
            (1024, 100),
            (2048, 174),
            (262_143, 10_000),
        ];
        for (shares, weight) in table.into_iter().chain([(262_144, 10_000), (u64::MAX, 10_000)]) {
            assert_eq!(weight_of_shares(shares), weight, "{shares}");
        }
    }
}
