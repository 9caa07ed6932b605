//! The first page: pools, who holds what, who waits.

use askama::Template;

/// The first page.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "dashboard.html")]
pub struct Dashboard {
    /// Why the server takes no writes now.
    pub trouble: Option<String>,
    /// What is wrong with the pools file.
    pub pools_error: Option<String>,
    /// Pools by name.
    pub pools: Table<PoolRow>,
    /// Active leases, the oldest first.
    pub leases: Table<LeaseRow>,
    /// Waiting requests in the order in which they came.
    pub waits: Table<WaitRow>,
}

impl Dashboard {
    /// The page as HTML.
    ///
    /// # Errors
    /// [`Error`](crate::Error) if the template fails, which it has no reason to.
    pub fn html(&self) -> Result<String, crate::Error> {
        self.render()
    }
}

/// The first rows of a table, and how many there are in all.
#[derive(Clone, Debug)]
pub struct Table<T> {
    /// What is shown.
    pub rows: Vec<T>,
    /// How many there are.
    pub total: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), total: 0 }
    }
}

/// One pool.
#[derive(Clone, Debug)]
pub struct PoolRow {
    /// Its name.
    pub name: String,
    /// Whether its resources come and go with its counts.
    pub dynamic: bool,
    /// All resources.
    pub total: u64,
    /// Those that can be leased now.
    pub free: u64,
    /// Those that somebody holds.
    pub held: u64,
    /// Live waiters.
    pub waiting: u64,
}

impl PoolRow {
    /// Resources that are neither free nor held: dirty, cordoned, being made or being deleted.
    #[must_use]
    pub fn other(&self) -> u64 {
        self.total.saturating_sub(self.free).saturating_sub(self.held)
    }
}

/// One active lease.
#[derive(Clone, Debug)]
pub struct LeaseRow {
    /// Its ID.
    pub id: u64,
    /// Who holds it.
    pub owner: String,
    /// What it holds: the first few.
    pub targets: Vec<String>,
    /// How many more it holds.
    pub more: usize,
    /// What for.
    pub purpose: Option<String>,
    /// For how long it has been held, in words.
    pub held_for: String,
    /// When it expires: the time for machines, and the time left in words; `None` for never.
    pub expires: Option<(String, String)>,
}

/// One waiting request.
#[derive(Clone, Debug)]
pub struct WaitRow {
    /// Its ID.
    pub id: u64,
    /// Who waits.
    pub owner: String,
    /// What for, in words: `2 × gpu (free)`.
    pub wants: Vec<String>,
    /// Its place in line; 1 is next.
    pub position: Option<u64>,
    /// Higher goes first.
    pub priority: i32,
    /// For how long it has waited, in words.
    pub waited: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Dashboard {
        Dashboard {
            trouble: None,
            pools_error: Some("entry 2: <no name>".into()),
            pools: Table {
                rows: vec![PoolRow {
                    name: "gpu".into(),
                    dynamic: true,
                    total: 5,
                    free: 1,
                    held: 3,
                    waiting: 2,
                }],
                total: 1,
            },
            leases: Table {
                rows: vec![LeaseRow {
                    id: 7,
                    owner: "<script>alert(1)</script>".into(),
                    targets: vec!["gpu-1".into()],
                    more: 2,
                    purpose: Some("nightly".into()),
                    held_for: "4 min".into(),
                    expires: Some(("2026-05-04T09:30:00Z".into(), "6 min".into())),
                }],
                total: 41,
            },
            waits: Table::default(),
        }
    }

    #[test]
    fn what_users_wrote_is_escaped() {
        let html = page().html().expect("renders");
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("&#60;script&#62;") || html.contains("&lt;script&gt;"), "{html}");
        assert!(!html.contains("<no name>"), "{html}");
    }

    #[test]
    fn everything_is_on_the_page() {
        let html = page().html().expect("renders");
        for part in
            ["gpu", "dynamic", "gpu-1", "and 2 more", "nightly", "4 min", "6 min", "2026-05-04T09:30:00Z"]
        {
            assert!(html.contains(part), "{part} is not in {html}");
        }
        assert!(html.contains("The first 1 of 41"), "{html}");
        assert!(html.contains("Nobody waits"), "{html}");
    }

    #[test]
    fn neither_free_nor_held_is_other() {
        let row = |total, free, held| PoolRow {
            name: String::new(),
            dynamic: false,
            total,
            free,
            held,
            waiting: 0,
        };
        assert_eq!(row(5, 1, 3).other(), 1);
        assert_eq!(row(1, 1, 1).other(), 0);
    }

    #[test]
    fn an_empty_server_says_what_to_do_next() {
        let html = Dashboard::default().html().expect("renders");
        assert!(html.contains("--pools"), "{html}");
    }

    #[test]
    fn the_policy_allows_no_script_and_the_page_has_none() {
        assert!(!crate::CONTENT_SECURITY_POLICY.contains("unsafe"));
        let html = page().html().expect("renders");
        for inline in [" style=", "<style", "<script", "javascript:", " onclick="] {
            assert!(!html.contains(inline), "{inline} is in {html}");
        }
    }
}
