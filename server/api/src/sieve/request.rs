//! Requests as filters see them.

use lessor_filter::{Key, Row, Value, contains};
use lessor_ledger::{Ledger, Owner, Part, Request, Target};

use crate::sieve::is_mine;

/// What a filter may say.
pub(crate) static KEYS: [Key; 4] = keys(&["settled", "silent", "waiting"]);
/// What a filter on a page may say, which shows those who wait.
pub(crate) static PAGE_KEYS: [Key; 4] = keys(&["mine", "silent"]);

const fn keys(is: &'static [&'static str]) -> [Key; 4] {
    [Key::any("owner"), Key::any("pool"), Key::any("target"), Key::one_of("is", is)]
}

/// A request as a filter sees it.
pub(crate) struct Candidate<'l> {
    pub(crate) request: &'l Request,
    pub(crate) ledger: &'l Ledger,
    pub(crate) viewer: Option<&'l Owner>,
}

impl Row for Candidate<'_> {
    fn has(&self, key: &str, value: &Value) -> bool {
        let Self { request, ledger, viewer } = self;
        let pool_of = |target: &Target| {
            ledger.resource(target.as_str()).is_some_and(|resource| value.is(resource.pool.as_str()))
        };
        match key {
            "owner" => value.is(request.owner.as_str()),
            "pool" => request.parts.iter().any(|part| match part {
                Part::Pool { pool, .. } => value.is(pool.as_str()),
                Part::Named { targets, .. } => targets.iter().any(pool_of),
            }),
            "target" => request.parts.iter().any(|part| match part {
                Part::Pool { .. } => false,
                Part::Named { targets, .. } => targets.iter().any(|target| value.is(target.as_str())),
            }),
            _ => {
                value.is("mine") && is_mine(*viewer, &request.owner)
                    || value.is("silent") && request.dormant
                    || value.is("waiting") && request.waits()
                    || value.is("settled") && !request.waits()
            }
        }
    }

    fn contains(&self, needle: &str) -> bool {
        let request = self.request;
        contains(request.owner.as_str(), needle)
            || request.purpose.as_ref().is_some_and(|purpose| contains(purpose, needle))
            || request.parts.iter().any(|part| match part {
                Part::Pool { pool, .. } => contains(pool.as_str(), needle),
                Part::Named { targets, .. } => targets.iter().any(|target| contains(target.as_str(), needle)),
            })
    }
}
