//! Pools.

use axum::response::Response;
use lessor_ledger::{Ledger, Pool, Refusal, Time};
use lessor_web::chart::Histogram;
use lessor_web::{Frame, PoolRow, Sort, Text, page};
use serde::Deserialize;

use crate::extract::{Path, Query};
use crate::limits::{POOL_OWNERS_SHOWN, POOL_ROWS_SHOWN};
use crate::pages::gantt;
use crate::pages::listing::{Kind, ListQuery, Listing};
use crate::pages::row;
use crate::pages::visitor::Visitor;
use crate::problem::Problem;
use crate::sieve::pool::{Candidate, KEYS};
use crate::v1::body;

const LIST: Kind = Kind {
    path: "/pools",
    what: "pools",
    keys: &KEYS,
    sorts: &[
        Sort { key: "name", words: "name", column: "Pool" },
        Sort { key: "-waiting", words: "most waiting", column: "Waiting" },
        Sort { key: "-free", words: "most free", column: "Free" },
        Sort { key: "-used", words: "most used", column: "Use now" },
    ],
    example: "gpu is:free",
};

/// `GET /pools`.
pub(crate) async fn list(visitor: Visitor, Query(query): Query<ListQuery>) -> Response {
    let listing = Listing::new(&LIST, query);
    let frame = visitor.frame("Pools", "/pools", "pools resources leases queue");
    let page = make(&visitor, listing, frame).await;
    visitor.answer(page)
}

async fn make(visitor: &Visitor, listing: Listing, frame: Frame) -> Result<Response, Problem> {
    let app = visitor.app.clone();
    let rows = move |listing: &mut Listing, ledger: &Ledger, now| {
        let by_name = listing.list.sort == "name";
        let after = if by_name { listing.cursor::<String>()? } else { None };
        let pools = ledger
            .pools()
            .filter(|pool| after.as_deref().is_none_or(|after| pool.name.as_str() > after))
            .filter(|pool| listing.filter.matches(&Candidate { pool, ledger }));
        let rows =
            pools.map(|pool| row::pool(pool, ledger, now, app.pulse.summary(&pool.name, now).as_ref()));
        let name = |row: &PoolRow| row.name.raw().to_owned();
        let paged = if by_name {
            listing.plain(rows, name, |_| true)
        } else {
            listing.sorted(rows, name, sort_key(listing.list.sort), |_| true)?
        };
        Ok(listing.finish(paged, Some(ledger.pool_count())))
    };
    listing.show_now(visitor, rows, |list, rows| page::Pools { frame, list, rows }).await
}

fn sort_key(sort: &str) -> fn(&PoolRow) -> u64 {
    match sort {
        "-waiting" => |row| row.waiting,
        "-free" => |row| row.stock.free,
        _ => |row| row.stock.leased * 1_000_000 / row.stock.total().max(1),
    }
}

/// What the address of a pool may ask for.
#[derive(Deserialize)]
pub(crate) struct ShowQuery {
    #[serde(default)]
    window: String,
    /// The resource before the first one of the chart.
    after: Option<String>,
}

/// `GET /pools/{name}`.
pub(crate) async fn show(
    visitor: Visitor,
    Path(name): Path<String>,
    Query(query): Query<ShowQuery>,
) -> Response {
    let page = detail(&visitor, name, query).await;
    visitor.answer(page)
}

async fn detail(visitor: &Visitor, name: String, query: ShowQuery) -> Result<Response, Problem> {
    let name = body::pool("name", name)?;
    let frame = visitor.frame(format!("Pool {name}"), "/pools", "pools resources leases queue");
    let window = lessor_web::chart::Window::named(&query.window);
    let after = query.after.map(|after| body::target("after", after)).transpose()?;
    let looker = visitor.clone();
    let page = visitor
        .app
        .browse(move |ledger, now, reader| {
            let Some(pool) = ledger.pool(name.as_str()) else { return Ok(Err(Refusal::NoSuchPool(name))) };
            let timeline =
                window.map(|window| gantt::pool(ledger, now, reader, &name, (window, after.as_ref())));
            let timeline = timeline.transpose()?;
            Ok(Ok(look(ledger, now, pool, frame, &looker, timeline)))
        })
        .await??;
    Ok(visitor.page(&page))
}

fn look(
    ledger: &Ledger,
    now: Time,
    pool: &Pool,
    frame: Frame,
    visitor: &Visitor,
    timeline: Option<page::Chosen>,
) -> page::PoolDetail {
    let summary = visitor.app.pulse.summary(&pool.name, now);
    let usage = ledger.usage(&pool.name);
    let mut owners: Vec<(Text, u64)> =
        usage.by_owner.iter().map(|(owner, &count)| (owner.as_str().into(), count)).collect();
    owners.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    owners.truncate(POOL_OWNERS_SHOWN);
    let waits: Vec<_> = ledger.next_in_line(&pool.name, POOL_ROWS_SHOWN).into_iter().cloned().collect();
    let members = ledger.members_after(pool.name.as_str(), None).take(POOL_ROWS_SHOWN);
    page::PoolDetail {
        pool: row::pool(pool, ledger, now, summary.as_ref()),
        settings: settings(pool),
        states: usage.by_state.iter().map(|(state, &count)| (state.as_str().into(), count)).collect(),
        owners,
        histogram: summary
            .filter(|summary| summary.waited() > 0)
            .map(|summary| Histogram::of(&summary.waits())),
        waits: row::waits(&waits, ledger, now, visitor, 1),
        resources: members.map(|resource| row::resource(resource, ledger, now, visitor)).collect(),
        timeline,
        frame,
    }
}

fn settings(pool: &Pool) -> Vec<(&'static str, Text)> {
    let length = |span: lessor_ledger::Span| lessor_web::length(span.millis() / 1000);
    let mut settings: Vec<(&'static str, Text)> = vec![
        ("New resources are", pool.initial_state.as_str().into()),
        (
            "A lease lasts, unless it says otherwise",
            pool.default_ttl.map_or("the server's 10 min".to_owned(), length).into(),
        ),
    ];
    settings.extend(pool.max_ttl.map(|max| ("A lease lasts at most", Text::from(length(max)))));
    settings.push(("After an expired lease", pool.state_after_expiry().as_str().into()));
    settings.push(("After a release", pool.state_after_release().as_str().into()));
    settings.extend(
        pool.reap_after.map(|after| ("Boskos leases are taken back after", Text::from(length(after)))),
    );
    if let Some(lifecycle) = &pool.lifecycle {
        settings.push(("Resources", format!("{} to {}", lifecycle.min_count, lifecycle.max_count).into()));
        settings.extend(
            lifecycle.lifespan.map(|lifespan| ("An idle one is kept for", Text::from(length(lifespan)))),
        );
    }
    settings
}
