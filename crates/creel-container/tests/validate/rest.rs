//! Rules for the rest of the config.

use serde_json::json;

use super::check;

#[test]
fn the_top() {
    check(&[
        ("/ociVersion", json!(null), "ociVersion: expected 1.y.z, found \"\""),
        ("/ociVersion", json!("2.0.0"), "ociVersion: expected 1.y.z, found \"2.0.0\""),
        ("/root", json!(null), "root: expected the container's root filesystem, found nothing"),
        (
            "/root/path",
            json!(""),
            "root.path: expected a path to the root filesystem, found nothing",
        ),
        ("/hostname", json!("x".repeat(65)), "hostname: expected at most 64 bytes, found 65"),
        ("/domainname", json!("x"), ""),
        (
            "/annotations",
            json!({ "": "x" }),
            "annotations: expected keys that are not empty, found an empty key",
        ),
        (
            "/annotations",
            json!({ "run.oci.seccomp.receiver": "x", "run.oci.pidfd_receiver": "" }),
            "annotations.run.oci.seccomp.receiver: expected an absolute path, found \"x\"",
        ),
        (
            "/annotations",
            json!({ "run.oci.pidfd_receiver": "./x" }),
            "annotations.run.oci.pidfd_receiver: expected an absolute path, found \"./x\"",
        ),
        (
            "/annotations",
            json!({ "run.oci.seccomp.plugins": "x.so" }),
            "annotations.run.oci.seccomp.plugins: not supported, an agent listens at linux.seccomp.listenerPath",
        ),
        (
            "/vm",
            json!({ "kernel": {} }),
            "vm: not supported, this is a runtime for Linux containers",
        ),
        ("/windows", json!({}), "windows: not supported, this is a runtime for Linux containers"),
        ("/unknown", json!({}), ""),
    ]);
}

#[test]
fn what_is_set_in_a_namespace_needs_one() {
    check(&[
        (
            "/linux",
            json!({}),
            "mounts: a mount namespace in linux.namespaces is needed to mount in it",
        ),
        (
            "/linux",
            json!({ "namespaces": [{ "type": "mount" }], "sysctl": {
                "net.ipv4.ip_forward": "1", "kernel.shmmax": "1", "kernel.hostname": "x", "kernel.panic": "1",
                "net/ipv4/../../kernel/panic": "1", "fs.mqueue.msg_max": "1", "user.max_user_namespaces": "1", "": "1" } }),
            "linux.sysctl.: expected a key such as net.ipv4.ip_forward\n\
             linux.sysctl.fs.mqueue.msg_max: a namespace of type ipc is needed to set it\n\
             linux.sysctl.kernel.hostname: a namespace of type uts is needed to set it\n\
             linux.sysctl.kernel.panic: expected a parameter of a namespace, not the host's\n\
             linux.sysctl.kernel.shmmax: a namespace of type ipc is needed to set it\n\
             linux.sysctl.net.ipv4.ip_forward: a namespace of type network is needed to set it\n\
             linux.sysctl.net/ipv4/../../kernel/panic: expected a key such as net.ipv4.ip_forward\n\
             linux.sysctl.user.max_user_namespaces: a namespace of type user is needed to set it",
        ),
        (
            "/linux/sysctl",
            json!({ "net.ipv4.ip_forward": "1", "kernel.shmmax": "1", "kernel.domainname": "x" }),
            "",
        ),
        (
            "/linux/uidMappings",
            json!([{ "containerID": 0, "hostID": 1, "size": 1 }]),
            "linux.uidMappings: a user namespace in linux.namespaces is needed to map ids",
        ),
        ("/linux/uidMappings", json!([]), ""),
    ]);
}

#[test]
fn namespaces() {
    check(&[
        (
            "/linux/namespaces",
            json!([{ "type": "mount" }, { "type": "ipc", "path": "ns" }, { "type": "ipc" }]),
            "linux.namespaces[2].type: expected each type once, found ipc\n\
             linux.namespaces[1].path: expected an absolute path, found \"ns\"",
        ),
        (
            "/linux/namespaces",
            json!([{ "type": "mount" }, { "type": "user" }]),
            "linux.namespaces: user namespaces: not supported yet, found type \"user\"",
        ),
        ("/linux/timeOffsets", json!({ "monotonic": { "secs": -1 }, "boottime": {} }), ""),
        (
            "/linux/timeOffsets",
            json!({ "monotonic": { "nanosecs": 1_000_000_000 }, "realtime": {} }),
            "linux.timeOffsets.monotonic.nanosecs: expected less than 1000000000, found 1000000000\n\
             linux.timeOffsets.realtime: expected monotonic or boottime, found \"realtime\"",
        ),
    ]);
}

#[test]
fn mounts() {
    check(&[
        (
            "/mounts/0/destination",
            json!(""),
            "mounts[0].destination: expected a path inside the container, found nothing",
        ),
        ("/mounts/0/destination", json!("srv"), ""),
        (
            "/mounts/0/type",
            json!(null),
            "mounts[0].type: expected a filesystem type, or the option bind, found nothing",
        ),
        (
            "/mounts/0",
            json!({ "destination": "/a", "options": ["bind"] }),
            "mounts[0].source: expected the path to bind, found nothing",
        ),
        ("/mounts/0", json!({ "destination": "/a", "options": ["remount", "bind", "ro"] }), ""),
        ("/mounts/0", json!({ "destination": "/a", "source": "a", "type": "bind" }), ""),
        (
            "/mounts/0/options",
            json!(["idmap"]),
            "mounts[0]: id-mapped mounts: not supported yet, found option \"idmap\"",
        ),
        (
            "/mounts/0/uidMappings",
            json!([{ "containerID": 0, "hostID": 1, "size": 1 }]),
            "mounts[0]: expected uidMappings and gidMappings together, found uidMappings alone",
        ),
        ("/mounts", json!(null), ""),
    ]);
}

#[test]
fn paths() {
    check(&[
        (
            "/linux/maskedPaths",
            json!(["/a", "b"]),
            "linux.maskedPaths[1]: expected an absolute path, found \"b\"",
        ),
        (
            "/linux/readonlyPaths",
            json!([""]),
            "linux.readonlyPaths[0]: expected an absolute path, found \"\"",
        ),
        ("/linux/rootfsPropagation", json!("rslave"), ""),
        ("/linux/rootfsPropagation", json!(""), ""),
        (
            "/linux/rootfsPropagation",
            json!("rrslave"),
            "linux.rootfsPropagation: expected shared, slave, private or unbindable, found \"rrslave\"",
        ),
        ("/linux/cgroupsPath", json!("a/b"), ""),
        ("/linux/cgroupsPath", json!(""), ""),
        (
            "/linux/cgroupsPath",
            json!("/a/../../b"),
            "linux.cgroupsPath: cgroup path \"/a/../../b\": `.` and `..` are not allowed",
        ),
    ]);
}

#[test]
fn hooks() {
    check(&[
        ("/hooks", json!({ "prestart": [{ "path": "/a", "timeout": 1 }], "poststop": null }), ""),
        (
            "/hooks",
            json!({ "createRuntime": [{ "path": "/a" }, { "path": "b", "timeout": 0 }], "poststop": [{ "path": "/c", "timeout": -1 }] }),
            "hooks.createRuntime[1].path: expected an absolute path, found \"b\"\n\
             hooks.createRuntime[1].timeout: expected a number of seconds greater than zero, found 0\n\
             hooks.poststop[0].timeout: expected a number of seconds greater than zero, found -1",
        ),
    ]);
}

#[test]
fn devices_and_resources() {
    check(&[
        (
            "/linux/devices",
            json!([{ "path": "/dev/x", "type": "c", "major": 1, "minor": 3 }, { "path": "/p", "type": "p" }]),
            "",
        ),
        (
            "/linux/devices",
            json!([{ "path": "x", "type": "a", "major": -1, "minor": 1_048_576 }]),
            "linux.devices[0].path: expected an absolute path, found \"x\"\n\
             linux.devices[0].type: expected c, b, u or p, found a\n\
             linux.devices[0].major: expected 0 to 4095, found -1\n\
             linux.devices[0].minor: expected 0 to 1048575, found 1048576",
        ),
        (
            "/linux/resources",
            json!({ "devices": [{ "allow": true, "type": "p", "access": "rwx", "major": -2 }, { "allow": false, "access": "" }] }),
            "linux.resources.devices[0].type: expected a, c or b, found p\n\
             linux.resources.devices[0].access: expected r, w and m, found \"rwx\"\n\
             linux.resources.devices[0].major: expected a device number, found -2",
        ),
        (
            "/linux/resources",
            json!({ "unified": { "memory.high": "1", "../cgroup.procs": "1" } }),
            "linux.resources.unified.../cgroup.procs: expected the name of a file such as memory.high",
        ),
    ]);
}

#[test]
fn the_rest_of_linux() {
    check(&[
        ("/linux/personality", json!({ "domain": "LINUX32", "flags": [] }), ""),
        (
            "/linux/personality",
            json!({ "domain": "LINUX", "flags": ["x"] }),
            "linux.personality.flags: expected none, as none is defined, found \"x\"",
        ),
        (
            "/linux/memoryPolicy",
            json!({ "mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES", "MPOL_F_NUMA_BALANCING"] }),
            "linux.memoryPolicy.flags: expected MPOL_F_STATIC_NODES or MPOL_F_RELATIVE_NODES, found both\n\
             linux.memoryPolicy.flags: expected MPOL_F_NUMA_BALANCING only with MPOL_BIND or MPOL_PREFERRED_MANY, found MPOL_INTERLEAVE",
        ),
        ("/linux/memoryPolicy", json!({ "mode": "MPOL_BIND", "nodes": "0" }), ""),
        (
            "/linux/memoryPolicy",
            json!({ "mode": "MPOL_BIND" }),
            "linux.memoryPolicy.nodes: expected a list of nodes such as 0-1, found \"\"",
        ),
        (
            "/linux/memoryPolicy",
            json!({ "mode": "MPOL_LOCAL", "nodes": "0" }),
            "linux.memoryPolicy.nodes: expected none with MPOL_LOCAL, found \"0\"",
        ),
        (
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x" }),
            "linux.seccomp.listenerMetadata: a listenerPath is needed to send it to",
        ),
        (
            "/linux/intelRdt",
            json!({ "closID": "x", "enableMonitoring": true }),
            "linux.intelRdt.closID: not supported yet\nlinux.intelRdt.enableMonitoring: not supported yet",
        ),
        ("/linux/intelRdt", json!({}), ""),
        ("/linux/netDevices", json!({ "eth0": {} }), "linux.netDevices.eth0: not supported yet"),
    ]);
}
