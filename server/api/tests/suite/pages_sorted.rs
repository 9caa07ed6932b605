//! Lists in another order than that of their names.

use axum::http::Method;
use serde_json::{Value, json};

use crate::lab::{Lab, request};

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
