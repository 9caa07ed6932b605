//! Shelves: what can be leased now from one pool in one state.

use imbl::OrdSet;

use crate::index::labelled::Labelled;
use crate::name::Target;
use crate::resource::Resource;
use crate::time::Time;

/// Unheld, uncordoned resources of one pool and state, the least recently written first
/// (`reference/boskos.md` O1; ties by name).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shelf {
    pub(crate) all: OrdSet<(Time, Target)>,
    pub(crate) labelled: Labelled<(Time, Target)>,
}

impl Shelf {
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn insert(&mut self, resource: &Resource) {
        let place = (resource.updated_at, resource.name.clone());
        self.labelled.insert(&resource.details().labels, &place);
        self.all.insert(place);
    }

    pub(crate) fn remove(&mut self, resource: &Resource) {
        let place = (resource.updated_at, resource.name.clone());
        self.labelled.remove(&resource.details().labels, &place);
        self.all.remove(&place);
    }
}
