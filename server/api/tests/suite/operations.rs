//! Health, readiness and metrics.

use axum::http::Method;
use lessor_control::PoolsStatus;
use serde_json::json;

use crate::lab::{Lab, request};

#[tokio::test]
async fn health_says_ok() {
    let lab = Lab::start().await;
    let answer = lab.get("/healthz").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "OK"));
}

#[tokio::test]
async fn readiness_tells_of_a_clock_that_was_set_back() {
    let lab = Lab::start().await;
    lab.pass(-3_600_000);
    let odd = "[!] clock: the wall clock is 3600 s behind the time of the leases: until it has caught up, times are ahead \
               by that, and a TTL takes a ninth longer";
    let verbose = lab.get("/readyz?verbose").await;
    assert_eq!(verbose.text.lines().nth(3), Some(odd), "{}", verbose.text);
    lab.pass(3_600_000);
    assert!(lab.get("/readyz?verbose").await.text.contains("[+] clock: ok"));
}

#[tokio::test]
async fn readiness_lists_what_is_wrong_and_a_bad_pools_file_is_not_fatal() {
    let lab = Lab::start().await;
    let answer = lab.get("/readyz").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "OK"));
    let error = Some("entry 3: names: duplicate".into());
    lab.pools.send_replace(PoolsStatus { error, ..PoolsStatus::default() });
    assert_eq!(lab.get("/readyz").await.text, "OK");
    let verbose = lab.get("/readyz?verbose").await;
    assert_eq!(verbose.status, 200);
    assert_eq!(
        verbose.text,
        "[+] store: ok\n[+] serving: ok\n[-] pools file: entry 3: names: duplicate\n[+] clock: ok\n[+] plugins: ok\n[+] jobs: ok\nOK"
    );
    let last = async || lab.get("/readyz?verbose").await.text.lines().nth(2).map(str::to_owned);
    let path = Some("pools.yaml".into());
    let warning = Some("it declares nothing".into());
    lab.pools.send_replace(PoolsStatus { path, warning, ..PoolsStatus::default() });
    let empty = "[!] pools file: it declares nothing; the pools stay as they are";
    assert_eq!(last().await.as_deref(), Some(empty));
    lab.pools.send_replace(PoolsStatus { path: Some("pools.yaml".into()), ..PoolsStatus::default() });
    assert_eq!(last().await.as_deref(), Some("[+] pools file: ok"));
    lab.pools.send_replace(PoolsStatus::default());
    assert_eq!(last().await.as_deref(), Some("[+] pools file: none, pools come and go over the API"));
    lab.shutdown.cancel();
    let stopping = lab.get("/readyz").await;
    assert_eq!(stopping.status, 503);
    assert_eq!(stopping.text, "[-] serving: the server is going down\nnot ready");
}

#[tokio::test]
async fn metrics_count_resources_by_type_and_state() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "job-4711", "pool": "gpu", "to_state": "odd"})).await;
    lab.acquire(json!({"owner": "job-4711", "pool": "gpu", "to_state": "busy"})).await;
    lab.pass(5_000);
    let answer = lab.get("/metrics").await;
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    for line in [
        r#"boskos_resources{type="gpu",state="free"} 1"#,
        r#"boskos_resources{type="gpu",state="busy"} 1"#,
        r#"boskos_resources{type="gpu",state="tombstone"} 0"#,
        r#"boskos_resources{type="gpu",state="other"} 1"#,
        r#"boskos_resources{type="cpu",state="free"} 1"#,
        r#"lessor_queue_depth{pool="gpu"} 0"#,
        r#"lessor_oldest_wait_seconds{pool="gpu"} 0.0"#,
        r#"lessor_leases{state="held"} 2"#,
        r#"lessor_leases{state="lapsed"} 0"#,
        r#"lessor_lease_age_seconds{quantile="1"} 5.0"#,
        r#"lessor_commands_total{kind="acquire"} 2"#,
        r#"lessor_expirations_total{cause="expired"} 0"#,
        r#"lessor_plugins{state="quarantined"} 0"#,
        r#"lessor_jobs{phase="stuck"} 0"#,
        r"lessor_writable 1",
        "# EOF",
    ] {
        assert!(answer.text.lines().any(|known| known == line), "{line} is not in\n{}", answer.text);
    }
    for absent in [r#"type="vm""#, r#"type="cpu",state="other""#, "4711", "gpu-1"] {
        assert!(!answer.text.contains(absent), "{absent} is in\n{}", answer.text);
    }
}

#[tokio::test]
async fn what_has_lapsed_is_counted_apart_and_shown_as_not_live() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "cpu", "ttl": "1h"})).await;
    let lock = |targets: &[&str], duration: &str| json!({"job": 7, "targets": targets, "duration": duration});
    lab.post("/v1/locks/lock", lock(&["a", "b"], "1s")).await.expect(200);
    lab.post("/v1/locks/lock", lock(&["c"], "1s")).await.expect(200);
    lab.pass(10_000);
    // One live lock makes a live lease.
    lab.post("/v1/locks/refresh", lock(&["b"], "1m")).await.expect(200);
    let text = lab.get("/metrics").await.text;
    for line in [
        r#"lessor_leases{state="held"} 2"#,
        r#"lessor_leases{state="lapsed"} 1"#,
        r#"lessor_lease_age_seconds{quantile="0.5"} 10.0"#,
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
    }
    let leases = lab.get("/v1/leases").await.expect(200);
    let live: Vec<_> =
        leases["items"].as_array().expect("a list").iter().map(|lease| &lease["live"]).collect();
    assert_eq!(live, [true, true, false]);
    lab.delete("/v1/leases/1").await.expect(204);
    assert_eq!(lab.get("/v1/leases/1").await.expect(200)["live"], false);
}

#[tokio::test]
async fn metrics_show_waits_expiries_and_commits() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "cpu", "ttl": "20s"})).await;
    lab.post("/v1/leases", json!({"owner": "bob", "pool": "cpu", "wait": 1})).await.expect(202);
    lab.pass(10_000);
    let text = lab.get("/metrics").await.text;
    assert!(text.contains(r#"lessor_queue_depth{pool="cpu"} 1"#), "{text}");
    assert!(text.contains(r#"lessor_oldest_wait_seconds{pool="cpu"} 10.0"#), "{text}");
    lab.pass(10_001);
    lab.until("the lease to expire", |ledger| ledger.lease(lessor_ledger::LeaseId(1)).is_none()).await;
    let text = lab.get("/metrics").await.text;
    assert!(text.contains(r#"lessor_expirations_total{cause="expired"} 1"#), "{text}");
    let count = |name: &str| -> u64 {
        let line =
            text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        line.trim().parse().expect("a number")
    };
    assert!(count("lessor_commit_seconds_count") >= 3);
    assert_eq!(count("lessor_commit_batch_size_count"), count("lessor_commit_seconds_count"));
    assert_eq!(count(r#"lessor_commit_seconds_bucket{le="+Inf"}"#), count("lessor_commit_seconds_count"));
}

#[tokio::test]
async fn a_boskos_acquire_is_timed_with_its_labels() {
    let lab = Lab::start().await;
    let path = "/acquire?type=cpu&state=free&dest=busy&owner=ann";
    lab.send(request(Method::POST, path, None)).await.expect(200);
    let text = lab.get("/metrics").await.text;
    let series = r#"boskos_acquire_duration_seconds_bucket{le="1.0",type="cpu",state="free",dest="busy",has_request_id="false"} 1"#;
    assert!(text.lines().any(|line| line == series), "{text}");
}
