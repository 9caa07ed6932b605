//! Labels of resources, which are many resources' in common.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use crate::name::Text;

/// The labels of a resource, e.g. `site` = `ber`. Cheap to clone: the resources of one entry of the pools file share
/// them.
///
/// Their order means nothing: it goes by a digest first, so that indexes need not read one label after another.
#[derive(Clone)]
pub struct Labels {
    digest: u64,
    pairs: Arc<BTreeMap<Text, Text>>,
}

static NONE: LazyLock<Labels> = LazyLock::new(|| Labels::of(BTreeMap::new()));

impl Labels {
    fn of(pairs: BTreeMap<Text, Text>) -> Self {
        let mut hasher = DefaultHasher::new();
        pairs.hash(&mut hasher);
        Self { digest: hasher.finish(), pairs: Arc::new(pairs) }
    }

    /// Whether all of `wanted` are among them.
    pub(crate) fn include(&self, wanted: &BTreeMap<Text, Text>) -> bool {
        wanted.iter().all(|(key, value)| self.pairs.get(key) == Some(value))
    }
}

impl Default for Labels {
    fn default() -> Self {
        NONE.clone()
    }
}

impl From<BTreeMap<Text, Text>> for Labels {
    fn from(pairs: BTreeMap<Text, Text>) -> Self {
        if pairs.is_empty() { Self::default() } else { Self::of(pairs) }
    }
}

impl Deref for Labels {
    type Target = BTreeMap<Text, Text>;

    fn deref(&self) -> &Self::Target {
        &self.pairs
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pairs.fmt(f)
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest && (Arc::ptr_eq(&self.pairs, &other.pairs) || self.pairs == other.pairs)
    }
}

impl Eq for Labels {}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.digest.cmp(&other.digest).then_with(|| {
            if Arc::ptr_eq(&self.pairs, &other.pairs) {
                return std::cmp::Ordering::Equal;
            }
            self.pairs.cmp(&other.pairs)
        })
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
