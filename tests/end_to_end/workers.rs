//! Workers have names, and say that they live.

use std::collections::BTreeSet;

use crate::support::form::Form;

#[test]
fn the_workers_of_a_fleet_are_listed() {
    let form = Form::fleet();
    let workers = form.run(&["workers", "list", "--format", "json"]).expect(0).json();
    let workers = workers.as_array().unwrap();
    let names: BTreeSet<_> = workers.iter().map(|worker| worker["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 2, "{workers:#?}");
    for worker in workers {
        assert!(worker["name"].as_str().unwrap().contains(':'), "host and process: {worker:#}");
        assert_eq!(worker["version"], env!("CARGO_PKG_VERSION"));
        assert!(
            worker["concurrency"].as_u64().unwrap() > 0 && worker["started_at"].is_string(),
            "{worker:#}"
        );
    }
    let table = form.run(&["workers", "list"]).expect(0).stdout;
    assert!(table.lines().count() == 3 && names.iter().all(|name| table.contains(name)), "{table}");
}
