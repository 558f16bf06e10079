//! What the process knows about itself.

use serde_json::{Map, Value, json};

use crate::{numbers, proc, sys};

/// Gathers everything but the probes. Comes first, so that no probe changes what is reported.
pub(crate) fn gather() -> Value {
    // Listed first: what follows opens files of its own.
    let fds = proc::fds();
    let (hostname, domainname) = sys::uname();
    let (group, session, terminal) = sys::session();
    let mut report = json!({
        "fds": fds,
        "pid": std::process::id(), "ppid": std::os::unix::process::parent_id(),
        "pgid": group, "sid": session,
        "terminal": terminal.map(|(rows, columns)| json!({ "rows": rows, "columns": columns })),
        "hostname": hostname, "domainname": domainname,
        "env": environment(),
        "cwd": std::env::current_dir().map(|path| path.to_string_lossy().into_owned()).ok(),
        "capabilities": capabilities(),
        "rlimits": rlimits(),
        "namespaces": proc::namespaces(), "mounts": proc::mounts(), "cgroups": proc::cgroups(),
        "devices": proc::devices(),
        "no_new_privs": sys::prctl(libc::PR_GET_NO_NEW_PRIVS, 0).map(|set| set == 1).ok(),
        "dumpable": sys::prctl(libc::PR_GET_DUMPABLE, 0).ok(),
        "seccomp": proc::status("Seccomp"), "seccomp_filters": proc::status("Seccomp_filters"),
        "signals": { "blocked": proc::status("SigBlk"), "ignored": proc::status("SigIgn"),
                     "caught": proc::status("SigCgt"), "pending": proc::status("SigPnd") },
        "label": proc::text("/proc/self/attr/current"),
        "uid_map": proc::text("/proc/self/uid_map"), "gid_map": proc::text("/proc/self/gid_map"),
        "setgroups": proc::text("/proc/self/setgroups"),
        "time_offsets": proc::text("/proc/self/timens_offsets"),
        "monotonic": sys::clock(libc::CLOCK_MONOTONIC), "boottime": sys::clock(libc::CLOCK_BOOTTIME),
    });
    add_ids(&mut report);
    add_scheduling(&mut report);
    report
}

fn add_ids(report: &mut Value) {
    let ([ruid, euid, suid, fsuid], [rgid, egid, sgid, fsgid]) = sys::ids();
    report["ids"] = json!({
        "uid": ruid, "euid": euid, "suid": suid, "fsuid": fsuid,
        "gid": rgid, "egid": egid, "sgid": sgid, "fsgid": fsgid,
        "groups": sys::groups(), "umask": format!("{:04o}", sys::umask()),
    });
}

fn add_scheduling(report: &mut Value) {
    report["scheduler"] = sys::sched_getattr().map_or(Value::Null, |attr| {
        let [policy, flags, nice, priority, runtime, deadline, period] = attr;
        json!({ "policy": numbers::policy(policy), "flags": flags, "nice": nice, "priority": priority,
                "runtime": runtime, "deadline": deadline, "period": period })
    });
    report["affinity"] = json!(sys::affinity());
    let ioprio = sys::raw(libc::SYS_ioprio_get, [1, 0, 0, 0, 0, 0]).unwrap_or(-1);
    report["ioprio"] = json!({ "class": ioprio >> 13, "priority": ioprio & 0x1fff });
    report["personality"] =
        json!(sys::raw(libc::SYS_personality, [0xffff_ffff, 0, 0, 0, 0, 0]).ok());
    report["oom_score_adj"] = proc::text("/proc/self/oom_score_adj");
    report["mempolicy"] = sys::mempolicy()
        .map_or(Value::Null, |(mode, nodes)| json!({ "mode": mode, "nodes": nodes }));
    report["keyring"] = sys::session_keyring()
        .map_or(Value::Null, |(id, text)| json!({ "id": id, "description": text }));
}

fn environment() -> Vec<String> {
    let text = |part: std::ffi::OsString| part.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| format!("{}={}", text(name), text(value))).collect()
}

fn capabilities() -> Value {
    let [effective, permitted, inheritable] = sys::capget().unwrap_or_default();
    let bits = |ask: &dyn Fn(u64) -> bool| {
        let name = |(bit, name): (usize, &&'static str)| ask(bit as u64).then_some(*name);
        numbers::CAPABILITIES.iter().enumerate().filter_map(name).collect::<Vec<_>>()
    };
    let set = |mask: u64| bits(&|bit| mask >> bit & 1 == 1);
    json!({
        "effective": set(effective), "permitted": set(permitted), "inheritable": set(inheritable),
        "bounding": bits(&|bit| sys::prctl(libc::PR_CAPBSET_READ, bit) == Ok(1)),
        "ambient": bits(&is_ambient),
    })
}

fn is_ambient(bit: u64) -> bool {
    const IS_SET: i64 = 1;
    let arguments = [i64::from(libc::PR_CAP_AMBIENT), IS_SET, bit.cast_signed(), 0, 0, 0];
    sys::raw(libc::SYS_prctl, arguments) == Ok(1)
}

fn rlimits() -> Value {
    let one = |(name, resource): &(&str, u32)| {
        let (soft, hard) = sys::rlimit(*resource)?;
        Some((String::from(*name), json!({ "soft": soft, "hard": hard })))
    };
    numbers::RLIMITS.iter().filter_map(one).collect::<Map<_, _>>().into()
}
