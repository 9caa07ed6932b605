//! Small sets: for indexes most of whose sets have a single element.

use imbl::{OrdMap, OrdSet};

/// A set with at least one element. Most have no other one, and then take no memory of their own: a node of an
/// [`OrdSet`] has room for 16.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Few<T: Ord + Clone> {
    One(T),
    /// Two at least, so that what is equal looks equal.
    Many(OrdSet<T>),
}

impl<T: Ord + Clone> Few<T> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(set) => set.len(),
        }
    }

    pub(crate) fn first(&self) -> &T {
        match self {
            Self::One(only) => only,
            Self::Many(set) => set.get_min().expect("many are two at least"),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let (one, many) = match self {
            Self::One(only) => (Some(only), None),
            Self::Many(set) => (None, Some(set)),
        };
        one.into_iter().chain(many.into_iter().flat_map(OrdSet::iter))
    }
}

/// Puts `element` into the set at `key`.
pub(crate) fn put<K: Ord + Clone, T: Ord + Clone>(map: &mut OrdMap<K, Few<T>>, key: &K, element: T) {
    match map.get_mut(key) {
        None => {
            map.insert(key.clone(), Few::One(element));
        }
        Some(Few::Many(set)) => {
            set.insert(element);
        }
        Some(few @ Few::One(_)) if *few.first() != element => {
            let only = few.first().clone();
            *few = Few::Many(OrdSet::from_iter([only, element]));
        }
        Some(Few::One(_)) => {}
    }
}

/// Takes `element` out of the set at `key`, and the set away with its last one.
pub(crate) fn take<K: Ord + Clone, T: Ord + Clone>(map: &mut OrdMap<K, Few<T>>, key: &K, element: &T) {
    match map.get_mut(key) {
        Some(Few::One(only)) if only == element => {
            map.remove(key);
        }
        Some(few @ Few::Many(_)) => {
            let Few::Many(set) = few else { return };
            set.remove(element);
            if set.len() == 1
                && let Some(only) = set.get_min().cloned()
            {
                *few = Few::One(only);
            }
        }
        Some(Few::One(_)) | None => {}
    }
}
