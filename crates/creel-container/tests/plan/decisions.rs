//! What single properties become.

use std::path::PathBuf;

use creel_container::{Bundle, Host, Kind, PlanOptions, Report, compile};
use serde_json::json;

use crate::{config, host, lines_of, lines_on};

/// The lines of the plan in which one of `words` stands.
fn lines_with(change: serde_json::Value, words: &[&str]) -> Vec<String> {
    let lines = lines_of(&config(change));
    lines.into_iter().filter(|line| words.iter().any(|word| line.contains(word))).collect()
}

#[test]
fn masks_follow_all_mounts_and_the_pivot() {
    let change = json!({ "root": { "readonly": true }, "linux": {
        "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"], "rootfsPropagation": "rslave" } });
    insta::assert_snapshot!(lines_with(change, &["mask", "mount", "pivot", "read-only", "slave"]).join("\n"), @r"
    clone linux.namespaces: clone with new namespaces: mount, pid, uts
    setup linux.rootfsPropagation: make / rslave
    setup root.path: make the root a mount of /bundle/rootfs
    setup mounts[0]: mount proc on /proc
    child root.path: pivot into the root
    child linux.maskedPaths[0]: mask /proc/kcore
    child linux.readonlyPaths[0]: make /proc/sys read-only
    child root.readonly: make the root read-only
    child linux.rootfsPropagation: make / rslave
    child process.user.umask: set the umask 0022
    ");
}

#[test]
fn a_cgroup_mount_waits_for_the_go() {
    let change = json!({
        "mounts": [
            { "destination": "/proc", "type": "proc" },
            { "destination": "sys/fs/cgroup", "type": "cgroup", "options": ["ro", "nosuid"] },
            { "destination": "/tmp", "type": "tmpfs", "options": ["tmpcopyup", "size=64k"] },
        ],
        "linux": { "namespaces": [{ "type": "mount" }, { "type": "cgroup" }] }
    });
    insta::assert_snapshot!(lines_with(change, &["mount ", "wait", "cgroup"]).join("\n"), @r"
    host linux.cgroupsPath: make the cgroup /creel/web in 10 hierarchies
    setup root.path: make the root a mount of /bundle/rootfs
    setup mounts[0]: mount proc on /proc
    setup linux.cgroupsPath: wait until the process is in all its cgroups
    child linux.namespaces[1]: make a cgroup namespace
    child mounts[1]: mount cgroups on /sys/fs/cgroup (ro,nosuid)
    child mounts[2]: mount tmpfs on /tmp, with what is there (size=64k)
    delete linux.cgroupsPath: remove the cgroup /creel/web
    ");
}

#[test]
fn on_v2_the_clone_makes_the_cgroup_namespace() {
    let v2 = creel_cgroups::Hierarchy::new(".", creel_cgroups::Version::V2);
    let v2 = creel_cgroups::Hierarchies::from_list("/sys/fs/cgroup".as_ref(), vec![v2]).unwrap();
    let change = json!({ "linux": { "namespaces": [{ "type": "mount" }, { "type": "cgroup" }] } });
    let lines = lines_on(&config(change), &Host::invented(Some(v2)));
    let lines: Vec<_> = lines
        .into_iter()
        .filter(|line| line.contains("namespace") || line.contains("cgroup"))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    host linux.cgroupsPath: make the cgroup /creel/web in 1 hierarchy
    clone linux.namespaces: clone with new namespaces: mount, cgroup
    setup linux.namespaces: make / rslave
    setup linux.cgroupsPath: wait until the process is in all its cgroups
    delete linux.cgroupsPath: remove the cgroup /creel/web
    ");
}

#[test]
fn nothing_is_made_in_a_dev_of_the_hosts() {
    let change = json!({
        "mounts": [{ "destination": "/dev/", "type": "bind", "source": "/dev", "options": ["rbind"] }],
        "linux": { "devices": [
            { "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229 },
            { "path": "/srv/null", "type": "c", "major": 1, "minor": 3, "fileMode": 8630 },
        ] }
    });
    insta::assert_snapshot!(lines_with(change, &["/dev", "device", "link"]).join("\n"), @r"
    setup mounts[0]: bind the tree /dev on /dev
    child linux.devices[1]: make /srv/null a character device 1:3, mode 0666
    warning linux.devices[0]: /dev/fuse is not made, as /dev is the host's
    ");
}

#[test]
fn a_readonly_dev_becomes_so_after_its_devices() {
    let change = json!({ "mounts": [{ "destination": "/dev", "type": "tmpfs", "options": ["ro", "mode=755"] }] });
    insta::assert_snapshot!(lines_with(change, &["tmpfs", "/dev/tty", "remount"]).join("\n"), @r"
    setup mounts[0]: mount tmpfs on /dev (mode=755)
    child linux.devices: make /dev/tty a character device 5:0, mode 0666
    child mounts[0]: remount /dev (ro)
    ");
}

#[test]
fn namespaces_are_joined_in_the_childs_order() {
    let change = json!({ "linux": { "namespaces": [
        { "type": "mount", "path": "/ns/mnt" }, { "type": "pid", "path": "/ns/pid" }, { "type": "cgroup", "path": "/ns/cgroup" },
        { "type": "network", "path": "/ns/net" }, { "type": "time", "path": "/ns/time" }, { "type": "ipc" },
        { "type": "uts", "path": "" }] } });
    insta::assert_snapshot!(lines_with(change, &["namespace", "wait", "lo up"]).join("\n"), @r"
    host linux.namespaces[0]: open the mount namespace /ns/mnt
    host linux.namespaces[1]: open the pid namespace /ns/pid
    host linux.namespaces[2]: open the cgroup namespace /ns/cgroup
    host linux.namespaces[3]: open the network namespace /ns/net
    host linux.namespaces[4]: open the time namespace /ns/time
    clone linux.namespaces[1]: enter the pid namespace /ns/pid for the clone
    clone linux.namespaces: clone with new namespaces: ipc, uts
    setup linux.namespaces[3]: join the network namespace /ns/net
    setup linux.namespaces[4]: join the time namespace /ns/time
    setup linux.namespaces[0]: join the mount namespace /ns/mnt
    setup linux.namespaces: make / rslave
    setup linux.cgroupsPath: wait until the process is in all its cgroups
    child linux.namespaces[2]: join the cgroup namespace /ns/cgroup
    ");
}

#[test]
fn time_offsets_belong_to_the_clone() {
    let change = json!({ "linux": {
        "namespaces": [{ "type": "mount" }, { "type": "time" }],
        "timeOffsets": { "boottime": { "secs": -7, "nanosecs": 5 }, "monotonic": { "secs": 3 } } } });
    insta::assert_snapshot!(lines_with(change, &["clone"]).join("\n"), @r"
    clone linux.timeOffsets: set the time offset monotonic 3 0
    clone linux.timeOffsets: set the time offset boottime -7 5
    clone linux.namespaces: clone with new namespaces: mount, time
    ");
}

#[test]
fn unknown_capabilities_are_warnings() {
    let host = {
        let mut host = host();
        host.capabilities = 1 << 0 | 1 << 5;
        host
    };
    let change = json!({ "process": { "capabilities": {
        "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NONSENSE", "CAP_SYS_ADMIN"],
        "permitted": ["CAP_CHOWN"], "effective": ["CAP_CHOWN", "CAP_KILL"], "ambient": ["CAP_CHOWN"] } } });
    let lines = lines_on(&config(change), &host);
    let lines: Vec<_> = lines.into_iter().filter(|line| line.contains("capabilit")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    child process.capabilities: bound capabilities to CHOWN KILL
    child process.capabilities: set the capabilities CHOWN, inheritable none, ambient none
    warning process.capabilities.bounding[2]: "CAP_NONSENSE" is no capability that is known, left out
    warning process.capabilities.bounding[3]: CAP_SYS_ADMIN is not the caller's to give, left out
    warning process.capabilities.effective: not permitted, left out: CAP_KILL
    warning process.capabilities.ambient: not both permitted and inheritable, left out: CAP_CHOWN
    "#);
}

#[test]
fn the_filter_is_last_with_no_new_privileges_and_before_the_capabilities_without() {
    let seccomp = json!({ "defaultAction": "SCMP_ACT_ALLOW" });
    let words = ["filter", "capabilities", "privileges", "user 0", "find"];
    let with = json!({ "process": { "noNewPrivileges": true }, "linux": { "seccomp": seccomp } });
    let without = json!({ "linux": { "seccomp": seccomp } });
    insta::assert_snapshot!(lines_with(with, &words).join("\n"), @r"
    child process.user.uid: give the standard streams to user 0
    child process.capabilities: bound capabilities to none
    child process.user: become user 0, group 0
    child process.args[0]: find the program sh
    child process.capabilities: set the capabilities none
    child process.noNewPrivileges: gain no new privileges by exec
    child linux.seccomp: load the seccomp filter
    ");
    insta::assert_snapshot!(lines_with(without, &words).join("\n"), @r"
    child process.user.uid: give the standard streams to user 0
    child process.capabilities: bound capabilities to none
    child process.user: become user 0, group 0
    child process.args[0]: find the program sh
    child linux.seccomp: load the seccomp filter
    child process.capabilities: set the capabilities none
    ");
}

#[test]
fn a_program_is_looked_for_along_the_last_path() {
    for (args, env, expected) in [
        (json!(["sh"]), json!(["PATH=/a", "PATH=/b::rel"]), "/b/sh ./sh rel/sh"),
        (json!(["./sh"]), json!(["PATH=/a"]), "./sh"),
        (
            json!(["sh"]),
            json!(null),
            "/usr/local/sbin/sh /usr/local/bin/sh /usr/sbin/sh /usr/bin/sh /sbin/sh /bin/sh",
        ),
        (json!([""]), json!(["PATH=/a"]), ""),
    ] {
        let change = json!({ "process": { "args": args, "env": env } });
        let text = serde_json::to_vec(&config(change)).unwrap();
        let bundle = Bundle::parse("/b".into(), "/b/config.json".into(), text).unwrap();
        let plan = crate::plan(&bundle).unwrap();
        let candidates = plan.steps.iter().find_map(|planned| {
            let creel_container::Step::LookUpProgram(it) = &planned.step else { return None };
            Some(it.candidates.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        });
        assert_eq!(candidates.unwrap(), expected);
    }
}

#[test]
fn zeros_of_engines_ask_for_nothing() {
    let change = json!({ "linux": { "resources": {
        "memory": { "limit": 0, "swap": 0, "reservation": 0, "kernel": 0, "kernelTCP": 0, "disableOOMKiller": false },
        "cpu": { "shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": "" },
        "blockIO": { "weight": 0 }, "pids": {}, "network": { "classID": 0 }, "devices": [], "hugepageLimits": null } } });
    assert_eq!(lines_with(change, &["linux.resources"]), Vec::<String>::new());
}

#[test]
fn a_pids_limit_of_zero_is_a_limit() {
    let change = json!({ "linux": { "resources": { "pids": { "limit": 0 } } } });
    insta::assert_snapshot!(lines_with(change, &["pids"]).join("\n"), @r"host linux.resources.pids.limit: write 1 to pids.max");
}

#[test]
fn cgroups_disabled_leaves_the_caller_where_it_is() {
    let text = serde_json::to_vec(&config(json!({}))).unwrap();
    let bundle = Bundle::parse("/b".into(), "/b/config.json".into(), text).unwrap();
    let mut options = PlanOptions::new("web");
    options.no_cgroup = true;
    let plan = compile(&bundle, &host(), &options).unwrap();
    assert!(plan.cgroup.is_none());
}

#[test]
fn the_notification_socket_is_mounted_unless_the_config_has_its_own() {
    let plan_of = |change: serde_json::Value| {
        let text = serde_json::to_vec(&config(change)).unwrap();
        let file = PathBuf::from("/bundle/config.json");
        let bundle = Bundle::parse(PathBuf::from("/bundle"), file, text).unwrap();
        let mut options = PlanOptions::new("web");
        options.notify = Some(PathBuf::from("/run/creel/web/notify"));
        let plan = compile(&bundle, &host(), &options).unwrap();
        let rows = Report::new(&bundle, &plan).steps;
        let row = rows.iter().find(|row| row.does.contains("/run/notify"));
        (row.map(|row| format!("{}: {}", row.pointer, row.does)), plan.notify.is_some())
    };
    let mounted = "process.env: bind /run/creel/web/notify on /run/notify (ro,nosuid,nodev,noexec)";
    assert_eq!(plan_of(json!({})), (Some(mounted.to_owned()), true));
    let own = json!({ "process": { "env": ["NOTIFY_SOCKET=/run/notify/notify.sock"] } });
    assert_eq!(plan_of(own), (None, false));
}

#[test]
fn nothing_is_set_in_a_namespace_of_the_hosts_that_is_joined() {
    let change = json!({ "hostname": "h", "linux": {
        "namespaces": [
            { "type": "mount" },
            { "type": "network", "path": "/proc/1/ns/net" },
            { "type": "ipc", "path": "/proc/1/ns/ipc" },
            { "type": "uts", "path": "/proc/1/ns/uts" },
        ],
        "sysctl": { "net.core.somaxconn": "5", "kernel.msgmax": "5", "fs.mqueue.msg_max": "5" } } });
    assert!(
        lines_on(&config(change.clone()), &host()).iter().any(|line| line.contains("somaxconn"))
    );
    let mut host = host();
    host.own_namespaces = vec![Kind::Network, Kind::Ipc, Kind::Uts];
    insta::assert_snapshot!(lines_on(&config(change), &host).join("\n"), @r"
    fault hostname (config.json:1): it would change the host: the uts namespace that is joined is the host's
    fault linux.sysctl.fs.mqueue.msg_max (config.json:1): it would change the host: the ipc namespace that is joined is the host's
    fault linux.sysctl.kernel.msgmax (config.json:1): it would change the host: the ipc namespace that is joined is the host's
    fault linux.sysctl.net.core.somaxconn (config.json:1): it would change the host: the network namespace that is joined is the host's
    ");
}

#[test]
fn the_callers_own_namespaces_are_known_by_their_files() {
    let own = ["net", "ipc", "uts"].map(|name| format!("/proc/self/ns/{name}"));
    let change = json!({ "hostname": "h", "linux": {
        "namespaces": [
            { "type": "mount" },
            { "type": "network", "path": own[0] },
            { "type": "ipc", "path": own[2] },
            { "type": "uts", "path": own[2] },
        ],
        "sysctl": { "net.core.somaxconn": "5" } } });
    let text = serde_json::to_vec(&config(change)).unwrap();
    let bundle = Bundle::parse(PathBuf::from("/b"), PathBuf::from("/b/config.json"), text).unwrap();
    assert_eq!(Host::ask(&bundle.spec).own_namespaces, [Kind::Network, Kind::Uts]);
}

#[test]
fn labels_of_selinux_are_those_of_the_program_its_keyring_and_its_filesystems() {
    let mut host = host();
    host.selinux = true;
    let change = json!({
        "process": { "selinuxLabel": "u:r:program_t:s0" },
        "linux": { "mountLabel": "u:object_r:mount_t:s0" },
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/tmp", "type": "tmpfs", "source": "tmpfs" },
            { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue" },
        ],
    });
    let lines = lines_on(&config(change), &host);
    let labelled: Vec<&String> = lines.iter().filter(|line| line.contains("_t:s0")).collect();
    insta::assert_debug_snapshot!(labelled, @r#"
    [
        "setup process: make the session keyring _ses.web, labelled u:r:program_t:s0",
        "setup mounts[1]: mount tmpfs on /tmp (context=u:object_r:mount_t:s0)",
        "setup mounts[2]: mount mqueue on /dev/mqueue, labelled u:object_r:mount_t:s0",
        "child process.selinuxLabel: exec with the SELinux label u:r:program_t:s0",
    ]
    "#);
}
