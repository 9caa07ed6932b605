//! What every list takes.

use super::client::{Client, Pages};
use super::failure::Failure;
use super::output::{Kind, List, Output};

/// Which items of a list.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Which {
    /// Only what this filter finds, as on the dashboard: words like `pool:gpu`, `-owner:ann`, or any text
    #[arg(short, long, value_name = "WORDS", allow_hyphen_values = true)]
    filter: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

impl Which {
    /// The same, and everything must have this value under a key of the filter.
    pub(crate) fn with(&self, key: &str, value: &str) -> Self {
        let term = lessor_filter::term(key, value);
        let filter = self.filter.as_ref().map_or(term.clone(), |filter| format!("{term} {filter}"));
        Self { filter: Some(filter), limit: self.limit }
    }

    /// Shows the items at `/v1/{list}` for which, by the other filters, this is so.
    ///
    /// # Errors
    /// What the server says.
    pub(crate) async fn show(
        &self,
        client: &Client,
        output: &Output,
        (kind, list): (Kind, &str),
        named: &[(&str, Option<&str>)],
    ) -> Result<(), Failure> {
        let all = named.iter().copied().chain([("filter", self.filter.as_deref())]);
        let query: Vec<_> = all.filter_map(|(key, value)| Some((key, value?.to_owned()))).collect();
        let pages = Pages { query: &query, most: self.limit, after: None };
        let mut shown = List::new(output, kind);
        let next = client.pages(&["v1", list], pages, |page| shown.page(&page)).await?;
        shown.end(next.as_deref())
    }
}
