//! Every kind of step has its rule.

use creel_container::{PlanOptions, Report, compile, explain, step_kinds};

use crate::{engine_config, host};

#[test]
fn every_step_of_the_recorded_configs_is_explained() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine-configs");
    for entry in std::fs::read_dir(directory).unwrap() {
        let bundle = engine_config(&entry.unwrap().file_name().into_string().unwrap());
        let Ok(plan) = compile(&bundle, &host(), &PlanOptions::new("web")) else { continue };
        for row in Report::new(&bundle, &plan).steps {
            assert!(explain(row.step).is_some(), "{} has no explanation", row.step);
        }
    }
}

#[test]
fn the_case_of_letters_does_not_matter() {
    let mask = explain("mask").unwrap();
    assert_eq!(mask.step, "Mask");
    assert_eq!(mask.section, "config-linux.md#masked-paths");
    assert!(explain("Nonsense").is_none());
}

#[test]
fn every_kind_of_step_is_explained() {
    let source = include_str!("../../src/step/mod.rs");
    let (_, variants) = source.split_once("pub enum Step {").unwrap();
    let (variants, _) = variants.split_once("\n}").unwrap();
    let names = variants.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let names: Vec<&str> = names
        .filter_map(|line| line.split(['(', ',']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .collect();
    assert!(names.len() > 35, "{names:?}");
    for name in names {
        let text = explain(name).unwrap_or_else(|| panic!("{name} has no explanation"));
        assert!(
            !text.section.is_empty() && text.rule.len() > 20 && !text.calls.is_empty(),
            "{name}"
        );
    }
}

#[test]
fn no_kind_is_explained_twice() {
    let mut kinds: Vec<_> = step_kinds().collect();
    let all = kinds.len();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), all);
}
