//! Lists: their shape, limits, cursors and filters.

use axum::http::Method;
use serde_json::{Value, json};

use crate::lab::{Lab, request};

fn names(page: &Value, field: &str) -> Vec<Value> {
    page["items"]
        .as_array()
        .unwrap_or_else(|| panic!("{page}"))
        .iter()
        .map(|item| item[field].clone())
        .collect()
}

impl Lab {
    /// Follows the cursor from page to page.
    async fn walk(&self, path: &str, field: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{path}{cursor}")).await.expect(200);
            all.extend(names(&page, field));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&after={next}"),
                None => return all,
            }
        }
    }
}

#[tokio::test]
async fn every_list_has_items_and_a_cursor() {
    let lab = Lab::start().await;
    for path in ["leases", "requests", "pools", "resources", "locks", "events", "leases?ended=true"] {
        let page = lab.get(&format!("/v1/{path}")).await.expect(200);
        assert!(page["items"].is_array(), "{path}: {page}");
        assert_eq!(page.as_object().map(serde_json::Map::len), Some(2), "{path}: {page}");
        assert_eq!(page["next"], Value::Null, "{path}: {page}");
        let separator = if path.contains('?') { '&' } else { '?' };
        for bad in ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "nonsense=1", "limit=1&limit=2"]
        {
            let answer = lab.get(&format!("/v1/{path}{separator}{bad}")).await;
            let kind = if matches!(bad, "limit=0" | "limit=1001") { "invalid" } else { "malformed" };
            answer.problem(400, kind);
        }
        lab.get(&format!("/v1/{path}{separator}limit=1000")).await.expect(200);
    }
}

#[tokio::test]
async fn a_walk_sees_everything_once() {
    let lab = Lab::start().await;
    let all = lab.walk("/v1/resources?limit=1", "name").await;
    assert_eq!(all, ["cpu-1", "gpu-1", "gpu-2", "gpu-3"]);
    assert_eq!(lab.walk("/v1/resources?limit=2", "name").await, all);
    assert_eq!(lab.walk("/v1/pools?limit=1", "name").await, ["cpu", "gpu", "vm"]);
    for target in ["a", "b", "c"] {
        lab.acquire(json!({"owner": "ann", "targets": [target]})).await;
    }
    assert_eq!(lab.walk("/v1/leases?limit=2", "id").await, [1, 2, 3]);
    assert_eq!(lab.walk("/v1/locks?limit=2", "target").await, ["a", "b", "c"]);
    let events = lab.walk("/v1/events?limit=2", "id").await;
    let numbers: Vec<Value> = (1..=events.len()).map(|n| json!(n)).collect();
    assert_eq!(events, numbers);
}

#[tokio::test]
async fn large_items_make_short_pages_and_a_lease_shows_the_first_of_its_resources() {
    let lab = Lab::start().await;
    let data = "x".repeat(60_000);
    let names: Vec<String> = (0..90).map(|n| format!("fat-{n:02}")).collect();
    for name in &names {
        let body = json!({"pool": "fat", "user_data": {"blob": data}});
        let put = request(Method::PUT, &format!("/v1/resources/{name}"), Some(body));
        lab.send(put).await.expect(201);
    }
    let page = lab.get("/v1/resources?pool=fat&limit=1000").await;
    assert!(page.text.len() < 5 << 20, "{}", page.text.len());
    assert_eq!(page.expect(200)["items"].as_array().map(Vec::len), Some(69));
    assert_eq!(lab.walk("/v1/resources?pool=fat&limit=1000", "name").await, names);

    let lease = lab.acquire(json!({"owner": "ann", "targets": names})).await;
    assert_eq!(lease["targets"].as_array().map(Vec::len), Some(90));
    assert_eq!(lease["resources"].as_array().map(Vec::len), Some(17));
    assert_eq!(lease["resources_left_out"], 73);
}

#[tokio::test]
async fn filters_leave_out_the_rest() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu", "count": 2})).await;
    lab.acquire(json!({"owner": "bob", "pool": "cpu"})).await;
    for (path, field, wanted) in [
        ("resources?pool=gpu", "name", vec!["gpu-1", "gpu-2", "gpu-3"]),
        ("resources?pool=gpu&state=free", "name", vec!["gpu-3"]),
        ("resources?owner=ann", "name", vec!["gpu-1", "gpu-2"]),
        ("resources?pool=nope", "name", vec![]),
        ("leases?owner=ann", "owner", vec!["ann"]),
        ("leases?target=cpu-1", "owner", vec!["bob"]),
        ("leases?target=cpu-1&owner=ann", "owner", vec![]),
        ("leases?target=cpu-1&after=2", "owner", vec![]),
        ("locks?owner=bob", "target", vec!["cpu-1"]),
        ("locks?target=gpu-1", "target", vec!["gpu-1"]),
        ("locks?live=false", "target", vec![]),
    ] {
        let page = lab.get(&format!("/v1/{path}")).await.expect(200);
        assert_eq!(names(&page, field), wanted, "{path}");
    }
}

/// A filter as the value of a query.
fn query(filter: &str) -> String {
    filter.replace(' ', "%20").replace('"', "%22").replace('*', "%2A")
}

#[tokio::test]
async fn every_list_takes_the_filter_of_the_pages() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu", "count": 2, "purpose": "soak test"})).await;
    lab.acquire(json!({"owner": "bob", "pool": "cpu"})).await;
    for owner in ["ci-1", "dan"] {
        lab.post("/v1/leases", json!({"owner": owner, "pool": "cpu", "wait": "1ms"})).await.expect(202);
    }
    lab.delete("/v1/requests/2").await.expect(204);
    lab.acquire(json!({"owner": "eve", "targets": ["x"]})).await;
    lab.delete("/v1/leases/3").await.expect(204);
    for (list, filter, field, wanted) in [
        ("resources", "pool:gpu is:free", "name", vec!["gpu-3"]),
        ("resources", "-pool:gpu", "name", vec!["cpu-1"]),
        ("resources", "soak", "name", vec!["gpu-1", "gpu-2"]),
        ("resources", "name:gpu-* -owner:ann", "name", vec!["gpu-3"]),
        ("leases", "pool:cpu", "owner", vec!["bob"]),
        ("leases", "\"soak test\"", "owner", vec!["ann"]),
        ("leases", "is:ended", "owner", vec!["eve"]),
        ("leases", "is:ended owner:ann", "owner", vec![]),
        ("requests", "pool:cpu owner:ci-*", "owner", vec!["ci-1"]),
        ("requests", "-owner:ci-*", "owner", vec![]),
        ("requests", "is:settled", "owner", vec!["dan"]),
        ("pools", "is:waited-for", "name", vec!["cpu"]),
        ("pools", "is:free", "name", vec!["gpu"]),
        ("locks", "pool:gpu is:live", "target", vec!["gpu-1", "gpu-2"]),
        ("locks", "is:lapsed", "target", vec![]),
        ("events", "kind:lease-granted pool:cpu", "owner", vec!["bob"]),
        ("events", "kind:lease-ended since:1h", "owner", vec!["eve"]),
        ("events", "kind:lease-ended until:1h", "owner", vec![]),
        ("jobs", "phase:stuck", "owner", vec![]),
    ] {
        let page = lab.get(&format!("/v1/{list}?filter={}", query(filter))).await.expect(200);
        assert_eq!(names(&page, field), wanted, "{list}: {filter}");
    }
}

#[tokio::test]
async fn a_bad_filter_is_a_problem_that_says_where_and_what_is_allowed() {
    let lab = Lab::start().await;
    for (list, filter, why) in [
        (
            "resources",
            "gpu is:fre",
            "filter: byte 4: \"fre\" is no value of \"is\", which takes drained, free, held",
        ),
        ("leases", "is:mine", "filter: byte 0: \"mine\" is no value of \"is\", which takes ended, held"),
        ("locks", "x:y", "filter: byte 0: there is no \"x\" here, only target, owner, pool, lease, is;"),
        ("pools", "\"gpu", "filter: byte 0: the quote that begins here has no end"),
        ("jobs", "phase:stuk", "filter: byte 0: \"stuk\" is no value of \"phase\", which takes acquiring,"),
        ("requests", "owner:", "filter: byte 0: \"owner:\" says nothing to look for"),
        (
            "events",
            "since:soon",
            "filter: byte 0: \"soon\" is no value of \"since\", which takes a length before now",
        ),
        (
            "events/stream",
            "kind:lease",
            "filter: byte 0: \"lease\" is no value of \"kind\", which takes lease-granted,",
        ),
    ] {
        let answer = lab.get(&format!("/v1/{list}?filter={}", query(filter))).await;
        let problem = answer.problem(400, "invalid");
        assert!(
            problem["detail"].as_str().is_some_and(|detail| detail.starts_with(why)),
            "{list}: {problem}"
        );
    }
}

#[tokio::test]
async fn a_filter_finds_the_rare_in_a_long_history_page_by_page() {
    let lab = Lab::start().await;
    for number in 0..600 {
        let owner = if number % 250 == 1 { "rare" } else { "ann" };
        lab.acquire(json!({"owner": owner, "targets": ["x"]})).await;
        let id = lab.keeper.snapshot().counters().lease;
        lab.delete(&format!("/v1/leases/{id}")).await.expect(204);
    }
    // Not the owner that the store has an index for.
    let ended = lab.walk("/v1/leases?ended=true&limit=2&filter=rare", "id").await;
    assert_eq!(ended, [2, 252, 502]);
    let granted = lab.walk("/v1/events?limit=2&filter=rare%20kind:lease-granted", "lease").await;
    assert_eq!(granted, [2, 252, 502]);
    let newest = lab.get("/v1/events?limit=2&order=desc&filter=rare%20kind:lease-ended").await.expect(200);
    assert_eq!(names(&newest, "lease"), [502, 252]);
    let rest = lab
        .get(&format!(
            "/v1/events?limit=2&order=desc&filter=rare%20kind:lease-ended&before={}",
            newest["next"].as_str().expect("there is more")
        ))
        .await
        .expect(200);
    assert_eq!((names(&rest, "lease"), &rest["next"]), (vec![json!(2)], &Value::Null));
}

#[tokio::test]
async fn a_lock_has_the_shape_that_others_rely_on_and_is_live_up_to_its_deadline() {
    let lab = Lab::start().await;
    lab.post("/v1/locks/lock", json!({"job": 17, "targets": ["001"], "duration": "5m0s"})).await.expect(200);
    let lock = |live: bool| json!({"target": "001", "lease": 1, "owner": "job:17", "job": 17, "deadline": "2026-05-04T09:05:00Z", "live": live});
    assert_eq!(lab.get("/v1/locks").await.expect(200), json!({"items": [lock(true)], "next": null}));
    lab.pass(300_000);
    assert_eq!(lab.get("/v1/locks").await.expect(200)["items"][0], lock(true), "at the deadline itself");
    lab.pass(1);
    assert_eq!(lab.get("/v1/locks").await.expect(200)["items"][0], lock(false), "just after");
    lab.acquire(json!({"owner": "ann", "targets": ["002"]})).await;
    assert_eq!(lab.get("/v1/locks?target=002").await.expect(200)["items"][0]["job"], Value::Null);
}

#[tokio::test]
async fn ended_leases_are_listed_apart() {
    let lab = Lab::start().await;
    for owner in ["ann", "bob", "ann"] {
        lab.acquire(json!({"owner": owner, "pool": "cpu"})).await;
        let id = lab.keeper.snapshot().counters().lease;
        lab.delete(&format!("/v1/leases/{id}")).await.expect(204);
    }
    lab.acquire(json!({"owner": "ann", "pool": "cpu"})).await;
    assert_eq!(names(&lab.get("/v1/leases").await.expect(200), "id"), [4]);
    assert_eq!(lab.walk("/v1/leases?ended=true&limit=1", "id").await, [1, 2, 3]);
    assert_eq!(lab.walk("/v1/leases?ended=true&owner=ann", "id").await, [1, 3]);
    assert_eq!(
        names(&lab.get("/v1/leases?ended=true&target=gpu-1").await.expect(200), "id"),
        [] as [Value; 0]
    );
}

#[tokio::test]
async fn a_pool_shows_its_counts_and_its_line() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu", "count": 2})).await;
    lab.post("/v1/leases", json!({"owner": "bob", "pool": "gpu", "count": 3, "wait": 1})).await.expect(202);
    let pool = lab.get("/v1/pools/gpu").await.expect(200);
    assert_eq!(
        pool,
        json!({
            "name": "gpu", "kind": "static", "origin": "config", "initial_state": "free",
            "total": 3, "free": 1, "held": 2, "by_state": {"free": 1, "leased": 2},
            "waiting": 1, "oldest_wait_since": "2026-05-04T09:00:00Z",
            "default_ttl_ms": 600_000, "max_ttl_ms": null, "on_expire": "free", "reap_after_ms": null,
            "lifecycle": null,
        })
    );
    let dynamic = lab.get("/v1/pools/vm").await.expect(200);
    assert_eq!(dynamic["kind"], "dynamic");
    assert_eq!(
        dynamic["lifecycle"],
        json!({"min_count": 0, "max_count": 2, "lifespan_ms": 3_600_000, "needs": {}})
    );
    lab.get("/v1/pools/nope").await.problem(404, "no-such-pool");
}
