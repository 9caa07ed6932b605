//! What filters can say of each kind of record: the same in `/v1`, in the CLI and on pages.
//!
//! Pages know who looks, so theirs take `is:mine` too. Each kind has its keys, and a `Candidate` that answers for one
//! record.

pub(crate) mod event;
pub(crate) mod job;
pub(crate) mod lease;
pub(crate) mod lock;
pub(crate) mod plugin;
pub(crate) mod pool;
pub(crate) mod request;
pub(crate) mod resource;

use lessor_filter::{Key, Value};
use lessor_ledger::Owner;

/// A key whose values are the numbers of records.
const fn number(name: &'static str) -> Key {
    Key::like(name, is_number, "a number")
}

fn is_number(value: &Value) -> bool {
    match value {
        Value::Exactly(text) => text.parse::<u64>().is_ok_and(|number| number.to_string() == *text),
        Value::Prefix(text) => text.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// Whether this owner is whoever looks.
fn is_mine(viewer: Option<&Owner>, owner: &Owner) -> bool {
    viewer == Some(owner)
}

/// How much of the history is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Most rows to be kept, at least 1.
    pub(crate) kept: usize,
    /// Most rows to be looked at, at least 1.
    pub(crate) looked_at: usize,
    /// Rows that one read gives, unless there are no more; at least 1.
    pub(crate) at_once: usize,
}

/// Rows from the history.
#[derive(Debug)]
pub(crate) struct Sifted<R> {
    pub(crate) rows: Vec<R>,
    /// The number of the row to go on after; `None` if there are no more.
    pub(crate) next: Option<u64>,
    /// How many were looked at, if that ended it.
    pub(crate) looked_at: Option<usize>,
}

impl<R> Sifted<R> {
    /// The same with other rows.
    pub(crate) fn map<S>(self, of: impl Fn(R) -> S) -> Sifted<S> {
        let Self { rows, next, looked_at } = self;
        Sifted { rows: rows.into_iter().map(of).collect(), next, looked_at }
    }
}

/// Walks through the history in pieces until enough was kept or looked at, or there is no more.
///
/// `read` gives the rows that come after a number, or the first ones.
///
/// # Errors
/// Those of `read`.
pub(crate) fn sift<R, E>(
    bounds: Bounds,
    from: Option<u64>,
    mut read: impl FnMut(Option<u64>) -> Result<Vec<R>, E>,
    number: impl Fn(&R) -> u64,
    wanted: impl Fn(&R) -> bool,
) -> Result<Sifted<R>, E> {
    let (mut rows, mut looked_at, mut last) = (Vec::new(), 0, from);
    loop {
        let piece = read(last)?;
        let (mut left, more) = (piece.len(), piece.len() >= bounds.at_once);
        for row in piece {
            left -= 1;
            looked_at += 1;
            last = Some(number(&row));
            if wanted(&row) {
                rows.push(row);
            }
            let full = rows.len() == bounds.kept;
            if full || looked_at == bounds.looked_at {
                let next = last.filter(|_| left > 0 || more);
                let looked_at = next.filter(|_| !full).map(|_| looked_at);
                return Ok(Sifted { rows, next, looked_at });
            }
        }
        if !more {
            return Ok(Sifted { rows, next: None, looked_at: None });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { kept: 3, looked_at: 10, at_once: 4 };

    fn sifted(upto: u64, from: Option<u64>, wanted: impl Fn(u64) -> bool) -> Sifted<u64> {
        let read = |last: Option<u64>| {
            let first = last.map_or(1, |last| last + 1);
            Ok::<_, std::convert::Infallible>((first..=upto).take(BOUNDS.at_once).collect())
        };
        sift(BOUNDS, from, read, |row| *row, |row| wanted(*row)).expect("it cannot fail")
    }

    #[track_caller]
    fn check(found: &Sifted<u64>, rows: &[u64], next: Option<u64>, looked_at: Option<usize>) {
        assert_eq!((found.rows.as_slice(), found.next, found.looked_at), (rows, next, looked_at));
    }

    #[test]
    fn it_ends_when_enough_was_kept_or_looked_at() {
        let even = |row: u64| row.is_multiple_of(2);
        check(&sifted(20, None, even), &[2, 4, 6], Some(6), None);
        check(&sifted(20, Some(6), even), &[8, 10, 12], Some(12), None);
        check(&sifted(20, None, |_| false), &[], Some(10), Some(10));
        check(&sifted(20, Some(10), |_| false), &[], None, None);
        check(&sifted(21, Some(10), |_| false), &[], Some(20), Some(10));
    }

    #[test]
    fn it_ends_with_the_history() {
        check(&sifted(0, None, |_| true), &[], None, None);
        check(&sifted(3, None, |_| true), &[1, 2, 3], None, None);
        check(&sifted(4, None, |row| row == 4), &[4], None, None);
        check(&sifted(9, None, |_| false), &[], None, None);
    }
}
