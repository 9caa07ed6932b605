//! Bounds that only the Boskos dialect has. Those of names are the ledger's, that of a body is the API's.

/// Longest `request_id`, in bytes: the client sends a UUID of 36, boskosctl a number of at most 20.
pub(super) const REQUEST_ID_BYTES_MAX: usize = 512;

/// Most waiters looked at, the longest waiting first, to find since when the caller of a successful `/acquire` has
/// waited: 500 take about 0.1 ms. Whoever is not among them counts from its last call.
pub(super) const WAITERS_SCANNED_MAX: usize = 500;
