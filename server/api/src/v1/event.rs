//! `/v1/events`: what happened, as pages and as a stream.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, HeaderName};
use axum::response::Response;
use lessor_filter::Filter;
use lessor_ledger::{Event, EventId, EventKind, LeaseId, Target, Time};
use lessor_store::EventFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::extract::Query;
use crate::limits::PAGE_ROWS_MAX;
use crate::problem::Problem;
use crate::sieve::event::{self as sieve, Candidate, KEYS};
use crate::sse;
use crate::v1::body;
use crate::v1::list::{self, Page};
use crate::v1::view::{self, EventView};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What somebody wants to know about.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    target: Option<Target>,
    lease: Option<LeaseId>,
    kinds: Vec<EventKind>,
    words: Filter,
    /// When they asked: what times in the filter are counted from.
    now: Time,
}

/// What a query says of it.
struct Asked<'q> {
    target: Option<String>,
    lease: Option<u64>,
    kind: Option<&'q str>,
    filter: Option<&'q str>,
}

impl Topic {
    fn new(asked: Asked<'_>, now: Time) -> Result<Self, Problem> {
        let Asked { target, lease, kind: kinds, filter } = asked;
        let kinds = kinds.map(|kinds| kinds.split(',').map(kind).collect()).transpose()?;
        Ok(Self {
            target: body::optional("target", target, body::target)?,
            lease: lease.map(LeaseId),
            kinds: kinds.unwrap_or_default(),
            words: list::filter(filter, &KEYS)?,
            now,
        })
    }

    /// The one target that all of it is about, if there is one.
    pub(crate) fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// Whether no new event can be about it.
    fn is_over(&self) -> bool {
        self.words
            .only("until")
            .and_then(|until| sieve::moment(until, self.now))
            .is_some_and(|until| until < self.now)
    }

    /// Whether an event is about it.
    pub(crate) fn covers(&self, event: &Event) -> bool {
        self.target.as_ref().is_none_or(|target| event.target.as_ref() == Some(target))
            && self.lease.is_none_or(|lease| event.lease == Some(lease))
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && self.words.matches(&Candidate { event, now: self.now })
    }

    /// Looks it up in the history: at most `limit` events after `after`, among which are all that it covers.
    pub(crate) fn filter(&self, after: Option<EventId>, limit: usize) -> EventFilter {
        let Self { target, lease, kinds, words, .. } = self.clone();
        let mut filter = EventFilter { after, target, lease, kinds, limit, ..EventFilter::default() };
        sieve::narrow(&mut filter, &words);
        filter
    }
}

fn kind(name: &str) -> Result<EventKind, Problem> {
    let known = EventKind::ALL.into_iter().find(|&kind| view::kind(kind) == name);
    known.ok_or_else(|| {
        let names: Vec<_> = EventKind::ALL.into_iter().map(view::kind).collect();
        Problem::invalid("kind", format!("there is no kind {name:?}; there are {}", names.join(", ")))
    })
}

/// Filter of `GET /v1/events`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Events about this target.
    #[param(min_length = 1, max_length = 512)]
    target: Option<String>,
    /// Events about this lease.
    lease: Option<u64>,
    /// Events of these kinds, with commas between.
    #[param(example = "lease-granted,lease-ended")]
    kind: Option<String>,
    /// Events with higher numbers; the cursor from the page before.
    after: Option<u64>,
    /// Events with lower numbers; the cursor from the page before if `order` is `desc`.
    before: Option<u64>,
    /// Which come first.
    #[serde(default)]
    order: Order,
    /// Only what this filter finds: `kind:lease-ended owner:ci-* since:2h`. All words must be true of an item; README, "Filters".
    #[param(max_length = 2048)]
    filter: Option<String>,
    /// Most items in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
}

/// Which events come first.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    /// The oldest.
    #[default]
    Asc,
    /// The newest.
    Desc,
}

/// Lists events by number. With `order=desc` the cursor goes into `before`.
#[utoipa::path(get, path = "/v1/events", operation_id = "list_events", tag = "events", params(ListQuery), responses(
    (status = 200, description = "Events", body = Page<EventView>)
))]
pub(crate) async fn list(
    Extract(app): Extract<App>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<EventView>>, Problem> {
    let limit = list::limit(query.limit)?;
    let ListQuery { target, lease, kind, filter, .. } = query;
    let asked = Asked { target, lease, kind: kind.as_deref(), filter: filter.as_deref() };
    let topic = Topic::new(asked, app.keeper.now())?;
    let wanted = EventFilter {
        before: query.before.map(EventId),
        newest_first: query.order == Order::Desc,
        ..topic.filter(query.after.map(EventId), limit)
    };
    let find = move |reader: &_| {
        let found = sieve::find(reader, &topic.words, topic.now, wanted, (limit, PAGE_ROWS_MAX))?;
        let next = found.next.map(|next| next.to_string());
        Ok(Page::of(&found.rows, next, |event| event.id.0.to_string(), EventView::of))
    };
    app.read(find).await.map(Json)
}

/// What to follow, and from where.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamQuery {
    /// Events about this target.
    #[param(min_length = 1, max_length = 512)]
    target: Option<String>,
    /// Events about this lease.
    lease: Option<u64>,
    /// Events of these kinds, with commas between.
    kind: Option<String>,
    /// Only what this filter finds: `kind:lease-ended owner:ci-*`. All words must be true of an item; README, "Filters".
    #[param(max_length = 2048)]
    filter: Option<String>,
    /// Events with higher numbers, from the history first; only new ones by default. `Last-Event-ID` wins.
    after: Option<u64>,
}

/// Follows events as server-sent events: `id` is the event's number, `event` its kind, `data` the event as JSON.
///
/// `event: reset` says that events between the last `id` and the next one are no longer kept.
#[utoipa::path(get, path = "/v1/events/stream", operation_id = "follow_events", tag = "events",
    params(StreamQuery, ("Last-Event-ID" = Option<u64>, Header, description = "Go on after this event")),
    responses((status = 200, description = "Events as they happen", body = String, content_type = "text/event-stream"))
)]
pub(crate) async fn stream(
    Extract(app): Extract<App>,
    headers: HeaderMap,
    Query(query): Query<StreamQuery>,
) -> Result<Response, Problem> {
    let StreamQuery { target, lease, kind, filter, .. } = query;
    let asked = Asked { target, lease, kind: kind.as_deref(), filter: filter.as_deref() };
    let topic = Topic::new(asked, app.keeper.now())?;
    let last = headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or_default().parse());
    let last =
        last.transpose().map_err(|_| Problem::invalid("Last-Event-ID", "is not the number of an event"))?;
    let after = last.or(query.after);
    if after.is_none() && topic.is_over() {
        return Err(Problem::invalid("filter", "until is past: no new event can be found"));
    }
    sse::follow(&app, topic, after.map(EventId))
}
