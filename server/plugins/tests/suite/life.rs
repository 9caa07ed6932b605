//! How plugins come and go: replaced under load, put in quarantine, switched off, removed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use lessor_plugins::limits::STRIKES_MAX;
use lessor_plugins::{CallError, NoManager, State};
use serde_json::json;

use crate::rig::{Rig, Silent, component, marked, museum, spec};

const SWAPS: u64 = 20;
const CALLS: u64 = 1_000;
/// Different components: each is compiled once, and then taken from the cache.
const VERSIONS: u8 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_while_the_component_is_replaced_all_succeed_and_run_once() {
    let rig = Arc::new(Rig::with(spec("list"), component("target-list")).await);
    let (jobs, swapped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (rig, jobs, swapped) = (Arc::clone(&rig), Arc::clone(&jobs), Arc::clone(&swapped));
        callers.spawn(async move {
            loop {
                let job = jobs.fetch_add(1, Ordering::SeqCst);
                if job >= CALLS && swapped.load(Ordering::SeqCst) {
                    return;
                }
                let wish = json!({"Targets": [{"ID": format!("t{job}")}]});
                let targets = rig.manager("list").acquire(rig.call(job), &wish).await;
                assert_eq!(targets.map(|targets| targets.len()), Ok(1), "job {job}");
            }
        });
    }
    let mut digests = std::collections::BTreeSet::new();
    for (swap, mark) in (0..SWAPS).zip((0..VERSIONS).cycle()) {
        // Spread over the calls.
        while jobs.load(Ordering::SeqCst) < swap * (CALLS / SWAPS) {
            tokio::task::yield_now().await;
        }
        digests.insert(rig.install(spec("list"), marked(component("target-list"), mark)).await.digest);
    }
    swapped.store(true, Ordering::SeqCst);
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    assert_eq!(digests.len(), usize::from(VERSIONS));
    let status = rig.host.status("list").unwrap();
    assert!(status.calls >= CALLS, "{status:?}");
    assert_eq!((status.errors, status.refused, status.in_flight), (0, 0, 0));
    // One lock for each call: none ran twice, and none ran for another job.
    assert_eq!(rig.book.locks.load(Ordering::SeqCst), status.calls);
    let expected: BTreeMap<String, u64> = (0..status.calls).map(|job| (format!("t{job}"), job)).collect();
    assert_eq!(rig.book.holders(), expected);
}

#[tokio::test]
async fn a_call_in_flight_finishes_on_the_version_that_it_began_with() {
    let rig = Rig::with(museum(), component("museum")).await;
    let mut call = rig.call(7);
    call.locker = Arc::new(Silent);
    let (cancel, manager) = (call.cancel.clone(), rig.manager("museum"));
    let old =
        tokio::spawn(async move { manager.acquire(call, &json!({"do": "lock", "names": ["a"]})).await });
    while rig.host.status("museum").unwrap().in_flight == 0 {
        tokio::task::yield_now().await;
    }
    rig.install(museum(), component("target-list")).await;
    assert_eq!(rig.host.status("museum").unwrap().in_flight, 1);
    let new = rig.acquire("museum", &json!({"Targets": [{"ID": "b"}]})).await.unwrap();
    assert_eq!(new[0].id, "b");
    cancel.cancel();
    assert_eq!(old.await.unwrap(), Err(CallError::Cancelled));
}

#[tokio::test]
async fn a_plugin_that_breaks_again_and_again_is_in_quarantine_until_it_is_enabled_or_replaced() {
    let rig = Rig::with(museum(), component("museum")).await;
    let manager = rig.manager("museum");
    let broken = json!({"do": "panic"});
    let break_it = async || {
        for _ in 0..STRIKES_MAX {
            // As before every job: what these calls are is no excuse for the others.
            assert_eq!(manager.validate_acquire(&json!({})).await, Ok(()));
            let done = manager.acquire(rig.call(7), &broken).await;
            assert!(matches!(done, Err(CallError::Trapped(_))), "{done:?}");
        }
    };
    break_it().await;
    let refused = manager.acquire(rig.call(7), &json!({})).await;
    let Err(CallError::Unavailable(NoManager::Quarantined(reason))) = refused else { panic!("{refused:?}") };
    assert!(reason.starts_with("5 times in a row: the plugin broke: "), "{reason}");
    assert!(reason.contains("the curator said so"), "{reason}");
    assert!(matches!(rig.host.target_manager("museum"), Err(NoManager::Quarantined(_))));

    assert_eq!(rig.host.set_enabled("museum", true).unwrap().state, State::Enabled);
    assert_eq!(manager.acquire(rig.call(7), &json!({})).await, Ok(Vec::new()));
    break_it().await;
    assert!(matches!(rig.host.status("museum").unwrap().state, State::Quarantined { .. }));
    rig.install(museum(), marked(component("museum"), 1)).await;
    assert_eq!(manager.acquire(rig.call(7), &json!({})).await, Ok(Vec::new()));
    assert_eq!(rig.host.status("museum").unwrap().strikes, 0);
}

#[tokio::test]
async fn a_good_call_wipes_out_the_strikes() {
    let rig = Rig::with(museum(), component("museum")).await;
    for _ in 0..2 * STRIKES_MAX {
        assert!(rig.acquire("museum", &json!({"do": "panic"})).await.is_err());
        assert_eq!(rig.acquire("museum", &json!({})).await, Ok(Vec::new()));
    }
    assert_eq!(rig.host.status("museum").unwrap().state, State::Enabled);
}

#[tokio::test]
async fn what_waits_has_a_bound_and_more_is_refused_at_once() {
    let mut spec = museum();
    (spec.limits.concurrency, spec.limits.mailbox) = (1, 1);
    let rig = Rig::with(spec, component("museum")).await;
    let mut waiting = tokio::task::JoinSet::new();
    let mut cancels = Vec::new();
    for expected in 1..=2 {
        let mut call = rig.call(7);
        call.locker = Arc::new(Silent);
        cancels.push(call.cancel.clone());
        let manager = rig.manager("museum");
        waiting.spawn(async move { manager.acquire(call, &json!({"do": "lock", "names": ["a"]})).await });
        while rig.host.status("museum").unwrap().in_flight < expected {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(rig.acquire("museum", &json!({})).await, Err(CallError::Busy));
    for cancel in cancels {
        cancel.cancel();
    }
    while let Some(done) = waiting.join_next().await {
        assert_eq!(done.unwrap(), Err(CallError::Cancelled));
    }
    assert_eq!(rig.acquire("museum", &json!({})).await, Ok(Vec::new()));
    let status = rig.host.status("museum").unwrap();
    assert_eq!((status.refused, status.strikes), (1, 0));
}

#[tokio::test]
async fn what_is_switched_off_or_removed_takes_no_calls() {
    let rig = Rig::with(spec("list"), component("target-list")).await;
    let (manager, wish) = (rig.manager("list"), json!({"Targets": [{"ID": "a"}]}));
    assert_eq!(rig.host.set_enabled("list", false).unwrap().state, State::Disabled);
    let refused = manager.acquire(rig.call(7), &wish).await;
    assert_eq!(refused, Err(CallError::Unavailable(NoManager::Disabled)));
    // A new version does not switch it on.
    assert_eq!(rig.install(spec("LIST"), marked(component("target-list"), 1)).await.state, State::Disabled);
    assert_eq!(rig.host.set_enabled("list", true).unwrap().state, State::Enabled);
    assert!(manager.acquire(rig.call(7), &wish).await.is_ok());
    assert!(rig.host.remove("List"));
    assert!(!rig.host.remove("list"));
    assert_eq!(rig.host.target_manager("list").unwrap_err(), NoManager::Unknown);
    assert!(manager.acquire(rig.call(7), &wish).await.is_err());
}
