//! Lists: a page of items, and the cursor of the next one.

use std::marker::PhantomData;

use lessor_filter::{Filter, Key};
use lessor_ledger::{LeaseId, RequestId, Target};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use utoipa::ToSchema;

use crate::limits::{PAGE_BYTES_MAX, PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX, PAGE_ROWS_MAX};
use crate::problem::Problem;

/// One page of a list, already written: pages are made on threads that may take a while, and nobody else is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The items, at most `limit`. A page of a filtered list, or of large items, may hold fewer although more follow.
    #[schema(value_type = Vec<T>)]
    items: Vec<Box<RawValue>>,
    /// Send it as `after` to get the next page; null after the last. Opaque.
    next: Option<String>,
    #[serde(skip)]
    #[schema(ignore)]
    of: PhantomData<T>,
}

impl<T: Serialize> Page<T> {
    /// Writes rows until they end or the page has [`PAGE_BYTES_MAX`]; `next` leads to what comes after the last of them,
    /// `key` to what comes after any.
    pub(crate) fn of<R>(
        rows: &[R],
        next: Option<String>,
        key: impl Fn(&R) -> String,
        view: impl Fn(&R) -> T,
    ) -> Self {
        let (mut items, mut bytes): (Vec<Box<RawValue>>, _) = (Vec::new(), 0);
        let mut before = None;
        for row in rows {
            let item = to_raw_value(&view(row)).expect("a view has only string keys and plain values");
            bytes += item.get().len();
            if let Some(before) = before
                && bytes > PAGE_BYTES_MAX
            {
                return Self { items, next: Some(key(before)), of: PhantomData };
            }
            items.push(item);
            before = Some(row);
        }
        Self { items, next, of: PhantomData }
    }
}

/// Reads `limit`.
///
/// # Errors
/// A problem if it is 0 or more than [`PAGE_ITEMS_MAX`].
pub(crate) fn limit(given: Option<u64>) -> Result<usize, Problem> {
    match given.map(usize::try_from) {
        None => Ok(PAGE_ITEMS_DEFAULT),
        Some(Ok(limit @ 1..=PAGE_ITEMS_MAX)) => Ok(limit),
        Some(_) => Err(Problem::invalid("limit", format!("must be from 1 to {PAGE_ITEMS_MAX}"))),
    }
}

/// Reads `filter`; none is true of everything.
///
/// # Errors
/// A problem that says where it cannot be read, and what is allowed there.
pub(crate) fn filter(given: Option<&str>, keys: &[Key]) -> Result<Filter, Problem> {
    Filter::parse(given.unwrap_or_default(), keys).map_err(|error| Problem::invalid("filter", error))
}

/// Takes rows that are `wanted` until a page is full, the rows end, or [`PAGE_ROWS_MAX`] of them were looked at. With them
/// comes the cursor of what follows: `key` is the one that leads to the row after this one.
pub(crate) fn pick<R>(
    rows: impl Iterator<Item = R>,
    limit: usize,
    key: impl Fn(&R) -> String,
    wanted: impl Fn(&R) -> bool,
) -> (Vec<R>, Option<String>) {
    let mut picked = Vec::new();
    let mut rows = rows.enumerate().peekable();
    while let Some((before, row)) = rows.next() {
        let wanted = wanted(&row);
        let ends = wanted && picked.len() + 1 == limit || before + 1 == PAGE_ROWS_MAX;
        let next = (ends && rows.peek().is_some()).then(|| key(&row));
        if wanted {
            picked.push(row);
        }
        if ends {
            return (picked, next);
        }
    }
    (picked, None)
}

/// [`pick`] and [`Page::of`] in one.
pub(crate) fn page<R, T: Serialize>(
    rows: impl Iterator<Item = R>,
    limit: usize,
    key: impl Fn(&R) -> String,
    wanted: impl Fn(&R) -> bool,
    view: impl Fn(&R) -> T,
) -> Page<T> {
    let (picked, next) = pick(rows, limit, &key, wanted);
    Page::of(&picked, next, key, view)
}

/// The cursor of a list that is ordered by name.
pub(crate) fn after_name(cursor: Option<String>) -> Result<Option<Target>, Problem> {
    cursor.map(Target::new).transpose().map_err(|error| Problem::invalid("after", error))
}

/// The cursor of a list that is ordered by number.
pub(crate) fn after_number(cursor: Option<&str>) -> Result<Option<u64>, Problem> {
    cursor.map(str::parse).transpose().map_err(|_| Problem::invalid("after", "is not a cursor of this list"))
}

/// The cursor of a list of leases.
pub(crate) fn after_lease(cursor: Option<&str>) -> Result<Option<LeaseId>, Problem> {
    Ok(after_number(cursor)?.map(LeaseId))
}

/// The cursor of a list of requests.
pub(crate) fn after_request(cursor: Option<&str>) -> Result<Option<RequestId>, Problem> {
    Ok(after_number(cursor)?.map(RequestId))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(upto: u32, limit: usize, keep: impl Fn(u32) -> bool) -> (Vec<u32>, Option<String>) {
        pick(0..upto, limit, ToString::to_string, |&n| keep(n))
    }

    #[test]
    fn a_page_ends_at_its_limit_with_the_cursor_of_its_last_row() {
        assert_eq!(numbers(3, 2, |_| true), (vec![0, 1], Some("1".to_owned())));
        assert_eq!(numbers(2, 2, |_| true), (vec![0, 1], None));
        assert_eq!(numbers(0, 2, |_| true), (vec![], None));
    }

    #[test]
    fn a_filter_that_matches_little_ends_the_page_early_instead_of_walking_on() {
        let rows = u32::try_from(PAGE_ROWS_MAX).expect("fits") + 5;
        let (items, next) = numbers(rows, 10, |n| n == 3 || n == rows - 1);
        assert_eq!(items, [3]);
        assert_eq!(next, Some((PAGE_ROWS_MAX - 1).to_string()));
    }

    #[test]
    fn a_page_ends_when_it_has_many_bytes_and_has_one_item_at_least() {
        let long = "x".repeat(PAGE_BYTES_MAX / 2);
        let page = |rows: &[u32], view: &dyn Fn(&u32) -> String| {
            let page = Page::of(rows, Some("end".to_owned()), ToString::to_string, view);
            (page.items.len(), page.next.expect("more follows"))
        };
        assert_eq!(page(&[1, 2, 3], &|_| long.clone()), (1, "1".to_owned()));
        assert_eq!(page(&[1, 2, 3], &|_| long.repeat(3)), (1, "1".to_owned()));
        assert_eq!(
            page(&[1, 2, 3], &|n| if *n < 3 { n.to_string() } else { long.repeat(2) }),
            (2, "2".to_owned())
        );
        assert_eq!(page(&[1, 2, 3], &ToString::to_string), (3, "end".to_owned()));
    }

    #[test]
    fn limits_are_from_1_to_1000() {
        assert_eq!(limit(None).ok(), Some(100));
        assert_eq!(limit(Some(1)).ok(), Some(1));
        assert_eq!(limit(Some(1000)).ok(), Some(1000));
        for bad in [0, 1001, u64::MAX] {
            assert!(limit(Some(bad)).is_err(), "{bad}");
        }
    }
}
