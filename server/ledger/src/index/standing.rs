//! Standings: what the ledger knows of one target, a resource or only a name, and how that moves.

use std::sync::Arc;

use crate::index::{held, holder};
use crate::lease::Lock;
use crate::name::PoolName;
use crate::resource::Resource;

/// The records of one target.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) resource: Option<Arc<Resource>>,
    pub(crate) lock: Option<Arc<Lock>>,
}

/// What a target was and is.
#[derive(Debug)]
pub(crate) struct Moved {
    pub(crate) before: Standing,
    pub(crate) after: Standing,
}

impl Standing {
    pub(crate) fn is_held(&self) -> bool {
        held(self.lock.as_deref())
    }

    pub(crate) fn pool(&self) -> Option<&PoolName> {
        self.resource.as_ref().map(|resource| &resource.pool)
    }

    /// Whether it is the same resource in the same hands, so that all indexes of resources have it where it is.
    pub(crate) fn is_placed_as(&self, other: &Self) -> bool {
        let same = match (&self.resource, &other.resource) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => return true,
            _ => false,
        };
        same && holder(self.lock.as_deref()) == holder(other.lock.as_deref())
    }
}
