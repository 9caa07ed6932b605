//! The dashboard without a browser: every page, every form, what is refused, and who is told. What a browser makes of
//! it is tested in `tests/browser`.

use axum::body::Body;
use axum::http::{Method, Request};
use lessor_control::PoolsStatus;
use serde_json::json;

use crate::lab::{Answer, Lab, request, with_header};

/// What somebody might write to break a page.
pub(crate) const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\" onload='x' &amp;\u{1b}[31m";

impl Lab {
    /// Sends a form as ann's browser does.
    pub(crate) async fn form_of_ann(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(with_header(form(path, fields), "cookie", "lessor_owner=ann")).await
    }

    /// Sends a form as a browser does.
    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(form(path, fields)).await
    }
}

/// A request of ann's browser.
pub(crate) fn as_ann(path: &str) -> Request<Body> {
    with_header(request(Method::GET, path, None), "cookie", "lessor_owner=ann")
}

fn form(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let body = serde_urlencoded::to_string(fields).expect("fields are text");
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("host", "localhost:8080")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .expect("a request")
}

/// A page without the values of its fields: those go back to the server as they are.
pub(crate) fn without_values(page: &str) -> String {
    let (first, rest) = page.split_once(" value=\"").unwrap_or((page, ""));
    let rest = rest.split(" value=\"").map(|part| part.split_once('"').map_or("", |(_, after)| after));
    first.chars().chain(rest.flat_map(str::chars)).collect()
}

/// The value of a hidden field.
#[track_caller]
pub(crate) fn hidden(page: &Answer, field: &str) -> String {
    let begin = format!("name=\"{field}\" value=\"");
    let (_, rest) = page.text.split_once(&begin).expect("the field is there");
    rest.split('"').next().expect("an attribute ends").to_owned()
}

#[track_caller]
pub(crate) fn leads_to(answer: &Answer, path: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, path), "{answer:#?}");
}

#[track_caller]
pub(crate) fn shows(answer: &Answer, status: u16, parts: &[&str]) {
    assert_eq!(answer.status.as_u16(), status, "{answer:#?}");
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    for part in parts {
        assert!(answer.text.contains(part), "{part} is not in\n{}", answer.text);
    }
}

#[tokio::test]
async fn every_page_is_there_and_shows_what_users_wrote_as_text() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": HOSTILE, "pool": "gpu", "ttl": "90s", "purpose": HOSTILE})).await;
    lab.acquire(json!({"owner": "ann", "pool": "cpu"})).await;
    lab.post("/v1/leases", json!({"owner": HOSTILE, "pool": "cpu", "wait": 1, "purpose": HOSTILE}))
        .await
        .expect(202);
    lab.pools.send_replace(PoolsStatus { error: Some(HOSTILE.into()), ..PoolsStatus::default() });
    let paths = [
        "/",
        "/me",
        "/help",
        "/pools",
        "/pools/gpu?window=24h",
        "/resources",
        "/resources/gpu-1?window=1h",
        "/resources/gpu-1/edit",
        "/bulk/resources?q=pool:gpu",
        "/lease?pool=gpu",
        "/lease?target=cpu-1",
        "/leases",
        "/leases?q=is:ended",
        "/leases/1",
        "/queue",
        "/queue/1",
        "/events",
        "/events/1",
        "/status",
    ];
    let taken_back = lab.send(as_ann("/leases/1/force")).await;
    let mut answers = vec![("/leases/1/force", taken_back)];
    for path in paths {
        answers.push((path, lab.get(path).await));
    }
    for (path, answer) in answers {
        shows(&answer, 200, &["<!DOCTYPE html>", "</html>"]);
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        let text = without_values(&answer.text);
        for part in ["<script>alert", "\u{202e}", "\u{1b}", "onload='x'", "style=", " onclick", "<style"] {
            assert!(!text.contains(part), "{part} is in {path}:\n{text}");
        }
    }
    shows(
        &lab.get("/").await,
        200,
        &["gpu", "&#60;script&#62;alert(1)", "1 min 30 s", "1 × cpu", "Pools file"],
    );
    for method in [Method::POST, Method::HEAD] {
        let answer = lab.send(request(method.clone(), "/", None)).await;
        assert_eq!(answer.status, 200, "{method}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_page_too() {
    let lab = Lab::start().await;
    for path in ["/pools/no", "/resources/no", "/leases/99", "/queue/99", "/events/99999"] {
        shows(&lab.get(path).await, 404, &["<!DOCTYPE html>"]);
    }
    lab.get("/assets/no.css").await.problem(404, "not-found");
}

#[tokio::test]
async fn assets_are_kept_for_ever() {
    let lab = Lab::start().await;
    let page = lab.get("/").await.text;
    let at = page.find("/assets/style-").expect("a stylesheet");
    let path = page[at..].split('"').next().expect("an attribute ends").to_owned();
    let style = lab.get(&path).await;
    assert_eq!((style.status.as_u16(), style.header("content-type")), (200, "text/css; charset=utf-8"));
    assert!(style.header("cache-control").contains("immutable"));
    let known =
        Request::get(&path).header("host", "localhost:8080").header("if-none-match", style.header("etag"));
    let again = lab.send(known.body(Body::empty()).expect("a request")).await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
}

#[tokio::test]
async fn a_script_gets_a_page_again_only_if_more_than_its_times_changed() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu", "ttl": "10m"})).await;
    let ask = async |tag: &str, script: bool| {
        let request = Request::get("/leases").header("host", "localhost:8080").header("if-none-match", tag);
        let request = if script { request.header("lessor-refresh", "1") } else { request };
        lab.send(request.body(Body::empty()).expect("a request")).await
    };
    let first = lab.get("/leases").await;
    let tag = first.header("etag");
    lab.pass(5_000);
    let later = lab.get("/leases").await;
    assert_ne!(first.text, later.text, "times go on");
    assert_eq!(later.header("etag"), tag);
    assert_eq!(ask(tag, true).await.status.as_u16(), 304);
    let status = lab.get("/status").await;
    lab.pass(5_000);
    assert_eq!(lab.get("/status").await.header("etag"), status.header("etag"), "a clock is no news");
    assert_eq!(ask(tag, false).await.status.as_u16(), 200, "somebody opens it: its times are true");
    lab.post("/v1/leases/1/renew", json!({})).await.expect(200);
    let renewed = ask(tag, true).await;
    assert_eq!(renewed.status.as_u16(), 200);
    assert_ne!(renewed.header("etag"), tag);
}

#[tokio::test]
async fn leasing_remembers_who_it_was_and_a_second_click_takes_nothing() {
    let lab = Lab::start().await;
    let fields = [("pool", "gpu"), ("owner", "ann b"), ("purpose", "bisect"), ("ttl", "5m"), ("key", "k1")];
    let taken = lab.form("/lease", &fields).await;
    leads_to(&taken, "/leases/1?done=leased");
    assert!(taken.header("set-cookie").starts_with("lessor_owner=ann%20b; "));
    leads_to(&lab.form("/lease", &fields).await, "/leases/1?done=sent-before");
    let lease = lab.get("/v1/leases/1").await.expect(200);
    assert_eq!((lease["owner"].as_str(), lease["purpose"].as_str()), (Some("ann b"), Some("bisect")));
    shows(&lab.get("/leases/1?done=leased").await, 200, &["It is yours.", "bisect"]);
}

#[tokio::test]
async fn what_is_refused_comes_back_with_what_was_typed() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "bob", "pool": "cpu"})).await;
    let typed = [("pool", "cpu"), ("owner", "ann"), ("purpose", "my <purpose>"), ("ttl", "5m"), ("key", "k")];
    let busy = lab.form("/lease", &typed).await;
    shows(&busy, 409, &["my &#60;purpose&#62;", "held by bob", "role=\"alert\""]);
    for (field, value) in
        [("ttl", "soon"), ("wait", "-1s"), ("count", "many"), ("labels", "novalue"), ("owner", "")]
    {
        let mut fields = vec![("pool", "gpu"), ("key", "k2")];
        fields.extend([("owner", "ann"), (field, value)]);
        shows(
            &lab.form("/lease", &fields).await,
            400,
            &["aria-invalid=\"true\"", &format!("<strong>{field}</strong>")],
        );
    }
}

#[tokio::test]
async fn waiting_is_done_by_the_server_and_can_be_ended() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "bob", "pool": "cpu"})).await;
    let fields = [("pool", "cpu"), ("owner", "ann"), ("wait", "1h"), ("key", "k")];
    leads_to(&lab.form("/lease", &fields).await, "/queue/1?done=waiting");
    shows(&lab.get("/queue/1").await, 200, &["Number 1 in line", "bob"]);
    leads_to(&lab.form_of_ann("/queue/1/cancel", &[]).await, "/queue/1?done=cancelled");
    shows(&lab.get("/queue/1").await, 200, &["Cancelled"]);
    leads_to(
        &lab.form("/lease", &[("pool", "cpu"), ("owner", "ann"), ("wait", "1h"), ("key", "l")]).await,
        "/queue/2?done=waiting",
    );
    lab.delete("/v1/leases/1?owner=bob").await;
    shows(&lab.get("/queue/2").await, 200, &["Granted", "/leases/2"]);
}

#[tokio::test]
async fn another_is_taken_out_of_line_with_a_name_and_a_reason() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "bob", "pool": "cpu"})).await;
    let carl = json!({"owner": "carl", "pool": "cpu", "wait": "1ms"});
    lab.send(request(Method::POST, "/v1/leases", Some(carl))).await;
    leads_to(&lab.form("/queue/1/cancel", &[]).await, "/me?back=%2Fqueue%2F1%2Fcancel");
    leads_to(&lab.get("/queue/1/cancel").await, "/me?back=%2Fqueue%2F1%2Fcancel");
    let page = lab.send(as_ann("/queue/1/cancel")).await;
    shows(&page, 200, &["Take request 1 out of line?", "carl", "name=\"reason\""]);
    let refused = lab.form_of_ann("/queue/1/cancel", &[]).await;
    shows(&refused, 400, &["<strong>reason</strong>: must be said"]);
    shows(&lab.get("/queue/1").await, 200, &["Number 1 in line"]);
    let reason = [("reason", "the release needs <it>")];
    leads_to(&lab.form_of_ann("/queue/1/cancel", &reason).await, "/queue/1?done=taken-out");
    let said = "by ann: the release needs &#60;it&#62;";
    shows(&lab.get("/queue/1").await, 200, &["Cancelled", "request-withdrawn", said]);
    shows(&lab.get("/events?q=request:1").await, 200, &["2 events that match", said]);
    // Long after, only the events know it.
    lab.pass(25 * 3_600_000);
    lab.acquire(json!({"owner": "dora", "pool": "gpu"})).await;
    shows(&lab.get("/queue/1").await, 200, &["Cancelled", "waited", "carl", said]);
    shows(&lab.get("/queue/2").await, 404, &["request 2"]);
}

#[tokio::test]
async fn a_lease_is_extended_and_released() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu", "ttl": "1m"})).await;
    // Whoever has not said who they are is asked first.
    leads_to(&lab.form("/leases/1/extend", &[]).await, "/me?back=%2Fleases%2F1");
    // In the API it would be 30 ms, which nobody means who types it here.
    let refused = lab.form_of_ann("/leases/1/extend", &[("ttl", "30")]).await;
    shows(&refused, 400, &["role=\"alert\"", "30 of what? Write 30m, 2h or 90s"]);
    leads_to(&lab.form_of_ann("/leases/1/extend", &[("ttl", "10 min")]).await, "/leases/1?done=extended");
    leads_to(&lab.form_of_ann("/leases/1/extend", &[("ttl", "2h")]).await, "/leases/1?done=extended");
    assert_eq!(lab.get("/v1/leases/1").await.expect(200)["ttl_ms"], 7_200_000);
    leads_to(
        &lab.form_of_ann("/leases/1/release", &[("to_state", "dirty")]).await,
        "/leases/1?done=released",
    );
    assert_eq!(lab.get("/v1/resources/gpu-1").await.expect(200)["state"], "dirty");
    shows(&lab.form_of_ann("/leases/1/extend", &[]).await, 410, &["role=\"alert\""]);
}

#[tokio::test]
async fn taking_back_asks_for_a_name_and_a_reason_and_for_what_was_shown() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "bob", "pool": "gpu"})).await;
    let me = "/me?back=%2Fleases%2F1%2Fforce";
    leads_to(&lab.get("/leases/1/force").await, me);
    let page = lab.send(as_ann("/leases/1/force")).await;
    let seen = hidden(&page, "seen");
    leads_to(&lab.form("/leases/1/force", &[("seen", &seen), ("reason", "stuck")]).await, me);
    assert!(lab.get("/v1/leases/1").await.expect(200)["ended_at"].is_null(), "nobody has said who they are");
    let unsaid = lab.form_of_ann("/leases/1/force", &[("seen", &seen), ("to_state", "dirty")]).await;
    shows(&unsaid, 400, &["<strong>reason</strong>", "value=\"dirty\"", "aria-invalid"]);
    let other = lab.form_of_ann("/leases/1/force", &[("seen", "other"), ("reason", "stuck")]).await;
    shows(&other, 412, &["role=\"alert\"", "look again", "stuck"]);
    let done = lab.form_of_ann("/leases/1/force", &[("seen", &seen), ("reason", "stuck")]).await;
    leads_to(&done, "/leases/1?done=forced");
    shows(&lab.get("/leases/1").await, 200, &["taken back", "stuck", "<dt>By</dt><dd>ann</dd>"]);
}

#[tokio::test]
async fn a_resource_is_drained_edited_and_changed_with_its_like() {
    let lab = Lab::start().await;
    leads_to(
        &lab.form("/resources/gpu-1/drain", &[("message", "fan"), ("until", " 2h ")]).await,
        "/resources/gpu-1?done=drained",
    );
    let ends = ["Takes no new leases", ", ends <time", "2026-05-04T11:00:00Z", "in 2 h", "fan"];
    let drained = lab.get("/resources/gpu-1").await;
    shows(&drained, 200, &ends);
    shows(&lab.get("/resources").await, 200, &ends[1..]);
    let seen = hidden(&drained, "seen");
    leads_to(
        &lab.form("/resources/gpu-1/undrain", &[("seen", &seen)]).await,
        "/resources/gpu-1?done=undrained",
    );
    let form = lab.get("/resources/gpu-1/edit").await;
    let seen = ["seen_state", "seen_labels"].map(|field| (field, hidden(&form, field)));
    let seen = [(seen[0].0, seen[0].1.as_str()), (seen[1].0, seen[1].1.as_str())];
    let soon = [("message", "fan"), ("until", "Friday")];
    let wrong = ["is no length: write it like", "value=\"fan\"", "value=\"Friday\""];
    shows(&lab.form("/resources/gpu-1/drain", &soon).await, 400, &wrong);
    let edit = [("state", "dirty"), ("labels", "a=b\r\nc=d"), seen[0], seen[1]];
    leads_to(&lab.form("/resources/gpu-1/edit", &edit).await, "/resources/gpu-1?done=saved");
    let resource = lab.get("/v1/resources/gpu-1").await.expect(200);
    assert_eq!((&resource["state"], &resource["labels"]), (&json!("dirty"), &json!({"a": "b", "c": "d"})));
    let other = [("state", "dirty"), ("labels", "a=e"), seen[0], seen[1]];
    shows(&lab.form("/resources/gpu-1/edit", &other).await, 412, &["a=e"]);
    let bulk = "/bulk/resources?q=pool:gpu";
    let seen = hidden(&lab.get(bulk).await, "seen");
    let stale = [("seen", "other"), ("action", "drain"), ("message", "all")];
    shows(&lab.form(bulk, &stale).await, 412, &["others match by now, or"]);
    let mut all = vec![("seen", seen.as_str()), ("action", "drain"), ("message", "all")];
    all.push(("until", "2026-05-04T08:00:00Z"));
    shows(&lab.form(bulk, &all).await, 400, &["later than now", "value=\"2026-05-04T08:00:00Z\""]);
    all[3].1 = "90m";
    leads_to(&lab.form(bulk, &all).await, "/resources?q=pool%3Agpu&done=bulk");
    shows(&lab.get("/resources?q=is:drained").await, 200, &["3 of 4 resources that match"]);
    let last = lab.get("/v1/resources/gpu-3").await.expect(200);
    assert_eq!(last["cordon"]["until"], "2026-05-04T10:30:00Z");
}

#[tokio::test]
async fn who_waits_for_many_names_takes_one_short_row() {
    let lab = Lab::start().await;
    let names: Vec<String> = (0..300).map(|n| format!("bench-{n:03}")).collect();
    lab.acquire(json!({"owner": "ann", "targets": names})).await;
    let body = json!({"owner": "bob", "targets": names, "wait": "1ms"});
    lab.post("/v1/leases", body).await.expect(202);
    shows(&lab.get("/queue").await, 200, &["bench-000 and 299 more", "bench-004", "and 295 more"]);
    let page = lab.get("/queue/1").await;
    shows(&page, 200, &["bench-199", "and 100 more"]);
    assert!(!page.text.contains("bench-299"), "{}", page.text.len());
}

#[tokio::test]
async fn lists_filter_sort_and_leave_as_files() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "=cmd()", "pool": "gpu", "purpose": "a,b"})).await;
    shows(&lab.get("/resources?q=pool:gpu%20is:free").await, 200, &["2 of 4 resources that match"]);
    shows(&lab.get("/resources?q=nonsense:1").await, 200, &["The filter cannot be read", "aria-invalid"]);
    shows(&lab.get("/resources?q=zzz").await, 200, &["No resources match"]);
    shows(&lab.get("/resources?q=nonsense:1&format=csv").await, 400, &["there is no"]);
    let csv = lab.get("/leases?format=csv").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert!(csv.text.contains("'=cmd()") && csv.text.contains("\"a,b\""), "{}", csv.text);
    let rows = lab.get("/resources?format=json&q=pool:gpu").await.expect(200);
    assert_eq!(rows.as_array().map(Vec::len), Some(3), "{rows}");
}

#[tokio::test]
async fn a_file_names_every_target_and_has_numbers() {
    let lab = Lab::start().await;
    let targets = ["a 1", "b2", "c3", "d4", "e5", "f6", "g7"];
    let lease = lab.acquire(json!({"owner": "bob", "targets": targets})).await;
    shows(&lab.get("/leases").await, 200, &["and 2 more"]);
    let rows = lab.get("/leases?format=json").await.expect(200);
    assert_eq!((&rows[0]["lease"], &rows[0]["targets"]), (&lease["id"], &json!(targets)));
    assert_eq!((&rows[0]["purpose"], &rows[0].get("more")), (&json!(null), &None));
    let csv = lab.get("/leases?format=csv").await.text;
    assert!(csv.contains(r#""""a 1"" b2 c3 d4 e5 f6 g7""#), "{csv}");
    lab.post("/v1/leases", json!({"owner": "ann", "targets": targets, "wait": 1})).await.expect(202);
    shows(&lab.get("/queue").await, 200, &["a 1 and 6 more"]);
    assert_eq!(lab.get("/queue?format=json").await.expect(200)[0]["wants"], json!(targets));
}

#[tokio::test]
async fn what_is_locked_is_shown_as_held_whatever_its_state() {
    let lab = Lab::start().await;
    let lock = json!({"job": 17, "targets": ["gpu-1"], "duration": "5m0s"});
    lab.post("/v1/locks/lock", lock).await.expect(200);
    for path in ["/resources", "/resources/gpu-1", "/pools/gpu"] {
        shows(&lab.get(path).await, 200, &["</span> held</span>", "state free"]);
    }
    assert_eq!(lab.get("/resources?format=json&q=name:gpu-1").await.expect(200)[0]["state"], "free");
}

#[tokio::test]
async fn who_ends_first_is_named_first() {
    let lab = Lab::start().await;
    for (owner, ttl) in [("late", "3h"), ("later", "4h"), ("soon", "5m")] {
        lab.acquire(json!({"owner": owner, "pool": "gpu", "ttl": ttl})).await;
    }
    lab.post("/v1/leases", json!({"owner": "ann", "pool": "gpu", "wait": 1})).await.expect(202);
    let page = lab.get("/queue").await.text;
    let at = |owner: &str| page.find(&format!("<bdi>{owner}</bdi>")).expect("they are named");
    assert!(at("soon") < at("late") && at("late") < at("later"), "{page}");
}

#[tokio::test]
async fn who_one_is_and_the_colours_are_kept_in_cookies() {
    let lab = Lab::start().await;
    let named = lab.form("/me", &[("owner", "ann"), ("back", "/queue?q=a")]).await;
    leads_to(&named, "/queue?q=a&done=named");
    let elsewhere = lab.form("/me", &[("owner", "ann"), ("back", "//evil.example/")]).await;
    leads_to(&elsewhere, "/?done=named");
    lab.acquire(json!({"owner": "ann", "pool": "gpu"})).await;
    let mine = with_header(request(Method::GET, "/", None), "cookie", "lessor_owner=ann; lessor_theme=dark");
    shows(&lab.send(mine).await, 200, &["My leases", "class=\"mine\"", "data-theme=\"dark\""]);
    leads_to(&lab.form("/theme", &[("theme", "light"), ("back", "/pools")]).await, "/pools");
}

#[tokio::test]
async fn a_form_of_another_site_does_nothing() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu"})).await;
    let foreign = with_header(form("/leases/1/release", &[]), "sec-fetch-site", "cross-site");
    lab.send(foreign).await.problem(403, "foreign-origin");
    assert_eq!(lab.get("/v1/resources/gpu-1").await.expect(200)["owner"], "ann");
}

#[tokio::test]
async fn what_is_neither_free_nor_held_nor_dirty_is_found_as_such() {
    let lab = Lab::start().await;
    let away = request(Method::PATCH, "/v1/resources/gpu-1", Some(json!({"state": "quarantine"})));
    lab.send(away).await.expect(200);
    let page = lab.get("/pools/gpu").await;
    let (before, _) = page.text.split_once(">1 away</a>").expect("one is away");
    let (_, link) = before.rsplit_once("href=\"").expect("a link");
    let path = link.trim_end_matches('"').replace("&#38;", "&");
    shows(&lab.get(&path).await, 200, &["1 of 4 resources that match", "gpu-1"]);
}

#[tokio::test]
async fn a_number_below_zero_stays_one_in_a_file() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu", "count": 3})).await;
    let ask = json!({"owner": "-x", "pool": "gpu", "wait": 1, "priority": -5});
    lab.post("/v1/leases", ask).await.expect(202);
    let csv = lab.get("/queue?format=csv").await.text;
    assert!(csv.contains(",-5,") && csv.contains("'-x"), "{csv}");
}
