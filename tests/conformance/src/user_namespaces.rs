//! `config-linux.md#user-namespace-mappings`: user namespaces together with everything else.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use harness::{Bundle, Cases, Outcome, Report, Runtime, cgroup, ensure_eq, expected};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use serde_json::json;

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config-linux.md#user-namespace-mappings", "1.0.0");
    cases.must(
        &["F07"],
        "a user namespace given by its path is joined, the others are new",
        joined,
    );
    cases.must(
        &["F06"],
        "a new user namespace goes with a network namespace given by its path",
        beside_joined,
    );
    cases.must(&["F14"], "a user of a nested mapping is the one of the outer mapping", nested);
    cases.section("cli#user-namespace", "");
    cases.cli(&["D22"], "a bind mount keeps the flags of its source that are locked", locked);
    cases.cli(
        &["D31"],
        "without a network namespace of its own sysfs is there all the same",
        sysfs,
    );
    cases.cli(&["J10"], "a sysctl of user namespaces is set in a new one", |rt| {
        let mut bundle = mapped(rt, 0)?;
        bundle.set("/linux/sysctl", json!({ "user.max_uts_namespaces": "77" }));
        bundle.probe(&["read", "/proc/sys/user/max_uts_namespaces"]);
        let seen = rt.report(&bundle)?;
        let read = seen.allowed("read", "/proc/sys/user/max_uts_namespaces")?;
        ensure_eq("value", read["text"].as_str(), Some("77\n"))
    });
    cases.cli(&["H16"], "cgroupsPath means the same with a user namespace", |rt| {
        let mut bundle = mapped(rt, 0)?;
        bundle.set("/linux/cgroupsPath", rt.id()).set("/linux/resources/pids/limit", 77);
        rt.running(&mut bundle)?;
        let controller = if expected::cgroup_kind() == "v2" { "" } else { "pids" };
        let pid = rt.pid()?;
        ensure_eq("name", cgroup::directory(pid, controller)?.ends_with(rt.id()), true)?;
        ensure_eq("pids.max", cgroup::read(pid, controller, "pids.max")?.as_str(), "77")
    });
}

/// The default bundle in a user namespace whose root is this user of the host.
fn mapped(rt: &Runtime, first: u32) -> anyhow::Result<Bundle> {
    let mut bundle = rt.bundle()?;
    let map = json!([{ "containerID": 0, "hostID": first, "size": 65536 }]);
    bundle
        .set("/linux/uidMappings", map.clone())
        .set("/linux/gidMappings", map)
        .namespace("user", None);
    for path in [rt.directory().to_path_buf(), bundle.path().to_path_buf(), bundle.rootfs()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(bundle)
}

/// Runs a second container beside the test's own: its report.
fn beside(rt: &Runtime, bundle: &Bundle) -> anyhow::Result<Report> {
    rt.write(bundle)?;
    let other = format!("{}-other", rt.id());
    let output = rt.finish(rt.bundle_call("run", &other, bundle, &[]))?.ok()?;
    Report::parse(&output.stdout())
}

fn joined(rt: &Runtime) -> Outcome {
    let first = rt.running(&mut mapped(rt, 0)?)?;
    let path = PathBuf::from(format!("/proc/{}/ns/user", rt.pid()?));
    let mut second = rt.bundle()?;
    second.namespace("user", Some(&path));
    let seen = beside(rt, &second)?;
    let inode = |report: &Report, name: &str| report.at(&format!("/namespaces/{name}")).as_u64();
    ensure_eq("user namespace", inode(&seen, "user"), inode(&first, "user"))?;
    ensure_eq("same mount namespace", inode(&seen, "mnt") == inode(&first, "mnt"), false)
}

fn beside_joined(rt: &Runtime) -> Outcome {
    let first = rt.running(&mut rt.bundle()?)?;
    let path = PathBuf::from(format!("/proc/{}/ns/net", rt.pid()?));
    let mut second = mapped(rt, 0)?;
    second.namespace("network", Some(&path));
    // A sysfs belongs to the network namespace, which is not the container's own here.
    second.config["mounts"] = harness::preset::host_network()["mounts"].clone();
    let seen = beside(rt, &second)?;
    ensure_eq(
        "network namespace",
        seen.at("/namespaces/net").as_u64(),
        first.at("/namespaces/net").as_u64(),
    )?;
    let own = fs::metadata("/proc/self/ns/user")?.ino();
    ensure_eq("is the caller's user", seen.at("/namespaces/user").as_u64() == Some(own), false)
}

fn nested(rt: &Runtime) -> Outcome {
    let mut bundle = mapped(rt, 200_000)?;
    bundle.set("/process/user", json!({ "uid": 7, "gid": 8 }));
    rt.running(&mut bundle)?;
    let process = fs::metadata(format!("/proc/{}", rt.pid()?))?;
    ensure_eq("owner on the host", (process.uid(), process.gid()), (200_007, 200_008))
}

fn locked(rt: &Runtime) -> Outcome {
    let source = rt.directory().join("locked");
    fs::create_dir(&source)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("tmpfs", &source, "tmpfs", flags, Some(c"mode=755"))?;
    let mut bundle = mapped(rt, 0)?;
    bundle.mount("/mnt", "bind", &source.to_string_lossy(), &["bind", "ro"]);
    let seen = rt.report(&bundle);
    unmount(&source, UnmountFlags::empty())?;
    let (options, _) = seen?.mount_options("/mnt")?;
    let has = ["ro", "nosuid", "nodev", "noexec"].map(|flag| options.contains(&String::from(flag)));
    ensure_eq("ro, nosuid, nodev, noexec", has, [true; 4])
}

fn sysfs(rt: &Runtime) -> Outcome {
    let mut bundle = mapped(rt, 0)?;
    bundle.without_namespace("network").probe(&["list", "/sys"]);
    let seen = rt.report(&bundle)?;
    let count = seen.allowed("list", "/sys")?["length"].as_u64().unwrap_or(0);
    ensure_eq(&format!("{count} entries are more than none"), count > 0, true)
}
