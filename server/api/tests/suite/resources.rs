//! Records of targets: creating, changing, deleting, keeping leases off.

use axum::http::Method;
use serde_json::{Value, json};

use crate::lab::{Answer, Lab, request, with_header};

const PATH: &str = "/v1/resources/box-1";

impl Lab {
    pub(crate) async fn edit(&self, method: Method, path: &str, body: Value) -> Answer {
        self.send(request(method, path, Some(body))).await
    }

    async fn edit_if(&self, method: Method, body: Value, name: &'static str, tag: &'static str) -> Answer {
        self.send(with_header(request(method, PATH, Some(body)), name, tag)).await
    }
}

#[tokio::test]
async fn a_resource_has_the_shape_that_others_rely_on() {
    let lab = Lab::start().await;
    let body = json!({
        "pool": "box", "labels": {"site": "muc"}, "user_data": {"key": "value"},
        "addresses": {"fqdn": "box-1.example", "ipv6": "2001:db8::1"},
    });
    let answer = lab.edit(Method::PUT, PATH, body).await;
    let resource = answer.expect(201);
    assert_eq!(answer.header("etag"), "\"5\"");
    assert_eq!(
        resource,
        json!({
            "name": "box-1", "pool": "box", "state": "free", "owner": null, "lease": null, "until": null,
            "labels": {"site": "muc"}, "user_data": {"key": "value"},
            "addresses": {"fqdn": "box-1.example", "ipv6": "2001:db8::1"},
            "cordon": null, "origin": "api", "created_at": "2026-05-04T09:00:00Z",
            "updated_at": "2026-05-04T09:00:00Z", "expires_at": null, "revision": 5,
        })
    );
    lab.acquire(json!({"owner": "ann", "pool": "box", "ttl": "1m"})).await;
    let held = lab.get(PATH).await.expect(200);
    assert_eq!(
        (&held["owner"], &held["lease"], &held["state"]),
        (&json!("ann"), &json!(1), &json!("leased"))
    );
    assert_eq!(held["until"], "2026-05-04T09:01:00Z");
}

#[tokio::test]
async fn a_put_replaces_and_a_patch_changes() {
    let lab = Lab::start().await;
    lab.edit(Method::PUT, PATH, json!({"pool": "box", "labels": {"a": "1"}, "user_data": {"u": "1"}}))
        .await
        .expect(201);
    let patched = lab.edit(Method::PATCH, PATH, json!({"labels": {"b": "2"}})).await.expect(200);
    assert_eq!((&patched["labels"], &patched["user_data"]), (&json!({"b": "2"}), &json!({"u": "1"})));
    let put = lab.edit(Method::PUT, PATH, json!({"pool": "box", "state": "dirty"})).await.expect(200);
    assert_eq!((&put["labels"], &put["user_data"], &put["state"]), (&json!({}), &json!({}), &json!("dirty")));
    lab.edit(Method::PATCH, "/v1/resources/nope", json!({})).await.problem(404, "no-such-resource");
    lab.edit(Method::PUT, "/v1/resources/new", json!({})).await.problem(400, "invalid");
}

#[tokio::test]
async fn a_precondition_keeps_others_changes() {
    let lab = Lab::start().await;
    let body = || json!({"pool": "box"});
    lab.edit_if(Method::PUT, body(), "if-match", "*").await.problem(412, "stale-revision");
    lab.edit_if(Method::PUT, body(), "if-none-match", "*").await.expect(201);
    let problem = lab.edit_if(Method::PUT, body(), "if-none-match", "*").await.problem(412, "stale-revision");
    assert_eq!(problem["revision"], 5);
    let change = json!({"labels": {"a": "1"}});
    lab.edit_if(Method::PATCH, change.clone(), "if-match", "\"6\"").await.problem(412, "stale-revision");
    let changed = lab.edit_if(Method::PATCH, change.clone(), "if-match", "\"5\"").await;
    assert_eq!(changed.header("etag"), "\"6\"");
    for (tag, status) in [
        ("W/\"6\"", 412),
        ("\"x\"", 412),
        ("\"0\"", 412),
        ("2", 400),
        ("*, \"6\"", 400),
        ("\"5\", \"3\"", 412),
        ("\"5\", \"6\"", 200),
    ] {
        let answer = lab.edit_if(Method::PATCH, change.clone(), "if-match", tag).await;
        assert_eq!(answer.status.as_u16(), status, "{tag}: {answer:?}");
    }
    lab.edit_if(Method::PUT, body(), "if-none-match", "\"5\"").await.problem(400, "invalid");
    lab.edit_if(Method::DELETE, Value::Null, "if-match", "\"5\"").await.problem(412, "stale-revision");
    lab.edit_if(Method::DELETE, Value::Null, "if-match", "\"6\"").await.expect(204);
    lab.delete(PATH).await.problem(404, "no-such-resource");
}

#[tokio::test]
async fn what_is_made_again_under_a_name_is_something_else() {
    let lab = Lab::start().await;
    let body = |state: &str| json!({"pool": "box", "state": state});
    let tag = "\"5\"";
    assert_eq!(lab.edit(Method::PUT, PATH, body("free")).await.header("etag"), tag);
    lab.delete(PATH).await.expect(204);
    lab.edit(Method::PUT, PATH, body("dirty")).await.expect(201);
    let again = lab.send(with_header(request(Method::GET, PATH, None), "if-none-match", tag)).await;
    assert_eq!(again.expect(200)["state"], "dirty");
    lab.edit_if(Method::PATCH, body("free"), "if-match", tag).await.problem(412, "stale-revision");
}

#[tokio::test]
async fn a_cordon_keeps_new_leases_off_until_it_is_lifted() {
    let lab = Lab::start().await;
    let path = "/v1/resources/cpu-1";
    let cordoned =
        lab.edit(Method::PATCH, path, json!({"cordon": {"message": "fan broken"}})).await.expect(200);
    assert_eq!(
        cordoned["cordon"],
        json!({"message": "fan broken", "since": "2026-05-04T09:00:00Z", "until": null})
    );
    let problem =
        lab.post("/v1/leases", json!({"owner": "ann", "targets": ["cpu-1"]})).await.problem(409, "busy");
    assert!(problem.to_string().contains("fan broken"), "{problem}");
    let same = lab.edit(Method::PATCH, path, json!({"labels": {}})).await.expect(200);
    assert_eq!(same["cordon"]["message"], "fan broken", "a patch that does not mention it leaves it");
    let lifted = lab.edit(Method::PATCH, path, json!({"cordon": null})).await.expect(200);
    assert_eq!(lifted["cordon"], Value::Null);
    lab.acquire(json!({"owner": "ann", "targets": ["cpu-1"]})).await;
}

#[tokio::test]
async fn a_cordon_ends_by_itself_at_its_time() {
    let lab = Lab::start().await;
    let path = "/v1/resources/cpu-1";
    let cordon = |until: Value| json!({"cordon": {"message": "fan", "until": until}});
    for (until, stamp) in [
        (json!("2h"), json!("2026-05-04T11:00:00Z")),
        (Value::Null, Value::Null),
        (json!("2026-05-04T12:30:00+02:00"), json!("2026-05-04T10:30:00Z")),
    ] {
        let cordoned = lab.edit(Method::PATCH, path, cordon(until)).await.expect(200);
        assert_eq!(cordoned["cordon"]["until"], stamp);
    }
    let over = lab.edit(Method::PATCH, path, cordon(json!("2026-05-04T09:00:00Z"))).await;
    let over = over.problem(400, "invalid").to_string();
    assert!(over.contains("its end must be later than now"), "{over}");
    let word = lab.edit(Method::PATCH, path, cordon(json!("Friday"))).await;
    let word = word.problem(400, "malformed").to_string();
    assert!(word.contains("neither a time"), "{word}");
    let ask = json!({"owner": "ann", "targets": ["cpu-1"]});
    let busy = lab.post("/v1/leases", ask.clone()).await.problem(409, "busy");
    assert_eq!(busy["conflicts"][0]["until"], "2026-05-04T10:30:00Z");
    lab.pass(90 * 60 * 1000);
    lab.post("/v1/leases", ask.clone()).await.problem(409, "busy");
    lab.pass(1);
    lab.acquire(ask).await;
    assert_eq!(lab.get(path).await.expect(200)["cordon"], Value::Null);
    let events = lab.get("/v1/events?kind=resource-uncordoned").await.expect(200);
    assert_eq!(events["items"][0]["note"], "the time of its cordon is over", "{events}");
}

#[tokio::test]
async fn a_held_resource_is_neither_deleted_nor_moved() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "cpu"})).await;
    assert_eq!(lab.delete("/v1/resources/cpu-1").await.problem(409, "busy")["holder"], "ann");
    let moved = json!({"pool": "gpu"});
    lab.edit(Method::PATCH, "/v1/resources/cpu-1", moved).await.problem(409, "busy");
    lab.edit(Method::PATCH, "/v1/resources/cpu-1", json!({"user_data": {"k": "v"}})).await.expect(200);
}

#[tokio::test]
async fn names_may_hold_anything_that_can_be_encoded() {
    let lab = Lab::start().await;
    let path = "/v1/resources/a%2Fb%20%C3%BC%3F";
    assert_eq!(lab.edit(Method::PUT, path, json!({"pool": "box"})).await.expect(201)["name"], "a/b ü?");
    assert_eq!(lab.get(path).await.expect(200)["name"], "a/b ü?");
    let long = format!("/v1/resources/{}", "x".repeat(513));
    lab.get(&long).await.problem(400, "invalid");
    lab.get("/v1/resources/%ff").await.problem(400, "malformed");
}

#[tokio::test]
async fn what_is_too_large_is_refused_with_the_limit() {
    let lab = Lab::start().await;
    let labels: serde_json::Map<_, _> = (0..65).map(|n| (n.to_string(), json!("x"))).collect();
    let too_much = [
        json!({"pool": "box", "labels": labels}),
        json!({"pool": "box", "labels": {"": "x"}}),
        json!({"pool": "box", "labels": {"k": "x".repeat(4097)}}),
        json!({"pool": "box", "user_data": {"k": "x".repeat(64 * 1024)}}),
        json!({"pool": "box", "cordon": {"message": "x".repeat(4097)}}),
    ];
    for body in too_much {
        lab.edit(Method::PUT, PATH, body).await.problem(400, "invalid");
    }
}

#[tokio::test]
async fn what_a_client_has_already_is_not_sent_again() {
    let lab = Lab::start().await;
    lab.edit(Method::PUT, PATH, json!({"pool": "box"})).await.expect(201);
    let get_if =
        async |tag: &str| lab.send(with_header(request(Method::GET, PATH, None), "if-none-match", tag)).await;
    let again = get_if("\"7\", W/\"5\"").await;
    assert_eq!((again.status.as_u16(), again.header("etag"), again.text.as_str()), (304, "\"5\"", ""));
    assert_eq!(get_if("\"2\"").await.expect(200)["revision"], 5);

    // Neither a ConTest lock nor a renewal writes the record, but both change what is shown.
    let lock = json!({"job": 1, "targets": ["box-1"], "duration": "1m"});
    lab.post("/v1/locks/lock", lock.clone()).await.expect(200);
    let held = get_if("\"5\"").await;
    assert_eq!(held.expect(200)["owner"], "job:1");
    let tag = held.header("etag").to_owned();
    assert_eq!(get_if(&tag).await.status.as_u16(), 304);
    lab.pass(1_000);
    lab.post("/v1/locks/refresh", lock).await.expect(200);
    assert_ne!(get_if(&tag).await.expect(200)["until"], held.json()["until"]);
    let edit = request(Method::PATCH, PATH, Some(json!({"labels": {"a": "1"}})));
    lab.send(with_header(edit, "if-match", &tag)).await.expect(200);
}
