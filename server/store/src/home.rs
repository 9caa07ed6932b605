//! Where a store lives, and how the database there is opened.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Builder, Database, DatabaseError, StorageBackend, StorageError};

use crate::backend::Any;
use crate::direct::{DirectFile, hide, private};
use crate::error::{Fault, OpenError};
use crate::wal::FILES;

/// Name of the store's file in its folder.
pub const STORE_FILE: &str = "lessor.redb";

/// Files to keep a store on, by name.
pub trait Volume: std::fmt::Debug + Send + Sync + 'static {
    /// The file with this name, which is made if there is none. A store opens each of its files once at a time.
    ///
    /// # Errors
    /// If there is no such file and none can be made.
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageBackend>>;
}

/// Where a store lives, so that it can be opened again.
#[derive(Clone, Debug)]
pub(crate) enum Home {
    /// In this folder, or in this file.
    Path(PathBuf),
    /// On these files.
    Volume(Arc<dyn Volume>),
}

/// The store's file, `path` being a folder or the file itself.
pub(crate) fn file(path: &Path) -> PathBuf {
    if path.is_file() { path.to_path_buf() } else { path.join(STORE_FILE) }
}

/// The files of the write-ahead log that belong to a store's file: the same name, but `.wal-0` and so on at its end.
pub(crate) fn logs(file: &Path) -> impl Iterator<Item = PathBuf> {
    (0..FILES).map(move |n| file.with_extension(format!("wal-{n}")))
}

impl Home {
    /// Makes sure that there is something to open again: a folder that was unmounted or moved away must not become an empty
    /// store.
    pub(crate) fn still_there(&self) -> Result<(), OpenError> {
        let Self::Path(path) = self else { return Ok(()) };
        let file = file(path);
        if file.exists() {
            return Ok(());
        }
        let cause = io::Error::new(io::ErrorKind::NotFound, "it is not there any more: put it back");
        Err(OpenError::Io { path: file, cause })
    }

    /// Opens the database, and creates it if there is none.
    pub(crate) fn open(&self, cache_bytes: usize) -> Result<Database, OpenError> {
        let mut builder = Builder::new();
        builder.set_cache_size(cache_bytes);
        match self {
            Self::Volume(volume) => {
                let backend = volume.open(STORE_FILE).map_err(Fault::from)?;
                Ok(builder.create_with_backend(Any(backend)).map_err(Fault::from)?)
            }
            Self::Path(path) => {
                let file = file(path);
                let new = !file.exists();
                if new {
                    let made = make_folder(&file).and_then(|()| private(&file));
                    made.map_err(|cause| OpenError::Io { path: path.clone(), cause })?;
                }
                let database = builder.create(&file).map_err(|error| explain(error, path))?;
                hide(&file).map_err(|cause| OpenError::Io { path: path.clone(), cause })?;
                if new {
                    sync_folder(&file).map_err(|cause| OpenError::Io { path: path.clone(), cause })?;
                }
                Ok(database)
            }
        }
    }

    /// Opens the files of the write-ahead log, and creates those that are not there. Call it when the database is
    /// open: that keeps everybody else out.
    pub(crate) fn logs(&self) -> Result<Vec<Box<dyn StorageBackend>>, OpenError> {
        match self {
            Self::Volume(volume) => {
                let names = logs(Path::new(STORE_FILE));
                let files = names.map(|name| volume.open(&name.to_string_lossy())).collect::<io::Result<_>>();
                Ok(files.map_err(Fault::from)?)
            }
            Self::Path(path) => {
                let file = file(path);
                let logs = logs(&file).map(|log| match DirectFile::open(&log) {
                    Ok(file) => Ok(Box::new(file) as Box<dyn StorageBackend>),
                    Err(cause) => Err(OpenError::Io { path: log, cause }),
                });
                let logs = logs.collect::<Result<_, _>>()?;
                sync_folder(&file).map_err(|cause| OpenError::Io { path: path.clone(), cause })?;
                Ok(logs)
            }
        }
    }
}

fn make_folder(file: &Path) -> io::Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    if folder.as_os_str().is_empty() || folder.exists() {
        return Ok(());
    }
    // User data may hold passwords of the things that are leased.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
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
