//! The JSON of `creel plan` is what its schema says.

use creel_container::{PLAN_SCHEMA, PlanOptions, Report, compile, validate};
use serde_json::{Value, json};

use crate::{config, engine_config, host};

/// Checks what the schema uses: `type`, `const`, `enum`, `required`, `properties`, `items`, `oneOf` of `required`.
fn check(schema: &Value, value: &Value, at: &str) {
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
    for name in ["podman-run.json", "docker-run.json", "cri-container-lifecycle.json"] {
        let bundle = engine_config(name);
        let plan = compile(&bundle, &host(), &PlanOptions::new("web")).unwrap();
        let report = serde_json::to_value(Report::new(&bundle, &plan)).unwrap();
        check(&schema, &report, name);
        assert_eq!(report["steps"][0]["number"], 1);
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
