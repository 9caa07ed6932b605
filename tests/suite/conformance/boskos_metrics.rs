//! Statements 82–86: what is counted.

use super::{acquire, assert_error, metric, name_in, release};
use lessor_tests::{Server, Setup};
use serde_json::json;

#[test]
fn boskos_082_a_metric_of_an_unknown_type_is_404() {
    let pools = "resources: [{type: empty, state: free, min-count: 0, max-count: 2}]";
    let server = Setup::new().pools(pools).start();
    assert_error(&metric(&server, "zz"), 404, "no available resource zz, try again later.");
    assert_error(&metric(&server, "empty"), 404, "no available resource empty, try again later.");
}

#[test]
fn boskos_083_states_and_owners_are_counted_per_type() {
    let server = Setup::new().pool("t", &["a", "b", "c", "d"]).pool("u", &["x", "y"]).start();
    name_in(&acquire(&server, "t", "free", "busy", "ann"));
    name_in(&acquire(&server, "t", "free", "busy", "bob"));
    name_in(&acquire(&server, "t", "free", "a state of ours", "ann"));
    name_in(&acquire(&server, "u", "free", "busy", "eve"));
    let expected = json!({
        "type": "t",
        "current": {"a state of ours": 1, "busy": 2, "free": 1},
        "owner": {"": 1, "ann": 2, "bob": 1},
    });
    assert_eq!(metric(&server, "t").json(), expected);
    assert_eq!(release(&server, "a", "dirty", "ann").status, 200);
    let counts = metric(&server, "t").json();
    assert_eq!(counts["current"], json!({"a state of ours": 1, "busy": 1, "dirty": 1, "free": 1}));
    assert_eq!(counts["owner"], json!({"": 2, "ann": 1, "bob": 1}));
}

/// The series of `boskos_resources`, as `type state count`.
fn series(server: &Server) -> Vec<String> {
    let answer = server.get("/metrics");
    assert_eq!(answer.status, 200);
    let lines = answer.text().lines().filter(|line| line.starts_with("boskos_resources{"));
    let mut series: Vec<String> = lines
        .map(|line| {
            let value = |label: &str| {
                line.split(&format!("{label}=\"")).nth(1).and_then(|rest| rest.split('"').next())
            };
            let count = line.rsplit(' ').next().unwrap_or_default();
            let (kind, state) = (value("type").unwrap_or_default(), value("state").unwrap_or_default());
            format!("{kind} {state} {count}")
        })
        .collect();
    series.sort();
    series
}

#[test]
fn boskos_084_seven_states_are_always_there() {
    let server = Setup::new().pool("t", &["a", "b"]).start();
    name_in(&acquire(&server, "t", "free", "busy", "u"));
    let expected = [
        "t busy 1",
        "t cleaning 0",
        "t dirty 0",
        "t free 1",
        "t leased 0",
        "t toBeDeleted 0",
        "t tombstone 0",
    ];
    assert_eq!(series(&server), expected);
}

#[test]
fn boskos_085_unknown_states_are_summed_as_other() {
    let server = Setup::new().pool("t", &["a", "b", "c"]).start();
    for state in ["one", "two"] {
        name_in(&acquire(&server, "t", "free", state, "u"));
    }
    assert!(series(&server).contains(&"t other 2".to_owned()), "{:?}", series(&server));
}

#[test]
fn boskos_086_there_are_no_other_series() {
    let pools = "resources: [{type: empty, state: free, min-count: 0, max-count: 2}]";
    let server = Setup::new().pools(pools).start();
    assert_eq!(series(&server), [""; 0], "a type without resources has none");
    let server = Setup::new().pool("t", &["a"]).start();
    assert_eq!(series(&server).len(), 7);
}
