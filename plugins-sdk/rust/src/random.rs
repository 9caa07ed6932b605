//! Randomness fit for secrets. No grant is needed.

/// A random number.
#[must_use]
pub fn number() -> u64 {
    crate::side::random()
}

/// Puts things into a random order, each order as likely as any other.
pub fn shuffle<T>(things: &mut [T]) {
    for last in (1..things.len()).rev() {
        let count = last as u64 + 1;
        things.swap(last, usize::try_from(below(count)).unwrap_or_default());
    }
}

/// A random number below `count`, each as likely as any other.
fn below(count: u64) -> u64 {
    // Numbers of the last, incomplete range would favour the small ones.
    let usable = u64::MAX - u64::MAX % count;
    loop {
        let number = number();
        if number < usable {
            return number % count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Lessor;

    #[test]
    fn a_shuffle_loses_nothing_and_leaves_little_in_place() {
        Lessor::new().run(1, || {
            let mut things: Vec<u32> = (0..1000).collect();
            shuffle(&mut things);
            let fixed = things.iter().zip(0..).filter(|(thing, place)| **thing == *place).count();
            assert!(fixed < 20, "{fixed} of 1000 are where they were");
            things.sort_unstable();
            assert_eq!(things, (0..1000).collect::<Vec<_>>());
            shuffle::<u32>(&mut []);
        });
    }
}
