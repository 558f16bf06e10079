//! The house rules, also in `cargo test`.

use xtask::repo::Repo;

#[test]
fn the_house_rules_hold() {
    let faults: Vec<_> = xtask::tidy::faults(&Repo::find().unwrap())
        .into_iter()
        .filter(|(_, faults)| !faults.is_empty())
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}
