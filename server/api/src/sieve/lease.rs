//! Leases as filters see them.

use lessor_filter::{Filter, Key, Row, Value, contains};
use lessor_ledger::{Lease, LeaseId, Ledger, Owner, Target};
use lessor_store::{LeaseFilter, ReadError, Reader};

use crate::limits::HISTORY_ROWS_AT_ONCE;
use crate::sieve::{Bounds, Sifted, is_mine, number, sift};

/// What a filter may say.
pub(crate) static KEYS: [Key; 7] = keys(&["ended", "held"]);
/// What a filter on a page may say.
pub(crate) static PAGE_KEYS: [Key; 7] = keys(&["ended", "held", "mine"]);

const fn keys(is: &'static [&'static str]) -> [Key; 7] {
    [
        Key::any("owner"),
        Key::any("target"),
        Key::any("name"),
        Key::any("pool"),
        Key::any("purpose"),
        number("lease"),
        Key::one_of("is", is),
    ]
}

/// A lease as a filter sees it.
pub(crate) struct Candidate<'l> {
    pub(crate) lease: &'l Lease,
    /// Where its targets belong to pools now.
    pub(crate) ledger: &'l Ledger,
    pub(crate) viewer: Option<&'l Owner>,
}

impl Row for Candidate<'_> {
    fn has(&self, key: &str, value: &Value) -> bool {
        let Self { lease, ledger, viewer } = self;
        match key {
            "owner" => value.is(lease.owner.as_str()),
            "target" | "name" => {
                lease.targets.iter().chain(&lease.returned).any(|target| value.is(target.as_str()))
            }
            "pool" => lease.targets.iter().chain(&lease.returned).any(|target| {
                let resource = ledger.resource(target.as_str());
                resource.is_some_and(|resource| value.is(resource.pool.as_str()))
            }),
            "purpose" => lease.purpose.as_ref().is_some_and(|purpose| value.is(purpose)),
            "lease" => value.is(&lease.id.to_string()),
            _ => {
                value.is("held") && lease.ended.is_none()
                    || value.is("ended") && lease.ended.is_some()
                    || value.is("mine") && is_mine(*viewer, &lease.owner)
            }
        }
    }

    fn contains(&self, needle: &str) -> bool {
        let lease = self.lease;
        contains(lease.owner.as_str(), needle)
            || lease.purpose.as_ref().is_some_and(|purpose| contains(purpose, needle))
            || lease.targets.iter().any(|target| contains(target.as_str(), needle))
    }
}

/// Whether a filter finds nothing but leases that are over.
pub(crate) fn is_about_ended(filter: &Filter) -> bool {
    let finds = |ended: bool| {
        let of = |mine: bool| {
            let has =
                |value: &Value| value.is(if ended { "ended" } else { "held" }) || mine && value.is("mine");
            filter.allows("is", has)
        };
        of(true) || of(false)
    };
    finds(true) && !finds(false)
}

/// Ended leases in the history that a filter finds, in the order and range of `wanted`.
///
/// # Errors
/// [`ReadError`] if the store fails.
pub(crate) fn ended(
    reader: &Reader,
    ledger: &Ledger,
    filter: &Filter,
    viewer: Option<&Owner>,
    mut wanted: LeaseFilter,
    (kept, looked_at): (usize, usize),
) -> Result<Sifted<Lease>, ReadError> {
    let only = |key: &str| filter.only(key);
    wanted.owner = wanted.owner.or_else(|| only("owner").and_then(|owner| Owner::new(owner).ok()));
    wanted.target = wanted.target.or_else(|| only("target").and_then(|name| Target::new(name).ok()));
    wanted.limit =
        if filter.is_empty() { kept.min(LeaseFilter::default().limit) } else { HISTORY_ROWS_AT_ONCE };
    let bounds = Bounds { kept, looked_at, at_once: wanted.limit };
    let from = if wanted.newest_first { wanted.before } else { wanted.after };
    let fits = |lease: &Lease| filter.matches(&Candidate { lease, ledger, viewer });
    let read = |from: Option<u64>| {
        let from = from.map(LeaseId);
        if wanted.newest_first {
            wanted.before = from;
        } else {
            wanted.after = from;
        }
        reader.leases(&wanted)
    };
    sift(bounds, from.map(|from| from.0), read, |lease| lease.id.0, fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_held_has_ended() {
        let about_ended = |text: &str| is_about_ended(&Filter::parse(text, &PAGE_KEYS).expect("a filter"));
        for text in
            ["is:ended", "-is:held", "is:end*", "is:ended -is:mine", "is:mine -is:h*", "pool:gpu is:ended"]
        {
            assert!(about_ended(text), "{text}");
        }
        for text in ["", "is:held", "-is:ended", "is:*", "is:mine", "-is:mine", "is:held is:ended", "ended"] {
            assert!(!about_ended(text), "{text}");
        }
    }
}
