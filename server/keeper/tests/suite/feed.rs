//! The feed: everything committed, in order, or word that something is missing.

use std::time::Duration;

use lessor_keeper::Missed;
use lessor_ledger::{EventId, EventKind};
use tokio::time::Instant;

use crate::lab::{Lab, soon};

#[tokio::test]
async fn a_follower_sees_every_event_once_and_in_order() {
    let lab = Lab::new(2).await;
    let last = lab.keeper.history().last_event();
    let mut feed = lab.keeper.feed();
    for _ in 0..10 {
        let grant = lab.acquire("ann").await.expect("something is free");
        lab.release(&grant).await.expect("it is held");
    }
    let mut seen = Vec::new();
    while seen.len() < 20 {
        let events = soon("the next events", feed.next()).await.expect("nothing is missed");
        seen.extend(events.iter().map(|event| (event.id, event.kind)));
    }
    for (n, (id, kind)) in seen.into_iter().enumerate() {
        assert_eq!(id, EventId(last.0 + 1 + n as u64));
        assert_eq!(kind, if n % 2 == 0 { EventKind::LeaseGranted } else { EventKind::LeaseEnded });
    }
}

#[tokio::test]
async fn a_slow_follower_is_told_and_holds_nobody_up() {
    let lab = Lab::with(1, |options| options.feed_batches_max = 4).await;
    let mut slow = lab.keeper.feed();
    for _ in 0..20 {
        let grant = soon("the grant", lab.acquire("ann")).await.expect("something is free");
        soon("the release", lab.release(&grant)).await.expect("it is held");
    }
    assert_eq!(soon("the answer", slow.next()).await, Err(Missed::Skipped));
    // It goes on with the oldest that is still there.
    for _ in 0..4 {
        soon("the next events", slow.next()).await.expect("these are still there");
    }
}

#[tokio::test]
async fn a_paced_follower_rests_between_looks_and_misses_nothing() {
    const GAP: Duration = Duration::from_millis(300);
    let lab = Lab::new(1).await;
    let mut feed = lab.keeper.feed().paced(GAP);
    let begun = Instant::now();
    let (first, grant) = tokio::join!(soon("the grant", feed.next()), lab.acquire("ann"));
    assert_eq!(first.expect("nothing is missed")[0].kind, EventKind::LeaseGranted);
    let (next, ()) = tokio::join!(soon("the next events", feed.next()), async {
        lab.release(&grant.expect("something is free")).await.expect("it is held");
        lab.acquire("ben").await.expect("it is free");
    });
    assert!(begun.elapsed() >= GAP, "it was woken again after {:?}", begun.elapsed());
    assert_eq!(next.expect("nothing is missed")[0].kind, EventKind::LeaseEnded);
    let last = soon("the last events", feed.next()).await.expect("nothing is missed");
    assert_eq!(last[0].kind, EventKind::LeaseGranted);
}
