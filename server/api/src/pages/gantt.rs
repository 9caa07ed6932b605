//! Who held what when, as a chart and as a table. What does not fit is said.

use lessor_ledger::{EventId, Ledger, PoolName, Span as Length, Target, Time};
use lessor_store::{ReadError, Reader};
use lessor_web::chart::{Gantt, Lane, Span, Told, Window};
use lessor_web::{link, page};

use crate::limits::{
    GANTT_EVENTS_MAX, GANTT_LANE_EVENTS_MAX, GANTT_LANES_MAX, GANTT_LANES_MIN, GANTT_TABLE_ROWS_MAX,
};
use crate::pages::row::{cause, utc};
use crate::pages::stay::{self, Past, Stay};
use crate::pages::visitor::seconds_between;

/// The chart of the resources of a pool by name, from the one after `after` on.
pub(crate) fn pool(
    ledger: &Ledger,
    now: Time,
    reader: &Reader,
    pool: &PoolName,
    (window, after): (Window, Option<&Target>),
) -> Result<page::Chosen, ReadError> {
    let chart = Chart::new(ledger, now, reader, window)?;
    let mut members = ledger.members_after(pool.as_str(), after);
    let names: Vec<&Target> = members.by_ref().take(GANTT_LANES_MAX).map(|resource| &resource.name).collect();
    let lanes = chart.lanes(&names, GANTT_EVENTS_MAX)?;
    let more = lanes.len() < names.len() || members.next().is_some();
    let next = lanes.last().filter(|_| more).map(|lane| lane.name.clone());
    Ok(page::Chosen { further: after.is_some(), next, ..chosen(window, &lanes) })
}

/// The chart of one resource.
pub(crate) fn resource(
    ledger: &Ledger,
    now: Time,
    reader: &Reader,
    name: &Target,
    window: Window,
) -> Result<page::Chosen, ReadError> {
    let chart = Chart::new(ledger, now, reader, window)?;
    Ok(chosen(window, &chart.lanes(&[name], GANTT_LANE_EVENTS_MAX)?))
}

fn chosen(window: Window, lanes: &[Lane]) -> page::Chosen {
    let mut spans: Vec<(&Lane, &Span)> =
        lanes.iter().flat_map(|lane| lane.spans.iter().map(move |span| (lane, span))).collect();
    spans.sort_by_key(|(_, span)| span.from);
    let more = spans.len().saturating_sub(GANTT_TABLE_ROWS_MAX);
    let table = spans.into_iter().take(GANTT_TABLE_ROWS_MAX);
    let table = table.map(|(lane, span)| page::Held { target: lane.name.clone(), span: span.clone() });
    page::Chosen {
        window,
        gantt: Gantt::of(window, lanes),
        told: lanes.iter().map(|lane| Told::of(window, lane)).collect(),
        table: table.collect(),
        more,
        further: false,
        next: None,
    }
}

/// What is the same for all lanes.
struct Chart<'a> {
    ledger: &'a Ledger,
    now: Time,
    reader: &'a Reader,
    window: Window,
    /// The last event before it.
    before: EventId,
    /// Since when events are kept, if that is not long enough.
    kept_since: Option<Time>,
}

impl<'a> Chart<'a> {
    fn new(ledger: &'a Ledger, now: Time, reader: &'a Reader, window: Window) -> Result<Self, ReadError> {
        let seconds = i64::try_from(window.seconds()).unwrap_or(i64::MAX);
        let begin = now.plus(Length::from_secs(-seconds));
        let (first, oldest) = (reader.first_at(begin)?, reader.first_event()?);
        let forgotten = first == oldest && oldest.0 > 1;
        let filter = lessor_store::EventFilter { limit: 1, ..Default::default() };
        let kept_since = if forgotten { reader.events(&filter)?.first().map(|event| event.at) } else { None };
        let before = EventId(first.0.saturating_sub(1));
        Ok(Self { ledger, now, reader, window, before, kept_since })
    }

    /// These targets, or the first of them if they were busy, from at most `most` of their events.
    fn lanes(&self, names: &[&Target], most: usize) -> Result<Vec<Lane>, ReadError> {
        let pasts =
            stay::pasts(self.ledger, self.now, self.reader, names, (self.before, most, GANTT_LANES_MIN))?;
        Ok(names.iter().zip(&pasts).map(|(name, past)| self.lane(name, past)).collect())
    }

    fn lane(&self, name: &Target, past: &Past) -> Lane {
        let since = past.since.max(self.kept_since);
        Lane {
            name: name.as_str().into(),
            href: link::resource(name.as_str()),
            known: since.map(|since| self.ago(since)),
            cut: past.since.is_some() && past.since >= self.kept_since,
            spans: past.stays.iter().map(|stay| self.span(stay, since)).collect(),
        }
    }

    fn ago(&self, time: Time) -> u64 {
        u64::try_from(seconds_between(time, self.now)).unwrap_or(0)
    }

    fn span(&self, stay: &Stay, since: Option<Time>) -> Span {
        let begin = stay.from.or(since).map_or(self.window.seconds(), |from| self.ago(from));
        Span {
            from: begin,
            to: stay.end.map(|(at, _)| self.ago(at)),
            owner: stay.owner.as_str().into(),
            lease: stay.lease.0,
            began: stay.from.map(utc),
            ended: stay.end.map(|(at, _)| utc(at)),
            how: stay.end.and_then(|(_, why)| why).map(cause),
        }
    }
}
