//! A disk that loses power: at the N-th sync everything stops, and what was not synced by then is lost, kept or
//! torn.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use lessor_store::Volume;
use redb::StorageBackend;

use super::dice::Dice;

/// A disk writes sectors of this many bytes all or not at all.
const SECTOR: usize = 512;

/// What becomes of writes that were not synced when the power went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// None of them reached the disk.
    All,
    /// All of them did.
    None,
    /// Of each sector any of its versions did.
    Torn,
}

/// Files that lose power together. Syncs are counted over all of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    files: BTreeMap<String, FileContent>,
    syncs: u64,
    /// The sync during which the power goes.
    dies_at: Option<u64>,
    dead: bool,
    /// How many bytes fit on it; holes take no room.
    room: Option<usize>,
    /// The next sync brings everything to the disk and fails all the same.
    lies: bool,
}

#[derive(Debug, Default)]
struct FileContent {
    /// What the program sees.
    live: Vec<u8>,
    /// What is on the disk for sure.
    durable: Vec<u8>,
    /// What was done since the last sync.
    pending: Vec<Op>,
    /// Up to where something was ever written: the rest is a hole.
    filled: usize,
}

/// One file of a disk, opened.
#[derive(Debug)]
struct DiskFile {
    disk: Disk,
    name: String,
}

#[derive(Clone, Debug)]
enum Op {
    Write(usize, Vec<u8>),
    Resize(usize),
}

impl Op {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Resize(len) => bytes.resize(*len, 0),
            Self::Write(offset, data) => {
                if bytes.len() < offset + data.len() {
                    bytes.resize(offset + data.len(), 0);
                }
                bytes[*offset..offset + data.len()].copy_from_slice(data);
            }
        }
    }

    fn tear(&self, bytes: &mut Vec<u8>, dice: &mut Dice) {
        match self {
            Self::Resize(_) if dice.once_in(2) => {}
            Self::Resize(_) => self.apply(bytes),
            Self::Write(offset, data) => {
                let mut done = 0;
                while done < data.len() {
                    let at = offset + done;
                    let size = (SECTOR - at % SECTOR).min(data.len() - done);
                    if dice.once_in(2) {
                        Self::Write(at, data[done..done + size].to_vec()).apply(bytes);
                    }
                    done += size;
                }
            }
        }
    }
}

impl Disk {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap()
    }

    /// One with nothing but this file on it.
    pub(crate) fn holding(name: &str, bytes: Vec<u8>) -> Self {
        let filled = bytes.len();
        let file = FileContent { live: bytes.clone(), durable: bytes, pending: Vec::new(), filled };
        let files = BTreeMap::from([(name.to_owned(), file)]);
        Self(Arc::new(Mutex::new(Content { files, ..Content::default() })))
    }

    /// Lets the power go during the `syncs`-th sync from now on.
    pub(crate) fn die_in(&self, syncs: u64) {
        let mut content = self.content();
        content.dies_at = Some(content.syncs + syncs);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.content().dead
    }

    /// Makes everything fail, or work again. What is not synced stays in the cache, as after a pulled cable.
    pub(crate) fn fail(&self, fails: bool) {
        self.content().dead = fails;
    }

    /// Leaves room for so many bytes more, or any number.
    pub(crate) fn leave_room(&self, bytes: Option<usize>) {
        let mut content = self.content();
        let filled: usize = content.files.values().map(|file| file.filled).sum();
        content.room = bytes.map(|bytes| filled + bytes);
    }

    /// Lets the next sync fail, though it does what it should.
    pub(crate) fn fail_one_sync(&self) {
        self.content().lies = true;
    }

    /// What is found on the disk when the power is back.
    pub(crate) fn found(&self, loss: Loss, dice: &mut Dice) -> Self {
        let content = self.content();
        let mut files = BTreeMap::new();
        for (name, file) in &content.files {
            let mut bytes = file.durable.clone();
            for op in &file.pending {
                match loss {
                    Loss::All => {}
                    Loss::None => op.apply(&mut bytes),
                    Loss::Torn => op.tear(&mut bytes, dice),
                }
            }
            let filled = bytes.len();
            let file = FileContent { live: bytes.clone(), durable: bytes, pending: Vec::new(), filled };
            files.insert(name.clone(), file);
        }
        Self(Arc::new(Mutex::new(Content { files, ..Content::default() })))
    }

    /// Everything that the program sees, by the names of the files, e.g. to make real files of it.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.content().files.iter().map(|(name, file)| (name.clone(), file.live.clone())).collect()
    }
}

fn dead<T>() -> io::Result<T> {
    Err(io::Error::other("the power is gone"))
}

impl Volume for Disk {
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageBackend>> {
        let mut content = self.content();
        if content.dead {
            return dead();
        }
        content.files.entry(name.to_owned()).or_default();
        Ok(Box::new(DiskFile { disk: self.clone(), name: name.to_owned() }))
    }
}

impl StorageBackend for DiskFile {
    fn len(&self) -> io::Result<u64> {
        self.with(|file| Ok(file.live.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.with(|file| {
            let bytes = file.live.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(bytes);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.run(Op::Resize(usize::try_from(len).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut content = self.disk.content();
        if content.dead {
            return dead();
        }
        content.syncs += 1;
        if content.dies_at == Some(content.syncs) {
            content.dead = true;
            return dead();
        }
        let file = content.files.get_mut(&self.name).unwrap();
        let FileContent { durable, pending, .. } = file;
        for op in pending.drain(..) {
            op.apply(durable);
        }
        if std::mem::take(&mut content.lies) { Err(io::Error::other("input/output error")) } else { Ok(()) }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.run(Op::Write(usize::try_from(offset).unwrap(), data.to_vec()))
    }
}

impl DiskFile {
    fn with<T>(&self, act: impl FnOnce(&mut FileContent) -> io::Result<T>) -> io::Result<T> {
        let mut content = self.disk.content();
        if content.dead { dead() } else { act(content.files.get_mut(&self.name).unwrap()) }
    }

    /// A write that does not fit is done as far as it fits.
    fn run(&self, mut op: Op) -> io::Result<()> {
        let mut content = self.disk.content();
        if content.dead {
            return dead();
        }
        let elsewhere = content.files.iter().filter(|(name, _)| **name != self.name);
        let elsewhere: usize = elsewhere.map(|(_, file)| file.filled).sum();
        let room = content.room.map_or(usize::MAX, |room| room.saturating_sub(elsewhere));
        let file = content.files.get_mut(&self.name).unwrap();
        let mut done = Ok(());
        match &mut op {
            Op::Resize(len) => file.filled = file.filled.min(*len),
            Op::Write(offset, data) => {
                let end = *offset + data.len();
                if end > file.filled.max(room) {
                    data.truncate(file.filled.max(room).saturating_sub(*offset));
                    done = Err(io::ErrorKind::StorageFull.into());
                }
                file.filled = file.filled.max(*offset + data.len());
            }
        }
        op.apply(&mut file.live);
        file.pending.push(op);
        done
    }
}
