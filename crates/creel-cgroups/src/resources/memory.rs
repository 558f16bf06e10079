//! `linux.resources.memory`.

use super::{Memory, compiler::Compiler};
use crate::{
    controller::Controller,
    settings::{IfMissing, Setting, Target},
};

const LIMIT: Setting = Setting::of("memory.limit");
const SWAP: Setting = Setting::of("memory.swap");

impl Compiler<'_> {
    pub(super) fn memory(&mut self, memory: &Memory) {
        let memory = Memory {
            limit: memory.limit.filter(|limit| *limit != 0),
            swap: memory.swap.filter(|swap| *swap != 0),
            reservation: memory.reservation.filter(|reservation| *reservation != 0),
            ..memory.clone()
        };
        if memory
            == (Memory { check_before_update: memory.check_before_update, ..Memory::default() })
        {
            return;
        }
        let first = first_setting(&memory);
        if !self.memory_is_consistent(&memory) {
            return;
        }
        match self.place(&first, Controller::Memory) {
            Some(target @ Target::V1(_)) => self.memory_v1(&memory, target),
            Some(target @ Target::V2(_)) => self.memory_v2(&memory, target),
            None => {}
        }
    }

    fn memory_is_consistent(&mut self, memory: &Memory) -> bool {
        let mut consistent = true;
        let mut refuse = |setting, reason: String| {
            consistent = false;
            self.refuse(setting, reason);
        };
        let numbers = [
            ("memory.limit", memory.limit),
            ("memory.reservation", memory.reservation),
            ("memory.swap", memory.swap),
        ];
        for (name, number) in numbers {
            if number.is_some_and(|number| number < -1) {
                refuse(Setting::of(name), "is negative: only -1 (unlimited) may be".to_owned());
            }
        }
        match (memory.swap.filter(|swap| *swap > 0), memory.limit) {
            (Some(_), None) => {
                refuse(SWAP, "needs memory.limit: it counts memory and swap together".to_owned());
            }
            (Some(_), Some(-1)) => {
                refuse(SWAP, "cannot be limited while memory.limit is unlimited".to_owned());
            }
            (Some(swap), Some(limit)) if swap < limit => {
                refuse(
                    SWAP,
                    format!(
                        "counts memory and swap together: at least memory.limit ({limit}) is expected"
                    ),
                );
            }
            (Some(_), Some(_)) | (None, _) => {}
        }
        if memory.swappiness.is_some_and(|swappiness| swappiness > 100) {
            refuse(Setting::of("memory.swappiness"), "0 to 100 is expected".to_owned());
        }
        consistent
    }

    fn memory_v1(&mut self, memory: &Memory, target: Target) {
        // The kernel keeps limit <= memsw at every moment, so which of the two comes first depends on whether they are
        // raised or lowered.
        if let Some(limit) = memory.limit {
            self.write(LIMIT, target, "memory.limit_in_bytes", limit).any_order();
        }
        match (memory.swap, memory.limit) {
            (Some(-1), _) | (None, Some(-1)) => {
                let setting = if memory.swap.is_some() { SWAP } else { LIMIT };
                let write = self.write(setting, target, "memory.memsw.limit_in_bytes", -1);
                // Without swap accounting it is unlimited anyway.
                write.any_order().if_missing(IfMissing::Skip);
            }
            (Some(swap), _) => {
                self.write(SWAP, target, "memory.memsw.limit_in_bytes", swap).any_order();
            }
            (None, _) => {}
        }
        if let Some(reservation) = memory.reservation {
            self.write(
                Setting::of("memory.reservation"),
                target,
                "memory.soft_limit_in_bytes",
                reservation,
            );
        }
        if let Some(swappiness) = memory.swappiness {
            self.write(Setting::of("memory.swappiness"), target, "memory.swappiness", swappiness);
        }
        if memory.disable_oom_killer {
            self.write(Setting::of("memory.disableOOMKiller"), target, "memory.oom_control", 1);
        }
        if let Some(on) = memory.use_hierarchy {
            // Always so since Linux 5.11; whether the file is still there does not matter then.
            let if_missing = if on { IfMissing::Skip } else { IfMissing::Fail };
            let write = self.write(
                Setting::of("memory.useHierarchy"),
                target,
                "memory.use_hierarchy",
                u8::from(on),
            );
            write.if_missing(if_missing);
        }
    }

    fn memory_v2(&mut self, memory: &Memory, target: Target) {
        let v1_only = [
            ("memory.swappiness", memory.swappiness.is_some()),
            ("memory.disableOOMKiller", memory.disable_oom_killer),
        ];
        for (name, _) in v1_only.into_iter().filter(|(_, asked)| *asked) {
            self.refuse(Setting::of(name), "cgroup v2 does not have it");
        }
        if memory.use_hierarchy == Some(false) {
            self.refuse(Setting::of("memory.useHierarchy"), "cgroup v2 is always hierarchical");
        }
        if let Some(limit) = memory.limit {
            let check = memory.check_before_update.then_some("memory.current");
            self.write(LIMIT, target, "memory.max", limit_or_max(limit)).must_exceed(check);
        }
        let swap = match (memory.swap, memory.limit) {
            (Some(-1), _) | (None, Some(-1)) => Some(-1),
            (Some(swap), Some(limit)) => Some(swap.saturating_sub(limit)),
            (Some(_) | None, _) => None,
        };
        if let Some(swap) = swap {
            let setting = if memory.swap.is_some() { SWAP } else { LIMIT };
            // A kernel without swap has no file: no limit, and no swap at all, are both what is so anyway.
            let if_missing = if swap <= 0 { IfMissing::Skip } else { IfMissing::Fail };
            self.write(setting, target, "memory.swap.max", limit_or_max(swap))
                .if_missing(if_missing);
        }
        if let Some(reservation) = memory.reservation {
            self.write(
                Setting::of("memory.reservation"),
                target,
                "memory.low",
                limit_or_max(reservation),
            );
        }
    }
}

/// The setting to name if there is no memory controller at all.
fn first_setting(memory: &Memory) -> Setting {
    Setting::of(match memory {
        Memory { limit: Some(_), .. } => "memory.limit",
        Memory { reservation: Some(_), .. } => "memory.reservation",
        Memory { swap: Some(_), .. } => "memory.swap",
        Memory { swappiness: Some(_), .. } => "memory.swappiness",
        Memory { disable_oom_killer: true, .. } => "memory.disableOOMKiller",
        _ => "memory.useHierarchy",
    })
}

/// -1 is `max` on v2.
fn limit_or_max(limit: i64) -> String {
    if limit < 0 { "max".to_owned() } else { limit.to_string() }
}
