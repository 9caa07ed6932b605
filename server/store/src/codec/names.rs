//! Shares what occurs again and again.

use std::collections::{BTreeMap, BTreeSet};

use lessor_ledger::{Labels, NameError, Owner, PoolName, State, Text};

/// Names seen while loading: a million resources in one pool share one text, not a million. That matters for long
/// names; short ones lie in themselves. The same goes for labels, which lie in no record.
#[derive(Debug)]
pub(crate) struct Names {
    pools: BTreeSet<PoolName>,
    states: BTreeSet<State>,
    owners: BTreeSet<Owner>,
    labels: BTreeSet<Labels>,
}

impl Names {
    pub(crate) fn new() -> Self {
        let states = [State::free(), State::dirty(), State::to_be_deleted(), State::tombstone()];
        Self {
            pools: BTreeSet::new(),
            states: BTreeSet::from(states),
            owners: BTreeSet::new(),
            labels: BTreeSet::new(),
        }
    }

    pub(crate) fn pool(&mut self, text: &str) -> Result<PoolName, NameError> {
        if let Some(known) = self.pools.get(text) {
            return Ok(known.clone());
        }
        let name = PoolName::new(text)?;
        self.pools.insert(name.clone());
        Ok(name)
    }

    pub(crate) fn state(&mut self, text: &str) -> Result<State, NameError> {
        if let Some(known) = self.states.get(text) {
            return Ok(known.clone());
        }
        let name = State::new(text)?;
        self.states.insert(name.clone());
        Ok(name)
    }

    pub(crate) fn owner(&mut self, text: &str) -> Result<Owner, NameError> {
        if let Some(known) = self.owners.get(text) {
            return Ok(known.clone());
        }
        let name = Owner::new(text)?;
        self.owners.insert(name.clone());
        Ok(name)
    }

    pub(crate) fn labels(&mut self, pairs: BTreeMap<Text, Text>) -> Labels {
        let labels = Labels::from(pairs);
        if let Some(known) = self.labels.get(&labels) {
            return known.clone();
        }
        self.labels.insert(labels.clone());
        labels
    }
}
