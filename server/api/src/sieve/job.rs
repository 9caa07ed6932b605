//! Jobs as filters see them.

use lessor_filter::{Key, Row, Value, contains};
use lessor_ledger::{JobRecord, Owner};

use crate::sieve::is_mine;

/// What a filter may say.
pub(crate) static KEYS: [Key; 5] = keys(&["live", "over"]);
/// What a filter on a page may say.
pub(crate) static PAGE_KEYS: [Key; 5] = keys(&["live", "mine", "over"]);

const PHASES: &[&str] = &["acquiring", "leased", "releasing", "stuck", "completed", "failed", "cancelled"];

const fn keys(is: &'static [&'static str]) -> [Key; 5] {
    [
        Key::any("owner"),
        Key::any("manager"),
        Key::any("target"),
        Key::one_of("phase", PHASES),
        Key::one_of("is", is),
    ]
}

/// A job as a filter sees it.
pub(crate) struct Candidate<'l> {
    pub(crate) job: &'l JobRecord,
    pub(crate) viewer: Option<&'l Owner>,
}

impl Row for Candidate<'_> {
    fn has(&self, key: &str, value: &Value) -> bool {
        let Self { job, viewer } = self;
        match key {
            "owner" => value.is(job.owner.as_str()),
            "manager" => value.is(job.manager.as_str()),
            "target" => job.targets.iter().any(|target| value.is(target.id.as_str())),
            "phase" => value.is(job.phase.name()),
            _ => {
                value.is("live") && job.live()
                    || value.is("over") && !job.live()
                    || value.is("mine") && is_mine(*viewer, &job.owner)
            }
        }
    }

    fn contains(&self, needle: &str) -> bool {
        let job = self.job;
        contains(job.owner.as_str(), needle)
            || contains(job.manager.as_str(), needle)
            || job.targets.iter().any(|target| contains(target.id.as_str(), needle))
    }
}
