//! What podman, buildah, containerd and Docker wrote: each config compiles, or is refused by the name of what is to
//! come.

use crate::{engine_config, plan};

#[test]
fn every_config_compiles_or_is_refused_by_name() {
    let mut found = String::new();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine-configs");
    let mut names: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in names {
        let line = match plan(&engine_config(&name)) {
            Ok(plan) => {
                format!("{name}: {} steps, {} warnings\n", plan.steps.len(), plan.warnings.len())
            }
            Err(faults) => format!("{name}: refused: {}\n", faults.join("; ")),
        };
        found.push_str(&line);
    }
    insta::assert_snapshot!(found);
}
