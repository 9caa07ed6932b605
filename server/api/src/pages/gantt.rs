//! Who held what when: from the ended leases of a target, which history finds by an index, and the one that holds it.

use lessor_ledger::{Lease, Ledger, PoolName, Target, Time};
use lessor_store::{LeaseFilter, ReadError, Reader};
use lessor_web::chart::{Gantt, Lane, Span, Window};
use lessor_web::{link, page};

use crate::limits::{GANTT_LANES_MAX, GANTT_SPANS_PER_LANE_MAX};
use crate::pages::row::{cause, utc};
use crate::pages::visitor::seconds_between;

/// The chart of the first resources of a pool.
pub(crate) fn pool(
    ledger: &Ledger,
    now: Time,
    reader: &Reader,
    pool: &PoolName,
    window: Window,
) -> Result<page::Chosen, ReadError> {
    let members = ledger.members_after(pool.as_str(), None).take(GANTT_LANES_MAX);
    let spans = GANTT_SPANS_PER_LANE_MAX / 4;
    let lanes: Result<Vec<Lane>, ReadError> =
        members.map(|resource| lane(ledger, now, reader, &resource.name, (window, spans))).collect();
    Ok(chosen(window, &lanes?))
}

/// The chart of one resource.
pub(crate) fn resource(
    ledger: &Ledger,
    now: Time,
    reader: &Reader,
    name: &Target,
    window: Window,
) -> Result<page::Chosen, ReadError> {
    let lane = lane(ledger, now, reader, name, (window, GANTT_SPANS_PER_LANE_MAX))?;
    Ok(chosen(window, &[lane]))
}

fn chosen(window: Window, lanes: &[Lane]) -> page::Chosen {
    let mut spans: Vec<(&Lane, &Span)> =
        lanes.iter().flat_map(|lane| lane.spans.iter().map(move |span| (lane, span))).collect();
    spans.sort_by_key(|(_, span)| span.from);
    let table = spans.into_iter().take(GANTT_SPANS_PER_LANE_MAX);
    let table =
        table.map(|(lane, span)| (lane.name.clone(), span.owner.clone(), span.lease, span.words.clone()));
    page::Chosen { window, gantt: Gantt::of(window, lanes), table: table.collect() }
}

fn lane(
    ledger: &Ledger,
    now: Time,
    reader: &Reader,
    target: &Target,
    (window, limit): (Window, usize),
) -> Result<Lane, ReadError> {
    let filter =
        LeaseFilter { target: Some(target.clone()), newest_first: true, limit, ..LeaseFilter::default() };
    let ended = reader.leases(&filter)?;
    let current = ledger.holder(target.as_str(), now).and_then(|lock| ledger.lease(lock.lease));
    let mut spans: Vec<Span> = current.into_iter().map(|lease| span(lease, now)).collect();
    let recent = ended.iter().map(|lease| span(lease, now));
    spans.extend(recent.take_while(|span| span.to.unwrap_or(0) < window.seconds()));
    Ok(Lane { name: target.as_str().into(), href: link::resource(target.as_str()), spans })
}

fn span(lease: &Lease, now: Time) -> Span {
    let before = |time: Time| u64::try_from(seconds_between(time, now)).unwrap_or(0);
    let words = match &lease.ended {
        Some(ended) => format!("{} to {}, {}", utc(lease.granted_at), utc(ended.at), cause(ended.cause)),
        None => format!("since {}", utc(lease.granted_at)),
    };
    Span {
        from: before(lease.granted_at),
        to: lease.ended.as_ref().map(|ended| before(ended.at)),
        owner: lease.owner.as_str().into(),
        lease: lease.id.0,
        words,
    }
}
