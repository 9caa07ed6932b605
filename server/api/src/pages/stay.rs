//! Who held a target when, as its events tell: a lease may have got it, or lost it, at another time than others.

use lessor_ledger::{Cause, Event, EventId, EventKind, LeaseId, Ledger, Owner, Target, Time};
use lessor_store::{Latest, LatestFilter, ReadError, Reader};

use crate::limits::STAY_BEGIN_LOOKED_FOR;

/// One lease on one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stay {
    pub(crate) lease: LeaseId,
    pub(crate) owner: Owner,
    /// When it began; `None` if that was earlier than what was read.
    pub(crate) from: Option<Time>,
    /// When and why it ended; `None` if it has not.
    pub(crate) end: Option<(Time, Option<Cause>)>,
}

impl Stay {
    fn of(event: &Event, from: Option<Time>, end: Option<&Event>) -> Option<Self> {
        Some(Self {
            lease: event.lease?,
            owner: event.owner.clone()?,
            from,
            end: end.map(|end| (end.at, end.cause)),
        })
    }
}

/// What is known of one target.
#[derive(Debug)]
pub(crate) struct Past {
    /// The last first.
    pub(crate) stays: Vec<Stay>,
    /// Since when; `None` if since the event that was asked for.
    pub(crate) since: Option<Time>,
}

/// Who held the targets after event `after`, from at most `most` events: of the first `least`, and of as many after them as
/// fit. The store is read twice, however many targets there are.
///
/// # Errors
/// [`ReadError`] if the store fails.
pub(crate) fn pasts(
    ledger: &Ledger,
    now: Time,
    reader: &Reader,
    targets: &[&Target],
    (after, most, least): (EventId, usize, usize),
) -> Result<Vec<Past>, ReadError> {
    let wanted = targets.iter().map(|&target| LatestFilter {
        target: target.clone(),
        after: Some(after),
        before: None,
        limit: most,
    });
    let read = reader.latest(&wanted.collect::<Vec<_>>(), (most, least))?;
    let mut pasts: Vec<Past> =
        targets.iter().zip(&read).map(|(target, latest)| past(ledger, now, target, latest)).collect();
    add_begins(reader, targets, &read, &mut pasts)?;
    Ok(pasts)
}

/// What these events, and who holds it now, tell of a target.
fn past(ledger: &Ledger, now: Time, target: &Target, latest: &Latest) -> Past {
    let mut stays = told_by(&latest.events);
    let holder = ledger.holder(target.as_str(), now);
    if let Some(lock) = holder.filter(|lock| stays.iter().all(|stay| stay.lease != lock.lease)) {
        // Nothing has happened to it since.
        let (lease, owner) = (lock.lease, lock.owner.clone());
        stays.insert(0, Stay { lease, owner, from: Some(lock.taken_at), end: None });
    }
    let since = latest.events.last().filter(|_| latest.more).map(|event| event.at);
    Past { stays, since }
}

/// Finds out when the first stays began, if that was before what was read.
fn add_begins(
    reader: &Reader,
    targets: &[&Target],
    read: &[Latest],
    pasts: &mut [Past],
) -> Result<(), ReadError> {
    let firsts = pasts.iter_mut().map(|past| past.stays.last_mut().filter(|stay| stay.from.is_none()));
    let mut lacking = Vec::new();
    let mut wanted = Vec::new();
    for ((first, &target), latest) in firsts.zip(targets).zip(read) {
        let Some(first) = first else { continue };
        let before = latest.events.last().map(|event| event.id);
        wanted.push(LatestFilter {
            target: target.clone(),
            after: None,
            before,
            limit: STAY_BEGIN_LOOKED_FOR,
        });
        lacking.push(first);
    }
    let earlier = reader.latest(&wanted, (STAY_BEGIN_LOOKED_FOR * wanted.len(), wanted.len()))?;
    for (first, latest) in lacking.into_iter().zip(earlier) {
        let begins = |event: &&Event| is_begin(event.kind) && event.lease == Some(first.lease);
        first.from = latest.events.iter().find(begins).map(|event| event.at);
    }
    Ok(())
}

fn is_begin(kind: EventKind) -> bool {
    matches!(kind, EventKind::LeaseGranted | EventKind::LockRevived)
}

fn is_end(kind: EventKind) -> bool {
    matches!(kind, EventKind::LeaseReduced | EventKind::LeaseEnded | EventKind::LockLapsed)
}

/// The stays that the events of a target tell of, the last of both first.
fn told_by(events: &[Event]) -> Vec<Stay> {
    let mut stays = Vec::new();
    let mut end: Option<&Event> = None;
    for event in events {
        if is_end(event.kind) {
            // What had lapsed was not held any more when it was taken over.
            end = Some(event);
        } else if is_begin(event.kind) {
            let end = end.take().filter(|end| end.lease == event.lease);
            stays.extend(Stay::of(event, Some(event.at), end));
        }
    }
    stays.extend(end.and_then(|end| Stay::of(end, None, Some(end))));
    stays
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: u64, kind: EventKind, lease: u64, cause: Option<Cause>) -> Event {
        Event {
            id: EventId(id),
            at: seconds(id),
            kind,
            target: Target::new("gpu-1").ok(),
            pool: None,
            lease: Some(LeaseId(lease)),
            request: None,
            owner: Owner::new(format!("owner-{lease}")).ok(),
            plugin: None,
            from: None,
            to: None,
            cause,
            note: None,
        }
    }

    fn seconds(seconds: u64) -> Time {
        Time::from_millis(i64::try_from(seconds).expect("small") * 1000)
    }

    /// Lease, when it began, when it ended.
    fn told(mut events: Vec<Event>) -> Vec<(u64, Option<u64>, Option<u64>)> {
        events.reverse();
        let at = |time: Time| u64::try_from(time.millis() / 1000).expect("positive");
        let stays = told_by(&events).into_iter();
        stays.map(|stay| (stay.lease.0, stay.from.map(at), stay.end.map(|(end, _)| at(end)))).collect()
    }

    #[test]
    fn a_target_that_was_given_back_alone_was_held_until_then() {
        let events = vec![
            event(16, EventKind::LeaseGranted, 1, None),
            event(22, EventKind::LeaseReduced, 1, Some(Cause::Released)),
            event(23, EventKind::ResourceChanged, 0, None),
            event(24, EventKind::LeaseGranted, 2, None),
            event(28, EventKind::LeaseEnded, 2, Some(Cause::Released)),
            event(29, EventKind::LeaseGranted, 1, None),
        ];
        assert_eq!(told(events), [(1, Some(29), None), (2, Some(24), Some(28)), (1, Some(16), Some(22))]);
    }

    #[test]
    fn a_lock_that_lapsed_is_held_again_when_it_is_revived() {
        let events = vec![
            event(1, EventKind::LeaseGranted, 1, None),
            event(3, EventKind::LockLapsed, 1, Some(Cause::Expired)),
            event(5, EventKind::LockRevived, 1, None),
            event(7, EventKind::LockLapsed, 1, Some(Cause::Expired)),
            event(9, EventKind::LeaseEnded, 1, Some(Cause::TakenOver)),
            event(9, EventKind::LeaseGranted, 2, None),
        ];
        assert_eq!(told(events), [(2, Some(9), None), (1, Some(5), Some(7)), (1, Some(1), Some(3))]);
    }

    #[test]
    fn what_began_before_the_events_has_no_beginning() {
        let events = vec![event(5, EventKind::LeaseEnded, 1, Some(Cause::Expired))];
        assert_eq!(told(events), [(1, None, Some(5))]);
        assert_eq!(told(Vec::new()), []);
    }
}
