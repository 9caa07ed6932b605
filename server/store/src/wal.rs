//! The write-ahead log: what makes a batch durable, before redb ever sees it.
//!
//! It is a few files that are written from beginning to end, one batch after the other, and then used again from
//! their beginning when the tables hold all that is in them. A batch is one write and one sync. redb writes the pages
//! of a transaction all over its file, and a sync that has forty scattered pages to bring to the disk takes six times
//! as long as one with the same bytes in a row (ARCHITECTURE.md has the figures).
//!
//! ```text
//! file:    header block, record, record, …, what is left of an earlier use
//! header:  magic 8, store 8, salt 8, CRC-32 4                             padded to a block with zeros
//! record:  CRC-32 4, parts 4, length 8, batch 8, salt 8, (length 4, part)…  padded to a block with zeros
//! ```
//!
//! Numbers are little-endian. A record begins at a block of its own, so that writing it never touches a sector of one
//! that was acknowledged. The salt is new with each use of a file; it tells a record of this use from what an earlier
//! one left, and from bytes that a client chose. The log ends at the first record that is not whole: what a crash tore
//! was never acknowledged. A whole record after a torn one would mean that the disk lost something in the middle;
//! that is an error and not an end.

use std::io;

use redb::StorageBackend;

use crate::direct::ALIGNMENT;
use crate::error::{Fault, WalDamage};
use crate::limits::{BUFFER_BYTES_KEPT, WAL_BYTES_KEPT, WAL_GROWTH_MAX, WAL_GROWTH_MIN};
use crate::schema::draw_number;

/// How many files there are at most. One is written; after a crash two may hold what the tables lack, and both stay
/// until a checkpoint has it, while new batches go to the third.
pub(crate) const FILES: usize = 3;

/// Everything begins at a multiple of so many bytes: the sector of a disk that calls itself 4Kn.
const BLOCK: usize = 4_096;
const _: () = assert!(BLOCK.is_multiple_of(ALIGNMENT), "what the log writes can be written directly");
const MAGIC: [u8; 8] = *b"lessorW1";
const HEADER: usize = 28;
const RECORD: usize = 32;

/// The encoded parts of one batch.
pub(crate) type Values = Vec<Box<[u8]>>;

/// The log of a store that is open for writing.
#[derive(Debug)]
pub(crate) struct Wal {
    /// Which store it belongs to.
    store: u64,
    files: Vec<LogFile>,
    active: usize,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct LogFile {
    disk: Box<dyn StorageBackend>,
    len: u64,
    /// Tells the records of this use of the file.
    salt: u64,
    /// Where the next record goes; 0 if the file is not in use.
    end: u64,
    /// The last batch in it.
    last: u64,
}

/// What is in one file.
#[derive(Debug, Default)]
struct Found {
    salt: u64,
    end: u64,
    batches: Vec<(u64, Values)>,
}

impl Wal {
    /// Reads what is after batch `known`, the last one that the tables or the journal have, and makes ready to go on after it.
    ///
    /// What is found is written once more and synced: after a sync that failed, the page cache may hold what the disk
    /// does not.
    pub(crate) fn open(
        disks: Vec<Box<dyn StorageBackend>>,
        store: u64,
        known: u64,
    ) -> Result<(Self, Vec<(u64, Values)>), Fault> {
        let mut files = Vec::with_capacity(disks.len());
        let mut found = Vec::new();
        for disk in disks {
            let content = read(&*disk, store, known)?;
            let last = content.batches.last().map_or(0, |(batch, _)| *batch);
            let mut file = LogFile { len: disk.len()?, disk, salt: content.salt, end: content.end, last };
            if last <= known {
                file.end = 0;
            } else {
                file.write_again()?;
            }
            files.push(file);
            found.push(content.batches);
        }
        let active = (0..files.len()).rev().max_by_key(|n| files[*n].last).unwrap_or(0);
        let batches = in_order(found, known)?;
        Ok((Self { store, files, active, buffer: Vec::new() }, batches))
    }

    /// Makes a batch durable, or leaves nothing of it, if the disk can still be written to after the error. Only if it
    /// cannot is it open whether the batch is there when the log is opened again, which must be before anything else is
    /// appended.
    pub(crate) fn append<'a>(
        &mut self,
        batch: u64,
        parts: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> io::Result<()> {
        let file = &mut self.files[self.active];
        self.buffer.clear();
        if file.end == 0 {
            file.salt = draw_number();
            put_header(&mut self.buffer, self.store, file.salt);
        }
        put_record(&mut self.buffer, batch, file.salt, parts);
        let end = file.end + self.buffer.len() as u64;
        file.make_room(end)?;
        if let Err(error) = file.write_durably(&self.buffer) {
            file.take_back();
            return Err(error);
        }
        file.end = end;
        file.last = batch;
        if self.buffer.capacity() > BUFFER_BYTES_KEPT {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    /// Goes on in a file that is not in use, so that those in use can be given up when a checkpoint has what is in
    /// them.
    pub(crate) fn rotate(&mut self) -> io::Result<()> {
        let Some(free) = self.files.iter().position(|file| file.end == 0) else { return Ok(()) };
        if self.files[self.active].end == 0 {
            return Ok(());
        }
        self.active = free;
        let file = &mut self.files[free];
        if file.len > WAL_BYTES_KEPT {
            file.disk.set_len(0)?;
            file.len = 0;
        }
        Ok(())
    }

    /// Gives up the files whose batches the tables hold, which are those up to `mark`. Nothing is written: what a file
    /// that is not in use holds is known by its numbers to be of no interest.
    pub(crate) fn release(&mut self, mark: u64) {
        for (n, file) in self.files.iter_mut().enumerate() {
            if n != self.active && file.last <= mark {
                file.end = 0;
            }
        }
    }
}

/// What is in a log after batch `known`, without changing anything.
pub(crate) fn peek(
    disks: &[Box<dyn StorageBackend>],
    store: u64,
    known: u64,
) -> Result<Vec<(u64, Values)>, Fault> {
    let found: Result<Vec<_>, Fault> =
        disks.iter().map(|disk| Ok(read(&**disk, store, known)?.batches)).collect();
    in_order(found?, known)
}

/// The batches of all files after `known`, which must follow each other.
fn in_order(files: Vec<Vec<(u64, Values)>>, known: u64) -> Result<Vec<(u64, Values)>, Fault> {
    let mut batches: Vec<_> = files.into_iter().flatten().filter(|(batch, _)| *batch > known).collect();
    batches.sort_by_key(|(batch, _)| *batch);
    let mut before = known;
    for (batch, _) in &batches {
        if *batch != before + 1 {
            return Err(WalDamage::Gap { after: before, next: *batch }.into());
        }
        before = *batch;
    }
    Ok(batches)
}

impl LogFile {
    /// Lets the file reach to `end` at least, and fills what is new with zeros instead of a hole: a full disk is met here
    /// and not in the middle of a record, and a sync of a block that was written before need not touch the file's
    /// metadata.
    fn make_room(&mut self, end: u64) -> io::Result<()> {
        if end <= self.len {
            return Ok(());
        }
        let len = end + self.len.clamp(WAL_GROWTH_MIN, WAL_GROWTH_MAX);
        if let Err(error) = self.fill_up_to(len) {
            // A hole would pass for room when the log is opened again.
            if let Err(error) = self.disk.set_len(self.len) {
                tracing::warn!(%error, "the write-ahead log cannot be made shorter again");
            }
            return Err(error);
        }
        self.len = len;
        Ok(())
    }

    fn fill_up_to(&self, len: u64) -> io::Result<()> {
        self.disk.set_len(len)?;
        let zeros = vec![0; bytes((len - self.len).min(WAL_GROWTH_MAX))];
        let mut at = self.len;
        while at < len {
            let size = bytes((len - at).min(WAL_GROWTH_MAX));
            self.disk.write(at, &zeros[..size])?;
            at += size as u64;
        }
        self.disk.sync_data()
    }

    fn write_durably(&self, record: &[u8]) -> io::Result<()> {
        self.disk.write(self.end, record)?;
        self.disk.sync_data()
    }

    /// Makes sure that a record of which nobody knows how much was written is not found later: who waits for it is told
    /// that it failed.
    fn take_back(&self) {
        if let Err(error) = self.write_durably(&[0; BLOCK]) {
            tracing::warn!(%error, "whether the last batch is on the disk will be seen when the store is opened again");
        }
    }

    fn write_again(&self) -> io::Result<()> {
        let mut block = vec![0; bytes(WAL_GROWTH_MAX)];
        let mut at = 0;
        while at < self.end {
            let size = bytes((self.end - at).min(WAL_GROWTH_MAX));
            self.disk.read(at, &mut block[..size])?;
            self.disk.write(at, &block[..size])?;
            at += size as u64;
        }
        self.disk.sync_data()
    }
}

fn put_header(out: &mut Vec<u8>, store: u64, salt: u64) {
    out.extend(MAGIC);
    out.extend(store.to_le_bytes());
    out.extend(salt.to_le_bytes());
    let crc = crc32fast::hash(out);
    out.extend(crc.to_le_bytes());
    out.resize(BLOCK, 0);
}

fn put_record<'a>(out: &mut Vec<u8>, batch: u64, salt: u64, parts: impl ExactSizeIterator<Item = &'a [u8]>) {
    let start = out.len();
    out.extend([0; 4]);
    out.extend(number(parts.len()).to_le_bytes());
    out.extend([0; 8]);
    out.extend(batch.to_le_bytes());
    out.extend(salt.to_le_bytes());
    for part in parts {
        out.extend(number(part.len()).to_le_bytes());
        out.extend_from_slice(part);
    }
    let len = (out.len() - start - RECORD) as u64;
    out[start + 8..start + 16].copy_from_slice(&len.to_le_bytes());
    let crc = crc32fast::hash(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
    out.resize(out.len().next_multiple_of(BLOCK), 0);
}

fn read(disk: &dyn StorageBackend, store: u64, known: u64) -> Result<Found, Fault> {
    let len = disk.len()?;
    let mut header = [0; HEADER];
    if len < BLOCK as u64 {
        return Ok(Found::default());
    }
    disk.read(0, &mut header)?;
    let sound = header[..8] == MAGIC && u32_at(&header, 24) == crc32fast::hash(&header[..24]);
    if !sound {
        return Ok(Found::default());
    }
    if u64_at(&header, 8) != store {
        tracing::warn!("a file of the write-ahead log is of another store and will be overwritten");
        return Ok(Found::default());
    }
    let mut found = Found { salt: u64_at(&header, 16), end: BLOCK as u64, batches: Vec::new() };
    while let Some((batch, parts, size)) = record(disk, found.end, len, found.salt)? {
        if found.batches.last().is_some_and(|(last, _)| *last + 1 != batch) {
            break;
        }
        found.batches.push((batch, parts));
        found.end += size;
    }
    nothing_follows(disk, len, &found, known)?;
    Ok(found)
}

/// Makes sure that the end of the log is its end. Batches up to `known` are of no interest: they are left where a crash
/// tore the first record of a file's next use.
fn nothing_follows(disk: &dyn StorageBackend, len: u64, found: &Found, known: u64) -> Result<(), Fault> {
    let mut at = found.end;
    while at < len {
        if let Some((batch, ..)) = record(disk, at, len, found.salt)?
            && batch > known
        {
            let after = found.batches.last().map_or(0, |(batch, _)| *batch);
            return Err(WalDamage::Gap { after, next: batch }.into());
        }
        at += BLOCK as u64;
    }
    Ok(())
}

/// The record at `at`, and how much room it takes; `None` if there is no whole one with this salt.
fn record(
    disk: &dyn StorageBackend,
    at: u64,
    file_len: u64,
    salt: u64,
) -> Result<Option<(u64, Values, u64)>, Fault> {
    let mut head = [0; RECORD];
    if at + RECORD as u64 > file_len {
        return Ok(None);
    }
    disk.read(at, &mut head)?;
    let (crc, parts, len) = (u32_at(&head, 0), u32_at(&head, 4), u64_at(&head, 8));
    if u64_at(&head, 24) != salt || len > file_len - at - RECORD as u64 {
        return Ok(None);
    }
    let mut payload = vec![0; bytes(len)];
    disk.read(at + RECORD as u64, &mut payload)?;
    let mut sum = crc32fast::Hasher::new();
    sum.update(&head[4..]);
    sum.update(&payload);
    if sum.finalize() != crc {
        return Ok(None);
    }
    let size = (RECORD as u64 + len).next_multiple_of(BLOCK as u64);
    Ok(Some((u64_at(&head, 16), split(&payload, parts)?, size)))
}

fn split(mut payload: &[u8], parts: u32) -> Result<Values, Fault> {
    let mut values = Values::new();
    for _ in 0..parts {
        let (len, rest) = payload.split_first_chunk().ok_or(WalDamage::Record)?;
        let len = u32::from_le_bytes(*len) as usize;
        let (value, rest) = rest.split_at_checked(len).ok_or(WalDamage::Record)?;
        values.push(value.into());
        payload = rest;
    }
    Ok(values)
}

fn u32_at(from: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(from[at..at + 4].try_into().expect("four bytes are four bytes"))
}

fn u64_at(from: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(from[at..at + 8].try_into().expect("eight bytes are eight bytes"))
}

fn number(len: usize) -> u32 {
    u32::try_from(len).expect("a part holds a bounded number of changes, each of which is bounded")
}

fn bytes(len: u64) -> usize {
    usize::try_from(len).expect("a batch fits into memory")
}
