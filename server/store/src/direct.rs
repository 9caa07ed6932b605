//! A file that is written past the page cache, each write durable when it returns.
//!
//! The write-ahead log writes whole blocks into room that it has filled before. For such writes the page cache is only
//! a detour: the kernel copies the blocks into it, looks for them again at the sync, waits for the disk to have them,
//! and then has the disk empty its own cache. Opened with `O_DIRECT` and `O_DSYNC`, one request to the disk does all
//! of that (ARCHITECTURE.md has the figures).

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use redb::StorageBackend;
use redb::backends::FileBackend;
use rustix::fs::OFlags;

use crate::limits::DIRECT_WRITE_MAX;

/// What offset, length and memory of a direct write must be multiples of: the block of every disk we know of, and no
/// less than what the log writes.
pub(crate) const ALIGNMENT: usize = 4_096;

/// A file with two handles: one for direct writes, and an ordinary one for everything else.
#[derive(Debug)]
pub(crate) struct DirectFile {
    plain: FileBackend,
    /// `None` if the file system cannot do it (`EINVAL`).
    direct: Option<Direct>,
    /// Whether something was done through the ordinary handle that only a sync makes durable.
    unsynced: AtomicBool,
}

#[derive(Debug)]
struct Direct {
    file: File,
    /// Aligned memory for what is being written, because the caller's need not be.
    memory: Mutex<Vec<u8>>,
}

impl DirectFile {
    /// Opens the file, and creates it if there is none, for nobody else to read. Whoever has it open keeps others out.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = private(path)?;
        hide(path)?;
        let plain = FileBackend::new(file).map_err(io::Error::other)?;
        let flags = (OFlags::DIRECT | OFlags::DSYNC).bits().cast_signed();
        let direct = match File::options().write(true).custom_flags(flags).open(path) {
            Ok(file) => Some(Direct { file, memory: Mutex::default() }),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => None,
            Err(error) => return Err(error),
        };
        Ok(Self { plain, direct, unsynced: AtomicBool::new(true) })
    }
}

/// A file that is opened, or made for nobody else to read: user data may hold passwords of the things that are leased.
pub(crate) fn private(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Takes a file of the store that somebody copied here from everybody else.
pub(crate) fn hide(path: &Path) -> io::Result<()> {
    if path.metadata()?.permissions().mode() & 0o077 != 0 {
        // An error means that the file is somebody else's, who has to answer for it.
        let _ = std::fs::set_permissions(path, Permissions::from_mode(0o600));
    }
    Ok(())
}

impl Direct {
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut at = offset;
        for piece in data.chunks(DIRECT_WRITE_MAX) {
            let room = piece.len() + ALIGNMENT;
            if memory.len() < room {
                memory.resize(room, 0);
            }
            let start = memory.as_ptr().align_offset(ALIGNMENT);
            let aligned = &mut memory[start..start + piece.len()];
            aligned.copy_from_slice(piece);
            self.file.write_all_at(aligned, at)?;
            at += piece.len() as u64;
        }
        Ok(())
    }
}

impl StorageBackend for DirectFile {
    fn len(&self) -> io::Result<u64> {
        self.plain.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.plain.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.unsynced.store(true, Relaxed);
        self.plain.set_len(len)
    }

    /// Does nothing if all that was done are direct writes.
    fn sync_data(&self) -> io::Result<()> {
        if self.unsynced.load(Relaxed) {
            self.plain.sync_data()?;
            self.unsynced.store(false, Relaxed);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let aligned = offset.is_multiple_of(ALIGNMENT as u64) && data.len().is_multiple_of(ALIGNMENT);
        if let Some(direct) = self.direct.as_ref().filter(|_| aligned) {
            match direct.write(offset, data) {
                // Some file systems only say so when it comes to writing.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                done => return done,
            }
        }
        self.unsynced.store(true, Relaxed);
        self.plain.write(offset, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_directly_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = DirectFile::open(&folder.path().join("log")).unwrap();
        file.set_len(4 * ALIGNMENT as u64).unwrap();
        // Memory that begins at an odd place, and more of it with each write.
        let data: Vec<u8> = (0..=250).cycle().take(3 * ALIGNMENT + 1).collect();
        for blocks in 1..=3 {
            file.write(ALIGNMENT as u64, &data[1..=blocks * ALIGNMENT]).unwrap();
            file.sync_data().unwrap();
            let mut out = vec![0; blocks * ALIGNMENT];
            file.read(ALIGNMENT as u64, &mut out).unwrap();
            assert_eq!(out, data[1..=blocks * ALIGNMENT]);
        }
    }

    #[test]
    fn pieces_of_blocks_are_written_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let file = DirectFile::open(&folder.path().join("log")).unwrap();
        file.set_len(2 * ALIGNMENT as u64).unwrap();
        file.write(0, &[1; ALIGNMENT]).unwrap();
        file.write(10, b"between").unwrap();
        assert!(file.unsynced.load(Relaxed));
        file.sync_data().unwrap();
        let mut out = [0; 18];
        file.read(0, &mut out).unwrap();
        assert_eq!(&out, b"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01between\x01");
    }

    #[test]
    fn a_direct_write_needs_no_sync() {
        let folder = tempfile::tempdir().unwrap();
        let file = DirectFile::open(&folder.path().join("log")).unwrap();
        file.set_len(ALIGNMENT as u64).unwrap();
        file.sync_data().unwrap();
        file.write(0, &[1; ALIGNMENT]).unwrap();
        assert_eq!(file.unsynced.load(Relaxed), file.direct.is_none());
    }
}
