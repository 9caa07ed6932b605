//! Pools as filters see them.

use lessor_filter::{Key, Row, Value, contains};
use lessor_ledger::{Ledger, Pool};

/// What a filter may say, also on a page: pools are nobody's.
pub(crate) static KEYS: [Key; 3] =
    [Key::any("name"), Key::any("pool"), Key::one_of("is", &["dynamic", "free", "full", "waited-for"])];

/// A pool as a filter sees it.
pub(crate) struct Candidate<'l> {
    pub(crate) pool: &'l Pool,
    pub(crate) ledger: &'l Ledger,
}

impl Row for Candidate<'_> {
    fn has(&self, key: &str, value: &Value) -> bool {
        let Self { pool, ledger } = self;
        match key {
            "name" | "pool" => value.is(pool.name.as_str()),
            _ => {
                let free = || ledger.usage(&pool.name).free > 0;
                value.is("free") && free()
                    || value.is("full") && !free()
                    || value.is("waited-for") && ledger.waiting(&pool.name).0 > 0
                    || value.is("dynamic") && pool.lifecycle.is_some()
            }
        }
    }

    fn contains(&self, needle: &str) -> bool {
        contains(self.pool.name.as_str(), needle)
    }
}
