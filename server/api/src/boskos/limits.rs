//! Bounds that only the Boskos dialect has. Those of names are the ledger's, that of a body is the API's.

/// Longest `request_id`, in bytes: the client sends a UUID of 36, boskosctl a number of at most 20.
pub(super) const REQUEST_ID_BYTES_MAX: usize = 512;
