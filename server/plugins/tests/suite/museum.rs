//! Bad plugins: each ends with its own error, hurts nobody else, and costs no more than it may.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lessor_plugins::{CallError, PluginSpec, Target};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, Silent, component, hurried_museum, museum, spec};

async fn told(order: Value) -> Result<Vec<Target>, CallError> {
    Rig::with(museum(), component("museum")).await.acquire("museum", &order).await
}

fn trap(done: Result<Vec<Target>, CallError>) -> String {
    match done {
        Err(CallError::Trapped(message)) => message,
        other => panic!("it did not break: {other:?}"),
    }
}

#[tokio::test]
async fn a_loop_in_any_export_uses_up_its_processor_time() {
    let rig = Rig::with(hurried_museum(), component("museum")).await;
    let manager = rig.manager("museum");
    let in_check = json!({"do": "loop", "in_check": true});
    let here = json!({"do": "loop"});
    assert_eq!(manager.validate_acquire(&in_check.to_string()).await, Err(CallError::OutOfCpu));
    assert_eq!(manager.validate_release(&in_check.to_string()).await, Err(CallError::OutOfCpu));
    assert_eq!(manager.acquire(rig.call(7), &here.to_string()).await, Err(CallError::OutOfCpu));
    assert_eq!(manager.release(rig.call(7), &here.to_string(), &Vec::new).await, Err(CallError::OutOfCpu));
}

#[tokio::test]
async fn a_start_that_never_ends_uses_up_its_processor_time() {
    let mut spec = spec("slow");
    spec.limits.cpu_ms = 50;
    let rig = Rig::with(spec, component("slow-start")).await;
    assert_eq!(rig.acquire("slow", &json!({})).await, Err(CallError::OutOfCpu));
}

#[tokio::test]
async fn memory_has_an_end() {
    assert_eq!(told(json!({"do": "bomb"})).await, Err(CallError::OutOfMemory));
    assert_eq!(told(json!({"do": "shout", "count": 1 << 30})).await, Err(CallError::OutOfMemory));
    let fits = told(json!({"do": "hoard", "count": 8 << 20})).await.unwrap();
    assert_eq!(fits[0].id, (8 << 20).to_string());
}

#[tokio::test]
async fn an_answer_has_an_end() {
    assert_eq!(told(json!({"do": "shout", "count": 4 << 20})).await, Err(CallError::OutputTooLarge));
    let long = told(json!({"do": "shout", "count": 513})).await;
    let message = "the plugin returned a bad target, number 0: its ID has 513 bytes: at most 512 are taken";
    assert_eq!(long, Err(CallError::Failed { message: message.to_owned(), retryable: false }));
    let mut roomy = museum();
    roomy.limits.output_bytes = 64 << 20;
    let rig = Rig::with(roomy, component("museum")).await;
    let crowd = rig.acquire("museum", &json!({"do": "crowd", "count": 10_001})).await;
    let message = "the plugin returned 10001 targets: at most 10000 are taken".to_owned();
    assert_eq!(crowd, Err(CallError::Failed { message, retryable: false }));
}

#[tokio::test]
async fn a_label_is_taken_whole_or_not_at_all() {
    let fits = told(json!({"do": "label", "count": 512})).await.unwrap();
    assert_eq!(fits[0].labels["site"].len(), 512);
    let message = "the plugin returned a bad target, number 0: the value of a label has 513 bytes: at most 512 are taken";
    let long = told(json!({"do": "label", "count": 513})).await;
    assert_eq!(long, Err(CallError::Failed { message: message.to_owned(), retryable: false }));
}

#[tokio::test]
async fn it_is_told_the_lesser_of_its_limit_and_the_job_s() {
    let mut hurried = museum();
    hurried.limits.wall_ms = 7_000;
    // A call of the rig has half a minute.
    for (spec, ms) in [(museum(), "30000"), (hurried, "7000")] {
        let rig = Rig::with(spec, component("museum")).await;
        let told = rig.acquire("museum", &json!({"do": "timeout"})).await.unwrap();
        assert_eq!(told[0].id, ms);
    }
}

#[tokio::test]
async fn what_it_keeps_with_a_target_is_json() {
    let message = "the plugin returned a bad target, number 0: its state is not JSON".to_owned();
    let bad = told(json!({"do": "bad-state"})).await;
    assert_eq!(bad, Err(CallError::Failed { message, retryable: false }));
}

#[tokio::test]
async fn recursion_has_an_end_and_says_so() {
    let message = trap(told(json!({"do": "recurse"})).await);
    assert!(message.contains("call stack exhausted") || message.contains("out of bounds"), "{message}");
}

#[tokio::test]
async fn a_panic_is_told_with_its_message() {
    let message = trap(told(json!({"do": "panic"})).await);
    assert!(message.contains("the curator said so"), "{message}");
    // Where it was built is nobody's business.
    assert!(!message.contains(env!("CARGO_MANIFEST_DIR")), "{message}");
}

#[tokio::test]
async fn a_log_flood_is_cut_and_the_call_goes_on() {
    let named = told(json!({"do": "chatter", "count": 5_000, "names": ["a"]})).await.unwrap();
    assert_eq!(named[0].id, "a");
    let message = trap(told(json!({"do": "chatter", "count": 20_000})).await);
    assert!(message.contains("more functions of the server than one call may"), "{message}");
}

#[tokio::test]
async fn a_verdict_is_cut_and_cleaned() {
    let rig = Rig::with(museum(), component("museum")).await;
    let nag = rig.manager("museum").validate_acquire(&json!({"do": "nag", "count": 1_000}).to_string()).await;
    let Err(CallError::Problems(problems)) = nag else { panic!("{nag:?}") };
    assert_eq!(problems.len(), 100);
    assert_eq!(problems[99].message, "is not to my liking\u{fffd}");
}

#[tokio::test]
async fn locks_of_a_call_that_broke_are_there_for_the_caller_to_free() {
    let rig = Rig::with(museum(), component("museum")).await;
    let message = trap(rig.acquire("museum", &json!({"do": "lock-and-panic", "names": ["a"]})).await);
    assert!(message.contains("with locks held"), "{message}");
    assert_eq!(rig.book.holders(), [("a".to_owned(), 7)].into());
}

#[tokio::test]
async fn there_is_a_locker_in_acquire_only() {
    let rig = Rig::with(museum(), component("museum")).await;
    let order = json!({"do": "lock", "names": ["a"]});
    let released = rig.manager("museum").release(rig.call(7), &order.to_string(), &Vec::new).await;
    let Err(CallError::Failed { message, .. }) = released else { panic!("{released:?}") };
    assert!(message.contains("there is no locker in this call"), "{message}");
    assert_eq!(rig.book.locks.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn never_ending_calls_of_the_locker_are_counted() {
    let mut spec = museum();
    spec.limits.cpu_ms = 10_000;
    let rig = Rig::with(spec, component("museum")).await;
    let message = trap(rig.acquire("museum", &json!({"do": "lock-for-ever", "names": ["a"]})).await);
    assert!(message.contains("more functions of the server than one call may"), "{message}");
    assert_eq!(rig.book.locks.load(Ordering::SeqCst), 10_000);
}

#[tokio::test]
async fn waiting_ends_with_the_wall_clock_and_costs_no_processor_time() {
    let rig = Rig::with(hurried_museum(), component("museum")).await;
    let mut call = rig.call(7);
    // Longer than its processor time: that it waits for the host is not its own doing.
    call.timeout = Duration::from_millis(200);
    call.locker = Arc::new(Silent);
    let order = json!({"do": "lock", "names": ["a"]});
    assert_eq!(rig.manager("museum").acquire(call, &order.to_string()).await, Err(CallError::Timeout));
}

#[tokio::test]
async fn a_cancelled_call_ends_where_it_is() {
    let rig = Rig::with(museum(), component("museum")).await;
    let mut call = rig.call(7);
    call.locker = Arc::new(Silent);
    let (cancel, manager) = (call.cancel.clone(), rig.manager("museum"));
    let waiting = tokio::spawn(async move {
        manager.acquire(call, &json!({"do": "lock", "names": ["a"]}).to_string()).await
    });
    cancel.cancel();
    assert_eq!(waiting.await.unwrap(), Err(CallError::Cancelled));
    assert_eq!(rig.host.status("museum").unwrap().strikes, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_served_while_bad_ones_run() {
    let rig = Arc::new(Rig::with(hurried_museum(), component("museum")).await);
    rig.install(spec("good"), component("target-list")).await;
    let mut visitors = tokio::task::JoinSet::new();
    for order in ["loop", "bomb", "recurse", "lock-for-ever"] {
        for _ in 0..2 {
            let rig = Arc::clone(&rig);
            visitors.spawn(async move { rig.acquire("museum", &json!({"do": order, "names": ["x"]})).await });
        }
    }
    for job in 0..50 {
        let wish = json!({"Targets": [{"ID": format!("t{job}")}]});
        let targets = rig.manager("good").acquire(rig.call(job), &wish.to_string()).await;
        assert_eq!(targets.map(|targets| targets.len()), Ok(1));
    }
    while let Some(done) = visitors.join_next().await {
        assert!(done.unwrap().is_err(), "a bad plugin came back");
    }
    assert_eq!(rig.host.status("good").unwrap().errors, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loops_in_line_for_the_processor_still_end_with_their_time_and_let_a_long_call_through() {
    let mut greedy = museum();
    greedy.limits.cpu_ms = 60_000;
    let rig = Arc::new(Rig::with(greedy, component("museum")).await);
    rig.install(PluginSpec { name: "modest".to_owned(), ..hurried_museum() }, component("museum")).await;
    let mut loops = tokio::task::JoinSet::new();
    let cancel = CancellationToken::new();
    for number in 0..8 {
        let mut call = rig.call(number);
        call.cancel = cancel.clone();
        if number % 2 == 0 {
            call.timeout = Duration::from_millis(300);
        }
        let manager = rig.manager("museum");
        loops.spawn(async move { manager.acquire(call, &json!({"do": "loop"}).to_string()).await });
    }
    for _ in 0..4 {
        assert_eq!(loops.join_next().await.unwrap().unwrap(), Err(CallError::Timeout));
    }
    // It needs 50 turns, of which it gets every second one, not every fifth.
    let done = rig.acquire("modest", &json!({"do": "loop"})).await;
    assert_eq!(done, Err(CallError::OutOfCpu));
    assert_eq!(rig.host.status("museum").unwrap().in_flight, 4, "the others go on");
    cancel.cancel();
    while let Some(done) = loops.join_next().await {
        assert_eq!(done.unwrap(), Err(CallError::Cancelled));
    }
}

#[tokio::test]
async fn locking_many_targets_costs_as_much_as_many_calls() {
    let mut spec = museum();
    spec.limits.host_calls = 250;
    let rig = Rig::with(spec, component("museum")).await;
    let names: Vec<String> = (0..10_000).map(|number| format!("t{number}")).collect();
    let message = trap(rig.acquire("museum", &json!({"do": "lock-for-ever", "names": names})).await);
    assert!(message.contains("it called more functions of the server than one call may"), "{message}");
    assert_eq!(rig.book.locks.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn the_memory_of_the_host_does_not_grow_with_bad_calls() {
    let rig = Rig::with(museum(), component("museum")).await;
    let before = resident_bytes();
    for _ in 0..40 {
        let done = rig.acquire("museum", &json!({"do": "bomb"})).await;
        assert_eq!(done, Err(CallError::OutOfMemory));
        let _ = rig.host.set_enabled("museum", true).expect("it is there");
    }
    let grown = resident_bytes().saturating_sub(before);
    // Each call had 16 MiB. What other tests of this process use meanwhile is in there too.
    assert!(grown < 320 << 20, "{grown} bytes more than before");
}

/// What this process has in memory.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the kernel tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("it is a number of kB") << 10
}
