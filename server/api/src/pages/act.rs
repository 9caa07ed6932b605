//! Leasing, and getting in line.

use std::hash::BuildHasher;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use lessor_ledger::Reply;
use lessor_web::page::{self, LeaseForm, PoolChoice};
use lessor_web::{Text, link};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::extract::Query;
use crate::limits::{DASHBOARD_ROWS_MAX, SEAT_WAIT_MAX};
use crate::pages::form::{self, Form};
use crate::pages::seat;
use crate::pages::visitor::{Visitor, done, with_owner};
use crate::problem::Problem;
use crate::v1::acquire::AcquireBody;

/// What a lease form is filled with at first.
#[derive(Default, Deserialize)]
pub(crate) struct ShowQuery {
    #[serde(default)]
    pool: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    labels: String,
}

/// `GET /lease`: the form.
pub(crate) async fn show(visitor: Visitor, Query(query): Query<ShowQuery>) -> Response {
    let (targets, fixed_target) = match query.target {
        target if form::survives(&target) => (target.into(), None),
        target => (Text::default(), Some(target.into())),
    };
    let form = LeaseForm {
        pool_is_fixed: !form::survives(&query.pool),
        pool: query.pool.into(),
        targets,
        fixed_target,
        labels: query.labels.into(),
        count: "1".into(),
        owner: visitor.owner.as_ref().map(|owner| Text::from(owner.as_str())).unwrap_or_default(),
        wait: "1h".into(),
        key: nonce(),
        ..LeaseForm::default()
    };
    page(&visitor, form, None)
}

fn page(visitor: &Visitor, form: LeaseForm, problem: Option<&Problem>) -> Response {
    let ledger = visitor.app.keeper.snapshot();
    let pools = ledger.pools().take(DASHBOARD_ROWS_MAX).map(|pool| {
        let usage = ledger.usage(&pool.name);
        PoolChoice {
            name: pool.name.as_str().into(),
            words: format!("{} of {} free", usage.free, usage.total),
        }
    });
    let page = page::LeasePage {
        frame: visitor.frame("Lease", "/", ""),
        form,
        pools: pools.collect(),
        error: problem.map(form::error),
    };
    visitor.page_with(problem.map_or(StatusCode::OK, |problem| problem.kind().status()), &page)
}

/// A text that no other form was given, so that the same wishes in two of them are two requests.
fn nonce() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static SECRET: LazyLock<std::hash::RandomState> = LazyLock::new(std::hash::RandomState::new);
    format!("{:016x}", SECRET.hash_one(NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// `POST /lease`: leases, or gets in line.
pub(crate) async fn lease(visitor: Visitor, form: Form) -> Response {
    match take(&visitor, &form).await {
        // Whoever leases for the first time has said who they are.
        Ok(response) if visitor.owner.is_none() => {
            with_owner(response, form.filled("owner").unwrap_or_default().as_str())
        }
        Ok(response) => response,
        Err(problem) => page(&visitor, typed(&form), Some(&problem)),
    }
}

fn typed(form: &Form) -> LeaseForm {
    let field = |name: &str| Text::from(form.typed(name));
    LeaseForm {
        pool: form.exact("pool").map_or_else(|| field("pool"), Text::from),
        pool_is_fixed: form.exact("pool").is_some(),
        count: field("count"),
        labels: field("labels"),
        targets: field("targets"),
        fixed_target: form.exact("targets").map(Text::from),
        owner: field("owner"),
        purpose: field("purpose"),
        ttl: field("ttl"),
        wait: field("wait"),
        key: form.typed("key").to_owned(),
    }
}

async fn take(visitor: &Visitor, form: &Form) -> Result<Response, Problem> {
    let wait = wait(form)?;
    let _seat = match wait {
        Some(_) => Some(visitor.app.seats.reserve()?),
        None => None,
    };
    let body: AcquireBody =
        serde_json::from_value(body(form, wait)?).map_err(|error| Problem::invalid("count", error))?;
    let ask = body.ask(&HeaderMap::new())?;
    // What was there before came of the same form, sent before.
    let before = visitor.app.keeper.snapshot();
    let said = |known: bool, what| if known { "sent-before" } else { what };
    match visitor.app.submit(lessor_ledger::Command::Acquire(Box::new(ask.command))).await? {
        Reply::Granted(grant) => {
            let id = grant.lease.id;
            Ok(done(&link::lease(id.0), said(before.lease(id).is_some(), "leased")))
        }
        Reply::Queued(request, _) => {
            visitor.app.seats.sit(&request);
            Ok(done(&link::wait(request.id.0), said(before.request(request.id).is_some(), "waiting")))
        }
        Reply::Settled(request) => Ok(done(&link::wait(request.id.0), "sent-before")),
        Reply::Replayed(lease) => Ok(done(&link::lease(lease.0), "sent-before")),
        reply => unreachable!("the ledger answers an acquire with nothing like {reply:?}"),
    }
}

/// How long to wait in line, in seconds.
fn wait(form: &Form) -> Result<Option<u64>, Problem> {
    let Some(text) = form.filled("wait") else { return Ok(None) };
    // A part of a second is no reason not to wait.
    let millis = form::length("wait", &text)?.millis().unsigned_abs();
    let seconds = millis.div_ceil(1000);
    if seconds > SEAT_WAIT_MAX.as_secs() {
        let most = lessor_web::length(SEAT_WAIT_MAX.as_secs().cast_signed());
        return Err(Problem::invalid("wait", format!("must be at most {most}")));
    }
    Ok((seconds > 0).then_some(seconds))
}

/// The targets that are named, if any are.
fn targets(form: &Form) -> Vec<String> {
    let typed = || form.typed("targets").lines().map(str::trim).filter(|line| !line.is_empty());
    form.exact("targets").map_or_else(|| typed().map(ToOwned::to_owned).collect(), |target| vec![target])
}

/// The form as the body of `POST /v1/leases`, so that both mean the same.
fn body(form: &Form, wait: Option<u64>) -> Result<Value, Problem> {
    let ttl = form.filled("ttl").map(|text| form::length("ttl", &text)).transpose()?;
    let mut body = json!({
        "owner": form.typed("owner").trim(),
        "purpose": form.filled("purpose"),
        "ttl": ttl.map(lessor_ledger::Span::millis),
        "wait": wait.map(|seconds| format!("{seconds}s")),
        // The nonce is among the fields, so the same form sent again is the same request; a changed one is another.
        "request_id": seat::key(&form.digest(), wait.unwrap_or(0)),
    });
    let targets = targets(form);
    if !targets.is_empty() {
        body["targets"] = json!(targets);
        return Ok(body);
    }
    body["pool"] = json!(form.exact("pool").unwrap_or_else(|| form.typed("pool").trim().to_owned()));
    if let Some(count) = form.filled("count") {
        let count: u32 =
            count.parse().map_err(|_| Problem::invalid("count", "is not a number of resources"))?;
        body["count"] = json!(count);
    }
    let labels = form::labels(form.typed("labels"), &[',', ' ', '\n'])?;
    if !labels.is_empty() {
        body["labels"] = json!(labels);
    }
    Ok(body)
}
