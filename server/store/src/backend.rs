//! Storage backends of our own: one that stands for any other, and one that never writes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use redb::StorageBackend;

/// Any backend, where redb wants one that it knows.
#[derive(Debug)]
pub(crate) struct Any(pub(crate) Box<dyn StorageBackend>);

impl StorageBackend for Any {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

/// Size of the blocks that an [`Overlay`] keeps, in bytes: redb's page size.
const BLOCK: u64 = 4096;

/// A file to which nothing is ever written: what is written is kept in memory and read back from there.
///
/// A store that was not closed must be repaired before it can be read; with this, even a check of such a store leaves
/// its file as it is.
#[derive(Debug)]
pub(crate) struct Overlay {
    file: File,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    /// Length that the file would have.
    len: u64,
    /// The file's own bytes count only up to here: it was cut off once.
    base: u64,
    /// Blocks that were written, by number.
    blocks: BTreeMap<u64, Box<[u8]>>,
}

impl Overlay {
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file, written: Mutex::new(Written { len, base: len, blocks: BTreeMap::new() }) })
    }

    fn block(&self, written: &Written, number: u64) -> io::Result<Box<[u8]>> {
        if let Some(block) = written.blocks.get(&number) {
            return Ok(block.clone());
        }
        let mut block = vec![0; usize_of(BLOCK)];
        let start = number * BLOCK;
        let there = written.base.saturating_sub(start).min(BLOCK);
        self.file.read_exact_at(&mut block[..usize_of(there)], start)?;
        Ok(block.into())
    }

    fn written(&self) -> std::sync::MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cuts the `len` bytes from `offset` on at block borders: block number, offset in the block, range of the data.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        (done < len).then(|| {
            let at = offset + done as u64;
            let within = usize_of(at % BLOCK);
            let size = (usize_of(BLOCK) - within).min(len - done);
            let piece = (at / BLOCK, within, done..done + size);
            done += size;
            piece
        })
    })
}

fn usize_of(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a block fits into memory")
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.written();
        if offset + out.len() as u64 > written.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (number, within, range) in pieces(offset, out.len()) {
            let block = self.block(&written, number)?;
            let size = range.len();
            out[range].copy_from_slice(&block[within..within + size]);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written = self.written();
        if len < written.len {
            written.base = written.base.min(len);
            let first_gone = len.div_ceil(BLOCK);
            written.blocks.split_off(&first_gone);
            if let Some(block) = written.blocks.get_mut(&(len / BLOCK)) {
                block[usize_of(len % BLOCK)..].fill(0);
            }
        }
        written.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written();
        for (number, within, range) in pieces(offset, data.len()) {
            let mut block = self.block(&written, number)?;
            let size = range.len();
            block[within..within + size].copy_from_slice(&data[range]);
            written.blocks.insert(number, block);
        }
        written.len = written.len.max(offset + data.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_reads_back_what_was_written_and_leaves_the_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, [7; 10_000]).unwrap();
        let overlay = Overlay::new(File::open(&path).unwrap()).unwrap();
        overlay.write(4_090, &[9; 20]).unwrap();
        overlay.write(10_000, &[1; 5]).unwrap();
        let mut out = [0; 22];
        overlay.read(4_089, &mut out).unwrap();
        assert_eq!((out[0], out[1], out[20], out[21]), (7, 9, 9, 7));
        assert_eq!(overlay.len().unwrap(), 10_005);
        overlay.set_len(4_100).unwrap();
        overlay.set_len(9_000).unwrap();
        let mut out = [5; 8];
        overlay.read(4_096, &mut out).unwrap();
        assert_eq!(out, [9, 9, 9, 9, 0, 0, 0, 0]);
        overlay.read(8_000, &mut out).unwrap();
        assert_eq!(out, [0; 8]);
        assert!(overlay.read(8_999, &mut out).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), [7; 10_000]);
    }
}
