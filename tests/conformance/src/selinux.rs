//! SELinux: the labels of the program, of its keyring and of the filesystems that are made for it.

use std::fs;

use anyhow::Context;
use harness::{Bundle, Cases, Outcome, Report, Runtime, ensure_contains, ensure_eq, skip};
use serde_json::Value;

use crate::exec::{container, plain_process, process, report};

const CURRENT: &str = "/proc/self/attr/current";
/// What the label may not read.
const SECRET: &str = "/etc/group";
/// What it may.
const OPEN: &str = "/etc/passwd";
const EACCES: i64 = 13;
const PROBES: [&str; 8] = ["read", CURRENT, "read", SECRET, "read", OPEN, "syscall", KEYRING];
/// `keyctl(KEYCTL_GET_SECURITY, KEY_SPEC_SESSION_KEYRING)` without a buffer: the length of the keyring's label.
const KEYRING: &str = "keyctl:17,-3,0,0";

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config.md#linux-process", "1.0.0");
    let first = cases.list.len();
    cases.must(&["E08"], "SELinux: the label is the program's", |rt| {
        let label = label()?;
        ensure_eq("label", current(&labelled(rt, &label, |_| {})?)?, label)
    });
    cases.must(&["E08"], "SELinux: what the label may not do is denied", |rt| {
        let label = label()?;
        enforcing()?;
        let seen = labelled(rt, &label, |_| {})?;
        seen.allowed("read", OPEN)?;
        ensure_eq("errno", seen.denied("read", SECRET)?, EACCES)
    });
    cases.must(&["E08"], "SELinux: the label holds with noNewPrivileges false", |rt| {
        let label = label()?;
        let seen = labelled(rt, &label, |bundle| {
            bundle.set("/process/noNewPrivileges", false);
        })?;
        ensure_eq("label", current(&seen)?, label)
    });
    cases.must(&["E08"], "SELinux: the session keyring has the program's label", |rt| {
        let label = label()?;
        keyring_is(&labelled(rt, &label, |_| {})?, &label)
    });
    cases.must(
        &["E08"],
        "SELinux: a label that the policy does not know is refused by its name",
        |rt| {
            label()?;
            let mut bundle = rt.bundle()?;
            bundle.set("/process/selinuxLabel", "no:such:label_t:s0").args(&["/bin/true"]);
            let output = rt.run(&bundle, &[])?.refused()?;
            ensure_contains("errors", &output.errors().to_lowercase(), "selinux")
        },
    );
    exec(cases);
    mounts(cases);
    for case in cases.list.iter_mut().skip(first) {
        case.limit(120);
    }
}

fn exec(cases: &mut Cases) {
    cases.section("cli#exec", "");
    cases.cli(&["B43"], "SELinux: exec --process-label is for that program alone", |rt| {
        let label = label()?;
        container(rt, |_| {})?;
        let seen = report(rt, &["--process-label", &label], &PROBES)?;
        ensure_eq("label", current(&seen)?, label.as_str())?;
        keyring_is(&seen, &label)?;
        let init = fs::read_to_string(format!("/proc/{}/attr/current", rt.pid()?))?;
        ensure_eq("label of init", clean(&init), own()?)
    });
    cases.cli(
        &["B43", "E08"],
        "SELinux: exec has the label of the config, and is denied the same",
        |rt| {
            let label = label()?;
            enforcing()?;
            container(rt, |bundle| labels(bundle, &label))?;
            let seen = report(rt, &[], &PROBES)?;
            ensure_eq("label", current(&seen)?, label)?;
            ensure_eq("errno", seen.denied("read", SECRET)?, EACCES)
        },
    );
    cases.cli(&["B43", "E08"], "SELinux: exec has the label of its process file", |rt| {
        let label = label()?;
        container(rt, |_| {})?;
        let words: Vec<&str> = std::iter::once("/checker").chain(PROBES).collect();
        let mut wanted = plain_process(&words);
        wanted["selinuxLabel"] = label.as_str().into();
        let seen = Report::parse(&process(rt, &wanted)?.ok()?.stdout())?;
        ensure_eq("label", current(&seen)?, label)
    });
}

fn mounts(cases: &mut Cases) {
    cases.section("config-linux.md#mount-label", "1.0.0");
    for point in ["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"] {
        cases.must(
            &["L07", "L08"],
            format!("SELinux: mountLabel is the label of {point}"),
            move |rt| {
                label()?;
                let wanted = with_type("tmpfs_t")?;
                container(rt, |bundle| {
                    bundle.set("/linux/mountLabel", wanted.as_str());
                })?;
                let path = format!("/proc/{}/root{point}", rt.pid()?);
                let mut found = vec![0; 256];
                let length = rustix::fs::getxattr(&path, "security.selinux", &mut found)?;
                found.truncate(length);
                ensure_eq(point, clean(&String::from_utf8(found)?), wanted)
            },
        );
    }
}

/// Runs the checker with the label and with what the tests of labels need.
fn labelled(rt: &Runtime, label: &str, change: impl Fn(&mut Bundle)) -> anyhow::Result<Report> {
    let mut bundle = rt.bundle()?;
    labels(&mut bundle, label);
    change(&mut bundle);
    bundle.probe(&PROBES);
    rt.report(&bundle)
}

fn labels(bundle: &mut Bundle, label: &str) {
    bundle.set("/process/selinuxLabel", label);
    let secret = bundle.rootfs().join(SECRET.trim_start_matches('/'));
    if let Ok(label) = with_type(SECRET_TYPE) {
        let name = "security.selinux";
        let _told_by_the_test =
            rustix::fs::setxattr(&secret, name, label.as_bytes(), rustix::fs::XattrFlags::empty());
    }
}

fn keyring_is(seen: &Report, label: &str) -> Outcome {
    let length = &seen.allowed("syscall", KEYRING)?["returned"];
    ensure_eq("length of the keyring's label", length, &Value::from(label.len() + 1))
}

fn current(seen: &Report) -> anyhow::Result<String> {
    let value = seen.allowed("read", CURRENT)?;
    Ok(clean(value["text"].as_str().with_context(|| format!("no text in {value}"))?))
}

fn clean(text: &str) -> String {
    String::from(text.trim_end_matches(['\0', '\n']))
}

/// Of tests/vm/labels.cil.
const DOMAIN: &str = "creel_test_t";
const SECRET_TYPE: &str = "creel_test_secret_t";

/// The caller's own label.
fn own() -> anyhow::Result<String> {
    Ok(clean(&fs::read_to_string(CURRENT)?))
}

/// The caller's own label with another type and without categories.
fn with_type(name: &str) -> anyhow::Result<String> {
    let own = own()?;
    let mut parts = own.split(':');
    let user = parts.next().context("no user")?;
    let role = if name == DOMAIN { parts.next().context("no role")? } else { "object_r" };
    Ok(format!("{user}:{role}:{name}:s0"))
}

/// The label of a program; skips where there is no SELinux with the types of tests/vm/labels.cil.
fn label() -> anyhow::Result<String> {
    if !std::path::Path::new("/sys/fs/selinux/enforce").exists() {
        return skip("needs SELinux");
    }
    let label = format!("{}:c17,c42", with_type(DOMAIN)?);
    if fs::write("/sys/fs/selinux/context", &label).is_err() {
        return skip("needs SELinux with the types of tests/vm/labels.cil");
    }
    Ok(label)
}

fn enforcing() -> Outcome {
    if fs::read_to_string("/sys/fs/selinux/enforce")?.trim() != "1" {
        return skip("needs SELinux, enforcing");
    }
    Ok(())
}
