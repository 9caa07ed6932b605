//! Resources as filters see them.

use std::sync::Arc;

use lessor_filter::{Filter, Key, Row, Value, contains};
use lessor_ledger::{Ledger, Owner, Resource, State, Target, Time};

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
pub(crate) struct Candidate<'l> {
    pub(crate) resource: &'l Resource,
    pub(crate) ledger: &'l Ledger,
    pub(crate) now: Time,
    pub(crate) viewer: Option<&'l Owner>,
}

impl Row for Candidate<'_> {
    fn has(&self, key: &str, value: &Value) -> bool {
        let Self { resource, ledger, now, viewer } = self;
        let lock = || ledger.holder(resource.name.as_str(), *now);
        match key {
            "name" => value.is(resource.name.as_str()),
            "pool" => value.is(resource.pool.as_str()),
            "state" => value.is(resource.state.as_str()),
            "label" => resource.details().labels.iter().any(|(key, label)| value.is_pair(key, label)),
            "owner" => lock().is_some_and(|lock| value.is(lock.owner.as_str())),
            "lease" => lock().is_some_and(|lock| value.is(&lock.lease.to_string())),
            _ => {
                let drained = resource.cordon().is_some();
                value.is("drained") && drained
                    || value.is("held") && lock().is_some()
                    || value.is("mine") && lock().is_some_and(|lock| is_mine(*viewer, &lock.owner))
                    || value.is("free") && !drained && resource.state == State::free() && lock().is_none()
            }
        }
    }

    fn contains(&self, needle: &str) -> bool {
        let Self { resource, ledger, now, .. } = self;
        let labels = || resource.details().labels.iter();
        contains(resource.name.as_str(), needle)
            || contains(resource.pool.as_str(), needle)
            || contains(resource.state.as_str(), needle)
            || labels().any(|(key, value)| contains(key, needle) || contains(value, needle))
            || ledger.holder(resource.name.as_str(), *now).is_some_and(|lock| {
                let purpose = || ledger.lease(lock.lease).and_then(|lease| lease.purpose.as_deref());
                contains(lock.owner.as_str(), needle)
                    || purpose().is_some_and(|purpose| contains(purpose, needle))
            })
    }
}

/// The resources among which a filter can find something, from the one after `after` on, by name: at most `most`.
pub(crate) fn candidates<'l>(
    ledger: &'l Ledger,
    filter: &Filter,
    after: Option<&Target>,
    most: usize,
) -> Vec<&'l Arc<Resource>> {
    if let Some(name) = filter.only("name") {
        let only = ledger.resource(name);
        return only.into_iter().filter(|only| after.is_none_or(|after| only.name > *after)).collect();
    }
    match filter.only("pool") {
        Some(pool) => ledger.members_after(pool, after).take(most).collect(),
        None => ledger.resources_after(after).take(most).collect(),
    }
}
