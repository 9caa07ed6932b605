//! A consistent copy of a store that is being written.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use redb::{
    Builder, Database, Durability, Key, ReadTransaction, ReadableTable, TableDefinition, Value,
    WriteTransaction,
};

use crate::error::{BackupError, Fault};
use crate::home::sync_folder;
use crate::limits::{BACKUP_CHUNK_BYTES, CACHE_BYTES};
use crate::schema::{
    self, ENDED, ENDED_OF, EVENT_PARTS, JOBS, JOURNAL, KEYS, LEASES, LOCKS, META, PLUGINS, POOLS, POSTINGS,
    REQUESTS, RESOURCES,
};
use crate::tail::Tail;

/// Copies what `txn` sees, and the batches of `tail`, into a new file. It gets its name last, when all of it is
/// durable, and never takes the name of another file.
pub(crate) fn write(txn: &ReadTransaction, tail: &Tail, path: &Path) -> Result<(), BackupError> {
    if path.exists() {
        return Err(BackupError::Exists { path: path.to_path_buf() });
    }
    let unfinished = unfinished(path);
    let io = |cause| BackupError::Io { path: unfinished.clone(), cause };
    match fs::remove_file(&unfinished) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(io(cause)),
        _ => {}
    }
    let made = copy(txn, tail, &unfinished).map_err(BackupError::Copy);
    let placed = made.and_then(|()| {
        File::open(&unfinished).and_then(|file| file.sync_all()).map_err(io)?;
        place(&unfinished, path)
    });
    let removed = fs::remove_file(&unfinished);
    placed?;
    removed.map_err(io)?;
    sync_folder(path).map_err(|cause| BackupError::Io { path: path.to_path_buf(), cause })
}

/// Name of the copy while it is not complete.
fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".unfinished");
    PathBuf::from(name)
}

/// Gives the copy its name. Unlike a rename, a link does not replace what came into being meanwhile.
fn place(unfinished: &Path, path: &Path) -> Result<(), BackupError> {
    fs::hard_link(unfinished, path).map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists { path: path.to_path_buf() },
        _ => BackupError::Io { path: path.to_path_buf(), cause },
    })
}

fn copy(txn: &ReadTransaction, tail: &Tail, file: &Path) -> Result<(), Fault> {
    // User data may hold passwords of the things that are leased.
    let private = File::options().read(true).write(true).create_new(true).mode(0o600).open(file)?;
    let target = Builder::new().set_cache_size(CACHE_BYTES).create_file(private)?;
    copy_table(txn, &target, META)?;
    copy_table(txn, &target, JOURNAL)?;
    copy_table(txn, &target, POOLS)?;
    copy_table(txn, &target, RESOURCES)?;
    copy_table(txn, &target, LOCKS)?;
    copy_table(txn, &target, LEASES)?;
    copy_table(txn, &target, REQUESTS)?;
    copy_table(txn, &target, KEYS)?;
    copy_table(txn, &target, JOBS)?;
    copy_table(txn, &target, PLUGINS)?;
    copy_table(txn, &target, ENDED)?;
    copy_table(txn, &target, ENDED_OF)?;
    copy_table(txn, &target, POSTINGS)?;
    copy_table(txn, &target, EVENT_PARTS)?;
    let last = target.begin_write()?;
    copy_tail(&last, tail)?;
    // The copy goes its own way: a log that is left beside the file that it may replace is none of its own.
    schema::draw_log(&last)?;
    schema::mark_copy(&last)?;
    Ok(last.commit()?)
}

/// Writes the batches that are in no table yet into the journal, where opening finds them.
fn copy_tail(txn: &WriteTransaction, tail: &Tail) -> Result<(), Fault> {
    let mut journal = txn.open_table(JOURNAL)?;
    for part in tail.segments().flat_map(|segment| &segment.parts) {
        journal.insert(part.key, &*part.value)?;
    }
    Ok(())
}

/// Copies one table in transactions of bounded size; the last one of the copy makes all of them durable.
fn copy_table<K: Key + 'static, V: Value + 'static>(
    txn: &ReadTransaction,
    target: &Database,
    definition: TableDefinition<'_, K, V>,
) -> Result<(), Fault> {
    let source = txn.open_table(definition)?;
    let mut rows = source.iter()?;
    loop {
        let mut chunk = target.begin_write()?;
        chunk.set_durability(Durability::None)?;
        let mut bytes = 0;
        let mut ended = false;
        {
            let mut table = chunk.open_table(definition)?;
            while bytes < BACKUP_CHUNK_BYTES {
                let Some((key, value)) = rows.next().transpose()? else {
                    ended = true;
                    break;
                };
                bytes +=
                    K::as_bytes(&key.value()).as_ref().len() + V::as_bytes(&value.value()).as_ref().len();
                table.insert(key.value(), value.value())?;
            }
        }
        chunk.commit()?;
        if ended {
            return Ok(());
        }
    }
}
