//! What somebody was shown before they agreed to something: carried through the form, so that nothing else is done.

use sha2::{Digest as _, Sha256};

/// A text that stands for exactly these names, in whatever order they come.
pub(crate) fn digest<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    let mut hash = Sha256::new();
    for name in names {
        // With their lengths, so that no two lists are the same bytes.
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
    }
    format!("{:x}", hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn only_the_same_names_are_the_same() {
        let of = |names: &[&str]| digest(names.iter().copied());
        assert_eq!(of(&["a", "b"]), of(&["b", "a"]));
        for others in [&["ab"][..], &["a"], &["a", "b", "b"], &["a", "c"], &[]] {
            assert_ne!(of(&["a", "b"]), of(others), "{others:?}");
        }
    }
}
