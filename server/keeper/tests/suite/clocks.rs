//! Clocks that jump (promise P9).

use lessor_ledger::EventKind;
use lessor_store::EventFilter;

use crate::lab::{Lab, at, until};

#[tokio::test]
async fn a_jump_ahead_is_noticed_although_nobody_asks() {
    let lab = Lab::new(1).await;
    lab.acquire("ann").await.expect("something is free");
    // Nothing is left to do but to look at the clock now and then. (If this is too short, the test is weaker.)
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    // At the deadline itself the lock is still live.
    lab.clock.set(1_060);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(lab.holder("gpu-0").as_deref(), Some("ann"));
    lab.clock.set(4_600);
    until("the lease ends", || (lab.keeper.snapshot().lease_count() == 0).then_some(())).await;
    assert_eq!(lab.keeper.snapshot().now(), at(4_600));
}

#[tokio::test]
async fn after_a_jump_back_nothing_is_revived_and_no_number_repeats() {
    let lab = Lab::new(1).await;
    let first = lab.acquire("ann").await.expect("something is free");
    lab.clock.set(2_000);
    until("the lease ends", || (lab.keeper.snapshot().lease_count() == 0).then_some(())).await;
    lab.clock.set(500);
    assert_eq!(lab.holder("gpu-0"), None);
    assert_eq!(lab.keeper.now(), at(2_000));
    let second = lab.acquire("bob").await.expect("something is free");
    assert!(second.lease.id > first.lease.id);
    assert_eq!(second.lease.granted_at, at(2_000));
    // The server is started again while the clock is still wrong.
    let lab = lab.restart(10).await;
    assert_eq!(lab.keeper.now(), at(2_000));
    assert_eq!(lab.holder("gpu-0").as_deref(), Some("bob"));
    // Time goes on as soon as the clock has caught up.
    lab.clock.set(2_061);
    until("the lease ends", || (lab.keeper.snapshot().lease_count() == 0).then_some(())).await;
    let events = lab.keeper.history().events(&EventFilter::default()).expect("the history can be read");
    let ends = events.iter().filter(|event| event.kind == EventKind::LeaseEnded).count();
    assert_eq!(ends, 2);
    assert!(events.windows(2).all(|pair| pair[0].id < pair[1].id && pair[0].at <= pair[1].at));
}

#[tokio::test]
async fn a_lease_ends_although_the_wall_clock_was_once_years_ahead() {
    const YEARS: i64 = 300_000_000;
    let lab = Lab::new(1).await;
    lab.clock.set(YEARS);
    lab.acquire("ann").await.expect("something is free");
    lab.clock.set(1_000);
    assert_eq!(lab.keeper.now(), at(YEARS));
    assert_eq!(lab.keeper.clock_behind(), at(YEARS).since(at(1_000)));
    // Nine tenths of a second for each that passes, so that the wall clock catches up in the end.
    lab.clock.pass(60);
    assert_eq!(lab.keeper.now(), at(YEARS + 54));
    assert_eq!(lab.holder("gpu-0").as_deref(), Some("ann"));
    lab.clock.pass(7);
    until("the lease ends", || (lab.keeper.snapshot().lease_count() == 0).then_some(())).await;
    lab.clock.set(YEARS + 100);
    assert_eq!(lab.keeper.now(), at(YEARS + 100));
}
