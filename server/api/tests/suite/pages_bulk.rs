//! Doing the same to everything that a filter finds. That it is done is tested in `tests/browser`.

use axum::http::Method;
use lessor_ledger::{Command, Span};
use serde_json::json;

use crate::lab::{Lab, entry};
use crate::pages::{as_ann, hidden, leads_to, shows};

#[tokio::test]
async fn what_is_not_done_for_some_of_many_is_said_with_its_reason() {
    let lab = Lab::start().await;
    let mut gpu = entry("gpu", &["gpu-1", "gpu-2"]);
    gpu.pool.max_ttl = Some(Span::from_secs(600));
    lab.keeper.submit(Command::Sync(vec![gpu])).await.expect("pools");
    lab.acquire(json!({"owner": "ann", "pool": "gpu"})).await;
    lab.acquire(json!({"owner": "ann", "targets": ["bench-9"]})).await;
    let bulk = "/bulk/leases?q=is:mine";
    let page = lab.send(as_ann(bulk)).await;
    let seen = hidden(&page, "seen");
    let fields = [("seen", seen.as_str()), ("action", "extend"), ("ttl", "2h")];
    let some = lab.form_of_ann(bulk, &fields).await;
    let said = ["Done for 1 of them, not for 1.", "lease 1 of ann: ttl must be", "value=\"2h\""];
    shows(&some, 409, &said);
    assert_eq!(lab.get("/v1/leases/2").await.expect(200)["ttl_ms"], 7_200_000);
    assert_eq!(lab.get("/v1/leases/1").await.expect(200)["ttl_ms"], 600_000);
    // If it is done for none, the field is likely to be wrong.
    lab.form_of_ann("/leases/2/release", &[]).await;
    let one = hidden(&lab.send(as_ann(bulk)).await, "seen");
    let fields = [("seen", one.as_str()), ("action", "extend"), ("ttl", "2h")];
    shows(
        &lab.form_of_ann(bulk, &fields).await,
        400,
        &["<strong>ttl</strong>", "at most 10 min", "aria-invalid"],
    );
    let fields = [("seen", one.as_str()), ("action", "extend"), ("ttl", "5m")];
    leads_to(&lab.form_of_ann(bulk, &fields).await, "/leases?q=is%3Amine&done=bulk");
}

#[tokio::test]
async fn what_makes_no_sense_for_many_is_refused() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu"})).await;
    let unnamed = [("seen", ""), ("action", "extend")];
    shows(&lab.form("/bulk/leases", &unnamed).await, 400, &["say who you are first"]);
    for (path, action) in [("/bulk/leases", "take-back"), ("/bulk/jobs", "free")] {
        let unnamed = [("seen", ""), ("action", action), ("reason", "stuck")];
        shows(&lab.form(path, &unnamed).await, 400, &["say who you are first"]);
    }
    shows(&lab.form_of_ann("/bulk/leases?after=x", &unnamed).await, 400, &["not a cursor"]);
    let unsaid = [("seen", ""), ("action", "take-back"), ("reason", " ")];
    shows(&lab.form_of_ann("/bulk/leases", &unsaid).await, 400, &["<strong>reason</strong>"]);
    shows(&lab.form_of_ann("/bulk/queue", &[("action", "drain")]).await, 400, &["there is no"]);
    shows(&lab.get("/bulk/nonsense").await, 404, &["<!DOCTYPE html>"]);
    shows(&lab.get("/bulk/leases?q=is:ended").await, 410, &["these leases are over"]);
    shows(&lab.get("/bulk/jobs?q=no:such").await, 400, &["filter"]);
}

#[tokio::test]
async fn what_is_too_much_for_one_step_is_done_step_by_step() {
    let lab = Lab::start().await;
    let names: Vec<String> = (0..1_001).map(|n| format!("many-{n:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    lab.keeper.submit(Command::Sync(vec![entry("many", &names)])).await.expect("pools");
    let mut bulk = "/bulk/resources?q=pool%3Amany".to_owned();
    // A step that fails is not the end of the way.
    let seen = hidden(&lab.get(&bulk).await, "seen");
    let past = [("seen", seen.as_str()), ("action", "drain"), ("until_at", "2020-01-01T00:00")];
    shows(
        &lab.form(&bulk, &past).await,
        400,
        &["later than now", "href=\"/bulk/resources?q=pool%3Amany&#38;after=many-0999\""],
    );
    for (count, next) in [
        ("more than 1000</strong>", "/bulk/resources?q=pool%3Amany&after=many-0999&done=bulk-part"),
        ("1</strong> further", "/resources?q=pool%3Amany&done=bulk"),
    ] {
        let page = lab.get(&bulk).await;
        shows(&page, 200, &[count]);
        let fields = [("seen", hidden(&page, "seen")), ("action", "drain".to_owned())];
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        leads_to(&lab.form(&bulk, &fields).await, next);
        bulk = next.replace("&done=bulk-part", "");
    }
    let drained = lab.get("/v1/resources?filter=is:drained&limit=1000").await.expect(200);
    assert_eq!(drained["items"].as_array().map(Vec::len), Some(1_000));
    assert_eq!(drained["next"], "many-0999", "there is one more");
}

#[tokio::test]
async fn what_others_have_drained_stays_drained() {
    let lab = Lab::start().await;
    let broken = json!({"cordon": {"message": "fan broken, Ann is on it"}});
    lab.edit(Method::PATCH, "/v1/resources/gpu-2", broken.clone()).await.expect(200);
    let bulk = "/bulk/resources?q=pool%3Agpu";
    let page = lab.get(bulk).await;
    let already =
        ["1 is drained already", "Drain 2<", "Drain all 3 anew", "fan broken, Ann is on it (until ended)"];
    shows(&page, 200, &already);
    let seen = hidden(&page, "seen");
    let network =
        |seen| [("seen", seen), ("message", "network change"), ("until", "5s"), ("action", "drain")];
    // What is said there changes while somebody looks at the page.
    lab.edit(Method::PATCH, "/v1/resources/gpu-2", json!({"cordon": {"message": "on fire"}}))
        .await
        .expect(200);
    shows(&lab.form(bulk, &network(&seen)).await, 412, &["drained otherwise", "on fire"]);
    lab.edit(Method::PATCH, "/v1/resources/gpu-2", broken).await.expect(200);
    leads_to(&lab.form(bulk, &network(&seen)).await, "/resources?q=pool%3Agpu&done=bulk");
    let cordon = |name: &'static str| {
        let lab = &lab;
        async move { lab.get(&format!("/v1/resources/{name}")).await.expect(200)["cordon"].clone() }
    };
    assert_eq!(cordon("gpu-1").await["until"], "2026-05-04T09:00:05Z");
    assert_eq!(cordon("gpu-2").await["message"], "fan broken, Ann is on it");
    assert_eq!(cordon("gpu-2").await["until"], json!(null));
    // Of those that are drained, some are let go by what is said of them.
    let page = lab.get(bulk).await;
    shows(
        &page,
        200,
        &["Let leases on 2 again: network change", "Let leases on all 3 again", "Drain all 3 anew"],
    );
    assert!(!page.text.contains("value=\"drain\""), "{}", page.text);
    // They need not end together.
    let longer = json!({"cordon": {"message": "network change", "until": "1h"}});
    lab.edit(Method::PATCH, "/v1/resources/gpu-3", longer).await.expect(200);
    let page = lab.get(bulk).await;
    shows(&page, 200, &["Let leases on 2 again: network change", "(the first ends <time"]);
    assert!(!page.text.contains("of them until ended"), "{}", page.text);
    // Nor end at all.
    let endless = json!({"cordon": {"message": "network change"}});
    lab.edit(Method::PATCH, "/v1/resources/gpu-1", endless).await.expect(200);
    let page = lab.get(bulk).await;
    let first =
        "<strong>2</strong>, such as <a href=\"/resources/gpu-3\"><bdi>gpu-3</bdi></a>: network change";
    shows(&page, 200, &[first, "; 1 of them until ended)"]);
    let (seen, drained) = (hidden(&page, "seen"), hidden(&page, "drained"));
    let some = [("seen", seen.as_str()), ("drained", &drained), ("action", "undrain")];
    leads_to(&lab.form(bulk, &some).await, "/resources?q=pool%3Agpu&done=bulk");
    assert_eq!((cordon("gpu-1").await, cordon("gpu-3").await), (json!(null), json!(null)));
    assert_eq!(cordon("gpu-2").await["message"], "fan broken, Ann is on it");
    // All of them, if that is what one asks for.
    let seen = hidden(&lab.get(bulk).await, "seen");
    let anew = [("seen", seen.as_str()), ("message", "moving"), ("action", "drain-anew")];
    leads_to(&lab.form(bulk, &anew).await, "/resources?q=pool%3Agpu&done=bulk");
    assert_eq!(cordon("gpu-2").await["message"], "moving");
}

#[tokio::test]
async fn a_drain_that_nobody_saw_is_neither_overwritten_nor_ended() {
    let lab = Lab::start().await;
    let before = hidden(&lab.get("/resources/gpu-1").await, "seen");
    lab.edit(Method::PATCH, "/v1/resources/gpu-1", json!({"cordon": {"message": "fan"}})).await.expect(200);
    let mine = [("seen", before.as_str()), ("message", "network"), ("until", "2h")];
    let refused = lab.form("/resources/gpu-1/drain", &mine).await;
    shows(
        &refused,
        412,
        &["somebody else drained it", "Takes no new leases", ": fan<", "Drain anew", "value=\"network\""],
    );
    shows(&lab.form("/resources/gpu-1/undrain", &[("seen", &before)]).await, 412, &["look again"]);
    assert_eq!(lab.get("/v1/resources/gpu-1").await.expect(200)["cordon"]["message"], "fan");
    // Whoever has seen it, may.
    let seen = hidden(&refused, "seen");
    let mine = [("seen", seen.as_str()), ("message", "network"), ("until", "2h")];
    leads_to(&lab.form("/resources/gpu-1/drain", &mine).await, "/resources/gpu-1?done=drained");
    let seen = hidden(&lab.get("/resources/gpu-1").await, "seen");
    leads_to(
        &lab.form("/resources/gpu-1/undrain", &[("seen", &seen)]).await,
        "/resources/gpu-1?done=undrained",
    );
}

#[tokio::test]
async fn a_refused_form_is_found_again_where_it_was() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu"})).await;
    for (path, fields) in [
        ("/bulk/resources?q=pool%3Agpu", [("action", "drain"), ("until", "nonsense")]),
        ("/leases/1/force", [("reason", ""), ("seen", "")]),
        ("/lease", [("pool", "gpu"), ("ttl", "soon")]),
    ] {
        let page = lab.form_of_ann(path, &fields).await;
        assert!(page.status.is_client_error(), "{path}: {page:?}");
        assert!(page.text.contains(&format!("data-here=\"{path}\"")), "{path}: {page:?}");
    }
}
