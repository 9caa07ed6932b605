//! Locks as filters see them.

use lessor_filter::{Key, Row, Value, contains};
use lessor_ledger::{Ledger, Lock, Time};

use crate::sieve::number;

/// What a filter may say.
pub(crate) static KEYS: [Key; 5] = [
    Key::any("target"),
    Key::any("owner"),
    Key::any("pool"),
    number("lease"),
    Key::one_of("is", &["lapsed", "live"]),
];

/// A lock as a filter sees it.
pub(crate) struct Candidate<'l> {
    pub(crate) lock: &'l Lock,
    pub(crate) ledger: &'l Ledger,
    pub(crate) now: Time,
}

impl Row for Candidate<'_> {
    fn has(&self, key: &str, value: &Value) -> bool {
        let Self { lock, ledger, now } = self;
        match key {
            "target" => value.is(lock.target.as_str()),
            "owner" => value.is(lock.owner.as_str()),
            "pool" => {
                ledger.resource(lock.target.as_str()).is_some_and(|resource| value.is(resource.pool.as_str()))
            }
            "lease" => value.is(&lock.lease.to_string()),
            _ => value.is("live") && lock.live(*now) || value.is("lapsed") && !lock.live(*now),
        }
    }

    fn contains(&self, needle: &str) -> bool {
        contains(self.lock.target.as_str(), needle) || contains(self.lock.owner.as_str(), needle)
    }
}
