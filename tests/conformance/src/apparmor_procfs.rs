//! AppArmor profiles are told to the kernel by its own procfs, whatever the container has on `/proc`.

use std::fs;

use harness::{Bundle, Cases, Outcome, Report, Runtime, ensure_eq};

use crate::apparmor::{Profile, SECRET, confined, enabled};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config.md#linux-process", "1.0.0");
    cases.must(&["E07"], "AppArmor: the profile confines a user without capabilities", |rt| {
        let profile = Profile::load(rt, "one")?;
        let mut bundle = rt.bundle()?;
        profile.confine(&mut bundle);
        bundle.capabilities(&[]).set("/process/user/uid", 1000).set("/process/user/gid", 1000);
        confined(&rt.report(bundle.probe(&["read", SECRET]))?, &profile)
    });
    cases.must(&["E07"], "AppArmor: the profile unconfined leaves the program unconfined", |rt| {
        enabled()?;
        let mut bundle = rt.bundle()?;
        bundle.set("/process/apparmorProfile", "unconfined");
        ensure_eq("label", rt.report(&bundle)?.text("/label").trim(), "unconfined")
    });
    cases.must(
        &["L09"],
        "AppArmor: the profile is told to the kernel, not to files of the image",
        |rt| {
            let profile = Profile::load(rt, "one")?;
            let mut bundle = rt.bundle()?;
            let files =
                ["self/attr/apparmor/exec", "thread-self/attr/apparmor/exec", "self/attr/exec"];
            let files = files.map(|file| bundle.rootfs().join("proc").join(file));
            for file in &files {
                fs::create_dir_all(file.parent().unwrap_or(file))?;
                fs::write(file, "")?;
            }
            without_proc(&mut bundle);
            profile.confine(&mut bundle);
            confined_or_refused(rt, &mut bundle)?;
            files
                .iter()
                .try_for_each(|file| ensure_eq("file", fs::read_to_string(file)?.as_str(), ""))
        },
    );
    for place in ["self", "thread-self", "1"] {
        cases.must(
            &["L09"],
            format!("AppArmor: a mount below /proc/{place}/attr does not take the profile away"),
            move |rt| {
                let profile = Profile::load(rt, "one")?;
                let mut bundle = rt.bundle()?;
                let file = rt.directory().join("fake");
                fs::write(&file, "")?;
                let target = format!("/proc/{place}/attr/apparmor/exec");
                bundle.mount(&target, "bind", &file.to_string_lossy(), &["bind"]);
                profile.confine(&mut bundle);
                confined_or_refused(rt, &mut bundle)?;
                ensure_eq("what was written to the file", fs::read_to_string(&file)?.as_str(), "")
            },
        );
    }
}

fn confined_or_refused(rt: &Runtime, bundle: &mut Bundle) -> Outcome {
    let output = rt.run(bundle.probe(&["read", SECRET]), &[])?;
    if output.code != 0 {
        return output.refused().map(drop);
    }
    Report::parse(&output.stdout())?.denied("read", SECRET).map(drop)
}

fn without_proc(bundle: &mut Bundle) {
    if let Some(list) = bundle.config.pointer_mut("/mounts").and_then(|it| it.as_array_mut()) {
        list.retain(|mount| mount["destination"] != "/proc");
    }
    bundle.remove("/linux/maskedPaths").remove("/linux/readonlyPaths");
}
