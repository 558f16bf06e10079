//! `config.md#mounts`: each option of the tables.

use std::fs;

use anyhow::{Context, bail};
use harness::{Cases, Level, Outcome, Runtime, bundle, ensure_eq};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount,
};

/// An option, its opposite that comes before it in the list, and what `mountinfo` has then (or, with
/// `!`, has not) among the options of the mount and of its superblock.
type Row = (Level, &'static [&'static str], &'static str, &'static [&'static str], &'static str);

const MUST: &[&str] = &["D07"];
const NEW: &[&str] = &["D08"];

const FLAGS: &[Row] = &[
    (Level::Must, MUST, "async", &["sync"], "!sync"),
    (Level::Must, MUST, "atime", &["noatime"], "!noatime"),
    (Level::Must, MUST, "defaults", &[], "rw"),
    (Level::Must, MUST, "dev", &["nodev"], "!nodev"),
    (Level::Must, MUST, "diratime", &["nodiratime"], "!nodiratime"),
    (Level::Must, MUST, "dirsync", &[], "dirsync"),
    (Level::Must, MUST, "exec", &["noexec"], "!noexec"),
    (Level::Must, MUST, "noatime", &[], "noatime"),
    (Level::Must, MUST, "nodev", &[], "nodev"),
    (Level::Must, MUST, "nodiratime", &[], "nodiratime"),
    (Level::Must, MUST, "noexec", &[], "noexec"),
    (Level::Must, MUST, "norelatime", &[], "rw"),
    (Level::Must, MUST, "nostrictatime", &["strictatime"], "relatime"),
    (Level::Must, MUST, "nosuid", &[], "nosuid"),
    (Level::Must, MUST, "relatime", &[], "relatime"),
    (Level::Must, MUST, "ro", &[], "ro"),
    (Level::Must, MUST, "rw", &["ro"], "rw"),
    (Level::Must, MUST, "strictatime", &[], "!relatime"),
    (Level::Must, MUST, "suid", &["nosuid"], "!nosuid"),
    (Level::Must, MUST, "sync", &[], "sync"),
    (Level::Must, NEW, "iversion", &[], "rw"),
    (Level::Must, NEW, "noiversion", &["iversion"], "rw"),
    (Level::Must, NEW, "lazytime", &[], "lazytime"),
    (Level::Must, NEW, "nolazytime", &["lazytime"], "!lazytime"),
    (Level::Must, NEW, "loud", &["silent"], "rw"),
    (Level::Must, NEW, "silent", &[], "rw"),
    (Level::Should, &["D10"], "nosymfollow", &[], "nosymfollow"),
    (Level::Should, &["D10"], "symfollow", &["nosymfollow"], "!nosymfollow"),
    (Level::May, &["D13"], "mand", &[], "rw"),
    (Level::May, &["D13"], "nomand", &["mand"], "!mand"),
];

const DATA: &[(&str, &str)] = &[
    ("size=1024k", "size=1024k"),
    ("mode=0711", "mode=711"),
    ("nr_inodes=77", "nr_inodes=77"),
    ("uid=1000", "uid=1000"),
    ("gid=1000", "gid=1000"),
];

/// Options that act on the mounts below too, and what `mountinfo` has of both then.
const RECURSIVE: &[(&str, &str)] = &[
    ("rro", "ro"),
    ("rrw", "rw"),
    ("rnosuid", "nosuid"),
    ("rsuid", "!nosuid"),
    ("rnodev", "nodev"),
    ("rdev", "!nodev"),
    ("rnoexec", "noexec"),
    ("rexec", "!noexec"),
    ("rnoatime", "noatime"),
    ("ratime", "!noatime"),
    ("rnodiratime", "nodiratime"),
    ("rdiratime", "!nodiratime"),
    ("rrelatime", "relatime"),
    ("rnorelatime", "rw"),
    ("rstrictatime", "!relatime"),
    ("rnostrictatime", "relatime"),
    ("rnosymfollow", "nosymfollow"),
    ("rsymfollow", "!nosymfollow"),
];

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config.md#linux-mount-options", "1.0.0");
    for (level, rows, option, before, expected) in FLAGS {
        let case = cases.add(*level, rows, format!("the mount option {option}"), move |rt| {
            tmpfs(rt, &[option], expected)
        });
        if *expected == *option && !["rw", "relatime"].contains(option) {
            case.mutation(|config| bundle::remove(config, "/mounts/6/options"));
        }
        if let Some(before) = before.first() {
            cases.add(
                *level,
                rows,
                format!("the mount option {option} undoes an earlier {before}"),
                move |rt| tmpfs(rt, &[before, option], expected),
            );
        }
    }
    for (option, expected) in DATA {
        cases.should(&["D20"], format!("the option {option} goes to the filesystem"), move |rt| {
            tmpfs(rt, &[option], expected)
        });
    }
    cases.should(
        &["D20"],
        "an option that no one knows goes to the filesystem, which refuses it",
        |rt| {
            let mut bundle = rt.bundle()?;
            bundle.mount("/mnt", "tmpfs", "tmpfs", &["no-such-option"]);
            rt.run(&bundle, &[])?.refused().map(drop)
        },
    );
    for option in ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime"] {
        cases.must(&["D07"], format!("the option {option} of a bind mount"), move |rt| {
            let mut bundle = rt.bundle()?;
            bundle.mount("/mnt", "bind", &rt.root().to_string_lossy(), &["bind", option]);
            has(&rt.report(&bundle)?, "/mnt", option)
        });
    }
    cases
        .must(&["D07"], "a bind mount with ro leaves its source writable", |rt| {
            let mut bundle = rt.bundle()?;
            bundle
                .mount("/mnt", "bind", &rt.root().to_string_lossy(), &["bind", "ro"])
                .probe(&["write", "/mnt"]);
            rt.report(&bundle)?.denied("write", "/mnt")?;
            fs::write(rt.root().join("written"), "x").context("write to the source")?;
            fs::remove_file(rt.root().join("written")).context("remove it")
        })
        .mutation(|config| bundle::remove(config, "/mounts/6/options/1"));
    cases
        .must(&["D07"], "the option remount changes a mount of the container", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.mount("/mnt", "tmpfs", "tmpfs", &[]).mount(
                "/mnt",
                "tmpfs",
                "tmpfs",
                &["remount", "ro"],
            );
            has(&rt.report(&bundle)?, "/mnt", "ro")
        })
        .mutation(|config| bundle::remove(config, "/mounts/7"));
    recursive(cases);
    propagation(cases);
    cases
        .may(&["D14"], "tmpcopyup fills a tmpfs with what it covers", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.file("/mnt/deep/file", "covered")?;
            bundle
                .mount("/mnt", "tmpfs", "tmpfs", &["tmpcopyup"])
                .probe(&["read", "/mnt/deep/file"]);
            let seen = rt.report(&bundle)?;
            ensure_eq("type", seen.mount("/mnt")?["type"].as_str(), Some("tmpfs"))?;
            ensure_eq(
                "content",
                seen.allowed("read", "/mnt/deep/file")?["text"].as_str(),
                Some("covered"),
            )
        })
        .mutation(|config| bundle::remove(config, "/mounts/6/options/0"));
}

fn tmpfs(rt: &Runtime, options: &[&str], expected: &str) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.mount("/mnt", "tmpfs", "tmpfs", options);
    has(&rt.report(&bundle)?, "/mnt", expected)
}

fn has(seen: &harness::Report, point: &str, expected: &str) -> Outcome {
    let (own, superblock) = seen.mount_options(point)?;
    let (name, wanted) = expected.strip_prefix('!').map_or((expected, true), |name| (name, false));
    // `rw` and `ro` are told of the mount and of the superblock; the stricter counts.
    let found = match name {
        "rw" => own.iter().chain(&superblock).all(|option| option != "ro"),
        _ => own.iter().chain(&superblock).any(|option| option == name),
    };
    if found != wanted {
        bail!(
            "{point} should {} {name}: {own:?} {superblock:?}",
            if wanted { "have" } else { "not have" }
        );
    }
    Ok(())
}

fn recursive(cases: &mut Cases) {
    cases.section("config.md#linux-mount-options", "1.2.0");
    for (option, expected) in RECURSIVE {
        let rows: &[&str] = if option.ends_with("symfollow") { &["D12"] } else { &["D11"] };
        cases.should(
            rows,
            format!("the mount option {option} acts on the mounts below"),
            move |rt| {
                let tree = Tree::new(rt)?;
                let mut bundle = rt.bundle()?;
                bundle.mount("/mnt", "bind", &tree.path(), &["rbind", option]);
                let seen = rt.report(&bundle)?;
                has(&seen, "/mnt", expected)?;
                has(&seen, "/mnt/below", expected)
            },
        );
    }
    cases.section("config.md#linux-mount-options", "1.0.0");
    cases.must(&["D11"], "the mount option ro does not act on the mounts below", |rt| {
        let tree = Tree::new(rt)?;
        let mut bundle = rt.bundle()?;
        bundle.mount("/mnt", "bind", &tree.path(), &["rbind", "ro"]);
        let seen = rt.report(&bundle)?;
        has(&seen, "/mnt", "ro")?;
        has(&seen, "/mnt/below", "rw")
    });
}

/// A mount of the host with another below it, which end with it.
struct Tree(std::path::PathBuf);

impl Tree {
    fn new(rt: &Runtime) -> anyhow::Result<Self> {
        let path = rt.directory().join("tree");
        fs::create_dir_all(&path)?;
        mount("tmpfs", &path, "tmpfs", MountFlags::empty(), None).context("mount the upper")?;
        let tree = Self(path);
        fs::create_dir(tree.0.join("below"))?;
        mount("tmpfs", tree.0.join("below"), "tmpfs", MountFlags::empty(), None)
            .context("mount the lower")?;
        Ok(tree)
    }

    fn path(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _reported_as_a_leak = unmount(&self.0, UnmountFlags::DETACH);
    }
}

const PROPAGATION: &[(&str, &str, bool)] = &[
    ("private", "", false),
    ("rprivate", "", true),
    ("slave", "master:", false),
    ("rslave", "master:", true),
    ("shared", "shared:", false),
    ("rshared", "shared:", true),
    ("unbindable", "unbindable", false),
    ("runbindable", "unbindable", true),
];

fn propagation(cases: &mut Cases) {
    for (option, expected, below) in PROPAGATION {
        cases.must(&["D09"], format!("the propagation {option} of a bind mount"), move |rt| {
            let tree = Tree::new(rt)?;
            mount_change(&tree.0, MountPropagationFlags::SHARED | MountPropagationFlags::REC)?;
            let mut bundle = rt.bundle()?;
            bundle.mount("/mnt", "bind", &tree.path(), &["rbind", option]);
            let seen = rt.report(&bundle)?;
            propagates(&seen, "/mnt", expected)?;
            if *below { propagates(&seen, "/mnt/below", expected) } else { Ok(()) }
        });
    }
    for (option, arrives) in [("rslave", true), ("rprivate", false)] {
        let word = if arrives { "arrives" } else { "does not arrive" };
        cases.must(
            &["D09"],
            format!("with {option} a mount that the host makes later {word} in the container"),
            move |rt| {
                let tree = Tree::new(rt)?;
                mount_change(&tree.0, MountPropagationFlags::SHARED | MountPropagationFlags::REC)?;
                fs::create_dir(tree.0.join("later"))?;
                let mut bundle = rt.bundle()?;
                // As engines do for such volumes.
                bundle.set("/linux/rootfsPropagation", option);
                rt.running(bundle.mount("/mnt", "bind", &tree.path(), &["rbind", option]))?;
                mount("tmpfs", tree.0.join("later"), "tmpfs", MountFlags::empty(), None)?;
                let inside = fs::read_to_string(format!("/proc/{}/mountinfo", rt.pid()?))?;
                ensure_eq("the mount is in the container", inside.contains(" /mnt/later "), arrives)
            },
        );
    }
    cases.must(
        &["D09"],
        "with rshared a mount that the container makes arrives on the host",
        |rt| {
            let tree = Tree::new(rt)?;
            mount_change(&tree.0, MountPropagationFlags::SHARED | MountPropagationFlags::REC)?;
            fs::create_dir(tree.0.join("theirs"))?;
            let mut bundle = rt.bundle()?;
            bundle.set("/linux/rootfsPropagation", "rshared");
            bundle
                .mount("/mnt", "bind", &tree.path(), &["rbind", "rshared"])
                .capabilities(&["CAP_SYS_ADMIN"]);
            bundle.shell("mount -t tmpfs tmpfs /mnt/theirs");
            rt.run(&bundle, &[])?.ok()?;
            let host = fs::read_to_string("/proc/self/mountinfo")?;
            ensure_eq("the mount is on the host", host.contains("/tree/theirs "), true)
        },
    );
}

fn propagates(seen: &harness::Report, point: &str, expected: &str) -> Outcome {
    let fields = seen.mount(point)?["propagation"].clone();
    let text: Vec<&str> =
        fields.as_array().into_iter().flatten().filter_map(|field| field.as_str()).collect();
    let fits = match expected {
        "" => text.is_empty(),
        begin => text.iter().any(|field| field.starts_with(begin)),
    };
    if !fits {
        bail!("{point} should have the propagation {expected:?}: {text:?}");
    }
    Ok(())
}
