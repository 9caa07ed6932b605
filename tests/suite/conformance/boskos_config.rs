//! Statements 87–93: what is wrong with a pools file, in upstream's words. The file is changed under a running server,
//! which says what is wrong and goes on with what it had.

use lessor_tests::{Server, Setup, wait};

fn verbose(server: &Server) -> String {
    server.get("/readyz?verbose").text().to_owned()
}

/// A file with this one entry is refused with this text, and changes nothing.
#[track_caller]
fn assert_refused(file: &str, text: &str) {
    let server = Setup::new().pool("good", &["g"]).start();
    server.set_pools(file);
    wait::until("the server has seen the bad file", wait::SOON, || verbose(&server).contains(text));
    let good = super::metric(&server, "good");
    assert_eq!(good.json()["current"], serde_json::json!({"free": 1}), "the old state stays in force");
    assert!(!server.get("/v1/resources").text().contains("\"bad"), "nothing of the bad file is there");
    // A good file puts it right again.
    server.set_pools("resources: [{type: good, state: free, names: [g, h]}]");
    wait::until("the server has seen the good file", wait::SOON, || {
        super::metric(&server, "good").text().contains("\"free\":2") && !verbose(&server).contains(text)
    });
}

#[test]
fn boskos_087_an_upper_case_name_is_refused() {
    assert_refused(
        "resources: [{type: bad, state: free, names: [bad-Upper]}]",
        ".0.names.0(bad-Upper) is invalid: [a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
         characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com'",
    );
}

#[test]
fn boskos_088_a_duplicate_name_is_refused() {
    assert_refused(
        "resources: [{type: bad, state: free, names: [bad-a]}, {type: bad2, state: free, names: [bad-b, bad-a]}]",
        ".1.names.1(bad-a) is a duplicate",
    );
}

#[test]
fn boskos_089_a_missing_type_is_refused() {
    assert_refused("resources: [{state: free, names: [bad-a]}]", ".0.type: must be set");
}

#[test]
fn boskos_090_a_dynamic_type_needs_a_maximum() {
    assert_refused("resources: [{type: bad, state: free, min-count: 0}]", ".0.max-count: must be >0");
}

#[test]
fn boskos_091_the_minimum_is_not_above_the_maximum() {
    assert_refused(
        "resources: [{type: bad, state: free, min-count: 3, max-count: 2}]",
        ".0.min-count: must be <= .0.max-count",
    );
}

#[test]
fn boskos_092_names_and_counts_exclude_each_other() {
    assert_refused(
        "resources: [{type: bad, state: free, names: [bad-a], min-count: 1, max-count: 2}]",
        "[.0.min-count must be unset when the names property is set, \
         .0.max-count must be unset when the names property is set]",
    );
}

#[test]
fn boskos_093_needs_beyond_the_supply_are_refused() {
    assert_refused(
        "resources: [{type: bad, state: free, min-count: 1, max-count: 2, needs: {good: 2}}, \
         {type: good, state: free, names: [g, h, i]}]",
        "not enough resource of type good for provisioning",
    );
}

#[test]
fn boskos_093_a_need_for_an_unknown_type_is_refused() {
    assert_refused(
        "resources: [{type: bad, state: free, min-count: 1, max-count: 2, needs: {nothing: 1}}]",
        "need for resource nothing that does not exist",
    );
}
