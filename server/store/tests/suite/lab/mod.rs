//! A store with a ledger on top, driven by random commands, and a memory of what was promised.

pub(crate) mod commands;
pub(crate) mod dice;
pub(crate) mod disk;

use lessor_ledger::{Change, Command, Event, Lease, Ledger, Span, Time};
use lessor_store::{Batch, CommitError, Store, StoreOptions};

use dice::Dice;

/// Where the labs' time begins.
pub(crate) const START: Time = Time::from_nanos(1_750_000_000_000_000_000);

/// Small generations, so that few commands make checkpoints.
pub(crate) fn options() -> StoreOptions {
    StoreOptions {
        seed: Some(7),
        generation_changes: 64,
        cache_bytes: 1024 * 1024,
        ..StoreOptions::default()
    }
}

/// Everything that came out of the ledger, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) events: Vec<Event>,
    pub(crate) ended: Vec<Lease>,
}

impl Memory {
    pub(crate) fn note(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Event(event) => self.events.push((**event).clone()),
                Change::Lease(lease) if lease.ended.is_some() => self.ended.push((**lease).clone()),
                _ => {}
            }
        }
    }
}

pub(crate) struct Lab {
    pub(crate) store: Store,
    /// As committed last.
    pub(crate) ledger: Ledger,
    pub(crate) memory: Memory,
    pub(crate) now: Time,
    pub(crate) dice: Dice,
}

impl Lab {
    pub(crate) fn new(opened: (Store, Ledger), seed: u64) -> Self {
        let (store, ledger) = opened;
        Self { store, ledger, memory: Memory::default(), now: START, dice: Dice::new(seed) }
    }

    /// Decides what commands would change, without committing it.
    pub(crate) fn decide(&mut self, commands: impl IntoIterator<Item = Command>) -> (Ledger, Vec<Change>) {
        let mut next = self.ledger.clone();
        let mut changes = Vec::new();
        for command in commands {
            changes.extend(next.apply(command, self.now).changes);
        }
        (next, changes)
    }

    /// Commits commands as one batch.
    pub(crate) fn commit(&mut self, commands: impl IntoIterator<Item = Command>) -> Result<(), CommitError> {
        let (next, changes) = self.decide(commands);
        self.write(&next, &changes)?;
        self.ledger = next;
        self.memory.note(&changes);
        Ok(())
    }

    pub(crate) fn write(&mut self, next: &Ledger, changes: &[Change]) -> Result<(), CommitError> {
        let number = self.store.last_batch() + 1;
        self.store.commit(Batch {
            number,
            at: next.now(),
            counters: next.counters(),
            changes: changes.into(),
        })
    }

    /// A batch of up to four random commands, a little later than the one before.
    pub(crate) fn random(&mut self) -> Vec<Command> {
        let later = if self.dice.once_in(10) { 90_000 } else { 3_000 };
        let millis = i64::try_from(self.dice.below(later)).unwrap();
        self.now = self.now.plus(Span::from_millis(millis));
        (0..=self.dice.below(4)).map(|_| commands::random(&mut self.dice, &self.ledger)).collect()
    }

    /// Commits that many random batches, without a pause in which a checkpoint could begin.
    pub(crate) fn rush(&mut self, batches: usize) {
        for _ in 0..batches {
            let commands = self.random();
            self.commit(commands).unwrap();
        }
    }

    /// Commits that many random batches, with some checkpoints between.
    pub(crate) fn run(&mut self, batches: usize) {
        for _ in 0..batches {
            self.rush(1);
            if self.dice.once_in(4) {
                self.store.tend().unwrap();
            }
        }
    }
}

/// Everything in a ledger, as text: equal for equal ledgers, readable when they differ.
pub(crate) fn show(ledger: &Ledger) -> String {
    format!("{ledger:#?}")
}
