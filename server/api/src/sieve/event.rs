//! Events as filters see them, and finding them in the history.

use lessor_filter::{Filter, Key, Row, Value, contains};
use lessor_ledger::{
    Event, EventId, EventKind, LeaseId, Owner, PluginName, PoolName, RequestId, Span, State, Target, Time,
};
use lessor_store::{EventFilter, ReadError, Reader};

use crate::limits::{EVENTS_SHOWN, HISTORY_ROWS_AT_ONCE, HISTORY_ROWS_LOOKED_AT_MAX};
use crate::sieve::{Bounds, Sifted, number, sift};
use crate::time::Length;
use crate::v1::view;

/// What a filter may say, also on a page.
pub(crate) static KEYS: [Key; 9] = [
    Key::one_of("kind", &KINDS),
    Key::any("target"),
    Key::any("pool"),
    Key::any("owner"),
    Key::any("plugin"),
    number("lease"),
    number("request"),
    Key::like("since", is_moment, MOMENT),
    Key::like("until", is_moment, MOMENT),
];

const MOMENT: &str =
    "a length before now like 2h or 1d, or a time in UTC like 2026-05-04T09:30:00Z or 2026-05-04";

const KINDS: [&str; EventKind::ALL.len()] = {
    let mut names = [""; EventKind::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = view::kind(EventKind::ALL[at]);
        at += 1;
    }
    names
};

/// What is told of requests.
const OF_REQUESTS: [EventKind; 4] = [
    EventKind::RequestQueued,
    EventKind::RequestWithdrawn,
    EventKind::RequestLapsed,
    EventKind::LeaseGranted,
];

/// An event as a filter sees it.
pub(crate) struct Candidate<'e> {
    pub(crate) event: &'e Event,
    /// What lengths are counted from.
    pub(crate) now: Time,
}

impl Row for Candidate<'_> {
    fn has(&self, key: &str, value: &Value) -> bool {
        let Self { event, now } = self;
        let number = |number: Option<u64>| number.is_some_and(|number| value.is(&number.to_string()));
        match key {
            "kind" => value.is(view::kind(event.kind)),
            "target" => event.target.as_ref().is_some_and(|target| value.is(target.as_str())),
            "pool" => event.pool.as_ref().is_some_and(|pool| value.is(pool.as_str())),
            "owner" => event.owner.as_ref().is_some_and(|owner| value.is(owner.as_str())),
            "plugin" => event.plugin.as_ref().is_some_and(|plugin| value.is(plugin.as_str())),
            "lease" => number(event.lease.map(|lease| lease.0)),
            "request" => number(event.request.map(|request| request.0)),
            "since" => instant(value, *now).is_some_and(|since| event.at >= since),
            _ => instant(value, *now).is_some_and(|until| event.at <= until),
        }
    }

    fn contains(&self, needle: &str) -> bool {
        let Event { target, pool, owner, plugin, note, from, to, .. } = self.event;
        let texts = [
            target.as_ref().map(Target::as_str),
            pool.as_ref().map(PoolName::as_str),
            owner.as_ref().map(Owner::as_str),
            plugin.as_ref().map(PluginName::as_str),
            note.as_deref(),
            from.as_ref().map(State::as_str),
            to.as_ref().map(State::as_str),
            Some(view::kind(self.event.kind)),
        ];
        texts.into_iter().flatten().any(|text| contains(text, needle))
    }
}

fn is_moment(value: &Value) -> bool {
    instant(value, Time::from_millis(0)).is_some()
}

/// A time as a filter says it: a length before now (`2h`), or RFC 3339.
fn instant(value: &Value, now: Time) -> Option<Time> {
    let Value::Exactly(text) = value else { return None };
    moment(text, now)
}

pub(crate) fn moment(text: &str, now: Time) -> Option<Time> {
    let length = text.parse().map(|Length(length)| length).or_else(|_| crate::length::read(text));
    match length {
        // A time to come has no events.
        Ok(length) => (length.nanos() >= 0).then(|| now.plus(Span::from_nanos(-length.nanos()))),
        Err(_) => crate::moment::read(text),
    }
}

/// Events in the history that a filter finds, in the order and range of `wanted`.
///
/// # Errors
/// [`ReadError`] if the store fails.
pub(crate) fn find(
    reader: &Reader,
    filter: &Filter,
    now: Time,
    mut wanted: EventFilter,
    (kept, looked_at): (usize, usize),
) -> Result<Sifted<Event>, ReadError> {
    narrow(&mut wanted, filter);
    wanted.limit =
        if filter.is_empty() { kept.min(EventFilter::default().limit) } else { HISTORY_ROWS_AT_ONCE };
    let bounds = Bounds { kept, looked_at, at_once: wanted.limit };
    within(reader, &mut wanted, filter, now)?;
    let newest_first = wanted.newest_first;
    let from = if newest_first { wanted.before } else { wanted.after };
    let fits = |event: &Event| filter.matches(&Candidate { event, now });
    let read = |from: Option<u64>| {
        let from = from.map(EventId);
        if newest_first {
            wanted.before = from;
        } else {
            wanted.after = from;
        }
        reader.events(&wanted)
    };
    sift(bounds, from.map(|from| from.0), read, |event| event.id.0, fits)
}

/// Leaves out of `wanted` what is outside of the time that the filter is about: times rise with the numbers.
fn within(reader: &Reader, wanted: &mut EventFilter, filter: &Filter, now: Time) -> Result<(), ReadError> {
    let at = |key: &str| filter.only(key).and_then(|text| moment(text, now));
    if let Some(since) = at("since") {
        let before = EventId(reader.first_at(since)?.0.saturating_sub(1));
        wanted.after = wanted.after.max(Some(before));
    }
    if let Some(until) = at("until") {
        let beyond = reader.first_at(until.plus(Span::from_nanos(1)))?;
        wanted.before = Some(wanted.before.map_or(beyond, |before| before.min(beyond)));
    }
    if let Some(begin) = request(filter).map(|request| queued(reader, request)).transpose()?.flatten() {
        let before = EventId(begin.0.saturating_sub(1));
        wanted.after = wanted.after.max(Some(before));
    }
    Ok(())
}

/// The event by which a request got in line; `None` if it never did, or that is not kept any more. Some 20 events are looked
/// at to find it: their numbers rise with those of requests.
fn queued(reader: &Reader, request: RequestId) -> Result<Option<EventId>, ReadError> {
    let (mut low, mut high) = (reader.first_event()?.0, reader.last_event().0 + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let wanted = EventFilter {
            after: Some(EventId(middle - 1)),
            before: Some(EventId(high)),
            kinds: vec![EventKind::RequestQueued],
            limit: 1,
            ..EventFilter::default()
        };
        match reader.events(&wanted)?.first() {
            Some(event) if event.request == Some(request) => return Ok(Some(event.id)),
            Some(event) if event.request < Some(request) => low = event.id.0 + 1,
            _ => high = middle,
        }
    }
    Ok(None)
}

/// What happened to a request, in order: how it got in line, and what became of it, if that is not far from there.
///
/// # Errors
/// [`ReadError`] if the store fails.
pub(crate) fn of_request(reader: &Reader, request: RequestId, now: Time) -> Result<Vec<Event>, ReadError> {
    let filter = Filter::parse(&format!("request:{request}"), &KEYS).expect("a number is a request");
    let bounds = (EVENTS_SHOWN, HISTORY_ROWS_LOOKED_AT_MAX);
    Ok(find(reader, &filter, now, EventFilter::default(), bounds)?.rows)
}

/// Makes use of what the store has indexes for. What it is narrowed to already, it stays.
pub(crate) fn narrow(wanted: &mut EventFilter, filter: &Filter) {
    let only = |key: &str| filter.only(key);
    if wanted.target.is_none() {
        wanted.target = only("target").and_then(|name| Target::new(name).ok());
    }
    if wanted.lease.is_none() {
        wanted.lease = only("lease").and_then(|id| id.parse().ok()).map(LeaseId);
    }
    if wanted.kinds.is_empty() {
        wanted.kinds = only("kind").and_then(kind).into_iter().collect();
    }
    if wanted.kinds.is_empty() && request(filter).is_some() {
        wanted.kinds = OF_REQUESTS.to_vec();
    }
}

fn request(filter: &Filter) -> Option<RequestId> {
    filter.only("request").and_then(|id| id.parse().ok()).map(RequestId)
}

fn kind(name: &str) -> Option<EventKind> {
    EventKind::ALL.into_iter().find(|&kind| view::kind(kind) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_lengths_or_stamps() {
        let now = Time::from_millis(10_000_000);
        assert_eq!(moment("2h", now), Some(Time::from_millis(2_800_000)));
        assert_eq!(moment("1970-01-01T00:00:05Z", now), Some(Time::from_millis(5_000)));
        assert_eq!(moment("1970-01-01", now), Some(Time::from_millis(0)));
        assert_eq!(moment("1970-01-01T00:10", now), Some(Time::from_millis(600_000)));
        assert_eq!(moment("1d", now), Some(Time::from_millis(-76_400_000)));
        assert_eq!(moment("soon", now), None);
        assert_eq!(moment("-2h", now), None);
    }

    #[test]
    fn every_kind_can_be_asked_for() {
        for each in EventKind::ALL {
            assert_eq!(kind(view::kind(each)), Some(each));
            assert!(Filter::parse(&format!("kind:{}", view::kind(each)), &KEYS).is_ok());
        }
        assert!(Filter::parse("kind:lease-end", &KEYS).is_err());
        for wrong in
            ["since:soon", "since:-2h", "until:-1ms", "lease:abc", "request:y", "lease:007", "lease:1x*"]
        {
            assert!(Filter::parse(wrong, &KEYS).is_err(), "{wrong}");
        }
        assert!(Filter::parse("lease:7 request:1*", &KEYS).is_ok());
        assert!(Filter::parse("-since:2h until:2026-05-04T09:30:00Z", &KEYS).is_ok());
    }
}
