//! Waiting: watches are told, whoever and whatever settles the request.

use std::sync::Arc;

use lessor_keeper::Stopped;
use lessor_ledger::{Command, Reply, Settled, Withdrawal};
use tokio::task::JoinSet;

use crate::lab::{Lab, acquire, at, granted, soon};

#[tokio::test]
async fn a_release_is_told_to_the_one_who_waits() {
    let lab = Lab::new(1).await;
    let first = lab.acquire("ann").await.expect("something is free");
    let watch = lab.queue("bob").await;
    lab.release(&first).await.expect("it is held");
    let grant = granted(watch).await;
    assert_eq!(grant.lease.owner.as_str(), "bob");
    assert_eq!(lab.holder("gpu-0").as_deref(), Some("bob"));
}

#[tokio::test]
async fn an_expiry_that_nobody_asks_about_is_told_too() {
    let lab = Lab::new(1).await;
    lab.acquire("ann").await.expect("something is free");
    let watch = lab.queue("bob").await;
    // The waiter must be alive when the lease of 60 s ends: its own TTL is 30 s.
    lab.clock.set(1_025);
    let request = lab.keeper.snapshot().requests_after(None).next().expect("bob waits").id;
    lab.keeper.submit(Command::Poll(request)).await.expect("bob waits");
    lab.clock.set(1_050);
    lab.keeper.submit(Command::Poll(request)).await.expect("bob waits");
    lab.clock.set(1_061);
    let grant = granted(watch).await;
    assert_eq!(grant.lease.owner.as_str(), "bob");
    assert_eq!(lab.keeper.stats().lost(lessor_ledger::Cause::Expired), 1);
}

#[tokio::test]
async fn a_waiter_that_withdraws_is_told_so() {
    let lab = Lab::new(1).await;
    lab.acquire("ann").await.expect("something is free");
    let watch = lab.queue("bob").await;
    let request = lab.keeper.snapshot().requests_after(None).next().expect("bob waits").id;
    lab.keeper.submit(Command::Withdraw(Withdrawal::of(request))).await.expect("bob waits");
    let settled = soon("the settlement", watch).await.expect("the keeper lives");
    assert!(matches!(settled, Settled::Ended(ended) if ended.id == request));
}

#[tokio::test]
async fn several_may_watch_one_request_and_those_who_left_do_not_count() {
    let lab = Lab::new(1).await;
    let first = lab.acquire("ann").await.expect("something is free");
    let watch = lab.queue("bob").await;
    let request = lab.keeper.snapshot().requests_after(None).next().expect("bob waits").id;
    let poll = || lab.keeper.submit_and_watch(Command::Poll(request));
    for _ in 0..3 * lessor_keeper::limits::WATCHES_PER_REQUEST_MAX {
        let (_, watch) = poll().await.expect("bob waits");
        drop(watch.expect("there is room"));
    }
    let mut watches = Vec::new();
    for _ in 1..lessor_keeper::limits::WATCHES_PER_REQUEST_MAX {
        watches.push(poll().await.expect("bob waits").1.expect("there is room"));
    }
    let (reply, none) = poll().await.expect("bob waits");
    assert!(matches!(reply, Reply::Queued(..)));
    assert!(none.is_none(), "one watch too many");
    lab.release(&first).await.expect("it is held");
    let lease = granted(watch).await.lease.id;
    for watch in watches {
        assert_eq!(granted(watch).await.lease.id, lease);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_settlement_falls_between_the_reply_and_the_watch() {
    // One resource passed on among many: a single missed settlement would stop everything.
    let lab = Arc::new(Lab::new(1).await);
    let mut clients = JoinSet::new();
    for client in 0..16 {
        let lab = Arc::clone(&lab);
        clients.spawn(async move {
            for _ in 0..25 {
                let command = acquire(&format!("client-{client}"), 60, true);
                let grant =
                    match lab.keeper.submit_and_watch(command).await.expect("there is room in the line") {
                        (Reply::Granted(grant), None) => *grant,
                        (Reply::Queued(..), Some(watch)) => granted(watch).await,
                        reply => panic!("{reply:?}"),
                    };
                lab.release(&grant).await.expect("it is held");
            }
        });
    }
    soon("everybody's turn", clients.join_all()).await;
    assert_eq!(lab.keeper.snapshot().request_count(), lab.keeper.snapshot().requests_after(None).count());
    assert!(lab.keeper.snapshot().requests_after(None).all(|request| !request.waits()));
}

#[tokio::test]
async fn a_restart_keeps_the_line_and_gives_everybody_time_to_come_back() {
    let lab = Lab::new(1).await;
    let first = lab.acquire("ann").await.expect("something is free");
    let watch = lab.queue("bob").await;
    lab.queue("cid").await;
    let Lab { keeper, disk, stopper, .. } = lab;
    stopper.stop().await.expect("the keeper stops");
    drop(keeper);
    assert_eq!(soon("the end of the watch", watch).await.expect_err("the keeper is gone"), Stopped);

    // Longer than the waiters' TTL of 30 s.
    let lab = Lab::open(disk, 1_040, |_| {});
    crate::lab::until("the writer has begun", || (lab.keeper.snapshot().now() == at(1_040)).then_some(()))
        .await;
    let requests: Vec<_> = lab.keeper.snapshot().requests_after(None).cloned().collect();
    let owners: Vec<_> = requests.iter().map(|request| request.owner.as_str()).collect();
    assert_eq!(owners, ["bob", "cid"]);
    assert!(
        requests.iter().all(|request| request.live_until == at(1_070) && !request.dormant),
        "{requests:?}"
    );
    let (_, watch) = lab.keeper.submit_and_watch(Command::Poll(requests[0].id)).await.expect("bob waits");
    lab.release(&first).await.expect("it is held");
    assert_eq!(granted(watch.expect("bob waits")).await.lease.owner.as_str(), "bob");
}

#[tokio::test]
async fn whoever_watches_has_collected_in_the_commit_that_grants() {
    let lab = Lab::new(1).await;
    let first = lab.acquire("ann").await.expect("something is free");
    let watch = lab.queue("bob").await;
    let before = lab.keeper.stats().batch_size.read().count;
    lab.release(&first).await.expect("it is held");
    let lease = granted(watch).await.lease.id;
    let snapshot = lab.keeper.snapshot();
    assert_eq!(snapshot.lease(lease).expect("bob holds it").pickup, None);
    assert_eq!(lab.keeper.stats().batch_size.read().count, before + 1, "one commit for both");
}

#[tokio::test]
async fn a_grant_to_somebody_who_left_goes_to_the_next_even_after_a_restart() {
    let lab = Lab::new(1).await;
    let first = lab.acquire("ann").await.expect("something is free");
    drop(lab.queue("bob").await);
    let _cid = lab.queue("cid").await;
    lab.release(&first).await.expect("it is held");
    assert_eq!(lab.holder("gpu-0").as_deref(), Some("bob"));

    let lab = lab.restart(1_020).await;
    crate::lab::until("the writer has begun", || (lab.keeper.snapshot().now() == at(1_020)).then_some(()))
        .await;
    lab.clock.set(1_050);
    lab.keeper.submit(Command::Tick).await.expect("the keeper lives");
    assert_eq!(lab.holder("gpu-0").as_deref(), Some("bob"), "a restart gives a full request TTL");
    lab.clock.set(1_049);
    let request = lab.keeper.snapshot().requests_after(None).nth(1).expect("cid waits").id;
    lab.keeper.submit(Command::Poll(request)).await.expect("cid waits");
    lab.clock.set(1_051);
    crate::lab::until("cid's turn", || (lab.holder("gpu-0").as_deref() == Some("cid")).then_some(())).await;
    assert_eq!(lab.keeper.stats().lost(lessor_ledger::Cause::Uncollected), 1);
}
