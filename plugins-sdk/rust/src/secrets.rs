//! Secrets by name. Needs the grant `secrets`.

/// The secret of this name; none if it was not granted.
#[must_use]
pub fn get(name: &str) -> Option<String> {
    crate::side::secret(name)
}
