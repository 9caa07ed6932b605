//! Lists: a page of rows that match a filter, in an order, with a cursor. Bounded work per page: what is not reached
//! is left to the next page, and the page says so.

use std::sync::Arc;

use axum::response::Response;
use lessor_filter::{Filter, Key};
use lessor_ledger::{Ledger, Time};
use lessor_store::{ReadError, Reader};
use lessor_web::{List, Sort, Template, Text};
use serde::Deserialize;

use crate::limits::{
    EXPORT_HISTORY_ROWS_AT_ONCE, EXPORT_HISTORY_ROWS_MAX, EXPORT_ROWS_LOOKED_AT_MAX, EXPORT_ROWS_MAX,
    HISTORY_ROWS_LOOKED_AT_MAX, LISTING_ROWS_LOOKED_AT_MAX, LISTING_ROWS_SHOWN, ROW_TARGETS_MAX,
};
use crate::pages::export::{self, Cells, File};
use crate::pages::place::Place;
use crate::pages::visitor::Visitor;
use crate::problem::Problem;
use crate::sieve::Sifted;

/// What the address of a list says.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct ListQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    sort: String,
    after: Option<String>,
    #[serde(default)]
    format: String,
}

/// A list to be made.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    pub(crate) filter: Filter,
    pub(crate) after: Option<String>,
    pub(crate) list: List,
    format: Option<export::Format>,
}

/// A kind of list: what is always the same about it.
pub(crate) struct Kind {
    pub(crate) path: &'static str,
    pub(crate) what: &'static str,
    pub(crate) keys: &'static [Key],
    pub(crate) sorts: &'static [Sort],
    pub(crate) example: &'static str,
}

/// What a list of the history is made from.
pub(crate) struct Look<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) reader: &'a Reader,
    pub(crate) filter: &'a Filter,
    /// When it was asked for.
    pub(crate) now: Time,
    /// Only rows with lower numbers.
    pub(crate) before: Option<u64>,
    /// How many to keep, and to look at.
    pub(crate) bounds: (usize, usize),
}

/// A row, and what it is sorted by: the key that was asked for, then its name.
type Keyed<K, N, R> = ((K, N), R);

/// A page of rows.
#[derive(Debug)]
pub(crate) struct Paged<R> {
    pub(crate) rows: Vec<R>,
    pub(crate) next: Option<String>,
    pub(crate) looked_at: Option<usize>,
    /// Whether only what was looked at is in order: no other page has the rest.
    pub(crate) sorted: bool,
}

impl<R> Paged<R> {
    /// The same with other rows.
    pub(crate) fn map<S>(self, of: impl Fn(R) -> S) -> Paged<S> {
        let Self { rows, next, looked_at, sorted } = self;
        Paged { rows: rows.into_iter().map(of).collect(), next, looked_at, sorted }
    }
}

impl<R> From<Sifted<R>> for Paged<R> {
    fn from(found: Sifted<R>) -> Self {
        let Sifted { rows, next, looked_at } = found;
        Self { rows, next: next.map(|next| next.to_string()), looked_at, sorted: false }
    }
}

impl Listing {
    /// What `query` asks of a list of this kind. A filter that cannot be read matches everything, and is said.
    pub(crate) fn new(kind: &Kind, query: ListQuery) -> Self {
        let ListQuery { q, sort, after, format } = query;
        let (filter, error) = match Filter::parse(&q, kind.keys) {
            Ok(filter) => (filter, None),
            Err(error) => (Filter::default(), Some(Text::from(error.to_string()))),
        };
        let usual = kind.sorts.first().map_or("", |sort| sort.key);
        let list = List {
            path: kind.path.to_owned(),
            what: kind.what,
            filter: q.into(),
            error,
            example: kind.example,
            keys: kind.keys.iter().map(|key| key.name).collect(),
            sorts: kind.sorts,
            sort: kind.sorts.iter().map(|sort| sort.key).find(|key| *key == sort).unwrap_or(usual),
            further: after.is_some(),
            ..List::default()
        };
        Self { filter, after, list, format: export::Format::named(&format) }
    }

    /// How many rows are wanted: for a file one more than it may have, so that it is known whether those are all.
    pub(crate) fn limit(&self) -> usize {
        if self.is_file() { EXPORT_ROWS_MAX + 1 } else { LISTING_ROWS_SHOWN }
    }

    /// How many rows of what is true now may be looked at.
    pub(crate) fn looks_at(&self) -> usize {
        if self.is_file() { EXPORT_ROWS_LOOKED_AT_MAX } else { LISTING_ROWS_LOOKED_AT_MAX }
    }

    /// How many names one row may have: a page leaves some out, a file does not.
    pub(crate) fn names(&self) -> usize {
        if self.is_file() { usize::MAX } else { ROW_TARGETS_MAX }
    }

    /// Whether it is asked for as a file.
    pub(crate) fn is_file(&self) -> bool {
        self.format.is_some()
    }

    /// After which row to go on.
    ///
    /// # Errors
    /// A problem if the cursor is not one of this list in this order.
    pub(crate) fn cursor<P: Place>(&self) -> Result<Option<P>, Problem> {
        let read =
            |after| P::read(after).ok_or_else(|| Problem::invalid("after", "is not a cursor of this list"));
        self.after.as_deref().map(read).transpose()
    }

    /// Takes rows that are in the order of their places.
    pub(crate) fn plain<R, N: Place>(
        &self,
        rows: impl Iterator<Item = R>,
        place: impl Fn(&R) -> N,
        wanted: impl Fn(&R) -> bool,
    ) -> Paged<R> {
        let place = |row: &R| place(row).write();
        let limit = self.limit();
        let (mut taken, mut last): (Vec<R>, Option<String>) = (Vec::new(), None);
        let mut rows = rows.enumerate().peekable();
        while let Some((looked_at, row)) = rows.next() {
            let end = looked_at + 1 == self.looks_at() && rows.peek().is_some();
            if end {
                last = Some(place(&row));
            }
            if wanted(&row) {
                taken.push(row);
            }
            if end {
                return Paged { rows: taken, next: last, looked_at: Some(looked_at + 1), sorted: false };
            }
            if taken.len() == limit {
                let next = rows.peek().is_some().then(|| taken.last().map(&place)).flatten();
                return Paged { rows: taken, next, looked_at: None, sorted: false };
            }
        }
        Paged { rows: taken, next: None, looked_at: None, sorted: false }
    }

    /// Takes rows in the order of `key`, then of their names; descending if the order's name begins with a minus.
    ///
    /// Only among the first rows that may be looked at.
    ///
    /// # Errors
    /// A problem if the cursor is not one of this list in this order.
    pub(crate) fn sorted<R, K: Place, N: Place>(
        &self,
        rows: impl Iterator<Item = R>,
        name: impl Fn(&R) -> N,
        key: impl Fn(&R) -> K,
        wanted: impl Fn(&R) -> bool,
    ) -> Result<Paged<R>, Problem> {
        let mut rows = rows;
        let after = self.cursor::<(K, N)>()?;
        let descending = self.list.sort.starts_with('-');
        let looked_at: Vec<R> = rows.by_ref().take(self.looks_at()).collect();
        let looked_at_count = rows.next().is_some().then_some(looked_at.len());
        let mut keyed: Vec<Keyed<K, N, R>> = looked_at
            .into_iter()
            .filter(|row| wanted(row))
            .map(|row| ((key(&row), name(&row)), row))
            .collect();
        if let Some(after) = after {
            keyed.retain(|(place, _)| if descending { *place < after } else { *place > after });
        }
        let by_place =
            |(a, _): &Keyed<K, N, R>, (b, _): &Keyed<K, N, R>| if descending { b.cmp(a) } else { a.cmp(b) };
        let more = keyed.len() > self.limit();
        if more {
            // Only the rows of the page need be in order.
            keyed.select_nth_unstable_by(self.limit(), by_place);
            keyed.truncate(self.limit());
        }
        keyed.sort_by(by_place);
        let next = keyed.last().filter(|_| more).map(|(place, _)| place.write());
        let rows = keyed.into_iter().map(|(_, row)| row).collect();
        Ok(Paged { rows, next, looked_at: looked_at_count, sorted: true })
    }

    /// The finished list around a page of rows, of which there are `total` without a filter.
    pub(crate) fn finish<R>(&mut self, paged: Paged<R>, total: Option<usize>) -> Vec<R> {
        let Paged { rows, next, looked_at, sorted } = paged;
        self.list.next = next;
        self.list.looked_at = looked_at;
        self.list.sorted_among = looked_at.filter(|_| sorted);
        self.list.shown = rows.len();
        self.list.total = total;
        rows
    }

    /// The list as a page, or as the file that was asked for.
    pub(crate) fn show<R: Cells, P: Template>(
        self,
        visitor: &Visitor,
        rows: Vec<R>,
        page: impl FnOnce(List, Vec<R>) -> P,
    ) -> Result<Response, Problem> {
        let Some(format) = self.format()? else { return Ok(visitor.page(&page(self.list, rows))) };
        if rows.len() > EXPORT_ROWS_MAX {
            let why = format!("finds more than the {EXPORT_ROWS_MAX} rows that a file may have");
            return Err(export::too_much(why, &self.list.keys));
        }
        if self.list.looked_at.is_some() {
            return Err(export::too_many(EXPORT_ROWS_LOOKED_AT_MAX, &self.list.keys));
        }
        let mut file = File::new::<R>(format, self.list.what, &self.list.keys)?;
        file.add(&rows)?;
        Ok(file.answer())
    }

    /// As which file the list is asked for; a page says what is wrong with its filter and shows everything, a file could not
    /// say it.
    fn format(&self) -> Result<Option<export::Format>, Problem> {
        match (self.format, &self.list.error) {
            (Some(_), Some(error)) => Err(Problem::invalid("filter", error.raw())),
            (format, _) => Ok(format),
        }
    }

    /// As [`show`](Self::show), with rows of the history; `find` finds some with lower numbers than the given one, the newest
    /// first, and is told how many to keep and to look at.
    pub(crate) async fn show_past<R: Cells + Send + 'static, P: Template>(
        mut self,
        visitor: &Visitor,
        find: impl Fn(&Look<'_>) -> Result<Sifted<R>, ReadError> + Clone + Send + 'static,
        page: impl FnOnce(List, Vec<R>) -> P,
    ) -> Result<Response, Problem> {
        let now = visitor.app.keeper.now();
        let after = self.cursor::<u64>()?;
        let filter = Arc::new(self.filter.clone());
        let piece = |before: Option<u64>, bounds: (usize, usize)| {
            let (find, filter) = (find.clone(), Arc::clone(&filter));
            visitor.app.browse(move |ledger, _, reader| {
                find(&Look { ledger, reader, filter: &filter, now, before, bounds })
            })
        };
        let Some(format) = self.format()? else {
            let found = piece(after, (LISTING_ROWS_SHOWN, HISTORY_ROWS_LOOKED_AT_MAX)).await?;
            let rows = self.finish(found.into(), None);
            return Ok(visitor.page(&page(self.list, rows)));
        };
        let (mut file, mut before) = (File::new::<R>(format, self.list.what, &self.list.keys)?, after);
        for _ in 0..EXPORT_HISTORY_ROWS_MAX / EXPORT_HISTORY_ROWS_AT_ONCE {
            let bounds = (EXPORT_HISTORY_ROWS_AT_ONCE, EXPORT_HISTORY_ROWS_AT_ONCE);
            let found = piece(before, bounds).await?;
            file.add(&found.rows)?;
            before = found.next;
            if before.is_none() {
                return Ok(file.answer());
            }
        }
        Err(export::too_many(EXPORT_HISTORY_ROWS_MAX, &self.list.keys))
    }

    /// As [`show`](Self::show), with rows of what is true now; `rows` makes them and [finishes](Self::finish) the list.
    pub(crate) async fn show_now<R: Cells + Send + 'static, P: Template>(
        mut self,
        visitor: &Visitor,
        rows: impl FnOnce(&mut Self, &Ledger, Time) -> Result<Vec<R>, Problem> + Send + 'static,
        page: impl FnOnce(List, Vec<R>) -> P,
    ) -> Result<Response, Problem> {
        let look = move |ledger: &Ledger, now| {
            let rows = rows(&mut self, ledger, now);
            (self, rows)
        };
        let (listing, rows) = visitor.app.look(look).await?;
        listing.show(visitor, rows?, page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind {
        path: "/things",
        what: "things",
        keys: &[Key::any("is")],
        sorts: &[
            Sort { key: "name", words: "name", column: "Name" },
            Sort { key: "-last", words: "last digit", column: "Last" },
            Sort { key: "last", words: "last digit", column: "Last" },
        ],
        example: "",
    };

    fn listing(sort: &str, after: Option<String>) -> Listing {
        Listing::new(&KIND, ListQuery { sort: sort.into(), after, ..ListQuery::default() })
    }

    #[test]
    fn a_page_is_full_and_leads_to_the_next() {
        let page = listing("", None).plain(0..250_u64, |n| *n, |n| n % 2 == 0);
        assert_eq!((page.rows.len(), page.rows.last()), (LISTING_ROWS_SHOWN, Some(&198)));
        assert_eq!(page.next, Some("198".to_owned()));
        let page = listing("", None).plain(200..250_u64, |n| *n, |n| n % 2 == 0);
        assert_eq!((page.rows.len(), page.next, page.looked_at), (25, None, None));
        let exactly = listing("", None).plain(0..100_u64, |n| *n, |_| true);
        assert_eq!(exactly.next, None);
    }

    #[test]
    fn a_filter_that_finds_little_ends_early_and_says_so() {
        let many = LISTING_ROWS_LOOKED_AT_MAX as u64 + 5;
        let page = listing("", None).plain(0..many, |n| *n, |n| *n == many - 1);
        assert_eq!(page.rows, [0; 0]);
        assert_eq!(page.looked_at, Some(LISTING_ROWS_LOOKED_AT_MAX));
        let from: u64 = page.next.expect("there is more").parse().expect("a number");
        let page = listing("", None).plain(from + 1..many, |n| *n, |n| *n == many - 1);
        assert_eq!((page.rows, page.next), (vec![many - 1], None));
        let fits = listing("", None).plain(0..LISTING_ROWS_LOOKED_AT_MAX as u64, |n| *n, |_| false);
        assert_eq!((fits.next, fits.looked_at), (None, None));
    }

    #[test]
    fn a_file_is_bounded_by_what_is_found_and_not_by_what_is_looked_at() {
        let query = ListQuery { format: "csv".into(), ..ListQuery::default() };
        let listing = Listing::new(&KIND, query);
        let (most, all) = (EXPORT_ROWS_MAX as u64, EXPORT_ROWS_LOOKED_AT_MAX as u64);
        for few in [
            listing.plain(0..all, |n| *n, |n| *n < most),
            listing.sorted(0..all, |n| *n, |n| *n, |n| *n < most).expect("no cursor"),
        ] {
            assert_eq!((few.rows.len(), few.next, few.looked_at), (EXPORT_ROWS_MAX, None, None));
        }
        let many = listing.plain(0..all, |n| *n, |_| true);
        assert_eq!(many.rows.len(), EXPORT_ROWS_MAX + 1);
        let far = listing.plain(0..=all, |n| *n, |_| false);
        assert_eq!(far.looked_at, Some(EXPORT_ROWS_LOOKED_AT_MAX));
    }

    #[test]
    fn a_sorted_list_goes_on_where_it_was() {
        for (sort, first, hundredth) in [("last", 0, 249), ("-last", 249, 0)] {
            let mut seen = Vec::new();
            let mut after = None;
            loop {
                let page = listing(sort, after).sorted(0..250_u64, |n| *n, |n| n % 10, |_| true);
                let page = page.expect("a cursor of this list");
                seen.extend(page.rows);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!((seen.len(), seen[0], seen[249]), (250, first, hundredth), "{sort}");
            let mut unique = seen.clone();
            unique.sort_unstable();
            unique.dedup();
            assert_eq!(unique.len(), 250);
        }
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let lost = listing("last", Some("17".to_owned()));
        assert!(lost.sorted(0..9_u64, |n| *n, |n| *n, |_| true).is_err());
        assert!(listing("name", Some("x".to_owned())).cursor::<u64>().is_err());
    }

    #[test]
    fn a_list_that_is_sorted_in_part_says_so() {
        let many = LISTING_ROWS_LOOKED_AT_MAX as u64 + 5;
        let mut listing = listing("-last", None);
        let page = listing.sorted(0..many, |n| *n, |n| *n, |_| true).expect("no cursor");
        assert_eq!(page.rows[0], LISTING_ROWS_LOOKED_AT_MAX as u64 - 1, "not the last of all");
        listing.finish(page, Some(usize::try_from(many).expect("small")));
        assert_eq!(
            listing.list.caption(),
            "100 things, sorted among the first 10000 of 10005 only: files have all in this order"
        );
    }

    #[test]
    fn an_unknown_order_is_the_usual_one_and_a_bad_filter_is_said() {
        assert_eq!(listing("nonsense", None).list.sort, "name");
        let query = ListQuery { q: "no:such".into(), ..ListQuery::default() };
        let listing = Listing::new(&KIND, query);
        assert!(listing.filter.is_empty());
        assert!(
            listing.list.error.is_some_and(|error| error.raw().contains("byte 0: there is no \"no\" here"))
        );
    }
}
