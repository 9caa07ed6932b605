//! Forms: what they read, and that nothing is overwritten unseen.

use axum::http::Method;
use serde_json::json;

use crate::lab::Lab;
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
    let revision = hidden(&lab.get("/resources/gpu-1/edit").await, "revision");
    change(json!({"labels": {"site": "muc"}, "state": "dirty"})).await.expect(200);
    let mine = |revision| [("state", "free"), ("labels", "site=ber\r\nnew=1"), ("revision", revision)];
    let stale = lab.form("/resources/gpu-1/edit", &mine(&revision)).await;
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
    let wrong = [("state", "free"), ("labels", "a=1\r\na=2"), ("revision", revision.as_str())];
    shows(&lab.form("/resources/gpu-1/edit", &wrong).await, 400, &["is there twice", "By now: ", "site=muc"]);
    assert_eq!(lab.get("/v1/resources/gpu-1").await.expect(200)["labels"], json!({"site": "muc"}));
    let revision = hidden(&stale, "revision");
    leads_to(&lab.form("/resources/gpu-1/edit", &mine(&revision)).await, "/resources/gpu-1?done=saved");
    // What changed is not on the form.
    let revision = hidden(&lab.get("/resources/gpu-1/edit").await, "revision");
    change(json!({"cordon": {"message": "fan"}})).await.expect(200);
    let other = lab.form("/resources/gpu-1/edit", &mine(&revision)).await;
    shows(&other, 412, &["but nothing of what is here"]);
    assert!(!other.text.contains("By now"), "{}", other.text);
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
    lab.acquire(json!({"owner": "ann", "pool": "cpu"})).await;
    let wait = [("owner", "bob"), ("pool", "cpu"), ("wait", "1h"), ("key", "two")];
    leads_to(&lab.form("/lease", &wait).await, "/queue/1?done=waiting");
    leads_to(&lab.form("/lease", &wait).await, "/queue/1?done=sent-before");
}
