//! AppArmor profiles: of the container's process, and of what is executed in it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use harness::{Bundle, Cases, Report, Runtime, bundle, ensure_contains, ensure_eq};
use serde_json::{Value, json};

use crate::exec::{container, plain_process, process, report};

const PARSER: &str = "/sbin/apparmor_parser";
/// What the profiles of these tests keep to themselves.
pub(crate) const SECRET: &str = "/etc/passwd";
const EACCES: i64 = 13;

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config.md#linux-process", "1.0.0");
    cases
        .must(&["E07"], "the process is confined by its AppArmor profile", |rt| {
            let profile = Profile::load(rt, "one")?;
            let mut bundle = rt.bundle()?;
            profile.confine(&mut bundle);
            bundle.probe(&["read", SECRET, "read", "/etc/group"]);
            let seen = rt.report(&bundle)?;
            ensure_eq("label", seen.text("/label").trim(), profile.enforced().as_str())?;
            seen.allowed("read", "/etc/group")?;
            ensure_eq("errno", seen.denied("read", SECRET)?, EACCES)
        })
        .mutation(|config| bundle::remove(config, "/process/apparmorProfile"));
    cases.must(&["E07"], "a privileged process is confined by its AppArmor profile", |rt| {
        let profile = Profile::load(rt, "one")?;
        let mut bundle = rt.bundle()?;
        profile.confine(&mut bundle);
        bundle.set("/process/noNewPrivileges", json!(false)).probe(&["read", SECRET]);
        let seen = rt.report(&bundle)?;
        ensure_eq("label", seen.text("/label").trim(), profile.enforced().as_str())?;
        ensure_eq("errno", seen.denied("read", SECRET)?, EACCES)
    });
    cases.must(
        &["E07"],
        "an AppArmor profile that is not loaded is an error with its name",
        |rt| {
            enabled()?;
            let mut bundle = rt.bundle()?;
            bundle.set("/process/apparmorProfile", json!("ct-no-such-profile"));
            let output = rt.run(&bundle, &[])?.refused()?;
            ensure_contains("errors", &output.errors().to_lowercase(), "apparmor")
        },
    );
    cases.section("cli#exec", "");
    cases.cli(&["B44"], "exec is confined by the container's AppArmor profile", |rt| {
        let profile = Profile::load(rt, "one")?;
        container(rt, |bundle| profile.confine(bundle))?;
        confined(&report(rt, &[], &["read", SECRET])?, &profile)
    });
    cases.cli(&["B44"], "exec --apparmor confines by another profile", |rt| {
        let (one, other) = (Profile::load(rt, "one")?, Profile::load(rt, "other")?);
        container(rt, |bundle| one.confine(bundle))?;
        confined(&report(rt, &["--apparmor", &other.name], &["read", SECRET])?, &other)
    });
    cases.cli(&["B44"], "exec --process confines by the AppArmor profile of the file", |rt| {
        let profile = Profile::load(rt, "one")?;
        container(rt, |_| {})?;
        let mut file: Value = plain_process(&["/checker", "read", SECRET]);
        file["apparmorProfile"] = json!(profile.name);
        confined(&Report::parse(&process(rt, &file)?.ok()?.stdout())?, &profile)
    });
    cases.cli(&["B44"], "exec --apparmor of a profile that is not loaded is an error", |rt| {
        enabled()?;
        container(rt, |_| {})?;
        let flags = ["--apparmor", "ct-no-such-profile"];
        let output = rt.exec(&flags, &["/bin/true"])?.refused()?;
        ensure_contains("errors", &output.errors().to_lowercase(), "apparmor")
    });
}

pub(crate) fn confined(seen: &Report, profile: &Profile) -> anyhow::Result<()> {
    ensure_eq("label", seen.text("/label").trim(), profile.enforced().as_str())?;
    ensure_eq("errno", seen.denied("read", SECRET)?, EACCES)
}

pub(crate) fn enabled() -> anyhow::Result<()> {
    let modules = fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    if !modules.split(',').any(|name| name.trim() == "apparmor") {
        return harness::skip("the kernel runs without AppArmor");
    }
    if !Path::new(PARSER).exists() {
        return harness::skip("apparmor_parser is missing");
    }
    Ok(())
}

/// A loaded profile that forbids one thing; removed when dropped.
pub(crate) struct Profile {
    name: String,
    file: String,
}

impl Profile {
    pub(crate) fn load(rt: &Runtime, name: &str) -> anyhow::Result<Self> {
        enabled()?;
        let name = format!("{}-{name}", rt.id());
        let text = format!(
            "profile {name} flags=(attach_disconnected,mediate_deleted) {{\n  file, capability, \
             network, mount, umount, remount, pivot_root, signal, ptrace, unix,\n  deny {SECRET} r,\n}}\n"
        );
        let file = rt.directory().join(&name);
        fs::write(&file, text)?;
        let profile = Self { name, file: file.display().to_string() };
        profile.parser("--replace")?;
        Ok(profile)
    }

    fn parser(&self, what: &str) -> anyhow::Result<()> {
        let mut command = Command::new(PARSER);
        let output = command.args(["--skip-cache", what, &self.file]).output().context(PARSER)?;
        if !output.status.success() {
            bail!("{PARSER} {what}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    pub(crate) fn confine(&self, bundle: &mut Bundle) {
        bundle.set("/process/apparmorProfile", json!(self.name));
    }

    fn enforced(&self) -> String {
        format!("{} (enforce)", self.name)
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        let _unloaded_with_the_machine = self.parser("--remove");
    }
}
