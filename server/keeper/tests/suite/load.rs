//! Many at once: group commit, full queues, stopping.

use std::sync::Arc;

use lessor_keeper::limits::{LARGE_TARGETS, ROOM_TARGETS};
use lessor_keeper::{Error, Health, stats::Kind};
use lessor_ledger::{Command, ContestLock, Job, Refusal, Span, Target};
use lessor_store::EventFilter;
use tokio::task::JoinSet;

use crate::lab::{Lab, acquire, begun, release, soon, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commands_that_wait_together_share_a_commit_and_none_is_lost() {
    const CLIENTS: usize = 32;
    const ROUNDS: usize = 20;
    let lab = Arc::new(Lab::new(CLIENTS / 2).await);
    let before = lab.keeper.stats().batch_size.read();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let lab = Arc::clone(&lab);
        clients.spawn(async move {
            let mut granted = Vec::new();
            for _ in 0..ROUNDS {
                match lab.acquire(&format!("client-{client}")).await {
                    Ok(grant) => {
                        let name = grant.resources[0].name.as_str();
                        // Visible before it is answered.
                        assert_eq!(lab.holder(name), Some(format!("client-{client}")));
                        granted.push(grant.lease.id);
                        lab.release(&grant).await.expect("it is held");
                    }
                    Err(Error::Refused(Refusal::Unavailable(_))) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            granted
        });
    }
    let mut leases: Vec<_> = clients.join_all().await.into_iter().flatten().collect();
    let count = leases.len();
    leases.sort_unstable();
    leases.dedup();
    assert_eq!(leases.len(), count, "a lease ID was given out twice");
    assert!(count > 0);

    let after = lab.keeper.stats().batch_size.read();
    let stats = lab.keeper.stats();
    assert_eq!(stats.applied(Kind::Acquire), (CLIENTS * ROUNDS) as u64);
    assert_eq!(stats.applied(Kind::Release), count as u64);
    assert_eq!(stats.refused(Kind::Acquire), (CLIENTS * ROUNDS - count) as u64);
    assert!(
        after.count - before.count < 2 * count as u64,
        "{} commits for {} changes: nothing was shared",
        after.count - before.count,
        2 * count
    );
    assert_eq!(lab.keeper.snapshot().lease_count(), 0);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let lab = Lab::new(3).await;
    let first = lab.acquire("ann").await.expect("something is free");
    let second = lab.acquire("bob").await.expect("something is free");
    lab.release(&first).await.expect("it is held");
    let before = lab.keeper.snapshot();
    let lab = lab.restart(1_001).await;
    assert_eq!(lab.holder(second.resources[0].name.as_str()).as_deref(), Some("bob"));
    assert_eq!(lab.holder(first.resources[0].name.as_str()), None);
    assert_eq!(lab.keeper.snapshot().resource_count(), before.resource_count());
    let third = lab.acquire("cid").await.expect("something is free");
    assert!(third.lease.id > second.lease.id);
    let ended = lab.keeper.history().lease(first.lease.id).expect("the history can be read");
    assert!(ended.expect("it is remembered").ended.is_some());
}

#[tokio::test]
async fn a_refusal_costs_no_commit() {
    let lab = Lab::new(1).await;
    lab.acquire("ann").await.expect("something is free");
    let before = lab.keeper.stats().batch_size.read().count;
    let error = lab.acquire("bob").await.expect_err("nothing is free");
    assert!(matches!(error, Error::Refused(Refusal::Unavailable(_))), "{error:?}");
    assert_eq!(lab.keeper.stats().batch_size.read().count, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_too_many_is_turned_away_at_once() {
    let lab = Arc::new(Lab::with(8, |options| options.letters_max = 4).await);
    lab.disk.hang(true);
    // The writer takes the first and hangs; the next four fill the queue.
    let mut clients = JoinSet::new();
    let ask = |client: usize| {
        let lab = Arc::clone(&lab);
        begun(async move { lab.acquire(&format!("client-{client}")).await })
    };
    clients.spawn(ask(0).await);
    until("the writer hangs", || lab.disk.hangs().then_some(())).await;
    for client in 1..=4 {
        clients.spawn(ask(client).await);
    }
    let error = soon("the answer", lab.acquire("late")).await.expect_err("the queue is full");
    assert!(matches!(error, Error::Busy), "{error:?}");
    assert_eq!(error.to_string(), "too many commands wait already");
    assert_eq!(lab.keeper.stats().busy.load(std::sync::atomic::Ordering::Relaxed), 1);
    lab.disk.hang(false);
    let answers = soon("the answers", clients.join_all()).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    lab.acquire("late").await.expect("the queue has room again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_answers_what_waits_and_nothing_after() {
    let Lab { keeper, disk, stopper, .. } = Lab::new(8).await;
    let mut feed = keeper.feed();
    disk.hang(true);
    let mut clients = JoinSet::new();
    for client in 0..6 {
        let keeper = keeper.clone();
        let asking = async move { keeper.submit(acquire(&format!("client-{client}"), 60, false)).await };
        clients.spawn(begun(asking).await);
    }
    until("the writer hangs", || disk.hangs().then_some(())).await;
    let stopping = tokio::spawn(stopper.stop());
    disk.hang(false);
    let answers = soon("the answers", clients.join_all()).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    soon("the stop", stopping).await.expect("stopping does not panic").expect("the stop is clean");
    assert_eq!(keeper.health(), Health::Stopped);
    assert!(matches!(keeper.submit(Command::Tick).await, Err(Error::Stopped)));
    let end = soon("the end of the feed", async {
        loop {
            if let Err(missed) = feed.next().await {
                return missed;
            }
        }
    });
    assert_eq!(end.await, lessor_keeper::Missed::Stopped);
    // Everything is in the tables: nothing is left to replay.
    let lab = Lab::open(disk, 1_000, |_| {});
    assert_eq!(lab.keeper.snapshot().lease_count(), 6);
}

fn locks(job: u64, count: usize) -> Command {
    let targets = (0..count).map(|n| Target::new(format!("{job}-{n}")).ok()).collect();
    Command::ContestLock(ContestLock { job: Job(job), duration: Span::from_secs(60), targets })
}

/// Deciding all of them would take much longer than a stop may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_all_that_waits() {
    let Lab { keeper, stopper, disk, .. } = Lab::new(1).await;
    disk.hang(true);
    let mut clients = JoinSet::new();
    for job in 1..=4_000 {
        let keeper = keeper.clone();
        clients.spawn(async move { keeper.submit(locks(job, LARGE_TARGETS)).await });
    }
    until("many wait", || (keeper.waiting() > 2_000).then_some(())).await;
    let stopping = begun(stopper.stop()).await;
    disk.hang(false);
    // On a busy machine it may be late all the same.
    let _ = soon("the stop", stopping).await;
    let answers = soon("the answers", clients.join_all()).await;
    assert!(answers.iter().any(|answer| matches!(answer, Err(Error::Stopped))), "all were waited for");
    assert!(answers.iter().all(|answer| !matches!(answer, Err(Error::Busy | Error::ReadOnly(_)))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_for_little_has_one_large_command_before_it_at_most() {
    let lab = Lab::new(1).await;
    lab.disk.hang(true);
    let mut clients = JoinSet::new();
    let ask = |job, count| {
        let keeper = lab.keeper.clone();
        async move { keeper.submit(locks(job, count)).await }
    };
    clients.spawn(ask(1, 1));
    until("the writer hangs", || lab.disk.hangs().then_some(())).await;
    for job in 2..=20 {
        clients.spawn(ask(job, 2_000));
    }
    let room = ROOM_TARGETS as usize / 2_000;
    until("there is no room for more large ones", || (lab.keeper.waiting() == room).then_some(())).await;
    let small = tokio::spawn(ask(21, 1));
    until("the small one waits, too", || (lab.keeper.waiting() == room + 1).then_some(())).await;
    lab.disk.hang(false);
    soon("the answer", small).await.expect("it does not panic").expect("nobody else locks that");
    assert!(soon("the answers", clients.join_all()).await.iter().all(Result::is_ok));
    let about = EventFilter { target: Target::new("21-0").ok(), ..EventFilter::default() };
    let events = lab.keeper.history().events(&about).expect("the history can be read");
    assert!(events[0].id.0 < 12_000, "{:?} of 38,000", events[0].id);
}

#[tokio::test]
async fn the_thread_ends_with_its_last_handle() {
    let Lab { keeper, mut stopper, .. } = Lab::new(1).await;
    let other = keeper.clone();
    drop(keeper);
    other.submit(acquire("ann", 60, false)).await.expect("something is free");
    drop(other);
    soon("the end", stopper.ended()).await;
}

#[tokio::test]
async fn a_reply_that_nobody_waits_for_is_decided_all_the_same() {
    let lab = Lab::new(1).await;
    lab.disk.hang(true);
    let asked = tokio::time::timeout(std::time::Duration::from_millis(50), lab.acquire("ann")).await;
    assert!(asked.is_err(), "the disk hangs");
    lab.disk.hang(false);
    until("the lease is there", || lab.holder("gpu-0")).await;
    let lease = lab.keeper.snapshot().holder("gpu-0", lab.keeper.now()).map(|lock| lock.lease);
    lab.keeper.submit(release(lease.expect("it is held"))).await.expect("it is held");
}

#[test]
fn answers_arrive_although_the_runtime_of_the_start_is_gone() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let first = runtime().expect("a runtime can be made");
    let lab = Arc::new(first.block_on(Lab::new(16)));
    drop(first);
    runtime().expect("a runtime can be made").block_on(async {
        let mut clients = JoinSet::new();
        for client in 0..16 {
            let lab = Arc::clone(&lab);
            clients.spawn(async move { lab.acquire(&format!("client-{client}")).await });
        }
        let answers = soon("the answers", clients.join_all()).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    });
}
