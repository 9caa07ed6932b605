//! Plugins as filters see them.

use lessor_filter::{Key, Row, Value, contains};
use lessor_jobs::Sight;

use crate::v1::view;

/// What a filter may say, also on a page: plugins are nobody's.
pub(crate) static KEYS: [Key; 3] = [
    Key::any("name"),
    Key::one_of("kind", &["provider", "target-manager"]),
    Key::one_of("state", &["broken", "disabled", "enabled", "preparing", "quarantined"]),
];

/// A plugin as a filter sees it.
pub(crate) struct Candidate<'s> {
    pub(crate) sight: &'s Sight,
}

impl Row for Candidate<'_> {
    fn has(&self, key: &str, value: &Value) -> bool {
        let Sight { name, manifest, status, broken, .. } = self.sight;
        match key {
            "name" => value.is(name.as_str()),
            "kind" => manifest.as_ref().is_some_and(|manifest| value.is(&manifest.kind.to_string())),
            _ => value.is(view::plugin_state(status.as_ref(), broken.clone()).0),
        }
    }

    fn contains(&self, needle: &str) -> bool {
        contains(self.sight.name.as_str(), needle)
    }
}
