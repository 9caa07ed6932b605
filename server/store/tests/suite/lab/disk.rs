//! A disk that loses power: at the N-th sync everything stops, and what was not synced by then is lost, kept or
//! torn.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

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

#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    /// What the program sees.
    live: Vec<u8>,
    /// What is on the disk for sure.
    durable: Vec<u8>,
    /// What was done since the last sync.
    pending: Vec<Op>,
    syncs: u64,
    /// The sync during which the power goes.
    dies_at: Option<u64>,
    dead: bool,
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

    /// What is found on the disk when the power is back.
    pub(crate) fn found(&self, loss: Loss, dice: &mut Dice) -> Self {
        let content = self.content();
        let mut bytes = content.durable.clone();
        for op in &content.pending {
            match loss {
                Loss::All => {}
                Loss::None => op.apply(&mut bytes),
                Loss::Torn => op.tear(&mut bytes, dice),
            }
        }
        let found = Content { live: bytes.clone(), durable: bytes, ..Content::default() };
        Self(Arc::new(Mutex::new(found)))
    }

    /// Everything that the program sees, e.g. to make a file of it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.content().live.clone()
    }
}

fn dead<T>() -> io::Result<T> {
    Err(io::Error::other("the power is gone"))
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        let content = self.content();
        if content.dead { dead() } else { Ok(content.live.len() as u64) }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let content = self.content();
        if content.dead {
            return dead();
        }
        let offset = usize::try_from(offset).unwrap();
        let bytes = content.live.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.content().run(Op::Resize(usize::try_from(len).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut content = self.content();
        if content.dead {
            return dead();
        }
        content.syncs += 1;
        if content.dies_at == Some(content.syncs) {
            content.dead = true;
            return dead();
        }
        let Content { durable, pending, .. } = &mut *content;
        for op in pending.drain(..) {
            op.apply(durable);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.content().run(Op::Write(usize::try_from(offset).unwrap(), data.to_vec()))
    }
}

impl Content {
    fn run(&mut self, op: Op) -> io::Result<()> {
        if self.dead {
            return dead();
        }
        op.apply(&mut self.live);
        self.pending.push(op);
        Ok(())
    }
}
