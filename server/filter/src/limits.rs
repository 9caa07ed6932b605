//! Every bound of filters, with its unit and the reason for its size.

/// Longest filter, in bytes: a name has at most 512, and a filter is to fit into an address with room to spare.
pub const FILTER_BYTES_MAX: usize = 2_048;

/// Most words in a filter: each is tried on every row that is looked at.
pub const FILTER_WORDS_MAX: usize = 16;
