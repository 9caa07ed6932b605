//! `/v1/events`: what happened, as pages and as a stream.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, HeaderName};
use axum::response::Response;
use lessor_ledger::{Event, EventId, EventKind, LeaseId, Target};
use lessor_store::EventFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::extract::Query;
use crate::problem::Problem;
use crate::sse;
use crate::v1::body;
use crate::v1::list::{self, Page};
use crate::v1::view::{self, EventView};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What somebody wants to know about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Topic {
    target: Option<Target>,
    lease: Option<LeaseId>,
    kinds: Vec<EventKind>,
}

impl Topic {
    fn new(target: Option<String>, lease: Option<u64>, kinds: Option<&str>) -> Result<Self, Problem> {
        let kinds = kinds.map(|kinds| kinds.split(',').map(kind).collect()).transpose()?;
        Ok(Self {
            target: body::optional("target", target, body::target)?,
            lease: lease.map(LeaseId),
            kinds: kinds.unwrap_or_default(),
        })
    }

    /// Whether an event is about it.
    pub(crate) fn covers(&self, event: &Event) -> bool {
        self.target.as_ref().is_none_or(|target| event.target.as_ref() == Some(target))
            && self.lease.is_none_or(|lease| event.lease == Some(lease))
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
    }

    /// Looks it up in the history: at most `limit` events after `after`.
    pub(crate) fn filter(&self, after: Option<EventId>, limit: usize) -> EventFilter {
        let Self { target, lease, kinds } = self.clone();
        EventFilter { after, before: None, target, lease, kinds, newest_first: false, limit }
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
    let topic = Topic::new(query.target, query.lease, query.kind.as_deref())?;
    let filter = EventFilter {
        before: query.before.map(EventId),
        newest_first: query.order == Order::Desc,
        ..topic.filter(query.after.map(EventId), limit)
    };
    let events = app.read(move |reader| reader.events(&filter)).await?;
    let next = (events.len() == limit).then(|| events.last().map(|event| event.id.0.to_string())).flatten();
    Ok(Json(Page { items: events.iter().map(EventView::of).collect(), next }))
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
    let topic = Topic::new(query.target, query.lease, query.kind.as_deref())?;
    let last = headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or_default().parse());
    let last =
        last.transpose().map_err(|_| Problem::invalid("Last-Event-ID", "is not the number of an event"))?;
    sse::follow(&app, topic, last.or(query.after).map(EventId))
}
