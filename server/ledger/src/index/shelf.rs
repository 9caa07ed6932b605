//! Shelves: what can be leased now from one pool in one state.

use imbl::{OrdMap, OrdSet};

use crate::name::{Target, Text};
use crate::resource::Resource;
use crate::time::Time;

/// Unheld, uncordoned resources of one pool and state, the least recently written first
/// (`reference/boskos.md` O1; ties by name).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shelf {
    pub(crate) all: OrdSet<(Time, Target)>,
    pub(crate) labelled: OrdMap<(Text, Text), OrdSet<(Time, Target)>>,
}

impl Shelf {
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn insert(&mut self, resource: &Resource) {
        let place = (resource.updated_at, resource.name.clone());
        for (key, value) in &resource.details().labels {
            self.labelled.entry((key.clone(), value.clone())).or_default().insert(place.clone());
        }
        self.all.insert(place);
    }

    pub(crate) fn remove(&mut self, resource: &Resource) {
        let place = (resource.updated_at, resource.name.clone());
        for (key, value) in &resource.details().labels {
            let label = (key.clone(), value.clone());
            if let Some(set) = self.labelled.get_mut(&label) {
                set.remove(&place);
                if set.is_empty() {
                    self.labelled.remove(&label);
                }
            }
        }
        self.all.remove(&place);
    }
}
