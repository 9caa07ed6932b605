//! Where a store lives, and how the database there is opened.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Builder, Database, DatabaseError, StorageBackend, StorageError};

use crate::backend::Lent;
use crate::error::{Fault, OpenError};

/// Name of the store's file in its folder.
pub const STORE_FILE: &str = "lessor.redb";

/// Where a store lives, so that it can be opened again.
#[derive(Clone, Debug)]
pub(crate) enum Home {
    /// In this folder, or in this file.
    Path(PathBuf),
    /// On this backend.
    Backend(Arc<dyn StorageBackend>),
}

/// The store's file, `path` being a folder or the file itself.
pub(crate) fn file(path: &Path) -> PathBuf {
    if path.is_file() { path.to_path_buf() } else { path.join(STORE_FILE) }
}

impl Home {
    /// Opens the database, and creates it if there is none.
    pub(crate) fn open(&self, cache_bytes: usize) -> Result<Database, OpenError> {
        let mut builder = Builder::new();
        builder.set_cache_size(cache_bytes);
        match self {
            Self::Backend(backend) => {
                let made = builder.create_with_backend(Lent(Arc::clone(backend)));
                Ok(made.map_err(Fault::from)?)
            }
            Self::Path(path) => {
                let file = file(path);
                let new = !file.exists();
                if new {
                    make_folder(&file).map_err(|cause| OpenError::Io { path: path.clone(), cause })?;
                }
                let database = builder.create(&file).map_err(|error| explain(error, path))?;
                if new {
                    sync_folder(&file).map_err(|cause| OpenError::Io { path: path.clone(), cause })?;
                }
                Ok(database)
            }
        }
    }
}

fn make_folder(file: &Path) -> io::Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    if folder.as_os_str().is_empty() || folder.exists() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    sync_folder(folder)
}

/// Makes the name of a new file or folder durable, which syncing the file itself does not.
pub(crate) fn sync_folder(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Says in our words why redb does not open a file.
pub(crate) fn explain(error: DatabaseError, path: &Path) -> OpenError {
    let path = path.to_path_buf();
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse { path },
        DatabaseError::Storage(StorageError::Io(cause)) if cause.kind() == io::ErrorKind::InvalidData => {
            OpenError::Foreign { path }
        }
        DatabaseError::Storage(StorageError::Io(cause)) => OpenError::Io { path, cause },
        other => OpenError::Fault(other.into()),
    }
}
