//! What the server knows: pools and resources. Needs the grant `inventory`.

use crate::problem::Failure;

/// Which resources to tell of. All conditions must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Of this pool only.
    pub pool: Option<String>,
    /// In this state only.
    pub state: Option<String>,
    /// With all of these labels only.
    pub labels: Vec<(String, String)>,
    /// Only those that are free: see [`Resource::free`].
    pub free_only: bool,
    /// How many at most: 1 to 10,000.
    pub limit: u32,
}

impl Default for Query {
    fn default() -> Self {
        Self { pool: None, state: None, labels: Vec::new(), free_only: false, limit: 10_000 }
    }
}

/// One resource, as it was a moment ago.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// Its name, which is also the name of its target.
    pub name: String,
    /// Its pool.
    pub pool: String,
    /// Its state.
    pub state: String,
    /// Whether it could be locked by its name: nobody holds it, and it is not cordoned. It may be in any state, and those who
    /// wait in line for its pool may be about to get it: a lock by name goes before them.
    pub free: bool,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// Its name in the DNS.
    pub fqdn: Option<String>,
    /// Textual IPv4 address.
    pub ipv4: Option<String>,
    /// Textual IPv6 address.
    pub ipv6: Option<String>,
}

/// One pool, as it was a moment ago.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// How many resources it has.
    pub resources: u64,
    /// How many of them nobody holds, in any state, cordoned ones too.
    pub free: u64,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryError {
    /// `invalid` or `unavailable`.
    pub code: String,
    /// For people.
    pub message: String,
}

impl std::fmt::Display for InventoryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for InventoryError {}

impl From<InventoryError> for Failure {
    fn from(InventoryError { code, message }: InventoryError) -> Self {
        let retryable = code == "unavailable";
        Self { code, message, retryable }
    }
}

/// The resources that match, in the order of their names.
///
/// # Errors
///
/// The query is not valid (`invalid`; so is one whose answer would have more than 8 MiB: ask for fewer), or the server
/// cannot answer now.
pub fn resources(query: &Query) -> Result<Vec<Resource>, InventoryError> {
    crate::side::resources(query)
}

/// All pools, in the order of their names.
///
/// # Errors
///
/// The server cannot answer now.
pub fn pools() -> Result<Vec<Pool>, InventoryError> {
    crate::side::pools()
}
