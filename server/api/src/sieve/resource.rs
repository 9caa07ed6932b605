//! Resources as filters see them.

use std::sync::Arc;

use lessor_filter::{Filter, Key, Row, Value, contains};
use lessor_ledger::{Ledger, Lock, Owner, Resource, State, Target, Time};

use crate::sieve::{is_mine, number};

/// What a filter may say.
pub(crate) static KEYS: [Key; 7] = keys(&["drained", "free", "held"]);
/// What a filter on a page may say.
pub(crate) static PAGE_KEYS: [Key; 7] = keys(&["drained", "free", "held", "mine"]);

const fn keys(is: &'static [&'static str]) -> [Key; 7] {
    [
        Key::any("name"),
        Key::any("pool"),
        Key::any("state"),
        Key::any("owner"),
        Key::any("label"),
        number("lease"),
        Key::one_of("is", is),
    ]
}

/// A resource as a filter sees it.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'l> {
    pub(crate) resource: &'l Arc<Resource>,
    /// Who holds it.
    pub(crate) lock: Option<&'l Arc<Lock>>,
    pub(crate) ledger: &'l Ledger,
    pub(crate) viewer: Option<&'l Owner>,
}

impl Row for Candidate<'_> {
    fn has(&self, key: &str, value: &Value) -> bool {
        let Self { resource, lock, viewer, .. } = self;
        match key {
            "name" => value.is(resource.name.as_str()),
            "pool" => value.is(resource.pool.as_str()),
            "state" => value.is(resource.state.as_str()),
            "label" => resource.details().labels.iter().any(|(key, label)| value.is_pair(key, label)),
            "owner" => lock.is_some_and(|lock| value.is(lock.owner.as_str())),
            "lease" => lock.is_some_and(|lock| value.is(&lock.lease.to_string())),
            _ => {
                let drained = resource.cordon().is_some();
                value.is("drained") && drained
                    || value.is("held") && lock.is_some()
                    || value.is("mine") && lock.is_some_and(|lock| is_mine(*viewer, &lock.owner))
                    || value.is("free") && !drained && resource.state == State::free() && lock.is_none()
            }
        }
    }

    fn contains(&self, needle: &str) -> bool {
        let Self { resource, lock, ledger, .. } = self;
        let labels = || resource.details().labels.iter();
        contains(resource.name.as_str(), needle)
            || contains(resource.pool.as_str(), needle)
            || contains(resource.state.as_str(), needle)
            || labels().any(|(key, value)| contains(key, needle) || contains(value, needle))
            || lock.is_some_and(|lock| {
                let purpose = || ledger.lease(lock.lease).and_then(|lease| lease.purpose.as_deref());
                contains(lock.owner.as_str(), needle)
                    || purpose().is_some_and(|purpose| contains(purpose, needle))
            })
    }
}

/// The resources among which a filter can find something, all or those of a pool, from the one after `after` on, by name; as they
/// are `now`, to this `viewer`.
pub(crate) fn candidates<'l: 'f, 'f>(
    (ledger, now): (&'l Ledger, Time),
    viewer: Option<&'l Owner>,
    (pool, filter): (Option<&'f str>, &'f Filter),
    after: Option<&'f Target>,
) -> impl Iterator<Item = Candidate<'l>> + use<'l, 'f> {
    let resources: Box<dyn Iterator<Item = &'l Arc<Resource>> + 'f> = if let Some(name) = filter.only("name")
    {
        let only = ledger.resource(name).filter(|only| after.is_none_or(|after| only.name > *after));
        Box::new(only.into_iter())
    } else if let Some(pool) = pool.or_else(|| filter.only("pool")) {
        Box::new(ledger.members_after(pool, after))
    } else {
        Box::new(ledger.resources_after(after))
    };
    ledger.with_holders(resources, now).map(move |(resource, lock)| Candidate {
        resource,
        lock,
        ledger,
        viewer,
    })
}
