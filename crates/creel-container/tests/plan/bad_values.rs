//! Any value in any place: a plan or faults, never a panic.

use creel_container::{Bundle, PlanOptions, compile};
use serde_json::{Value, json};

use crate::host;

/// A config with something in every corner.
fn rich() -> Value {
    json!({
        "ociVersion": "1.3.0", "hostname": "h", "domainname": "d", "annotations": { "a": "b" },
        "root": { "path": "rootfs", "readonly": true },
        "process": {
            "terminal": true, "consoleSize": { "height": 1, "width": 2 }, "args": ["sh"], "env": ["A=b"], "cwd": "/",
            "user": { "uid": 1, "gid": 1, "umask": 2, "additionalGids": [3] }, "noNewPrivileges": true,
            "capabilities": { "bounding": ["CAP_KILL"], "ambient": ["CAP_KILL"] },
            "rlimits": [{ "type": "RLIMIT_CPU", "soft": 1, "hard": 1 }], "oomScoreAdj": 1, "apparmorProfile": "",
            "selinuxLabel": "", "ioPriority": { "class": "IOPRIO_CLASS_BE", "priority": 1 },
            "scheduler": { "policy": "SCHED_OTHER", "nice": 1, "flags": ["SCHED_FLAG_RESET_ON_FORK"] },
            "execCPUAffinity": { "initial": "0", "final": "0" }
        },
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc", "options": ["ro"] },
            { "destination": "/dev", "type": "tmpfs", "options": ["ro", "size=1k"] },
            { "destination": "/sys/fs/cgroup", "type": "cgroup" },
            { "destination": "/b", "type": "bind", "source": "b", "options": ["rbind", "rro", "rslave"] }
        ],
        "hooks": { "prestart": [{ "path": "/h", "args": ["h"], "env": ["A=b"], "timeout": 1 }] },
        "linux": {
            "namespaces": [
                { "type": "mount" }, { "type": "uts" }, { "type": "time" }, { "type": "network", "path": "/n" },
                { "type": "cgroup" }
            ],
            "timeOffsets": { "monotonic": { "secs": 1, "nanosecs": 2 } }, "sysctl": { "net.ipv4.ip_forward": "1" },
            "devices": [{ "path": "/dev/x", "type": "c", "major": 1, "minor": 3, "fileMode": 438, "uid": 0, "gid": 0 }],
            "cgroupsPath": "/a", "rootfsPropagation": "rslave", "maskedPaths": ["/a"], "readonlyPaths": ["/b"],
            "mountLabel": "", "personality": { "domain": "LINUX" },
            "memoryPolicy": { "mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"] },
            "seccomp": { "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": ["SCMP_ARCH_X86_64"],
                "syscalls": [{ "names": ["read"], "action": "SCMP_ACT_ALLOW",
                    "args": [{ "index": 0, "value": 1, "valueTwo": 1, "op": "SCMP_CMP_EQ" }] }] },
            "resources": {
                "devices": [{ "allow": true, "type": "c", "major": 1, "minor": 3, "access": "rw" }],
                "memory": { "limit": 1_048_576, "swap": 2_097_152, "swappiness": 1 },
                "cpu": { "shares": 2, "quota": 1000, "period": 1000, "cpus": "0", "mems": "0", "idle": 0 },
                "pids": { "limit": 1 }, "blockIO": { "weight": 10, "weightDevice": [{ "major": 8, "minor": 0, "weight": 10 }] },
                "hugepageLimits": [{ "pageSize": "2MB", "limit": 2_097_152 }], "unified": {},
                "network": { "priorities": [] },
                "rdma": { "x": { "hcaHandles": 1 } }
            }
        }
    })
}

fn values() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(1.5e300),
        json!(""),
        json!("\u{0}"),
        json!("../../x"),
        json!("x".repeat(5000)),
        json!([]),
        json!([[]]),
        json!(["", "\u{0}"]),
        json!({}),
        json!({ "": null, "\u{0}": "\u{0}" }),
    ]
}

/// Puts each of `values` in the place of each value below `at`.
fn everywhere(at: &Value, put: &mut dyn FnMut(Value)) {
    for value in values() {
        put(value);
    }
    match at {
        Value::Object(object) => {
            for (key, child) in object {
                everywhere(child, &mut |child| {
                    let mut object = object.clone();
                    object.insert(key.clone(), child);
                    put(Value::Object(object));
                });
            }
        }
        Value::Array(list) => {
            for (i, child) in list.iter().enumerate() {
                everywhere(child, &mut |child| {
                    let list = list.iter().enumerate();
                    put(list
                        .map(|(j, old)| if i == j { child.clone() } else { old.clone() })
                        .collect());
                });
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_config_itself_has_no_fault() {
    let faults: Vec<_> =
        crate::lines_of(&rich()).into_iter().filter(|line| line.starts_with("fault")).collect();
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn any_value_anywhere_gives_a_plan_or_a_fault() {
    let (mut plans, mut faults) = (0, 0);
    let options = PlanOptions::new("web");
    let host = host();
    everywhere(&rich(), &mut |config| {
        let text = serde_json::to_vec(&config).unwrap();
        let bundle = Bundle::parse("/b".into(), "/b/config.json".into(), text);
        match bundle.map(|bundle| compile(&bundle, &host, &options)) {
            Ok(Ok(_)) => plans += 1,
            Ok(Err(found)) => {
                assert!(
                    !found.is_empty() && found.iter().all(|fault| !fault.to_string().is_empty())
                );
                faults += 1;
            }
            Err(error) => {
                assert!(error.to_string().starts_with("/b/config.json: line "), "{error}");
                faults += 1;
            }
        }
    });
    assert!(plans > 100 && faults > 1000, "{plans} plans, {faults} faults");
}
