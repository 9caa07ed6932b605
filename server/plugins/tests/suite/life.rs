//! How plugins come and go: replaced under load, put in quarantine, switched off, removed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use lessor_plugins::limits::{CALLS_MAX, CONCURRENCY, STRIKES_MAX, STRIKES_OF};
use lessor_plugins::{CallError, NoManager, PluginSpec, State, Target};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, Silent, component, marked, museum, spec, until};

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
                let targets = rig.manager("list").acquire(rig.call(job), &wish.to_string()).await;
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
    let replacement = rig.prepare(museum(), component("target-list")).await.expect("it fits");
    let mut call = rig.call(7);
    call.locker = Arc::new(Silent);
    let (cancel, manager) = (call.cancel.clone(), rig.manager("museum"));
    let old = tokio::spawn(async move {
        manager.acquire(call, &json!({"do": "lock", "names": ["a"]}).to_string()).await
    });
    while rig.host.status("museum").unwrap().in_flight == 0 {
        tokio::task::yield_now().await;
    }
    let _ = rig.host.install(replacement);
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
        for job in 1..=u64::from(STRIKES_MAX) {
            // As before every job: what these calls are is no excuse for the others.
            assert_eq!(manager.validate_acquire("{}").await, Ok(()));
            let done = manager.acquire(rig.call(job), &broken.to_string()).await;
            assert!(matches!(done, Err(CallError::Trapped(_))), "{done:?}");
        }
    };
    break_it().await;
    let refused = manager.acquire(rig.call(7), "{}").await;
    let Err(CallError::Unavailable(NoManager::Quarantined(reason))) = refused else { panic!("{refused:?}") };
    assert!(reason.starts_with("5 of its latest 20 calls of a kind broke: the plugin broke: "), "{reason}");
    assert!(reason.contains("the curator said so"), "{reason}");
    let refused = manager.validate_acquire("{}").await;
    assert!(matches!(refused, Err(CallError::Unavailable(NoManager::Quarantined(_)))), "{refused:?}");

    assert_eq!(rig.host.set_enabled("museum", true).unwrap().state, State::Enabled);
    assert_eq!(manager.acquire(rig.call(7), "{}").await, Ok(Vec::new()));
    break_it().await;
    assert!(matches!(rig.host.status("museum").unwrap().state, State::Quarantined { .. }));
    rig.install(museum(), marked(component("museum"), 1)).await;
    assert_eq!(manager.acquire(rig.call(7), "{}").await, Ok(Vec::new()));
    assert_eq!(rig.host.status("museum").unwrap().strikes, 0);
}

#[tokio::test]
async fn what_breaks_closes_itself_and_what_comes_before_and_nothing_after() {
    let rig = Rig::with(museum(), component("museum")).await;
    let manager = rig.manager("museum");
    let quarantined =
        |done: Option<&CallError>| matches!(done, Some(CallError::Unavailable(NoManager::Quarantined(_))));
    let wrong = json!({"do": "panic", "in_check": true}).to_string();
    for _ in 0..STRIKES_MAX {
        assert!(matches!(manager.validate_acquire(&wrong).await, Err(CallError::Trapped(_))));
    }
    assert!(matches!(rig.host.status("museum").unwrap().state, State::Quarantined { .. }));
    assert!(quarantined(manager.validate_acquire("{}").await.as_ref().err()));
    // Whoever has a job is not concerned.
    assert_eq!(rig.acquire("museum", &json!({})).await, Ok(Vec::new()));
    assert_eq!(manager.release(rig.call(7), "{}", &Vec::new).await, Ok(()));
    let panic = json!({"do": "panic"}).to_string();
    for job in 1..=u64::from(STRIKES_MAX) {
        let done = manager.acquire(rig.call(job), &panic).await;
        assert!(matches!(done, Err(CallError::Trapped(_))), "{done:?}");
    }
    assert!(quarantined(manager.acquire(rig.call(7), "{}").await.as_ref().err()));
    // What others have is released, unless that breaks, too.
    assert_eq!(manager.release(rig.call(7), "{}", &Vec::new).await, Ok(()));
    // One job that cannot be released, however often that is tried, is no reason to keep all others.
    for job in [[8; 2 * STRIKES_MAX as usize].as_slice(), &[9, 10, 11, 12]].concat() {
        assert_eq!(manager.release(rig.call(7), "{}", &Vec::new).await, Ok(()));
        let done = manager.release(rig.call(job), &panic, &Vec::new).await;
        assert!(matches!(done, Err(CallError::Trapped(_))), "{done:?}");
    }
    assert!(quarantined(manager.release(rig.call(7), "{}", &Vec::new).await.as_ref().err()));
    assert!(matches!(rig.host.target_manager("museum"), Err(NoManager::Quarantined(_))));
}

#[tokio::test]
async fn good_calls_do_not_hide_bad_ones_unless_there_are_many_more() {
    let rig = Rig::with(museum(), component("museum")).await;
    let good_calls = async |count: u32| {
        for _ in 0..count {
            assert_eq!(rig.acquire("museum", &json!({})).await, Ok(Vec::new()));
        }
    };
    let (manager, panic) = (rig.manager("museum"), json!({"do": "panic"}).to_string());
    let break_it = async |job: u32| {
        assert!(manager.acquire(rig.call(u64::from(job)), &panic).await.is_err());
    };
    for job in 0..2 * STRIKES_MAX {
        break_it(job).await;
        good_calls(STRIKES_OF / (STRIKES_MAX - 1)).await;
    }
    assert_eq!(rig.host.status("museum").unwrap().state, State::Enabled);
    good_calls(STRIKES_OF).await;
    assert_eq!(rig.host.status("museum").unwrap().strikes, 0);
    for job in 1..STRIKES_MAX {
        break_it(job).await;
        good_calls(2).await;
    }
    break_it(0).await;
    assert!(matches!(rig.host.status("museum").unwrap().state, State::Quarantined { .. }));
}

#[tokio::test]
async fn a_time_limit_counts_if_the_plugin_computed_until_then_and_not_if_it_waited() {
    let mut spec = museum();
    (spec.limits.cpu_ms, spec.limits.wall_ms) = (400, 300);
    let rig = Rig::with(spec, component("museum")).await;
    let manager = rig.manager("museum");
    for _ in 0..STRIKES_MAX {
        let mut call = rig.call(7);
        (call.timeout, call.locker) = (Duration::from_millis(50), Arc::new(Silent));
        let waited = manager.acquire(call, &json!({"do": "lock", "names": ["a"]}).to_string()).await;
        assert_eq!(waited, Err(CallError::Timeout));
    }
    assert_eq!(rig.host.status("museum").unwrap().strikes, 0);
    for job in 1..=u64::from(STRIKES_MAX) {
        // Whoever has less time than the plugin may take does not know better.
        let mut hasty = rig.call(job);
        hasty.timeout = Duration::from_millis(200);
        let strikes = || u64::from(rig.host.status("museum").unwrap().strikes);
        let looping = json!({"do": "loop"}).to_string();
        assert_eq!(manager.acquire(hasty, &looping).await, Err(CallError::Timeout));
        assert_eq!(strikes(), job - 1);
        // Beside other work it may come to compute for too little of its time to be to blame.
        for _ in 0..100 {
            assert_eq!(manager.acquire(rig.call(job), &looping).await, Err(CallError::Timeout));
            if strikes() == job {
                break;
            }
        }
        assert_eq!(strikes(), job);
    }
    assert!(matches!(rig.host.status("museum").unwrap().state, State::Quarantined { .. }));
}

#[tokio::test]
async fn calls_that_wait_for_each_other_until_their_time_is_over_are_no_strikes() {
    let rig = Rig::with(museum(), component("museum")).await;
    let mut calls = tokio::task::JoinSet::new();
    for job in 0..8 {
        let (mut call, manager) = (rig.call(job), rig.manager("museum"));
        // It may compute for 2 s, and comes to 50 ms of that beside the others.
        call.timeout = Duration::from_millis(400);
        calls.spawn(async move { manager.acquire(call, r#"{"do": "loop"}"#).await });
    }
    assert_eq!(calls.join_all().await, vec![Err(CallError::Timeout); 8]);
    let status = rig.host.status("museum").unwrap();
    assert_eq!((status.state, status.strikes, status.errors), (State::Enabled, 0, 8));
}

/// A call for a job whose locker never answers, so that it stays where it is until it is cancelled.
fn stuck(rig: &Rig, plugin: &str) -> (CancellationToken, JoinHandle<Result<Vec<Target>, CallError>>) {
    let (mut call, manager) = (rig.call(7), rig.manager(plugin));
    call.locker = Arc::new(Silent);
    let cancel = call.cancel.clone();
    let order = json!({"do": "lock", "names": ["a"]});
    (cancel, tokio::spawn(async move { manager.acquire(call, &order.to_string()).await }))
}

/// Waits until so many calls run or wait.
async fn in_flight(rig: &Rig, plugin: &str, expected: u64) {
    let there = || rig.host.status(plugin).is_some_and(|status| status.in_flight == expected);
    until("calls come and go", there).await;
}

/// A check of parameters that computes until its time is over.
fn slow_check(rig: &Rig) -> JoinHandle<Result<(), CallError>> {
    let manager = rig.manager("museum");
    tokio::spawn(async move { manager.validate_acquire(r#"{"do": "loop", "in_check": true}"#).await })
}

#[tokio::test]
async fn jobs_that_wait_are_in_no_check_s_way_and_checks_that_wait_have_a_bound() {
    let mut spec = museum();
    (spec.limits.concurrency, spec.limits.mailbox, spec.limits.cpu_ms) = (1, 1, 60_000);
    let rig = Rig::with(spec, component("museum")).await;
    let (cancel, runs) = stuck(&rig, "museum");
    in_flight(&rig, "museum", 1).await;
    let mut jobs = tokio::task::JoinSet::new();
    for job in 0..20 {
        let (call, manager) = (rig.call(job), rig.manager("museum"));
        jobs.spawn(async move { manager.release(call, "{}", &Vec::new).await });
        in_flight(&rig, "museum", job + 2).await;
    }
    let manager = rig.manager("museum");
    assert_eq!(manager.validate_acquire("{}").await, Ok(()));
    // The first is where the one before was. It could be two that run, and one may wait.
    let slow = [slow_check(&rig), slow_check(&rig), slow_check(&rig)];
    in_flight(&rig, "museum", 24).await;
    assert_eq!(manager.validate_acquire("{}").await, Err(CallError::Busy));
    let [first, second, third] = slow;
    assert_eq!(first.await.unwrap(), Err(CallError::Timeout));
    // One of them may have had the desk after the first, with all of its time from then on.
    let ends = [second.await.unwrap(), third.await.unwrap()];
    let ran = ends.iter().filter(|end| **end == Err(CallError::Timeout)).count();
    let refused = ends.iter().filter(|end| **end == Err(CallError::Busy)).count();
    assert!(ran <= 1 && ran + refused == 2, "{ends:?}");
    cancel.cancel();
    assert_eq!(runs.await.unwrap(), Err(CallError::Cancelled));
    assert_eq!(jobs.join_all().await, vec![Ok(()); 20]);
    let status = rig.host.status("museum").unwrap();
    // Beside other work they may have come to compute too little to be to blame.
    assert!(status.strikes as usize <= 1 + ran, "who waited is not to blame");
}

#[tokio::test]
async fn waiting_for_a_turn_ends_with_the_caller_s_time_and_is_not_of_the_call_s_own() {
    let mut spec = museum();
    (spec.limits.concurrency, spec.limits.wall_ms) = (1, 3_000);
    let rig = Rig::with(spec, component("museum")).await;
    let (_, runs) = stuck(&rig, "museum");
    in_flight(&rig, "museum", 1).await;
    let mut hurried = rig.call(8);
    hurried.timeout = Duration::from_millis(50);
    assert_eq!(rig.manager("museum").acquire(hurried, "{}").await, Err(CallError::Timeout));
    // It waits for longer than it may run.
    let (_, second) = stuck(&rig, "museum");
    in_flight(&rig, "museum", 2).await;
    assert_eq!(rig.acquire("museum", &json!({})).await, Ok(Vec::new()));
    assert_eq!(
        (runs.await.unwrap(), second.await.unwrap()),
        (Err(CallError::Timeout), Err(CallError::Timeout))
    );
}

#[tokio::test]
async fn who_waits_when_the_plugin_is_replaced_has_his_turn_at_the_new_version() {
    let mut spec = museum();
    (spec.limits.concurrency, spec.limits.cpu_ms) = (1, 60_000);
    let rig = Rig::with(spec.clone(), component("museum")).await;
    // The old one would take the wishes for orders to return nothing, and is at a call that does not end.
    spec.limits.mailbox = 0;
    let new = rig.prepare(spec, component("target-list")).await.expect("it fits");
    let (cancel, runs) = stuck(&rig, "museum");
    in_flight(&rig, "museum", 1).await;
    let mut jobs = tokio::task::JoinSet::new();
    for job in 0..20 {
        let (call, manager) = (rig.call(job), rig.manager("museum"));
        jobs.spawn(async move {
            let wish = json!({"Targets": [{"ID": format!("t{job}")}]});
            manager.acquire(call, &wish.to_string()).await.map(|targets| targets.len())
        });
        in_flight(&rig, "museum", job + 2).await;
    }
    let (_slow, checks) = (slow_check(&rig), rig.manager("museum"));
    in_flight(&rig, "museum", 22).await;
    let check = tokio::spawn(async move { checks.validate_acquire(r#"{"Targets": [{"ID": " "}]}"#).await });
    in_flight(&rig, "museum", 23).await;
    let _ = rig.host.install(new);
    assert_eq!(jobs.join_all().await, vec![Ok(1); 20]);
    let verdict = check.await.unwrap();
    assert!(matches!(verdict, Err(CallError::Problems(_))), "it was let in, and waits: {verdict:?}");
    assert!(!runs.is_finished());
    cancel.cancel();
    assert_eq!(runs.await.unwrap(), Err(CallError::Cancelled));
}

#[tokio::test]
async fn who_waits_is_refused_when_the_plugin_is_switched_off() {
    let mut spec = museum();
    spec.limits.concurrency = 1;
    let rig = Rig::with(spec, component("museum")).await;
    let (cancel, runs) = stuck(&rig, "museum");
    in_flight(&rig, "museum", 1).await;
    let (_, waits) = stuck(&rig, "museum");
    in_flight(&rig, "museum", 2).await;
    let _ = rig.host.set_enabled("museum", false).expect("it is there");
    assert!(!runs.is_finished());
    cancel.cancel();
    assert_eq!(runs.await.unwrap(), Err(CallError::Cancelled));
    assert_eq!(waits.await.unwrap(), Err(CallError::Unavailable(NoManager::Disabled)));
}

#[tokio::test]
async fn plugins_that_take_all_rooms_leave_every_other_one() {
    let rig = Rig::new();
    rig.install(spec("list"), component("target-list")).await;
    // One plugin may have half of the rooms, and one of its own.
    let greedy = ["greedy", "greedier", "greediest"];
    for name in greedy {
        let mut spec = PluginSpec { name: name.to_owned(), ..museum() };
        spec.limits.concurrency = CONCURRENCY.2;
        rig.install(spec, component("museum")).await;
    }
    let mut stuck_calls = Vec::new();
    for name in greedy {
        let most = usize::try_from(CONCURRENCY.2).unwrap();
        stuck_calls.extend((0..most).map(|_| stuck(&rig, name)));
        in_flight(&rig, name, CONCURRENCY.2).await;
    }
    assert!(stuck_calls.len() > CALLS_MAX + greedy.len(), "some wait for a room");
    for id in ["a", "b"] {
        let wish = json!({"Targets": [{"ID": id}]});
        let had = tokio::time::timeout(Duration::from_secs(20), rig.acquire("list", &wish)).await;
        assert_eq!(had.expect("it does not wait for others").map(|targets| targets.len()), Ok(1));
    }
    for (cancel, _) in &stuck_calls {
        cancel.cancel();
    }
    for (_, call) in stuck_calls {
        assert_eq!(call.await.unwrap(), Err(CallError::Cancelled));
    }
}

#[tokio::test]
async fn what_is_switched_off_or_removed_takes_no_calls() {
    let rig = Rig::with(spec("list"), component("target-list")).await;
    let (manager, wish) = (rig.manager("list"), json!({"Targets": [{"ID": "a"}]}));
    assert_eq!(rig.host.set_enabled("list", false).unwrap().state, State::Disabled);
    let refused = manager.acquire(rig.call(7), &wish.to_string()).await;
    assert_eq!(refused, Err(CallError::Unavailable(NoManager::Disabled)));
    // A new version does not switch it on.
    assert_eq!(rig.install(spec("LIST"), marked(component("target-list"), 1)).await.state, State::Disabled);
    assert_eq!(rig.host.set_enabled("list", true).unwrap().state, State::Enabled);
    assert!(manager.acquire(rig.call(7), &wish.to_string()).await.is_ok());
    assert!(rig.host.remove("List"));
    assert!(!rig.host.remove("list"));
    assert_eq!(rig.host.target_manager("list").unwrap_err(), NoManager::Unknown);
    assert!(manager.acquire(rig.call(7), &wish.to_string()).await.is_err());
}
