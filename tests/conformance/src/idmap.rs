//! `config.md#posix-platform-mounts`: idmapped mounts; `config-linux.md#net-devices`.

use std::fs;
use std::os::unix::fs::chown;

use harness::{Bundle, Cases, Outcome, Runtime, bundle, ensure_eq, skip};
use serde_json::{Value, json};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config.md#posix-platform-mounts", "1.1.0");
    cases
        .must(&["D15", "D19"], "the mappings of a mount apply to its files", |rt| {
            owner(rt, &["bind"], true)
        })
        .mutation(|config| {
            bundle::remove(config, "/mounts/6/uidMappings");
            bundle::remove(config, "/mounts/6/gidMappings");
        });
    cases.must(
        &["D15"],
        "an idmapped mount shows files of users outside of the mapping as those of nobody",
        |rt| {
            let mut bundle = rt.bundle()?;
            let source = source(rt, 70_000)?;
            mapped(&mut bundle, &source, &["bind"], 1000);
            bundle.probe(&["stat", "/mnt/file"]);
            ensure_eq(
                "owner",
                rt.report(&bundle)?.allowed("stat", "/mnt/file")?["uid"].as_u64(),
                Some(65534),
            )
        },
    );
    cases.section("config.md#posix-platform-mounts", "1.2.0");
    cases.must(&["D15"], "the option idmap with mappings maps the mount", |rt| {
        owner(rt, &["bind", "idmap"], true)
    });
    cases.must(&["D15"], "the option idmap does not map the mounts below", |rt| {
        below(rt, "idmap", false)
    });
    cases.must(&["D16"], "the option ridmap maps the mounts below too", |rt| {
        below(rt, "ridmap", true)
    });
    cases.may(
        &["D17"],
        "the option idmap without mappings takes those of the container's user namespace",
        |rt| {
            let mut bundle = rt.bundle()?;
            let map = json!([{ "containerID": 0, "hostID": 0, "size": 65536 }]);
            bundle
                .set("/linux/uidMappings", map.clone())
                .set("/linux/gidMappings", map)
                .namespace("user", None);
            bundle
                .mount("/mnt", "bind", &source(rt, 5)?, &["bind", "idmap"])
                .probe(&["stat", "/mnt/file"]);
            ensure_eq(
                "owner",
                rt.report(&bundle)?.allowed("stat", "/mnt/file")?["uid"].as_u64(),
                Some(5),
            )
        },
    );
    cases.section("cli#mounts", "");
    cases.cli(
        &["D18"],
        "the option idmap=uids=…;gids=… has the mappings in it (crun has it)",
        |rt| {
            let mut bundle = rt.bundle()?;
            let option = "idmap=uids=0-1000-10;gids=0-1000-10";
            bundle.mount("/mnt", "bind", &source(rt, 7)?, &["bind", option]);
            bundle.probe(&["stat", "/mnt/file"]);
            let found = rt.report(&bundle)?.allowed("stat", "/mnt/file")?["uid"].as_u64();
            ensure_eq("owner", found, Some(1007))
        },
    );
    cases.section("config.md#posix-platform-mounts", "1.2.0");
    cases.must(&["D15"], "only one kind of mapping is refused", |rt| {
        let mut bundle = rt.bundle()?;
        let map = json!([{ "containerID": 0, "hostID": 1000, "size": 10 }]);
        bundle.push(
            "/mounts",
            json!({ "destination": "/mnt", "type": "bind", "source": source(rt, 0)?,
                                       "options": ["bind"], "uidMappings": map }),
        );
        rt.run(&bundle, &[])?.refused().map(drop)
    });
    devices(cases);
}

/// A directory of the host with a file of this owner.
fn source(rt: &Runtime, owner: u32) -> anyhow::Result<String> {
    let path = rt.directory().join("idmapped");
    fs::create_dir_all(&path)?;
    fs::write(path.join("file"), "x")?;
    chown(path.join("file"), Some(owner), Some(owner))?;
    Ok(path.to_string_lossy().into_owned())
}

/// Adds a mount whose users from 0 on appear from `first` on.
fn mapped(bundle: &mut Bundle, source: &str, options: &[&str], first: u32) {
    let map = json!([{ "containerID": 0, "hostID": first, "size": 1000 }]);
    let mount: Value = json!({ "destination": "/mnt", "type": "bind", "source": source, "options": options,
                               "uidMappings": map, "gidMappings": map });
    bundle.push("/mounts", mount);
}

fn owner(rt: &Runtime, options: &[&str], expected: bool) -> Outcome {
    let mut bundle = rt.bundle()?;
    mapped(&mut bundle, &source(rt, 7)?, options, 1000);
    bundle.probe(&["stat", "/mnt/file"]);
    let found = rt.report(&bundle)?.allowed("stat", "/mnt/file")?.clone();
    let wanted = if expected { Some(1007) } else { Some(7) };
    ensure_eq("owner", [found["uid"].as_u64(), found["gid"].as_u64()], [wanted, wanted])
}

fn below(rt: &Runtime, option: &str, expected: bool) -> Outcome {
    let source = source(rt, 7)?;
    let below = rt.directory().join("idmapped/below");
    fs::create_dir(&below)?;
    rustix::mount::mount("tmpfs", &below, "tmpfs", rustix::mount::MountFlags::empty(), None)?;
    fs::write(below.join("file"), "x")?;
    chown(below.join("file"), Some(7), Some(7))?;
    let mut bundle = rt.bundle()?;
    mapped(&mut bundle, &source, &["rbind", option], 1000);
    bundle.probe(&["stat", "/mnt/file", "stat", "/mnt/below/file"]);
    let seen = rt.report(&bundle);
    rustix::mount::unmount(&below, rustix::mount::UnmountFlags::empty())?;
    let seen = seen?;
    ensure_eq("owner", seen.allowed("stat", "/mnt/file")?["uid"].as_u64(), Some(1007))?;
    let wanted = if expected { 1007 } else { 7 };
    ensure_eq("owner below", seen.allowed("stat", "/mnt/below/file")?["uid"].as_u64(), Some(wanted))
}

fn devices(cases: &mut Cases) {
    cases.section("config-linux.md#net-devices", "1.3.0");
    cases
        .must(&["G07"], "a network device is moved into the container and renamed", |rt| {
            let link = Link::new(rt)?;
            let mut bundle = rt.bundle()?;
            bundle.set("/linux/netDevices", json!({ link.0.clone(): { "name": "inside0" } }));
            bundle.probe(&["link", "inside0"]);
            rt.report(&bundle)?.allowed("link", "inside0").map(drop)
        })
        .mutation(|config| bundle::remove(config, "/linux/netDevices"));
    cases.must(&["G07"], "a network device without a new name keeps its own", |rt| {
        let link = Link::new(rt)?;
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/netDevices", json!({ link.0.clone(): {} })).probe(&["link", &link.0]);
        rt.report(&bundle)?.allowed("link", &link.0).map(drop)
    });
    cases.must(&["G08"], "a network device that was moved is up", |rt| {
        let link = Link::new(rt)?;
        let mut bundle = rt.bundle()?;
        bundle
            .set("/linux/netDevices", json!({ link.0.clone(): { "name": "inside0" } }))
            .probe(&["link", "inside0"]);
        ensure_eq("up", rt.report(&bundle)?.allowed("link", "inside0")?["up"].as_bool(), Some(true))
    });
    for (what, devices) in [
        ("a network device that does not exist", json!({ "no-such-link": {} })),
        (
            "a network device with a name that is too long",
            json!({ "lo": { "name": "0123456789abcdef" } }),
        ),
        ("a network device with a slash in its name", json!({ "lo": { "name": "a/b" } })),
    ] {
        cases.must(&["G07"], format!("{what} is refused"), move |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/linux/netDevices", devices.clone());
            rt.run(&bundle, &[])?.refused().map(drop)
        });
    }
    cases.must(&["G07"], "a network device without a new network namespace is refused", |rt| {
        let link = Link::new(rt)?;
        let mut bundle = rt.bundle_of(harness::preset::host_network())?;
        bundle.set("/linux/netDevices", json!({ link.0.clone(): { "name": "inside0" } }));
        rt.run(&bundle, &[])?.refused().map(drop)
    });
}

/// One end of a pair of links in the caller's network namespace. The pair ends with its other end.
struct Link(String);

impl Link {
    fn new(rt: &Runtime) -> anyhow::Result<Self> {
        // At most 15 letters: the numbers of the test's id.
        let digits: String = rt.id().chars().filter(char::is_ascii_digit).collect();
        let (name, peer) = (format!("v{digits}a"), format!("v{digits}b"));
        if !["/sbin/ip", "/usr/sbin/ip", "/bin/ip", "/usr/bin/ip"]
            .iter()
            .any(|path| fs::metadata(path).is_ok())
        {
            return skip("the command ip is not installed");
        }
        let call =
            rt.program("ip").args(["link", "add", &name, "type", "veth", "peer", "name", &peer]);
        rt.finish(call)?.ok()?;
        Ok(Self(name))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let peer = format!("{}b", self.0.trim_end_matches('a'));
        let _gone_with_the_namespace =
            std::process::Command::new("ip").args(["link", "delete", &peer]).output();
    }
}
