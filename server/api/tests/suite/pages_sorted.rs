//! Lists in another order than that of their names.

use axum::http::Method;
use serde_json::{Value, json};

use crate::lab::{Lab, request, with_header};
use crate::pages::{leads_to, shows};

impl Lab {
    /// What the rows of all pages of a list lead to, below `what`.
    async fn rows(&self, path: &str, what: &str) -> Vec<String> {
        let begin = format!("class=\"open\" href=\"/{what}/");
        let (mut rows, mut next) = (Vec::new(), path.to_owned());
        loop {
            let page = self.get(&next).await;
            assert_eq!(page.status, 200, "{page:?}");
            let marks = page.text.split(&begin).skip(1);
            rows.extend(marks.filter_map(|row| row.split('"').next()).map(str::to_owned));
            let Some((before, _)) = page.text.split_once("\" rel=\"next\"") else { return rows };
            let after = before.rsplit("after=").next().unwrap_or_default();
            next = format!("{path}&after={after}");
            assert!(rows.len() < 1_000, "there is no end: {next}");
        }
    }
}

#[tokio::test]
async fn leases_come_by_their_ends_from_page_to_page() {
    let lab = Lab::start().await;
    // A pool without a TTL of its own.
    let endless = async || {
        lab.post("/acquire?type=endless&state=free&dest=busy&owner=endless", Value::Null).await.expect(200)
    };
    for name in ["e-1", "e-2"] {
        lab.send(request(Method::PUT, &format!("/v1/resources/{name}"), Some(json!({"pool": "endless"}))))
            .await;
    }
    endless().await;
    let mut ends = Vec::new();
    for number in 0..130_u64 {
        // Some end at one time.
        let minutes = number * 37 % 60 + 1;
        let lease = json!({"owner": "ann", "targets": [format!("t-{number}")], "ttl": format!("{minutes}m")});
        ends.push((minutes, lab.acquire(lease).await["id"].as_u64().expect("a number")));
    }
    endless().await;
    ends.sort_unstable();
    let by_end = ends.iter().map(|(_, id)| id.to_string());
    let endless = [1, 132].map(|id: u64| id.to_string());
    let expected: Vec<String> = by_end.chain(endless).collect();
    assert_eq!(lab.rows("/leases?sort=until", "leases").await, expected);
    assert_eq!(lab.rows("/leases?sort=until&q=owner:ann", "leases").await, expected[..130]);
    assert_eq!(lab.rows("/leases?sort=until&q=owner:end*", "leases").await, expected[130..]);
}

#[tokio::test]
async fn leases_come_the_newest_first_and_by_holders_whatever_they_are_called() {
    let lab = Lab::start().await;
    let owner = |number: u64| ["ann\u{1f}x", "ann", "3:x"][usize::try_from(number % 3).expect("small")];
    for number in 0..250_u64 {
        lab.acquire(json!({"owner": owner(number), "targets": [format!("t-{number}")], "ttl": "1h"})).await;
    }
    let newest: Vec<String> = (1..=250).rev().map(|id: u64| id.to_string()).collect();
    assert_eq!(lab.rows("/leases?sort=-id", "leases").await, newest);
    let anns: Vec<String> = (1..=250).rev().filter(|id| id % 3 == 2).map(|id: u64| id.to_string()).collect();
    assert_eq!(lab.rows("/leases?sort=-id&q=owner:ann", "leases").await, anns);
    let mut held: Vec<(&str, u64)> = (1..=250).map(|id| (owner(id - 1), id)).collect();
    held.sort_unstable();
    let held: Vec<String> = held.iter().map(|(_, id)| id.to_string()).collect();
    assert_eq!(lab.rows("/leases?sort=owner", "leases").await, held);
}

#[tokio::test]
async fn resources_in_odd_states_come_page_by_page() {
    let lab = Lab::start().await;
    for number in 0..150 {
        let body = json!({"pool": "odd", "state": "odd\u{1f}state"});
        lab.send(request(Method::PUT, &format!("/v1/resources/o-{number:03}"), Some(body))).await;
    }
    let rows = lab.rows("/resources?sort=state&q=pool:odd", "resources").await;
    assert_eq!(rows, (0..150).map(|number| format!("o-{number:03}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_cursor_that_cannot_be_read_is_not_the_first_page() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu"})).await;
    for path in [
        "/leases?after=x",
        "/leases?sort=-id&after=1:a1",
        "/leases?sort=owner&after=17",
        "/leases?sort=until&after=17",
        "/leases?q=is:ended&after=x",
        "/resources?sort=state&after=gpu-1",
        "/queue?after=x",
        "/queue?sort=turn&after=x",
        "/jobs?after=-1",
        "/jobs?sort=owner&after=x",
        "/events?after=x",
        "/pools?sort=-free&after=gpu",
        "/bulk/leases?after=x",
    ] {
        shows(&lab.get(path).await, 400, &["<!DOCTYPE html>", "is not a cursor of this list"]);
    }
}

#[tokio::test]
async fn the_end_of_a_list_says_that_it_is_the_end() {
    let lab = Lab::start().await;
    let ann = json!({"owner": "ann", "pool": "gpu"});
    lab.acquire(ann).await;
    shows(&lab.get("/resources?q=gpu-&after=gpu-3").await, 200, &["There are no more resources that match"]);
    shows(&lab.get("/leases?after=1").await, 200, &["There are no more leases.</p>"]);
    shows(&lab.get("/resources?q=nix").await, 200, &["No resources match <code>nix</code>."]);
    shows(&lab.get("/leases?q=owner:ann").await, 200, &["1 of 1 leases that match"]);
}

#[tokio::test]
async fn what_is_no_number_is_said_in_plain_words() {
    let lab = Lab::start().await;
    let browsed = with_header(request(Method::GET, "/leases/abc", None), "accept", "text/html");
    shows(&lab.send(browsed).await, 400, &["&#34;abc&#34; in the path is not a number from 0 to"]);
    let told = lab.get("/v1/leases/abc").await.problem(400, "malformed");
    assert_eq!(told["detail"], "\"abc\" in the path is not a number from 0 to 18446744073709551615");
}

#[tokio::test]
async fn what_nobody_can_have_is_not_free_soonest() {
    let lab = Lab::start().await;
    let dirty = request(Method::PATCH, "/v1/resources/gpu-1", Some(json!({"state": "dirty"})));
    lab.send(dirty).await.expect(200);
    leads_to(
        &lab.form("/resources/cpu-1/drain", &[("message", "fan"), ("seen", "")]).await,
        "/resources/cpu-1?done=drained",
    );
    lab.acquire(json!({"owner": "ann", "targets": ["gpu-3"], "ttl": "1h"})).await;
    let rows = lab.rows("/resources?sort=until", "resources").await;
    assert_eq!(rows, ["gpu-2", "gpu-3", "cpu-1", "gpu-1"]);
}

#[tokio::test]
async fn resources_come_by_when_they_are_free() {
    let lab = Lab::start().await;
    for (name, ttl) in [("gpu-1", "2h"), ("gpu-3", "1h")] {
        lab.acquire(json!({"owner": "ann", "targets": [name], "ttl": ttl})).await;
    }
    let rows = |path: &'static str| lab.rows(path, "resources");
    assert_eq!(rows("/resources?sort=until").await, ["cpu-1", "gpu-2", "gpu-3", "gpu-1"]);
    assert_eq!(rows("/resources?sort=until&q=pool:gpu").await, ["gpu-2", "gpu-3", "gpu-1"]);
    assert_eq!(rows("/resources?sort=name&q=is:held").await, ["gpu-1", "gpu-3"]);
    assert_eq!(rows("/resources?sort=state&q=owner:ann").await, ["gpu-1", "gpu-3"]);
}
