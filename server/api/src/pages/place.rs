//! Places in lists, and how a cursor says them.

use lessor_ledger::{Owner, PluginName, State, Target};

/// Between the length of the first part of a cursor of a sorted list and its parts, which follow without anything between.
const SEPARATOR: char = ':';

/// What rows are sorted by, and told apart by: a cursor is made of it.
pub(crate) trait Place: Ord + Sized {
    fn read(text: &str) -> Option<Self>;
    fn write(&self) -> String;
}

macro_rules! place {
    ($($what:ty: $read:expr),* $(,)?) => {
        $(impl Place for $what {
            fn read(text: &str) -> Option<Self> {
                let read: fn(&str) -> Option<Self> = $read;
                read(text)
            }

            fn write(&self) -> String {
                self.to_string()
            }
        })*
    };
}

place! {
    u64: |text| text.parse().ok(),
    i64: |text| text.parse().ok(),
    String: |text| Some(text.to_owned()),
    Owner: |text| Self::new(text).ok(),
    PluginName: |text| Self::new(text).ok(),
    State: |text| Self::new(text).ok(),
    Target: |text| Self::new(text).ok(),
}

/// A key, then a name.
impl<K: Place, N: Place> Place for (K, N) {
    fn read(text: &str) -> Option<Self> {
        let (length, parts) = text.split_once(SEPARATOR)?;
        let (key, name) = parts.split_at_checked(length.parse().ok()?)?;
        Some((K::read(key)?, N::read(name)?))
    }

    fn write(&self) -> String {
        let (key, name) = (self.0.write(), self.1.write());
        format!("{}{SEPARATOR}{key}{name}", key.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_whatever_is_in_it() {
        for key in ["", ":", "3:x", "a\u{1f}b", "é:1", "12"] {
            let place = (key.to_owned(), 17_u64);
            assert_eq!(<(String, u64)>::read(&place.write()), Some(place), "{key:?}");
        }
        for bad in ["", "17", ":17", "9:a17", "1:é17", "x:a17", "1:a", "-1:a17", "1:abc"] {
            assert_eq!(<(String, u64)>::read(bad), None, "{bad:?}");
        }
    }
}
