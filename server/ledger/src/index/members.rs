//! Members: who belongs to a pool, held or not, with the counts that metrics and dynamic pools need.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use crate::index::labelled::Labelled;
use crate::index::{held, holder};
use crate::lease::Lock;
use crate::name::{Owner, State, Target};
use crate::resource::{Origin, Resource};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members {
    pub(crate) all: OrdSet<Target>,
    pub(crate) by_state: OrdMap<State, u64>,
    /// Held ones only.
    pub(crate) by_owner: OrdMap<Owner, u64>,
    pub(crate) held: u64,
    pub(crate) labelled: Labelled<Target>,
    /// Members that the pool made itself.
    pub(crate) dynamic: u64,
    /// Those of them that are tombstones and not held.
    pub(crate) tombstones: OrdSet<Target>,
    /// Those of them that wait for the cleaner, or that a cleaner has: it takes them into the state `cleaning`. A pool
    /// that counted one as in use would get rid of another instead (`reference/boskos.md` D8).
    pub(crate) doomed: OrdSet<Target>,
    /// The rest of them that is not held.
    pub(crate) idle: OrdSet<Target>,
}

impl Members {
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn join(&mut self, resource: &Resource, lock: Option<&Lock>) {
        self.all.insert(resource.name.clone());
        count_up(&mut self.by_state, &resource.state);
        if let Some(owner) = holder(lock) {
            self.held += 1;
            count_up(&mut self.by_owner, owner);
        }
        self.labelled.insert(&resource.details().labels, &resource.name);
        if resource.origin == Origin::Dynamic {
            self.dynamic += 1;
            if let Some(set) = self.dynamic_with(resource, lock) {
                set.insert(resource.name.clone());
            }
        }
    }

    pub(crate) fn leave(&mut self, resource: &Resource, lock: Option<&Lock>) {
        self.all.remove(&resource.name);
        count_down(&mut self.by_state, &resource.state);
        if let Some(owner) = holder(lock) {
            self.held -= 1;
            count_down(&mut self.by_owner, owner);
        }
        self.labelled.remove(&resource.details().labels, &resource.name);
        if resource.origin == Origin::Dynamic {
            self.dynamic -= 1;
            if let Some(set) = self.dynamic_with(resource, lock) {
                set.remove(&resource.name);
            }
        }
    }

    /// Puts `new` in the place of `old`, which has the same name; touches only what differs.
    pub(crate) fn replace(
        &mut self,
        (old, old_lock): (&Resource, Option<&Lock>),
        (new, new_lock): (&Resource, Option<&Lock>),
    ) {
        let same_details = match (&old.details, &new.details) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new) || old.labels == new.labels,
            (None, None) => true,
            _ => false,
        };
        if !same_details || old.origin == Origin::Dynamic || new.origin == Origin::Dynamic {
            self.leave(old, old_lock);
            self.join(new, new_lock);
            return;
        }
        if old.state != new.state {
            count_down(&mut self.by_state, &old.state);
            count_up(&mut self.by_state, &new.state);
        }
        let (before, after) = (holder(old_lock), holder(new_lock));
        if before != after {
            if let Some(owner) = before {
                self.held -= 1;
                count_down(&mut self.by_owner, owner);
            }
            if let Some(owner) = after {
                self.held += 1;
                count_up(&mut self.by_owner, owner);
            }
        }
    }

    /// Where a dynamic resource stands; nowhere while it is in use.
    fn dynamic_with(&mut self, resource: &Resource, lock: Option<&Lock>) -> Option<&mut OrdSet<Target>> {
        if held(lock) {
            (resource.state == State::cleaning()).then_some(&mut self.doomed)
        } else if resource.state == State::tombstone() {
            Some(&mut self.tombstones)
        } else if resource.state == State::to_be_deleted() {
            Some(&mut self.doomed)
        } else {
            Some(&mut self.idle)
        }
    }
}

fn count_up<K: Ord + Clone>(counts: &mut OrdMap<K, u64>, key: &K) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => {
            counts.insert(key.clone(), 1);
        }
    }
}

fn count_down<K: Ord + Clone>(counts: &mut OrdMap<K, u64>, key: &K) {
    match counts.get_mut(key) {
        Some(count) if *count > 1 => *count -= 1,
        _ => {
            counts.remove(key);
        }
    }
}
