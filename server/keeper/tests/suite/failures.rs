//! A store that fails: nobody sees what was not committed, and writing resumes.

use lessor_keeper::{Error, Health, Missed};
use lessor_ledger::{Command, Reply};

use crate::disk::Mood;
use crate::lab::{Lab, acquire, granted, soon, until};

#[tokio::test]
async fn a_commit_that_is_lost_never_happened() {
    let lab = Lab::new(2).await;
    let first = lab.acquire("ann").await.expect("something is free");
    let mut feed = lab.keeper.feed();
    let before = lab.keeper.snapshot();

    lab.disk.set(Mood::RefusesWrites);
    let error = lab.acquire("bob").await.expect_err("the disk is broken");
    assert!(matches!(&error, Error::ReadOnly(reason) if reason.contains("the disk is broken")), "{error:?}");
    assert!(matches!(lab.keeper.health(), Health::ReadOnly(_)));
    // Reading goes on, and shows what was committed.
    assert_eq!(lab.keeper.snapshot().counters(), before.counters());
    assert_eq!(lab.keeper.snapshot().lease_count(), 1);
    assert_eq!(lab.holder("gpu-1"), None);
    // Whoever asks meanwhile is told at once.
    let error = soon("the answer", lab.acquire("cid")).await.expect_err("the disk is broken");
    assert!(matches!(error, Error::ReadOnly(_)), "{error:?}");

    lab.disk.set(Mood::Good);
    lab.writable().await;
    assert_eq!(lab.holder("gpu-0").as_deref(), Some("ann"));
    assert_eq!(lab.holder("gpu-1"), None);
    let second = lab.acquire("bob").await.expect("something is free");
    assert!(second.lease.id > first.lease.id);
    // Whoever follows is told that there may be a gap.
    assert_eq!(soon("the answer", feed.next()).await, Err(Missed::Skipped));
    let lab = lab.restart(1_001).await;
    assert_eq!(lab.holder("gpu-0").as_deref(), Some("ann"));
    assert_eq!(lab.holder("gpu-1").as_deref(), Some("bob"));
}

#[tokio::test]
async fn everybody_in_a_lost_batch_is_told() {
    let lab = Lab::new(4).await;
    lab.disk.hang(true);
    let (first, (second, third, ())) = tokio::join!(lab.acquire("a"), async {
        until("the writer hangs", || lab.disk.hangs().then_some(())).await;
        tokio::join!(lab.acquire("b"), lab.acquire("c"), async {
            until("the others wait", || (lab.keeper.waiting() >= 2).then_some(())).await;
            lab.disk.set(Mood::RefusesWrites);
            lab.disk.hang(false);
        })
    });
    for answer in [&second, &third] {
        assert!(matches!(answer, Err(Error::ReadOnly(_))), "{answer:?}");
    }
    lab.disk.set(Mood::Good);
    lab.writable().await;
    // The commit that hung came through, unless it was one of the writer's own.
    assert_eq!(lab.keeper.snapshot().lease_count(), usize::from(first.is_ok()));
}

#[tokio::test]
async fn a_commit_that_the_disk_kept_without_saying_so_is_found_again() {
    let lab = Lab::new(1).await;
    let first = lab.acquire("ann").await.expect("something is free");
    let watch = lab.queue("bob").await;
    lab.disk.set(Mood::BreaksAtSync);
    let error = lab.release(&first).await.expect_err("the disk is broken");
    assert!(matches!(error, Error::ReadOnly(_)), "{error:?}");
    // Not durable for certain, so nobody sees it.
    assert_eq!(lab.holder("gpu-0").as_deref(), Some("ann"));

    lab.disk.set(Mood::Good);
    lab.writable().await;
    // What the disk says counts, and whoever watched hears of it.
    assert_eq!(granted(watch).await.lease.owner.as_str(), "bob");
    assert_eq!(lab.holder("gpu-0").as_deref(), Some("bob"));
}

#[tokio::test]
async fn a_waiter_keeps_its_watch_through_a_failure() {
    let lab = Lab::new(1).await;
    let first = lab.acquire("ann").await.expect("something is free");
    let watch = lab.queue("bob").await;
    lab.disk.set(Mood::RefusesWrites);
    lab.keeper.submit(acquire("cid", 60, true)).await.expect_err("the disk is broken");
    lab.disk.set(Mood::Good);
    lab.writable().await;
    lab.release(&first).await.expect("it is held");
    assert_eq!(granted(watch).await.lease.owner.as_str(), "bob");
}

#[tokio::test]
async fn an_expiry_during_a_failure_waits_for_the_disk() {
    let lab = Lab::new(1).await;
    lab.acquire("ann").await.expect("something is free");
    lab.disk.set(Mood::RefusesWrites);
    lab.clock.set(1_100);
    until("the tick fails", || matches!(lab.keeper.health(), Health::ReadOnly(_)).then_some(())).await;
    assert_eq!(lab.keeper.snapshot().lease_count(), 1);
    lab.disk.set(Mood::Good);
    until("the lease ends", || (lab.keeper.snapshot().lease_count() == 0).then_some(())).await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_broken_disk() {
    let lab = Lab::new(1).await;
    lab.disk.set(Mood::RefusesWrites);
    lab.acquire("ann").await.expect_err("the disk is broken");
    soon("the stop", lab.stopper.stop()).await.expect("the stop is clean");
    assert!(matches!(lab.keeper.submit(Command::Tick).await, Err(Error::Stopped)));
}

#[tokio::test]
async fn a_refusal_is_not_hidden_by_a_failure_before_it() {
    let lab = Lab::new(1).await;
    lab.disk.set(Mood::RefusesWrites);
    lab.acquire("ann").await.expect_err("the disk is broken");
    lab.disk.set(Mood::Good);
    lab.writable().await;
    let reply = lab.keeper.submit(acquire("ann", 60, false)).await.expect("something is free");
    assert!(matches!(reply, Reply::Granted(_)), "{reply:?}");
}
