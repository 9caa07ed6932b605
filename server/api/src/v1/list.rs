//! Lists: a page of items, and the cursor of the next one.

use lessor_filter::{Filter, Key};
use lessor_ledger::{LeaseId, RequestId, Target};
use serde::Serialize;
use utoipa::ToSchema;

use crate::limits::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX, PAGE_ROWS_MAX};
use crate::problem::Problem;

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The items, at most `limit`. A page of a filtered list may hold fewer although more follow.
    pub(crate) items: Vec<T>,
    /// Send it as `after` to get the next page; null after the last. Opaque.
    pub(crate) next: Option<String>,
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

/// Takes items from `rows` until the page is full, the rows end, or [`PAGE_ROWS_MAX`] of them were looked at.
///
/// `key` is the cursor that leads to the row after this one; `view` leaves out what the filter does not want.
pub(crate) fn page<R, T>(
    rows: impl Iterator<Item = R>,
    limit: usize,
    key: impl Fn(&R) -> String,
    view: impl Fn(&R) -> Option<T>,
) -> Page<T> {
    let mut items = Vec::new();
    let mut last: Option<R> = None;
    for (looked_at, row) in rows.enumerate() {
        if items.len() == limit || looked_at == PAGE_ROWS_MAX {
            return Page { items, next: last.as_ref().map(key) };
        }
        items.extend(view(&row));
        last = Some(row);
    }
    Page { items, next: None }
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
        let page = page(0..upto, limit, ToString::to_string, |&n| keep(n).then_some(n));
        (page.items, page.next)
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
    fn limits_are_from_1_to_1000() {
        assert_eq!(limit(None).ok(), Some(100));
        assert_eq!(limit(Some(1)).ok(), Some(1));
        assert_eq!(limit(Some(1000)).ok(), Some(1000));
        for bad in [0, 1001, u64::MAX] {
            assert!(limit(Some(bad)).is_err(), "{bad}");
        }
    }
}
