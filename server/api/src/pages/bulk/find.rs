//! What a filter finds, within a bound.

use lessor_filter::Filter;
use lessor_ledger::{Job, LeaseId, Ledger, Owner, RequestId, Target, Time};
use lessor_web::{Text, link};

use super::What;
use crate::limits::{BULK_ITEMS_MAX, LISTING_ROWS_LOOKED_AT_MAX};
use crate::pages::seen;
use crate::pages::visitor::Visitor;
use crate::problem::{Kind, Problem};
use crate::sieve::{job, lease, request, resource};

/// The first that a filter finds, and whether there are more.
pub(super) struct Found {
    pub(super) items: Vec<Item>,
    pub(super) more: bool,
}

/// One of them.
pub(super) struct Item {
    pub(super) id: Id,
    /// What it is called.
    pub(super) label: Text,
    /// Whether it is of whoever looks.
    pub(super) mine: bool,
}

/// What tells it from all others.
pub(super) enum Id {
    Resource(Target),
    Lease(LeaseId),
    Request(RequestId),
    Job(Job),
}

impl Found {
    /// Stands for exactly these.
    pub(super) fn seen(&self) -> String {
        let names: Vec<String> = self.items.iter().map(Item::name).collect();
        seen::digest(names.iter().map(String::as_str))
    }
}

impl Item {
    fn name(&self) -> String {
        match &self.id {
            Id::Resource(name) => name.to_string(),
            Id::Lease(id) => id.to_string(),
            Id::Request(id) => id.to_string(),
            Id::Job(id) => id.0.to_string(),
        }
    }

    /// What it is called, and where it is.
    pub(super) fn named(&self) -> (Text, String) {
        let link = match &self.id {
            Id::Resource(name) => link::resource(name.as_str()),
            Id::Lease(id) => link::lease(id.0),
            Id::Request(id) => link::wait(id.0),
            Id::Job(id) => link::job(id.0),
        };
        (self.label.clone(), link)
    }
}

/// Finds them.
///
/// # Errors
/// A problem if the filter cannot be read, or finds what is over.
pub(super) async fn find(visitor: &Visitor, what: What, text: &str) -> Result<Found, Problem> {
    let keys = match what {
        What::Resources => &resource::PAGE_KEYS[..],
        What::Leases => &lease::PAGE_KEYS[..],
        What::Requests => &request::PAGE_KEYS[..],
        What::Jobs => &job::PAGE_KEYS[..],
    };
    let filter = Filter::parse(text, keys).map_err(|error| Problem::invalid("filter", error))?;
    if what == What::Leases && lease::is_about_ended(&filter) {
        return Err(Problem::new(Kind::LeaseEnded, "these leases are over: nothing can be done to them"));
    }
    let viewer = visitor.owner.clone();
    visitor
        .app
        .look(move |ledger, now| {
            let viewer = viewer.as_ref();
            match what {
                What::Resources => resources(ledger, &filter, now, viewer),
                What::Leases => leases(ledger, &filter, viewer),
                What::Requests => requests(ledger, &filter, viewer),
                What::Jobs => jobs(ledger, &filter, viewer),
            }
        })
        .await
}

fn resources(ledger: &Ledger, filter: &Filter, now: Time, viewer: Option<&Owner>) -> Found {
    let all = resource::candidates(ledger, filter, None, LISTING_ROWS_LOOKED_AT_MAX + 1);
    taken(all.into_iter(), |resource| {
        filter.matches(&resource::Candidate { resource, ledger, now, viewer }).then(|| Item {
            id: Id::Resource(resource.name.clone()),
            label: resource.name.as_str().into(),
            mine: false,
        })
    })
}

fn leases(ledger: &Ledger, filter: &Filter, viewer: Option<&Owner>) -> Found {
    taken(ledger.leases_after(None), |lease| {
        filter.matches(&lease::Candidate { lease, ledger, viewer }).then(|| Item {
            id: Id::Lease(lease.id),
            label: format!("lease {} of {}", lease.id, lease.owner).into(),
            mine: viewer == Some(&lease.owner),
        })
    })
}

fn requests(ledger: &Ledger, filter: &Filter, viewer: Option<&Owner>) -> Found {
    taken(ledger.requests_after(None), |request| {
        let wanted = request.waits() && filter.matches(&request::Candidate { request, ledger, viewer });
        wanted.then(|| Item {
            id: Id::Request(request.id),
            label: format!("request {} of {}", request.id, request.owner).into(),
            mine: viewer == Some(&request.owner),
        })
    })
}

fn jobs(ledger: &Ledger, filter: &Filter, viewer: Option<&Owner>) -> Found {
    taken(ledger.jobs_after(None), |job| {
        let wanted = job.live() && filter.matches(&job::Candidate { job, viewer });
        wanted.then(|| Item {
            id: Id::Job(job.id),
            label: format!("job {} of {}", job.id.0, job.owner).into(),
            mine: viewer == Some(&job.owner),
        })
    })
}

/// The first that are wanted, among the first that may be looked at.
fn taken<R>(rows: impl Iterator<Item = R>, wanted: impl Fn(R) -> Option<Item>) -> Found {
    let mut items = Vec::new();
    for (looked_at, row) in rows.enumerate() {
        if items.len() == BULK_ITEMS_MAX || looked_at == LISTING_ROWS_LOOKED_AT_MAX {
            return Found { items, more: true };
        }
        items.extend(wanted(row));
    }
    Found { items, more: false }
}
