//! `config-linux.md#seccomp`: actions, arguments, operators, flags. What a filter does is seen by making the calls.

use harness::{Cases, Outcome, Report, Runtime, bundle, ensure_eq, skip};
use serde_json::{Value, json};

const EPERM: i64 = 1;
const EBADF: i64 = 9;
const SIGSYS: i64 = 31;
const ENOSYS: i64 = 38;

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config-linux.md#seccomp", "1.0.0");
    actions(cases);
    arguments(cases);
    defaults(cases);
}

/// A profile that allows all but what the rules say.
#[expect(clippy::needless_pass_by_value, reason = "the callers pass temporaries")]
pub(crate) fn profile(rules: Value) -> Value {
    json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": rules })
}

/// Makes a call under a profile: what the probe reports.
fn call(rt: &Runtime, profile: &Value, probe: &str) -> anyhow::Result<Value> {
    let mut bundle = rt.bundle()?;
    bundle.set("/linux/seccomp", profile.clone()).probe(&["syscall", probe]);
    Ok(rt.report(&bundle)?.allowed("syscall", probe)?.clone())
}

fn no_seccomp(config: &mut Value) {
    bundle::remove(config, "/linux/seccomp");
}

fn actions(cases: &mut Cases) {
    let errno = |number: i64| json!({ "errno": number });
    let killed = json!({ "signal": SIGSYS });
    let table: Vec<(&str, &str, Value, Value)> = vec![
        ("SCMP_ACT_ERRNO", "1.0.0", Value::Null, errno(EPERM)),
        ("SCMP_ACT_ERRNO", "1.0.2", json!(77), errno(77)),
        ("SCMP_ACT_KILL", "1.0.0", Value::Null, killed.clone()),
        ("SCMP_ACT_KILL_PROCESS", "1.0.2", Value::Null, killed.clone()),
        ("SCMP_ACT_KILL_THREAD", "1.0.2", Value::Null, killed.clone()),
        ("SCMP_ACT_TRAP", "1.0.0", Value::Null, killed),
        // There is no tracer.
        ("SCMP_ACT_TRACE", "1.0.0", json!(5), errno(ENOSYS)),
        ("SCMP_ACT_LOG", "1.0.2", Value::Null, errno(EBADF)),
        ("SCMP_ACT_ALLOW", "1.0.0", Value::Null, errno(EBADF)),
    ];
    for (action, since, number, expected) in table {
        cases.section("config-linux.md#seccomp", since);
        let name = if number.is_null() {
            String::from(action)
        } else {
            format!("{action} with errnoRet {number}")
        };
        let changes = expected != errno(EBADF);
        let case = cases.must(&["K02"], format!("the action {name}"), move |rt| {
            let mut rule = json!({ "names": ["dup"], "action": action });
            if !number.is_null() {
                rule["errnoRet"] = number.clone();
            }
            ensure_eq(
                "dup of an fd that is not open",
                call(rt, &profile(json!([rule])), "dup:77")?,
                expected.clone(),
            )
        });
        if changes {
            case.mutation(no_seccomp);
        }
    }
    cases.section("config-linux.md#seccomp", "1.0.0");
}

/// Operator, value, valueTwo; arguments that match; arguments that do not.
type Operator = (&'static str, u64, u64, &'static [u64], &'static [u64]);

const OPERATORS: [Operator; 7] = [
    ("SCMP_CMP_NE", 77, 0, &[76, 78], &[77]),
    ("SCMP_CMP_LT", 77, 0, &[76], &[77, 78]),
    ("SCMP_CMP_LE", 77, 0, &[76, 77], &[78]),
    ("SCMP_CMP_EQ", 77, 0, &[77], &[76, 78]),
    ("SCMP_CMP_GE", 77, 0, &[77, 78], &[76]),
    ("SCMP_CMP_GT", 77, 0, &[78], &[76, 77]),
    // The value is the mask, valueTwo what the masked argument is compared with.
    ("SCMP_CMP_MASKED_EQ", 0xf0, 0x40, &[0x40, 0x4f], &[0x50, 0x3f]),
];

fn arguments(cases: &mut Cases) {
    for (operator, value, second, matching, others) in OPERATORS {
        cases
            .must(&["K08"], format!("the operator {operator}"), move |rt| {
                let argument = json!({ "index": 1, "value": value, "valueTwo": second, "op": operator });
                let rule = json!({ "names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77, "args": [argument] });
                let call = |number: &u64| format!("getpriority:99,{number}");
                let mut bundle = rt.bundle()?;
                let calls: Vec<String> = matching.iter().chain(others).map(call).collect();
                let probes: Vec<&str> = calls.iter().flat_map(|call| ["syscall", call.as_str()]).collect();
                bundle.set("/linux/seccomp", profile(json!([rule]))).probe(&probes);
                let seen = rt.report(&bundle)?;
                for number in matching {
                    denied(&seen, &call(number), true)?;
                }
                others.iter().try_for_each(|number| denied(&seen, &call(number), false))
            })
            .mutation(no_seccomp);
    }
    cases.must(&["K08"], "a rule with several arguments applies if all of them match", |rt| {
        let arguments = json!([
            { "index": 0, "value": 99, "op": "SCMP_CMP_EQ" }, { "index": 1, "value": 77, "op": "SCMP_CMP_EQ" },
        ]);
        compare(rt, &arguments, &["getpriority:99,77"], &["getpriority:99,78", "getpriority:98,77"])
    });
    cases.must(&["K08"], "64 bits of an argument are compared", |rt| {
        let arguments = json!([{ "index": 1, "value": 0x1_0000_0001_u64, "op": "SCMP_CMP_EQ" }]);
        compare(rt, &arguments, &["getpriority:99,4294967297"], &["getpriority:99,1"])
    });
    cases.section("cli#seccomp", "");
    cases.cli(&["K08"], "an argument that is listed twice applies if one of them matches", |rt| {
        let arguments = json!([
            { "index": 1, "value": 77, "op": "SCMP_CMP_EQ" }, { "index": 1, "value": 78, "op": "SCMP_CMP_EQ" },
        ]);
        compare(rt, &arguments, &["getpriority:99,77", "getpriority:99,78"], &["getpriority:99,79"])
    });
    cases.section("config-linux.md#seccomp", "1.0.0");
}

fn denied(seen: &Report, call: &str, expected: bool) -> Outcome {
    let value = seen.allowed("syscall", call)?;
    ensure_eq(&format!("{call} is denied ({value})"), value["errno"] == 77, expected)
}

fn compare(rt: &Runtime, arguments: &Value, matching: &[&str], others: &[&str]) -> Outcome {
    let rule = json!({ "names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77, "args": arguments });
    let mut bundle = rt.bundle()?;
    let probes: Vec<&str> =
        matching.iter().chain(others).flat_map(|call| ["syscall", call]).collect();
    bundle.set("/linux/seccomp", profile(json!([rule]))).probe(&probes);
    let seen = rt.report(&bundle)?;
    matching.iter().try_for_each(|call| denied(&seen, call, true))?;
    others.iter().try_for_each(|call| denied(&seen, call, false))
}

fn defaults(cases: &mut Cases) {
    cases.must(&["K01"], "the default action applies to what no rule names", |rt| {
        let profile = deny_all(Value::Null)?;
        ensure_eq("swapon", call(rt, &profile, "swapon:0,0")?, json!({ "errno": EPERM }))
    });
    cases.section("config-linux.md#seccomp", "1.1.0");
    cases.must(&["K01"], "defaultErrnoRet is the errno of the default action", |rt| {
        let profile = deny_all(json!(88))?;
        ensure_eq("swapon", call(rt, &profile, "swapon:0,0")?, json!({ "errno": 88 }))
    });
    cases.section("config-linux.md#seccomp", "1.0.0");
    cases.must(&["K09"], "a rule may name several calls", |rt| {
        let rule =
            json!({ "names": ["dup", "getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77 });
        for probe in ["dup:77", "getpriority:99,1"] {
            let mut bundle = rt.bundle()?;
            bundle.set("/linux/seccomp", profile(json!([rule]))).probe(&["syscall", probe]);
            denied(&rt.report(&bundle)?, probe, true)?;
        }
        Ok(())
    });
    cases.must(&["K09"], "a rule for a call that this architecture does not have is left out", |rt| {
        let rule = json!({ "names": ["no_such_call", "dup"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77 });
        ensure_eq("dup", call(rt, &profile(json!([rule])), "dup:77")?, json!({ "errno": 77 }))
    });
    cases
        .must(&["K05"], "the process is in filter mode", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/linux/seccomp", profile(json!([])));
            ensure_eq("mode", rt.report(&bundle)?.text("/seccomp"), "2")
        })
        .mutation(no_seccomp);
    for nnp in [true, false] {
        cases.must(&["K18"], format!("a filter is loaded with noNewPrivileges {nnp}"), move |rt| {
            let rule = json!({ "names": ["dup"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77 });
            let mut bundle = rt.bundle()?;
            bundle
                .set("/process/noNewPrivileges", nnp)
                .set("/linux/seccomp", profile(json!([rule])));
            bundle.probe(&["syscall", "dup:77"]);
            denied(&rt.report(&bundle)?, "dup:77", true)
        });
    }
    cases.must(&["K18"], "a filter is loaded for a user who is not root", |rt| {
        let rule = json!({ "names": ["dup"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77 });
        let mut bundle = rt.bundle()?;
        bundle.set("/process/user/uid", 1000).set("/linux/seccomp", profile(json!([rule])));
        bundle.probe(&["syscall", "dup:77"]);
        denied(&rt.report(&bundle)?, "dup:77", true)
    });
    for flag in
        ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]
    {
        cases.must(&["K05"], format!("the flag {flag} is accepted"), move |rt| {
            let rule = json!({ "names": ["dup"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77 });
            let mut profile = profile(json!([rule]));
            profile["flags"] = json!([flag]);
            ensure_eq("dup", call(rt, &profile, "dup:77")?, json!({ "errno": 77 }))
        });
    }
    cases.section("config-linux.md#seccomp", "1.1.0");
    cases.must(
        &["K06"],
        "the flag SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV without a listener is refused or accepted",
        |rt| {
            let mut bundle = rt.bundle()?;
            let mut profile = profile(json!([]));
            profile["flags"] = json!(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]);
            bundle.set("/linux/seccomp", profile);
            let output = rt.run(&bundle, &[])?;
            if output.code == 0 { Ok(()) } else { output.refused().map(drop) }
        },
    );
    for arch in ["SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"] {
        cases.section("config-linux.md#seccomp", "1.0.0");
        cases.must(
            &["K04"],
            format!("a profile may list the architecture {arch} besides the native one"),
            move |rt| {
                let rule = json!({ "names": ["dup"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77 });
                let mut profile = profile(json!([rule]));
                profile["architectures"] = json!(["SCMP_ARCH_X86_64", arch]);
                ensure_eq("dup", call(rt, &profile, "dup:77")?, json!({ "errno": 77 }))
            },
        );
    }
}

/// Denies every call but those that starting the program and its report need.
fn deny_all(errno: Value) -> anyhow::Result<Value> {
    if cfg!(not(target_arch = "x86_64")) {
        return skip("the list of needed calls is that of x86_64");
    }
    let mut profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{ "names": NEEDED, "action": "SCMP_ACT_ALLOW" }],
    });
    if !errno.is_null() {
        profile["defaultErrnoRet"] = errno;
    }
    Ok(profile)
}

pub(crate) const NEEDED: &[&str] = &[
    "access",
    "arch_prctl",
    "brk",
    "capget",
    "capset",
    "chdir",
    "clock_gettime",
    "clone",
    "clone3",
    "close",
    "close_range",
    "dup",
    "dup2",
    "dup3",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "faccessat",
    "faccessat2",
    "fchdir",
    "fchown",
    "fcntl",
    "fork",
    "fstat",
    "fstatfs",
    "futex",
    "get_mempolicy",
    "getcwd",
    "getdents64",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getpgrp",
    "getpid",
    "getppid",
    "getrandom",
    "getresgid",
    "getresuid",
    "getrlimit",
    "getsid",
    "gettid",
    "getuid",
    "ioctl",
    "ioprio_get",
    "keyctl",
    "lseek",
    "madvise",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "nanosleep",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "personality",
    "pipe",
    "pipe2",
    "poll",
    "ppoll",
    "prctl",
    "pread64",
    "prlimit64",
    "read",
    "readlink",
    "readlinkat",
    "readv",
    "recvfrom",
    "recvmsg",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigtimedwait",
    "sched_getaffinity",
    "sched_getattr",
    "sched_yield",
    "sendmsg",
    "sendto",
    "set_robust_list",
    "set_tid_address",
    "setfsgid",
    "setfsuid",
    "setgid",
    "setgroups",
    "setresgid",
    "setresuid",
    "setuid",
    "sigaltstack",
    "socket",
    "stat",
    "statfs",
    "statx",
    "tgkill",
    "umask",
    "uname",
    "wait4",
    "waitid",
    "write",
    "writev",
    "epoll_wait",
    "eventfd2",
    "setsid",
    "kill",
];
