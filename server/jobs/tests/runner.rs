//! The runner with managers that do what the test tells them, on a real keeper with a clock that is set by hand.

mod lab;

use lab::{Act, Lab};
use lessor_jobs::{Goal, StartError};
use lessor_ledger::{EndCause, JobCommand, Verdict};

#[tokio::test]
async fn contest_059_a_manager_learns_its_job_its_time_and_how_long_to_lock() {
    let lab = Lab::new().await;
    let job = lab.start(Act::Targets(&["a"])).await;
    let call = lab.call("acquire").await;
    assert_eq!((call.job, call.lock_duration.as_secs()), (job.0, 60 + 600));
    assert!(call.timeout.as_secs() <= 60 && call.timeout.as_secs() > 30, "{:?}", call.timeout);
    assert_eq!(lab.settled(job).await, "leased");
}

#[tokio::test]
async fn each_call_is_made_once_and_what_it_led_to_is_told() {
    let lab = Lab::new().await;
    let job = lab.start(Act::Targets(&["b", "a"])).await;
    lab.call("acquire").await;
    assert_eq!(lab.settled(job).await, "leased");
    lab.submit(JobCommand::End { job, owner: None, reason: None }).await;
    assert_eq!(lab.call("release").await.targets, ["b", "a"]);
    assert_eq!(lab.over(job).await, (Verdict::Completed, Some(EndCause::Asked)));
    lab.no_more_calls();
}

#[tokio::test]
async fn a_call_that_is_no_longer_needed_is_cancelled_and_not_told() {
    let lab = Lab::new().await;
    let job = lab.start(Act::Hang).await;
    lab.call("acquire").await;
    lab.submit(JobCommand::End { job, owner: None, reason: None }).await;
    lab.call("cancelled").await;
    assert_eq!(lab.over(job).await, (Verdict::Cancelled, Some(EndCause::Asked)));
}

#[tokio::test]
async fn the_locker_of_a_call_locks_for_its_job_and_only_while_it_acquires() {
    let lab = Lab::new().await;
    let job = lab.start(Act::Lock(&["a", "b"], &["b"])).await;
    let call = lab.call("acquire").await;
    assert_eq!(lab.settled(job).await, "leased");
    assert_eq!(lab.holder("a"), None, "what was locked beside the answer is free");
    assert_eq!(lab.holder("b"), Some(format!("job:{}", job.0)));
    let late = call.locker.lock(vec!["c".to_owned()], call.timeout).await;
    assert!(matches!(late, Err(lessor_plugins::LockerError::Unavailable(_))), "{late:?}");
    let other = lab.start(Act::Lock(&["b"], &["b"])).await;
    assert_eq!(lab.settled(other).await, "failed");
    let failure = lab.keeper.snapshot().job(other).and_then(|job| job.failure.clone()).unwrap_or_default();
    assert!(failure.contains(&format!("b (held by job:{})", job.0)), "{failure}");
}

#[tokio::test]
async fn the_ledger_s_time_limit_ends_the_call() {
    let lab = Lab::new().await;
    let job = lab.start(Act::Hang).await;
    lab.call("acquire").await;
    lab.pass(61);
    lab.call("cancelled").await;
    assert_eq!(lab.over(job).await, (Verdict::Failed, Some(EndCause::AcquireTimeout)));
}

#[tokio::test]
async fn a_failed_release_is_made_again_when_it_is_due() {
    let lab = Lab::new().await;
    let job = lab.start(Act::Targets(&["a"])).await;
    lab.settled(job).await;
    lab.next_release(Act::Fail("no power"));
    lab.submit(JobCommand::End { job, owner: None, reason: None }).await;
    lab.call("acquire").await;
    lab.call("release").await;
    lab.until("it is stuck", || lab.phase(job) == "stuck").await;
    lab.no_more_calls();
    lab.pass(2);
    lab.call("release").await;
    assert_eq!(lab.over(job).await, (Verdict::Completed, Some(EndCause::Asked)));
}

#[tokio::test]
async fn a_new_runner_goes_on_where_the_one_before_was_ended() {
    let mut lab = Lab::new().await;
    let job = lab.start(Act::Targets(&["a"])).await;
    lab.call("acquire").await;
    lab.settled(job).await;
    lab.next_release(Act::Hang);
    lab.submit(JobCommand::End { job, owner: None, reason: None }).await;
    lab.call("release").await;
    lab.new_runner();
    lab.call("release").await;
    assert_eq!(lab.over(job).await, (Verdict::Completed, Some(EndCause::Asked)));
}

#[tokio::test]
async fn what_is_wrong_with_parameters_is_told_with_where_it_is() {
    let lab = Lab::new().await;
    let refused = lab.try_start("Doubles", &serde_json::json!({"bad": ["/x", ""]})).await;
    let Err(StartError::Parameters { problems, .. }) = refused else { panic!("{refused:?}") };
    let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["/acquire_parameters/x", "/acquire_parameters"]);
    let unknown = lab.try_start("nobody", &serde_json::json!({})).await;
    assert!(matches!(unknown, Err(StartError::Keeper(_))), "{unknown:?}");
    assert_eq!(lab.keeper.snapshot().live_job_count(), 0);
}

#[tokio::test]
async fn waiting_for_nothing_ends_at_once_and_for_too_long_with_what_there_is() {
    let lab = Lab::new().await;
    let soon = std::time::Duration::from_millis(50);
    assert!(lab.jobs.wait(lessor_ledger::Job(77), Goal::Over, soon).await.is_none());
    let job = lab.start(Act::Hang).await;
    let seen = lab.jobs.wait(job, Goal::Settled, soon).await.expect("there is such a job");
    assert_eq!(seen.phase.name(), "acquiring");
}
