//! Rules for how the process is scheduled.

use oci_spec::runtime::LinuxSchedulerPolicy;

use super::{Faults, fault};
use crate::bundle::{Process, Scheduler};

/// `process.scheduler`: what the policy needs and what it has no use for (config.md#linux-process,
/// `sched_setattr(2)`).
pub(super) fn scheduler(process: &Process, faults: &mut Faults) {
    let Some(scheduler) = &process.scheduler else { return };
    if let Some(nice) = scheduler.nice.filter(|nice| !(-20..=19).contains(nice)) {
        faults.push(fault("process.scheduler.nice", "expected -20 to 19", nice.to_string()));
    }
    match scheduler.policy {
        LinuxSchedulerPolicy::SchedFifo | LinuxSchedulerPolicy::SchedRr => {
            real_time(scheduler, faults);
        }
        LinuxSchedulerPolicy::SchedDeadline => deadline(scheduler, faults),
        LinuxSchedulerPolicy::SchedIso => faults.push(fault(
            "process.scheduler.policy",
            "expected a policy that Linux has",
            "SCHED_ISO, which it never had",
        )),
        LinuxSchedulerPolicy::SchedOther
        | LinuxSchedulerPolicy::SchedBatch
        | LinuxSchedulerPolicy::SchedIdle => {
            if let Some(priority) = scheduler.priority.filter(|priority| *priority != 0) {
                let expected = format!("expected none, or 0, with {}", scheduler.policy);
                faults.push(fault("process.scheduler.priority", expected, priority.to_string()));
            }
        }
    }
    if scheduler.policy != LinuxSchedulerPolicy::SchedDeadline {
        no_deadlines(scheduler, faults);
    }
}

fn real_time(scheduler: &Scheduler, faults: &mut Faults) {
    let priority = scheduler.priority.unwrap_or(0);
    if !(1..=99).contains(&priority) {
        let expected = format!("expected 1 to 99 with {}", scheduler.policy);
        faults.push(fault("process.scheduler.priority", expected, priority.to_string()));
    }
}

fn deadline(scheduler: &Scheduler, faults: &mut Faults) {
    let (runtime, deadline) = (scheduler.runtime.unwrap_or(0), scheduler.deadline.unwrap_or(0));
    let period = scheduler.period.unwrap_or(0);
    if runtime < 1024 {
        faults.push(fault(
            "process.scheduler.runtime",
            "expected at least 1024 nanoseconds",
            runtime.to_string(),
        ));
    }
    if deadline < runtime {
        faults.push(fault(
            "process.scheduler.deadline",
            "expected at least the runtime",
            deadline.to_string(),
        ));
    }
    if period != 0 && period < deadline {
        faults.push(fault(
            "process.scheduler.period",
            "expected at least the deadline",
            period.to_string(),
        ));
    }
}

fn no_deadlines(scheduler: &Scheduler, faults: &mut Faults) {
    for (key, value) in [
        ("process.scheduler.runtime", scheduler.runtime),
        ("process.scheduler.deadline", scheduler.deadline),
        ("process.scheduler.period", scheduler.period),
    ] {
        if let Some(value) = value.filter(|value| *value != 0) {
            faults.push(fault(key, "expected none without SCHED_DEADLINE", value.to_string()));
        }
    }
}

/// `process.ioPriority.priority`: 0 to 7 (config.md#linux-process, `ioprio_set(2)`).
pub(super) fn io_priority(process: &Process, faults: &mut Faults) {
    if let Some(priority) =
        process.io_priority.map(|io| io.priority).filter(|value| !(0..=7).contains(value))
    {
        faults.push(fault("process.ioPriority.priority", "expected 0 to 7", priority.to_string()));
    }
}

/// `process.execCPUAffinity`: lists such as `0-3,7` (config.md#linux-process).
pub(super) fn affinity(process: &Process, faults: &mut Faults) {
    let Some(affinity) = &process.exec_cpu_affinity else { return };
    for (key, list) in [
        ("process.execCPUAffinity.initial", &affinity.initial),
        ("process.execCPUAffinity.final", &affinity.after),
    ] {
        if let Some(list) = list.as_deref().filter(|list| !list.is_empty())
            && number_list(list, 8191).is_none()
        {
            faults.push(fault(key, "expected a list such as 0-3,7", format!("{list:?}")));
        }
    }
}

/// The numbers of a list such as `0-3,7`, none of them above `max`.
pub(crate) fn number_list(list: &str, max: u32) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        if first > last || last > max {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

/// A number of digits alone: `parse` would take a sign.
fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::number_list;

    #[test]
    fn lists() {
        assert_eq!(number_list("0-3,7", 10), Some(vec![0, 1, 2, 3, 7]));
        for bad in ["", "-", "1-", "3-1", "+1", "a", "0,,1", "11", "0-4294967295", "99999999999"] {
            assert_eq!(number_list(bad, 10), None, "{bad}");
        }
    }
}
