//! A disk in memory that refuses, or hangs, on demand.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};

use lessor_store::Volume;
use redb::StorageBackend;
use redb::backends::InMemoryBackend;

/// What the disk does with what it is asked to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Good = 0,
    /// Nothing can be written: what a commit writes is lost.
    RefusesWrites = 1,
    /// Everything is written, but the disk will not say so, and nothing can be written after that: what a commit writes is
    /// kept, and the commit fails.
    BreaksAtSync = 2,
}

#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<Inner>);

/// One file of a disk, opened.
#[derive(Debug)]
struct DiskFile {
    disk: Disk,
    memory: Arc<InMemoryBackend>,
    is_log: bool,
}

#[derive(Debug)]
struct Inner {
    files: Mutex<BTreeMap<String, Arc<InMemoryBackend>>>,
    mood: AtomicU8,
    hung: Mutex<bool>,
    hanging: AtomicBool,
    freed: Condvar,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            files: Mutex::default(),
            mood: AtomicU8::new(Mood::Good as u8),
            hung: Mutex::new(false),
            hanging: AtomicBool::new(false),
            freed: Condvar::new(),
        }))
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.0.mood.store(mood as u8, SeqCst);
    }

    /// Every sync of the log waits until this is called with `false`.
    pub(crate) fn hang(&self, hung: bool) {
        *self.0.hung.lock().expect("no holder panics") = hung;
        self.0.freed.notify_all();
    }

    /// Whether a sync waits now.
    pub(crate) fn hangs(&self) -> bool {
        self.0.hanging.load(SeqCst)
    }

    fn wait(&self) {
        let hung = self.0.hung.lock().expect("no holder panics");
        self.0.hanging.store(*hung, SeqCst);
        drop(self.0.freed.wait_while(hung, |hung| *hung).expect("no holder panics"));
        self.0.hanging.store(false, SeqCst);
    }

    fn refuse(&self, mood: Mood) -> io::Result<()> {
        if self.0.mood.load(SeqCst) == mood as u8 {
            Err(io::Error::other("the disk is broken"))
        } else {
            Ok(())
        }
    }
}

impl Volume for Disk {
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageBackend>> {
        let mut files = self.0.files.lock().expect("no holder panics");
        let memory = Arc::clone(files.entry(name.to_owned()).or_default());
        Ok(Box::new(DiskFile { disk: self.clone(), memory, is_log: name.contains(".wal-") }))
    }
}

impl StorageBackend for DiskFile {
    fn len(&self) -> io::Result<u64> {
        self.memory.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.memory.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.refuse(Mood::RefusesWrites)?;
        self.memory.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.is_log
            && let broken @ Err(_) = self.disk.refuse(Mood::BreaksAtSync)
        {
            self.disk.set(Mood::RefusesWrites);
            return broken;
        }
        self.disk.refuse(Mood::RefusesWrites)?;
        if self.is_log {
            self.disk.wait();
        }
        self.memory.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.refuse(Mood::RefusesWrites)?;
        self.memory.write(offset, data)
    }
}
