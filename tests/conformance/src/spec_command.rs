//! The command `spec`.

use std::fs;

use harness::{Cases, Runtime, ensure_eq};
use serde_json::Value;

pub(crate) fn register(cases: &mut Cases) {
    cases.section("cli#spec", "");
    cases.cli(
        &["B78"],
        "spec writes a config.json with the members that the specification requires",
        |rt| {
            let config = spec(rt, &[])?;
            ensure_eq(
                "ociVersion",
                config["ociVersion"].as_str().is_some_and(|text| text.starts_with("1.")),
                true,
            )?;
            ensure_eq("cwd", config["process"]["cwd"].as_str(), Some("/"))?;
            ensure_eq("args", config["process"]["args"][0].as_str(), Some("sh"))?;
            ensure_eq("terminal", config["process"]["terminal"].as_bool(), Some(true))?;
            ensure_eq("root", config["root"]["path"].as_str(), Some("rootfs"))
        },
    );
    for (pointer, least) in [
        ("/linux/namespaces", 5),
        ("/linux/maskedPaths", 5),
        ("/linux/readonlyPaths", 4),
        ("/mounts", 6),
        ("/process/capabilities/bounding", 3),
        ("/process/rlimits", 1),
        ("/linux/resources/devices", 1),
    ] {
        cases.cli(&["B78"], format!("the config of spec has a list at {pointer}"), move |rt| {
            let config = spec(rt, &[])?;
            let length = config.pointer(pointer).and_then(Value::as_array).map_or(0, Vec::len);
            ensure_eq(&format!("{length} entries are enough"), length >= least, true)
        });
    }
    cases.cli(&["B78"], "a container of the config of spec runs", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.config = spec(rt, &[])?;
        bundle.set("/process/terminal", false).probe(&[]);
        rt.report(&bundle).map(drop)
    });
    cases.cli(&["B79"], "spec does not overwrite a config.json", |rt| {
        let directory = rt.directory().join("spec");
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("config.json"), "mine")?;
        let mut call = rt.call(["spec"]);
        call.command.current_dir(&directory);
        rt.finish(call)?.refused()?;
        ensure_eq("content", fs::read_to_string(directory.join("config.json"))?.as_str(), "mine")
    });
    for flag in ["--bundle", "-b"] {
        cases.cli(&["B79"], format!("spec {flag} writes into that directory"), move |rt| {
            let directory = rt.directory().join("spec-there");
            fs::create_dir_all(&directory)?;
            rt.finish(rt.call(["spec", flag]).args([&directory]))?.ok()?;
            ensure_eq("is there", directory.join("config.json").is_file(), true)
        });
    }
    cases.cli(&["B79"], "spec --rootless maps the caller and has a user namespace", |rt| {
        let config = spec(rt, &["--rootless"])?;
        let types = config["linux"]["namespaces"].as_array().cloned().unwrap_or_default();
        ensure_eq(
            "user namespace",
            types.iter().any(|namespace| namespace["type"] == "user"),
            true,
        )?;
        ensure_eq("mapping", config["linux"]["uidMappings"][0]["containerID"].as_u64(), Some(0))?;
        ensure_eq(
            "resources",
            config["linux"]["resources"].as_object().is_none_or(serde_json::Map::is_empty),
            true,
        )
    });
}

fn spec(rt: &Runtime, flags: &[&str]) -> anyhow::Result<Value> {
    let directory = rt.directory().join("spec");
    fs::create_dir_all(&directory)?;
    let mut call = rt.call(["spec"]).args(flags);
    call.command.current_dir(&directory);
    rt.finish(call)?.ok()?;
    Ok(serde_json::from_slice(&fs::read(directory.join("config.json"))?)?)
}
