//! Forms: what they read, and that nothing is overwritten unseen.

use axum::http::Method;
use serde_json::json;

use crate::lab::{Answer, Lab};
use crate::pages::{hidden, leads_to, shows};

#[tokio::test]
async fn what_pages_print_as_a_length_can_be_typed() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu", "ttl": "1m"})).await;
    for (typed, millis) in
        [("1d", 86_400_000), ("2 d", 172_800_000), ("1 day", 86_400_000), ("1 h 5 min", 3_900_000)]
    {
        leads_to(&lab.form_of_ann("/leases/1/extend", &[("ttl", typed)]).await, "/leases/1?done=extended");
        assert_eq!(lab.get("/v1/leases/1").await.expect(200)["ttl_ms"], millis, "{typed}");
    }
    for (typed, words) in [
        ("-1h", "-1h is less than nothing"),
        ("0", "at most 30 d"),
        ("31 d", "at most 30 d"),
        ("1 fortnight", "is no length: write it like"),
    ] {
        shows(
            &lab.form_of_ann("/leases/1/extend", &[("ttl", typed)]).await,
            400,
            &[words, "<strong>ttl</strong>"],
        );
        let lease = [("owner", "ann"), ("pool", "gpu"), ("ttl", typed)];
        shows(&lab.form("/lease", &lease).await, 400, &[words, "<strong>ttl</strong>"]);
    }
    let waits = [("owner", "bob"), ("targets", "gpu-1"), ("wait", "500ms"), ("key", "k1")];
    leads_to(&lab.form("/lease", &waits).await, "/queue/1?done=waiting");
    let not_at_all = [("owner", "carl"), ("targets", "gpu-1"), ("wait", "0"), ("key", "k2")];
    shows(&lab.form("/lease", &not_at_all).await, 409, &["held by ann"]);
    let for_ever = [("owner", "carl"), ("targets", "gpu-1"), ("wait", "1000d"), ("key", "k3")];
    shows(&lab.form("/lease", &for_ever).await, 400, &["<strong>wait</strong>", "at most 5 d"]);
}

#[tokio::test]
async fn a_drain_ends_after_a_length_or_at_a_time() {
    let lab = Lab::start().await;
    for (field, typed, end) in [
        ("until", "30 min", "2026-05-04T09:30:00Z"),
        ("until", "1d", "2026-05-05T09:00:00Z"),
        ("until", "2026-05-04T20:00:00+02:00", "2026-05-04T18:00:00Z"),
        ("until_at", "2026-05-04T18:00", "2026-05-04T18:00:00Z"),
        ("until_at", "2026-05-04T18:00:00.000Z", "2026-05-04T18:00:00Z"),
    ] {
        let seen = hidden(&lab.get("/resources/gpu-1").await, "seen");
        let fields = [("message", "fan"), (field, typed), ("seen", &seen)];
        leads_to(&lab.form("/resources/gpu-1/drain", &fields).await, "/resources/gpu-1?done=drained");
        assert_eq!(lab.get("/v1/resources/gpu-1").await.expect(200)["cordon"]["until"], end, "{typed}");
    }
    for (fields, words) in [
        ([("until", "2h"), ("until_at", "2026-05-04T18:00")], "is said twice"),
        ([("until", "2026-05-04 18:00"), ("until_at", "")], "could be in any zone"),
        ([("until", ""), ("until_at", "tonight")], "is no date and time"),
        ([("until", "tonight"), ("until_at", "")], "is no length"),
    ] {
        let wrong = [words, "<strong>until</strong>", "name=\"until_at\"", "aria-invalid"];
        shows(&lab.form("/resources/gpu-2/drain", &fields).await, 400, &wrong);
    }
    let past = [("until_at", "2026-05-04T08:00"), ("message", "fan")];
    let back = ["later than now", "value=\"fan\"", "value=\"2026-05-04T08:00\""];
    shows(&lab.form("/resources/gpu-2/drain", &past).await, 400, &back);
}

#[tokio::test]
async fn what_somebody_else_changed_is_shown_before_it_is_overwritten() {
    let lab = Lab::start().await;
    let change = |body| lab.edit(Method::PATCH, "/v1/resources/gpu-1", body);
    change(json!({"labels": {"site": "ber"}})).await.expect(200);
    let seen = |page: &Answer| [hidden(page, "seen_state"), hidden(page, "seen_labels")];
    let sent = async |state, labels, [seen_state, seen_labels]: &[String; 2]| {
        let seen = [("seen_state", seen_state.as_str()), ("seen_labels", seen_labels.as_str())];
        lab.form("/resources/gpu-1/edit", &[("state", state), ("labels", labels), seen[0], seen[1]]).await
    };
    let first = seen(&lab.get("/resources/gpu-1/edit").await);
    change(json!({"labels": {"site": "muc"}, "state": "dirty"})).await.expect(200);
    let stale = sent("broken", "site=ber\r\nnew=1", &first).await;
    let now = [
        "Somebody changed it meanwhile",
        "By now: ",
        "site=muc",
        "dirty</span>",
        "new=1",
        "Begin with what it is now",
    ];
    shows(&stale, 412, &now);
    // Also if something else is wrong with what was typed.
    let wrong = sent("free", "a=1\r\na=2", &first).await;
    shows(&wrong, 400, &["is there twice", "By now: ", "site=muc", "value=\"dirty\""]);
    assert_eq!(lab.get("/v1/resources/gpu-1").await.expect(200)["labels"], json!({"site": "muc"}));
    leads_to(&sent("broken", "site=ber\r\nnew=1", &seen(&stale)).await, "/resources/gpu-1?done=saved");
    let saved = lab.get("/v1/resources/gpu-1").await.expect(200);
    assert_eq!((&saved["state"], &saved["labels"]), (&json!("broken"), &json!({"new": "1", "site": "ber"})));
}

#[tokio::test]
async fn only_what_was_changed_in_a_form_is_written() {
    let lab = Lab::start().await;
    let page = lab.get("/resources/gpu-1/edit").await;
    let seen = [hidden(&page, "seen_state"), hidden(&page, "seen_labels")];
    let sent = async |state, labels| {
        let seen = [("seen_state", seen[0].as_str()), ("seen_labels", seen[1].as_str())];
        lab.form("/resources/gpu-1/edit", &[("state", state), ("labels", labels), seen[0], seen[1]]).await
    };
    // It is leased and drained while the form is open.
    lab.acquire(json!({"owner": "bob", "targets": ["gpu-1"]})).await;
    let drained = json!({"cordon": {"message": "fan"}});
    lab.edit(Method::PATCH, "/v1/resources/gpu-1", drained).await.expect(200);
    leads_to(&sent("free", "site=x").await, "/resources/gpu-1?done=saved");
    let saved = lab.get("/v1/resources/gpu-1").await.expect(200);
    assert_eq!((&saved["state"], &saved["labels"]), (&json!("leased"), &json!({"site": "x"})));
    assert_eq!(saved["cordon"]["message"], "fan");
    // What is so already, and what was not touched, is no news.
    leads_to(&sent("free", "site=x").await, "/resources/gpu-1?done=saved");
    assert_eq!(lab.get("/v1/resources/gpu-1").await.expect(200)["revision"], saved["revision"]);
    // A state that was typed is not written over the one that it got with its lease.
    shows(&sent("dirty", "").await, 412, &["By now: ", "leased</span>", "value=\"dirty\""]);
}

#[tokio::test]
async fn a_form_that_was_sent_before_says_so() {
    let lab = Lab::start().await;
    let form = [("owner", "ann"), ("pool", "gpu"), ("key", "one")];
    leads_to(&lab.form("/lease", &form).await, "/leases/1?done=leased");
    leads_to(&lab.form("/lease", &form).await, "/leases/1?done=sent-before");
    shows(&lab.get("/leases/1?done=sent-before").await, 200, &["That form was sent before"]);
    lab.form_of_ann("/leases/1/release", &[]).await;
    leads_to(&lab.form("/lease", &form).await, "/leases/1?done=sent-before");
    // Whoever goes back and asks for something else gets that.
    let other = [("owner", "ann"), ("pool", "gpu"), ("purpose", "another"), ("key", "one")];
    leads_to(&lab.form("/lease", &other).await, "/leases/2?done=leased");
    leads_to(&lab.form("/lease", &other).await, "/leases/2?done=sent-before");
    lab.acquire(json!({"owner": "ann", "pool": "cpu"})).await;
    let wait = [("owner", "bob"), ("pool", "cpu"), ("wait", "1h"), ("key", "two")];
    leads_to(&lab.form("/lease", &wait).await, "/queue/1?done=waiting");
    leads_to(&lab.form("/lease", &wait).await, "/queue/1?done=sent-before");
}

#[tokio::test]
async fn who_waits_for_something_by_its_name_is_told_who_has_that() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "bob", "targets": ["gpu-1"]})).await;
    let wait = [("owner", "ann"), ("targets", "gpu-1"), ("wait", "1h"), ("key", "one")];
    leads_to(&lab.form("/lease", &wait).await, "/queue/1?done=waiting");
    let held_up = "<p>gpu-1: <a href=\"/leases/1\"><bdi>bob</bdi></a>";
    shows(&lab.get("/queue").await, 200, &[held_up]);
    shows(&lab.get("/queue/1").await, 200, &["gpu-1", "bob"]);
}
