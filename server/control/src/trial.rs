//! What the entries of a pools file would change, found out on a copy.

use lessor_ledger::{Command, Ledger, PoolEntry, Step, Time};

/// Entries that were tried out.
#[derive(Debug)]
pub struct Trial {
    /// The ledger without them.
    pub before: Ledger,
    /// The ledger with them.
    pub after: Ledger,
    /// What they changed, and the answer.
    pub step: Step,
}

impl Trial {
    /// Applies `entries` at `now` to a copy of `ledger`. The copy is free; the rest takes as long as the writer would: a second
    /// for a million resources, for which nobody should be kept waiting.
    #[must_use]
    pub fn of(ledger: &Ledger, entries: &[PoolEntry], now: Time) -> Self {
        let mut after = ledger.clone();
        // What is due anyway is not the file's doing.
        let _ = after.apply(Command::Tick, now);
        let before = after.clone();
        let step = after.apply(Command::Sync(entries.to_vec()), now);
        Self { before, after, step }
    }
}
