//! What a filter finds, within a bound.

use std::collections::BTreeMap;
use std::sync::Arc;

use lessor_filter::Filter;
use lessor_ledger::{
    Cordon, Job, JobRecord, Lease, LeaseId, Ledger, Owner, Request, RequestId, Target, Time,
};
use lessor_web::page::{self, BulkOf};
use lessor_web::{Text, link};

use super::ShowQuery;
use crate::limits::{BULK_ITEMS_MAX, LISTING_ROWS_LOOKED_AT_MAX};
use crate::pages::visitor::Visitor;
use crate::pages::{drain, row, seen};
use crate::problem::{Kind, Problem};
use crate::sieve::{job, lease, request, resource};
use crate::v1::list;

/// The first that a filter finds.
pub(super) struct Found {
    pub(super) items: Vec<Item>,
    /// After which one to look for more, if there may be any.
    pub(super) next: Option<String>,
}

/// One of them.
pub(super) struct Item {
    pub(super) id: Id,
    /// What it is called.
    pub(super) label: Text,
    /// Whether it is of whoever looks.
    pub(super) mine: bool,
    /// How it is drained, if it is a resource that is.
    pub(super) cordon: Option<Cordon>,
}

/// What tells it from all others.
pub(super) enum Id {
    Resource(Target),
    Lease(LeaseId),
    Request(RequestId),
    Job(Job),
}

impl Found {
    /// Stands for exactly these, for which of them are of whoever looks, and for how they are drained.
    pub(super) fn seen(&self) -> String {
        let whose = |item: &Item| if item.mine { "mine" } else { "another's" };
        let names: Vec<String> = (self.items.iter())
            .map(|item| format!("{} {:?} {}", whose(item), item.id.name(), item.drained()))
            .collect();
        seen::digest(names.iter().map(String::as_str))
    }

    /// Those that are drained already by why they are, the reason of most first.
    pub(super) fn drains(&self, now: Time) -> Vec<page::Drains> {
        let mut alike: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
        for item in &self.items {
            if let Some(cordon) = &item.cordon {
                alike.entry(&cordon.message).or_default().push(item);
            }
        }
        let ends = |items: &[&Item]| -> Vec<Option<Time>> {
            items.iter().filter_map(|item| Some(item.cordon.as_ref()?.until)).collect()
        };
        let drains = alike.into_iter().map(|(why, mut items)| {
            // Those that end first; those that do not, last.
            items.sort_by_key(|item| {
                let until = item.cordon.as_ref().and_then(|cordon| cordon.until);
                (until.is_none(), until)
            });
            let ends = ends(&items);
            page::Drains {
                drained: drain::reason(why),
                why: why.into(),
                until: ends[0].map(|until| row::ahead(until, now)),
                endless: ends.iter().filter(|end| end.is_none()).count(),
                ends_differ: ends.iter().any(|end| *end != ends[0]),
                first: items[0].named(),
                count: items.len(),
            }
        });
        let mut drains: Vec<_> = drains.collect();
        drains.sort_by_key(|drains| std::cmp::Reverse(drains.count));
        drains
    }
}

impl Id {
    fn name(&self) -> String {
        match self {
            Self::Resource(name) => name.to_string(),
            Self::Lease(id) => id.to_string(),
            Self::Request(id) => id.to_string(),
            Self::Job(id) => id.0.to_string(),
        }
    }
}

impl Item {
    /// Stands for how it is drained: empty if it is not.
    pub(super) fn drained(&self) -> String {
        drain::seen_of(self.cordon.as_ref())
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
/// A problem if the filter or the cursor cannot be read, or it finds what is over.
pub(super) async fn find(visitor: &Visitor, what: BulkOf, query: &ShowQuery) -> Result<Found, Problem> {
    let keys = match what {
        BulkOf::Resources => &resource::PAGE_KEYS[..],
        BulkOf::Leases => &lease::PAGE_KEYS[..],
        BulkOf::Requests => &request::PAGE_KEYS[..],
        BulkOf::Jobs => &job::PAGE_KEYS[..],
    };
    let filter = Filter::parse(&query.q, keys).map_err(|error| Problem::invalid("filter", error))?;
    if what == BulkOf::Leases && lease::is_about_ended(&filter) {
        return Err(Problem::new(Kind::LeaseEnded, "these leases are over: nothing can be done to them"));
    }
    let (viewer, after) = (visitor.owner.clone(), query.after.clone());
    visitor
        .app
        .look(move |ledger, now| {
            let viewer = viewer.as_ref();
            let number = || list::after_number(after.as_deref());
            Ok(match what {
                BulkOf::Resources => {
                    let after = list::after_name(after)?;
                    resources(ledger, &filter, now, (viewer, after.as_ref()))
                }
                BulkOf::Leases => leases(ledger, &filter, (viewer, number()?)),
                BulkOf::Requests => requests(ledger, &filter, (viewer, number()?)),
                BulkOf::Jobs => jobs(ledger, &filter, (viewer, number()?)),
            })
        })
        .await?
}

/// Whoever looks, and after which one to begin.
type From<'a, A> = (Option<&'a Owner>, Option<A>);

fn resources(ledger: &Ledger, filter: &Filter, now: Time, (viewer, after): From<'_, &Target>) -> Found {
    let all = resource::candidates((ledger, now), viewer, (None, filter), after);
    let wanted = |row: resource::Candidate<'_>| {
        filter.matches(&row).then(|| Item {
            id: Id::Resource(row.resource.name.clone()),
            label: row.resource.name.as_str().into(),
            mine: false,
            cordon: row.resource.cordon().cloned(),
        })
    };
    taken(all, |row| Id::Resource(row.resource.name.clone()), wanted)
}

fn leases(ledger: &Ledger, filter: &Filter, (viewer, after): From<'_, u64>) -> Found {
    let wanted = |lease: &Arc<Lease>| {
        filter.matches(&lease::Candidate { lease, ledger, viewer }).then(|| Item {
            id: Id::Lease(lease.id),
            label: format!("lease {} of {}", lease.id, lease.owner).into(),
            mine: viewer == Some(&lease.owner),
            cordon: None,
        })
    };
    taken(ledger.leases_after(after.map(LeaseId)), |lease| Id::Lease(lease.id), wanted)
}

fn requests(ledger: &Ledger, filter: &Filter, (viewer, after): From<'_, u64>) -> Found {
    let wanted = |request: &Arc<Request>| {
        let wanted = request.waits() && filter.matches(&request::Candidate { request, ledger, viewer });
        wanted.then(|| Item {
            id: Id::Request(request.id),
            label: format!("request {} of {}", request.id, request.owner).into(),
            mine: viewer == Some(&request.owner),
            cordon: None,
        })
    };
    taken(ledger.requests_after(after.map(RequestId)), |request| Id::Request(request.id), wanted)
}

fn jobs(ledger: &Ledger, filter: &Filter, (viewer, after): From<'_, u64>) -> Found {
    let wanted = |job: &Arc<JobRecord>| {
        let wanted = job.live() && filter.matches(&job::Candidate { job, viewer });
        wanted.then(|| Item {
            id: Id::Job(job.id),
            label: format!("job {} of {}", job.id.0, job.owner).into(),
            mine: viewer == Some(&job.owner),
            cordon: None,
        })
    };
    taken(ledger.jobs_after(after.map(Job)), |job| Id::Job(job.id), wanted)
}

/// The first that are wanted, among the first that may be looked at.
fn taken<R: Copy>(
    rows: impl Iterator<Item = R>,
    id: impl Fn(R) -> Id,
    wanted: impl Fn(R) -> Option<Item>,
) -> Found {
    let (mut items, mut last): (Vec<Item>, Option<R>) = (Vec::new(), None);
    for (looked_at, row) in rows.enumerate() {
        if looked_at == LISTING_ROWS_LOOKED_AT_MAX {
            return Found { items, next: last.map(|last| id(last).name()) };
        }
        if let Some(item) = wanted(row) {
            if items.len() == BULK_ITEMS_MAX {
                let next = items.last().map(|item| item.id.name());
                return Found { items, next };
            }
            items.push(item);
        }
        last = Some(row);
    }
    Found { items, next: None }
}
