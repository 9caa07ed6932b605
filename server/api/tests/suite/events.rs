//! Events as pages and as a stream that can be resumed.

use std::time::Duration;

use axum::body::BodyDataStream;
use axum::http::Method;
use futures_util::StreamExt;
use lessor_store::{Retention, StoreOptions};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::lab::{Lab, request, with_header};

/// An open stream, read frame by frame.
struct Frames {
    body: BodyDataStream,
    rest: String,
}

#[derive(Debug, PartialEq, Eq)]
struct Frame {
    id: u64,
    kind: String,
    data: Value,
}

impl Lab {
    async fn follow(&self, path: &str, last: Option<&'static str>) -> Frames {
        let mut ask = request(Method::GET, path, None);
        if let Some(last) = last {
            ask = with_header(ask, "last-event-id", last);
        }
        let response = self.site.clone().oneshot(ask).await.expect("the site never fails");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        Frames { body: response.into_body().into_data_stream(), rest: String::new() }
    }

    fn last_event(&self) -> u64 {
        self.keeper.snapshot().counters().event
    }
}

impl Frames {
    /// The next frame; `None` at the end. Fails the test after 30 s of silence.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, rest)) = self.rest.split_once("\n\n") {
                let frame = parse(frame);
                self.rest = rest.to_string();
                return Some(frame);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(30), self.body.next()).await;
            let chunk = chunk.expect("a frame within 30 s")?.expect("no error");
            self.rest.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
    }
}

fn parse(text: &str) -> Frame {
    let field = |name: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        lines.collect::<Vec<_>>().join("\n")
    };
    Frame {
        id: field("id").parse().unwrap_or_else(|_| panic!("no id in {text:?}")),
        kind: field("event"),
        data: serde_json::from_str(&field("data")).unwrap_or_else(|_| panic!("no data in {text:?}")),
    }
}

#[tokio::test]
async fn an_event_says_what_happened_to_what() {
    let lab = Lab::start().await;
    let before = lab.last_event();
    lab.acquire(json!({"owner": "ann", "pool": "cpu", "purpose": "nightly"})).await;
    let page = lab.get(&format!("/v1/events?after={before}")).await.expect(200);
    assert_eq!(
        page["items"][0],
        json!({
            "id": before + 1, "at": "2026-05-04T09:00:00Z", "kind": "lease-granted", "target": "cpu-1",
            "pool": "cpu", "lease": 1, "request": null, "owner": "ann", "plugin": null, "from": "free",
            "to": "leased", "cause": null, "note": "nightly",
        })
    );
}

#[tokio::test]
async fn events_can_be_looked_up_by_what_they_are_about() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "cpu"})).await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu"})).await;
    lab.delete("/v1/leases/1").await.expect(204);
    let kinds = async |query: &str| -> Vec<String> {
        let page = lab.get(&format!("/v1/events?{query}")).await.expect(200);
        let items = page["items"].as_array().expect("items").iter();
        items.map(|event| event["kind"].as_str().expect("a kind").to_owned()).collect()
    };
    assert_eq!(kinds("lease=1").await, ["lease-granted", "lease-ended"]);
    assert_eq!(kinds("target=cpu-1").await, ["resource-created", "lease-granted", "lease-ended"]);
    assert_eq!(kinds("target=cpu-1&order=desc&limit=1").await, ["lease-ended"]);
    assert_eq!(kinds("kind=lease-ended").await, ["lease-ended"]);
    assert_eq!(kinds("kind=lease-granted,lease-ended&lease=2").await, ["lease-granted"]);
    assert_eq!(kinds("before=1").await, [] as [&str; 0]);
    lab.get("/v1/events?kind=nonsense").await.problem(400, "invalid");
    lab.get("/v1/events?order=up").await.problem(400, "malformed");
    lab.get("/v1/events/stream?filter=until:1h").await.problem(400, "invalid");
}

#[tokio::test]
async fn a_stream_goes_on_after_the_last_event_that_was_seen_without_gap_or_repetition() {
    let lab = Lab::start().await;
    for target in ["a", "b", "c"] {
        lab.acquire(json!({"owner": "ann", "targets": [target]})).await;
    }
    let last = lab.last_event();
    let mut frames = lab.follow("/v1/events/stream", Some("2")).await;
    for id in 3..=last {
        assert_eq!(frames.next().await.expect("from the history").id, id);
    }
    for n in 0..20 {
        lab.acquire(json!({"owner": "ann", "targets": [format!("t{n}")]})).await;
        let frame = frames.next().await.expect("live");
        assert_eq!((frame.id, frame.kind.as_str()), (last + 1 + n, "lease-granted"));
        assert_eq!(frame.data["id"], frame.id);
        assert_eq!(frame.data["target"], format!("t{n}"));
    }
}

#[tokio::test]
async fn a_stream_begins_with_what_is_new_and_shows_only_its_topic() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "targets": ["old"]})).await;
    let mut frames = lab.follow("/v1/events/stream?kind=lease-ended&target=b", None).await;
    for (id, target) in [(2, "a"), (3, "b")] {
        lab.acquire(json!({"owner": "ann", "targets": [target]})).await;
        lab.delete(&format!("/v1/leases/{id}")).await.expect(204);
    }
    let frame = frames.next().await.expect("an event");
    assert_eq!((frame.kind.as_str(), &frame.data["target"]), ("lease-ended", &json!("b")));
}

#[tokio::test]
async fn a_slow_reader_is_served_from_the_history_again() {
    let lab = Lab::start().await;
    let first = lab.last_event() + 1;
    let mut frames = lab.follow("/v1/events/stream", None).await;
    // Subscribed, but not read until the feed has run over.
    let count = lessor_keeper::limits::FEED_BATCHES_MAX as u64 + 50;
    for n in 0..count {
        lab.acquire(json!({"owner": "ann", "targets": [n.to_string()]})).await;
    }
    for id in first..first + count {
        assert_eq!(frames.next().await.expect("an event").id, id);
    }
}

#[tokio::test]
async fn one_stream_too_many_is_told_to_come_back() {
    let lab = Lab::start().await;
    let mut open = Vec::new();
    for _ in 0..2_000 {
        open.push(lab.follow("/v1/events/stream", None).await);
    }
    let answer = lab.get("/v1/events/stream").await;
    answer.problem(503, "overloaded");
    assert_eq!(answer.header("retry-after"), "1");
    open.pop();
    lab.follow("/v1/events/stream", None).await;
}

#[tokio::test]
async fn a_number_from_another_store_resets_the_stream() {
    let lab = Lab::start().await;
    let last = lab.last_event();
    let mut frames = lab.follow("/v1/events/stream?after=99999", None).await;
    let reset = frames.next().await.expect("a reset");
    assert_eq!((reset.id, reset.kind.as_str(), &reset.data), (last, "reset", &json!({"after": last})));
    lab.acquire(json!({"owner": "ann", "targets": ["a"]})).await;
    assert_eq!(frames.next().await.expect("an event").id, last + 1);
}

#[tokio::test]
async fn what_the_history_has_forgotten_is_announced() {
    let retention = Retention { events: 10, ..Retention::default() };
    let lab =
        Lab::with_store(StoreOptions { retention, generation_changes: 8, ..StoreOptions::default() }).await;
    let first = || lab.keeper.history().first_event().expect("a history").0;
    let mut n = 0;
    while first() < 20 && n < 2_000 {
        lab.acquire(json!({"owner": "ann", "targets": [n.to_string()]})).await;
        n += 1;
    }
    assert!(first() >= 20, "{n} commits trimmed nothing");
    let mut frames = lab.follow("/v1/events/stream", Some("5")).await;
    let reset = frames.next().await.expect("a reset");
    assert_eq!((reset.kind.as_str(), &reset.data), ("reset", &json!({"after": reset.id})));
    assert!(reset.id >= 19, "{reset:?}");
    assert_eq!(frames.next().await.expect("the oldest event that is left").id, reset.id + 1);
}

#[tokio::test]
async fn a_stream_ends_when_the_server_goes_down() {
    let lab = Lab::start().await;
    let mut frames = lab.follow("/v1/events/stream", None).await;
    lab.shutdown.cancel();
    assert_eq!(frames.next().await, None);
}

#[tokio::test]
async fn a_last_event_id_that_is_no_number_is_refused() {
    let lab = Lab::start().await;
    for bad in ["x", "-1", "18446744073709551616"] {
        let ask = with_header(request(Method::GET, "/v1/events/stream", None), "last-event-id", bad);
        lab.send(ask).await.problem(400, "invalid");
    }
}
