//! Files below folders that the operator granted. Needs the grant `files`.

use crate::problem::Failure;

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// `not-granted`, `not-found`, `not-a-file`, `too-large` or `failed`.
    pub code: String,
    /// For people.
    pub message: String,
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for FileError {}

impl From<FileError> for Failure {
    fn from(FileError { code, message }: FileError) -> Self {
        Self { code, message, retryable: true }
    }
}

/// The whole of a file of at most 8 MiB. A relative path is relative to the working directory of the server.
///
/// # Errors
///
/// It is not there, not granted, no file, or too large.
pub fn read(path: &str) -> Result<Vec<u8>, FileError> {
    crate::side::read_file(path)
}
