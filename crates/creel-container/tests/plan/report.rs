//! The JSON of `creel plan` is what its schema says.

use creel_container::{PLAN_SCHEMA, PlanOptions, Report, compile, validate};
use serde_json::{Value, json};

use crate::{config, engine_config, host};

/// The keywords of JSON Schema that the schema may use; the last three mean nothing to a check.
const KEYWORDS: [&str; 11] = [
    "type",
    "const",
    "enum",
    "required",
    "properties",
    "items",
    "minimum",
    "oneOf",
    "$schema",
    "title",
    "description",
];

/// Checks what the schema uses: [`KEYWORDS`].
fn check(schema: &Value, value: &Value, at: &str) {
    let keywords = schema.as_object().unwrap().keys();
    let unknown: Vec<_> = keywords.filter(|it| !KEYWORDS.contains(&it.as_str())).collect();
    assert!(unknown.is_empty(), "{at}: this test does not know {unknown:?}");
    if let (Some(least), Some(number)) = (schema.get("minimum"), value.as_i64()) {
        assert!(number >= least.as_i64().unwrap(), "{at}: {number}");
    }
    if let Some(constant) = schema.get("const") {
        assert_eq!(value, constant, "{at}");
    }
    if let Some(words) = schema.get("enum") {
        assert!(words.as_array().unwrap().contains(value), "{at}: {value}");
    }
    if let Some(types) = schema.get("type") {
        let types = types.as_array().cloned().unwrap_or_else(|| vec![types.clone()]);
        let is = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        assert!(types.contains(&json!(is)), "{at}: {value} is no {types:?}");
    }
    for key in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        assert!(value.get(key.as_str().unwrap()).is_some(), "{at} has no {key}");
    }
    if let (Some(properties), Some(object)) = (schema.get("properties"), value.as_object()) {
        for (key, value) in object {
            let schema =
                properties.get(key).unwrap_or_else(|| panic!("{at}: {key} is not in the schema"));
            check(schema, value, &format!("{at}.{key}"));
        }
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        for (i, value) in list.iter().enumerate() {
            check(items, value, &format!("{at}[{i}]"));
        }
    }
    if let Some(one_of) = schema.get("oneOf").and_then(Value::as_array) {
        let has = |schema: &&Value| {
            schema["required"]
                .as_array()
                .unwrap()
                .iter()
                .all(|key| value.get(key.as_str().unwrap()).is_some())
        };
        assert_eq!(one_of.iter().filter(has).count(), 1, "{at}");
    }
}

#[test]
fn a_plan_fits_the_schema() {
    let schema: Value = serde_json::from_str(PLAN_SCHEMA).unwrap();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine-configs");
    let mut plans = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let bundle = engine_config(&name);
        let report = match compile(&bundle, &host(), &PlanOptions::new("web")) {
            Ok(plan) => {
                plans += 1;
                serde_json::to_value(Report::new(&bundle, &plan)).unwrap()
            }
            Err(faults) => serde_json::to_value(Report::of_faults(&bundle, &faults)).unwrap(),
        };
        check(&schema, &report, &name);
        assert!(report["faults"].is_array() || report["steps"][0]["number"] == 1, "{name}");
    }
    assert!(plans > 50, "{plans}");
}

#[test]
fn what_does_not_fit_the_schema_is_seen() {
    let schema: Value = serde_json::from_str(PLAN_SCHEMA).unwrap();
    let bundle = engine_config("podman-run.json");
    let plan = compile(&bundle, &host(), &PlanOptions::new("web")).unwrap();
    let good = serde_json::to_value(Report::new(&bundle, &plan)).unwrap();
    for (pointer, value) in [
        ("/version", json!(2)),
        ("/bundle", json!(null)),
        ("/steps", json!({})),
        ("/steps/0/number", json!(0)),
        ("/steps/0/stage", json!("never")),
        ("/steps/0/line", json!("1")),
        ("/steps/0", json!({ "number": 1 })),
        ("", json!({ "version": 1, "bundle": "/b", "config": "c", "steps": [], "faults": [] })),
        ("", json!({ "version": 1, "bundle": "/b", "config": "c" })),
        ("/steps/0/does", json!(["x"])),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        let checked = std::panic::catch_unwind(|| check(&schema, &bad, "bad"));
        assert!(checked.is_err(), "{pointer}");
    }
}

#[test]
fn faults_fit_the_schema_and_are_all_there() {
    let schema: Value = serde_json::from_str(PLAN_SCHEMA).unwrap();
    let bad = config(json!({ "ociVersion": "2.0.0", "process": { "cwd": "etc", "args": [] } }));
    let text = serde_json::to_vec_pretty(&bad).unwrap();
    let bundle =
        creel_container::Bundle::parse("/bundle".into(), "/bundle/config.json".into(), text)
            .unwrap();
    let faults = bundle.with_lines(validate(&bundle.spec));
    let report = Report::of_faults(&bundle, &faults);
    check(&schema, &serde_json::to_value(&report).unwrap(), "faults");
    insta::assert_snapshot!(report.to_string(), @r#"
    ociVersion (config.json:22): expected 1.y.z, found "2.0.0"
    process.args (config.json:24): expected at least one argument, found none
    process.cwd (config.json:25): expected an absolute path, found "etc"
    "#);
}
