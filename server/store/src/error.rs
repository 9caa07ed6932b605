//! What can go wrong, one enum per kind of operation.

use std::io;
use std::path::PathBuf;

use crate::codec::DecodeError;

/// What went wrong below: the storage itself, or a value in it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The storage failed.
    #[error("storage failed")]
    Storage(#[source] Box<redb::Error>),
    /// A stored value makes no sense.
    #[error("a value of table {table:?} cannot be read")]
    Damaged {
        /// The table that it is in.
        table: &'static str,
        /// What is wrong with it.
        #[source]
        cause: DecodeError,
    },
    /// Something that must be there is not.
    #[error("table {table:?} lacks {what}")]
    Missing {
        /// The table that lacks it.
        table: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// The database gave up on its own pages.
    #[error("pages of the file are damaged, restore a backup ({why})")]
    Pages {
        /// What it said.
        why: String,
    },
    /// The write-ahead log lacks something in its middle.
    #[error("the write-ahead log is damaged")]
    Wal(#[from] WalDamage),
}

/// What is wrong with a write-ahead log. A torn end is not: that was never acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalDamage {
    /// Batches in its middle are not there.
    #[error("batch {next} is there, but what follows batch {after} is not: restore the files or a backup")]
    Gap {
        /// The last batch before the gap.
        after: u64,
        /// The first batch after it.
        next: u64,
    },
    /// A record whose checksum is right makes no sense.
    #[error("a record does not hold the parts that it says")]
    Record,
}

impl From<io::Error> for Fault {
    fn from(cause: io::Error) -> Self {
        redb::StorageError::Io(cause).into()
    }
}

macro_rules! from_redb {
    ($($error:ident),+) => {
        $(impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                Self::Storage(Box::new(error.into()))
            }
        })+
    };
}
from_redb!(CommitError, DatabaseError, SetDurabilityError, StorageError, TableError, TransactionError);

/// Names the table in which a value could not be read.
pub(crate) fn damaged(table: &'static str) -> impl Fn(DecodeError) -> Fault {
    move |cause| Fault::Damaged { table, cause }
}

/// Does what reads pages that nobody vouches for: redb panics at some that cannot be.
pub(crate) fn reading<T, E: From<Fault>>(read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let why = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        Err(Fault::Pages { why: why.to_owned() }.into())
    })
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or this one, has it open.
    #[error("{} is in use by another lessor", .path.display())]
    InUse {
        /// The folder or file that was to be opened.
        path: PathBuf,
    },
    /// A newer version of lessor wrote it.
    #[error(
        "the store has schema version {found}, this lessor knows versions up to {supported}: use a newer lessor"
    )]
    Newer {
        /// Version of the store.
        found: u32,
        /// Latest version that this code can read.
        supported: u32,
    },
    /// The file is something else.
    #[error("{} is not a lessor store", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// What is there to be opened again is not what was open: it would repeat numbers and forget who holds what.
    #[error(
        "the store on disk ends with batch {found}, and batch {committed} was committed: put back the one that was there, or \
         start lessor anew to go on with this one"
    )]
    Other {
        /// The last batch that is there; 0 also of a store that is another one.
        found: u64,
        /// The last one that was committed.
        committed: u64,
    },
    /// The folder or file cannot be made or read.
    #[error("cannot use {}", .path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// It was opened, but its content could not be read.
    #[error("the store cannot be read")]
    Fault(#[from] Fault),
}

/// Why a batch was not written. Nothing of it is in the store, unless the storage failed during the very last step:
/// then a reopened store may hold all of it, never a part.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The storage failed. From now on the store takes nothing until it is reopened.
    #[error("the batch could not be committed")]
    Failed(#[source] Fault),
    /// The storage failed before, and the store was not reopened since.
    #[error("the store failed before and must be reopened")]
    Stopped,
    /// The batch is not the next one.
    #[error("batch {given} is out of order: batch {expected} is next")]
    Order {
        /// Number of the next batch.
        expected: u64,
        /// Number of the batch given.
        given: u64,
    },
}

/// Why history could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store is closed, or about to be reopened.
    #[error("the store is closed")]
    Closed,
    /// It could not be read.
    #[error("history cannot be read")]
    Fault(#[from] Fault),
}

macro_rules! read_from_redb {
    ($($error:ident),+) => {
        $(impl From<redb::$error> for ReadError {
            fn from(error: redb::$error) -> Self {
                Self::Fault(error.into())
            }
        })+
    };
}
read_from_redb!(StorageError, TableError, TransactionError);

/// Why no backup was made. There is no file at the given path then, unless one was there before.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is a file already.
    #[error("{} exists already", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The copy cannot be written.
    #[error("the copy cannot be written")]
    Copy(#[source] Fault),
}
