//! What is around every list: the filter, the order, the way to the next page and out.

use crate::link;
use crate::text::Text;

/// An order that a list can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// As it is written in the query.
    pub key: &'static str,
    /// As it is offered.
    pub words: &'static str,
    /// Head of the column that goes by it; empty if none does.
    pub column: &'static str,
}

/// The state of a list.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// The path of the page.
    pub path: String,
    /// What the list is of: `resources`.
    pub what: &'static str,
    /// The filter as it was typed.
    pub filter: Text,
    /// What is wrong with the filter.
    pub error: Option<Text>,
    /// A filter that would work, as an example.
    pub example: &'static str,
    /// What a filter may say.
    pub keys: Vec<&'static str>,
    /// The orders that there are; the first is the usual one.
    pub sorts: &'static [Sort],
    /// The order that it has.
    pub sort: &'static str,
    /// Cursor of the next page.
    pub next: Option<String>,
    /// Whether this is not the first page.
    pub further: bool,
    /// How many rows it shows.
    pub shown: usize,
    /// How many there are without a filter, if that is known.
    pub total: Option<usize>,
    /// Set when not every row was looked at for this page: how many were.
    pub looked_at: Option<usize>,
    /// Set when only so many rows, the first by name, are in order.
    pub sorted_among: Option<usize>,
}

impl List {
    /// The page without a filter.
    #[must_use]
    pub fn all(&self) -> String {
        link::with(&self.path, &[("sort", self.sort_given())])
    }

    /// The first page of this list.
    #[must_use]
    pub fn first(&self) -> String {
        link::with(&self.path, &[("q", self.filter.raw()), ("sort", self.sort_given())])
    }

    /// The next page of this list.
    #[must_use]
    pub fn next_page(&self) -> Option<String> {
        let next = self.next.as_deref()?;
        Some(link::with(
            &self.path,
            &[("q", self.filter.raw()), ("sort", self.sort_given()), ("after", next)],
        ))
    }

    /// This list for programs: `csv` or `json`.
    #[must_use]
    pub fn export(&self, format: &str) -> String {
        link::with(&self.path, &[("q", self.filter.raw()), ("sort", self.sort_given()), ("format", format)])
    }

    /// The list in another order of a column: the next one after the order that it has, if that is the column's.
    #[must_use]
    pub fn sorted_by(&self, column: &str) -> Option<String> {
        let mut of = self.sorts.iter().filter(|sort| sort.column == column).cycle();
        let first = of.next()?;
        let key = if first.key == self.sort { of.next()?.key } else { first.key };
        (key != self.sort).then(|| link::with(&self.path, &[("q", self.filter.raw()), ("sort", key)]))
    }

    /// The value of `aria-sort` for a column, if the list is in its order.
    #[must_use]
    pub fn aria_sort(&self, column: &str) -> Option<&'static str> {
        let sort = self.sorts.iter().find(|sort| sort.key == self.sort && sort.column == column)?;
        Some(if sort.key.starts_with('-') { "descending" } else { "ascending" })
    }

    /// The caption of the table.
    #[must_use]
    pub fn caption(&self) -> String {
        let shown = self.shown;
        let what = if shown == 1 { singular(self.what) } else { self.what };
        let of_all = self.total.map_or(String::new(), |total| format!(" of {total}"));
        let matching = if self.filter.raw().trim().is_empty() { "" } else { " that match" };
        if let Some(looked_at) = self.sorted_among {
            return format!(
                "{shown} {what}{matching}, sorted among the first {looked_at}{of_all} only: files have all in this order"
            );
        }
        match (self.next.is_some() || self.further, self.looked_at) {
            (_, Some(looked_at)) => {
                format!("{shown} {what}{matching} among {looked_at} that were looked at for this page")
            }
            (true, None) if matching.is_empty() => format!("{shown}{of_all} {}: one page", self.what),
            // How many there are in all says nothing of how many match.
            (true, None) => format!("{shown} {what}{matching}: one page"),
            (false, None) if matching.is_empty() && shown == 1 => format!("1 {what}"),
            (false, None) if matching.is_empty() => format!("All {shown} {what}"),
            (false, None) if self.total.is_none() && shown == 1 => format!("1 {what} that matches"),
            (false, None) if self.total.is_none() => format!("{shown} {what}{matching}"),
            (false, None) => format!("{shown}{of_all} {}{matching}", self.what),
        }
    }

    fn sort_given(&self) -> &'static str {
        if self.sorts.first().is_some_and(|first| first.key == self.sort) { "" } else { self.sort }
    }
}

/// One of what a list is of.
pub(crate) fn singular(what: &str) -> &str {
    what.strip_suffix('s').unwrap_or(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SORTS: &[Sort] = &[
        Sort { key: "name", words: "name", column: "Resource" },
        Sort { key: "until", words: "ending soonest", column: "Until" },
        Sort { key: "-until", words: "time left", column: "Until" },
    ];

    fn list() -> List {
        List {
            path: "/resources".into(),
            what: "resources",
            sorts: SORTS,
            sort: "name",
            filter: "pool:a b".into(),
            next: Some("x/y".into()),
            shown: 5,
            total: Some(9),
            ..List::default()
        }
    }

    #[test]
    fn links_keep_the_filter_and_the_order() {
        let mut list = list();
        assert_eq!(list.next_page().as_deref(), Some("/resources?q=pool%3Aa%20b&after=x%2Fy"));
        assert_eq!(list.export("csv"), "/resources?q=pool%3Aa%20b&format=csv");
        assert_eq!(list.aria_sort("Resource"), Some("ascending"));
        assert_eq!(list.sorted_by("Resource"), None, "it is in this order");
        assert_eq!(list.sorted_by("Until").as_deref(), Some("/resources?q=pool%3Aa%20b&sort=until"));
        assert_eq!(list.sorted_by("Labels"), None);
        list.sort = "until";
        assert_eq!(list.sorted_by("Until").as_deref(), Some("/resources?q=pool%3Aa%20b&sort=-until"));
        list.sort = "-until";
        assert_eq!(list.sorted_by("Until").as_deref(), Some("/resources?q=pool%3Aa%20b&sort=until"));
        assert_eq!(list.first(), "/resources?q=pool%3Aa%20b&sort=-until");
        assert_eq!(list.aria_sort("Until"), Some("descending"));
        assert_eq!(list.aria_sort("Resource"), None);
        assert_eq!(list.all(), "/resources?sort=-until");
    }

    #[test]
    fn the_caption_says_how_much_of_it_this_is() {
        let mut list = list();
        assert_eq!(list.caption(), "5 resources that match: one page");
        list.next = None;
        assert_eq!(list.caption(), "5 of 9 resources that match");
        list.filter = Text::default();
        list.next = Some("x".into());
        assert_eq!(list.caption(), "5 of 9 resources: one page");
        list.next = None;
        assert_eq!(list.caption(), "All 5 resources");
        list.shown = 1;
        assert_eq!(list.caption(), "1 resource");
        list.shown = 5;
        list.looked_at = Some(20_000);
        assert_eq!(list.caption(), "5 resources among 20000 that were looked at for this page");
    }
}
