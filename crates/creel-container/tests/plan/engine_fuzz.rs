//! The recorded configs with something else in each place: a plan, or faults that say where, never a panic.

use std::collections::HashSet;

use creel_container::{Bundle, Error, PlanOptions, Report, compile, explain};
use serde_json::{Value, json};

use crate::host;

/// What is put in each place. Deeper than any parser should go is a value of its own: [`DEEP`].
fn values() -> Vec<Value> {
    let mut values = vec![
        Value::Null,
        json!(false),
        json!(0),
        json!(-1),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e308),
        json!(""),
        json!("-1"),
        json!("a\u{0}b"),
        json!("\u{1b}[2J\n\u{fffd}"),
        json!("../../../x"),
        json!("x".repeat(10_000)),
        json!([]),
        json!([null]),
        json!([{}]),
        json!({}),
        json!({ "path": 1, "type": [], "": "" }),
    ];
    let nested = (0..100).fold(json!(1), |inside, _| json!([inside]));
    values.extend([nested, json!(DEEP)]);
    values
}

/// Stands for many opening brackets.
const DEEP: &str = "many opening brackets";

/// Lists are cut, so that no place is tried four hundred times.
fn cut(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.truncate(3);
            list.iter_mut().for_each(cut);
        }
        Value::Object(object) => object.values_mut().for_each(cut),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every place of the value, as names and indices.
fn places(value: &Value, at: &mut Vec<String>, all: &mut Vec<Vec<String>>) {
    all.push(at.clone());
    let children: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(key, child)| (key.clone(), child)).collect(),
        Value::Array(list) => {
            list.iter().enumerate().map(|(i, child)| (i.to_string(), child)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (name, child) in children {
        at.push(name);
        places(child, at, all);
        at.pop();
    }
}

fn is_index(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

/// As errors write a place: `mounts[3].options`.
fn written(place: &[String]) -> String {
    place.iter().fold(String::new(), |text, name| match (text.is_empty(), is_index(name)) {
        (true, _) => name.clone(),
        (false, true) => format!("{text}[{name}]"),
        (false, false) => format!("{text}.{name}"),
    })
}

fn replaced(config: &Value, place: &[String], value: Value) -> Vec<u8> {
    let mut config = config.clone();
    let escaped = |name: &String| format!("/{}", name.replace('~', "~0").replace('/', "~1"));
    let pointer: String = place.iter().map(escaped).collect();
    let spot = config.pointer_mut(&pointer).unwrap();
    *spot = value;
    let text = serde_json::to_string(&config).unwrap();
    text.replace(&format!("\"{DEEP}\""), &"[".repeat(20_000)).into_bytes()
}

/// Loads, validates and compiles; what is found is shown in both forms. Places of all faults.
fn outcome(text: Vec<u8>) -> Result<(), Vec<String>> {
    let bundle = match Bundle::parse("/b".into(), "/b/config.json".into(), text) {
        Ok(bundle) => bundle,
        Err(Error::Bundle { message, .. }) => return Err(vec![message]),
        Err(other) => panic!("{other}"),
    };
    let found = compile(&bundle, &host(), &PlanOptions::new("web"));
    let report = match &found {
        Ok(plan) => Report::new(&bundle, plan),
        Err(faults) => Report::of_faults(&bundle, faults),
    };
    assert!(!report.to_string().is_empty());
    serde_json::to_vec(&report).unwrap();
    assert!(report.steps.iter().all(|row| explain(row.step).is_some()));
    found.map(drop).map_err(|faults| {
        assert!(!faults.is_empty());
        faults.iter().map(|fault| fault.at.as_str().to_owned()).collect()
    })
}

/// Whether the text names the place, what it is in, or something in it. A fault may be that of another property, which
/// needs the one that was changed.
fn names(text: &str, place: &[String]) -> bool {
    (1..=place.len()).any(|length| text.contains(&written(place.split_at(length).0)))
}

#[test]
fn every_place_of_the_recorded_configs_takes_any_value() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine-configs");
    let (values, mut tried, mut runs) = (values(), HashSet::new(), 0);
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        cut(&mut config);
        let before = outcome(serde_json::to_vec(&config).unwrap()).err().unwrap_or_default();
        let mut all = Vec::new();
        places(&config, &mut Vec::new(), &mut all);
        for place in all.into_iter().filter(|place| !place.is_empty()) {
            let shape: Vec<&str> =
                place.iter().map(|name| if is_index(name) { "*" } else { name }).collect();
            if !tried.insert(shape.join("/")) {
                continue;
            }
            for value in &values {
                runs += 1;
                let outcome = outcome(replaced(&config, &place, value.clone()));
                let Err(found) = outcome else { continue };
                let new: Vec<_> = found.iter().filter(|at| !before.contains(at)).collect();
                // Without `linux` the fault is at what needs it.
                if !new.is_empty() && place != ["linux"] && !new.iter().any(|at| names(at, &place))
                {
                    let shown: String = value.to_string().chars().take(30).collect();
                    wrong.push(format!("{} = {shown}: {new:?}", written(&place)));
                }
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(tried.len() > 100 && runs > 2000, "{} places, {runs} runs", tried.len());
}
