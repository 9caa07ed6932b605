//! The reloader and a disk that takes nothing for a while.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lessor_control::Reloader;
use lessor_keeper::{Keeper, Options};
use lessor_store::{Store, StoreOptions, Volume};
use redb::StorageBackend;
use redb::backends::InMemoryBackend;

#[derive(Clone, Debug, Default)]
struct Disk {
    files: Arc<Mutex<BTreeMap<String, Arc<InMemoryBackend>>>>,
    broken: Arc<AtomicBool>,
}

#[derive(Debug)]
struct DiskFile {
    memory: Arc<InMemoryBackend>,
    broken: Arc<AtomicBool>,
}

impl Volume for Disk {
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageBackend>> {
        let memory =
            Arc::clone(self.files.lock().expect("no holder panics").entry(name.to_owned()).or_default());
        Ok(Box::new(DiskFile { memory, broken: Arc::clone(&self.broken) }))
    }
}

impl DiskFile {
    fn check(&self) -> io::Result<()> {
        if self.broken.load(SeqCst) { Err(io::Error::other("the disk is broken")) } else { Ok(()) }
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
        self.check()?;
        self.memory.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        self.memory.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.memory.write(offset, data)
    }
}

#[tokio::test]
async fn a_good_file_is_applied_once_the_disk_takes_it() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("pools.yaml");
    std::fs::write(&file, "resources: [{type: gpu, names: [gpu-1]}]").expect("the file can be written");
    let disk = Disk::default();
    let opened = Store::open_on(disk.clone(), StoreOptions::default());
    let (store, ledger) = opened.expect("the store can be opened");
    let (keeper, _stopper) =
        Keeper::start(store, ledger, Options::default()).expect("the thread can be started");

    disk.broken.store(true, SeqCst);
    let reloader = Reloader::start(keeper.clone(), file).await.expect("the file can be read");
    let mut status = reloader.status();
    let error = status.borrow().error.clone();
    assert!(error.is_some_and(|error| error.contains("the disk is broken")), "{:?}", status.borrow());
    assert_eq!(keeper.snapshot().resource_count(), 0);

    disk.broken.store(false, SeqCst);
    // The file does not change any more: what is applied now is what could not be applied before.
    let applied =
        tokio::time::timeout(Duration::from_mins(1), status.wait_for(|status| status.error.is_none()));
    applied.await.expect("the file is applied in time").expect("the reloader lives");
    assert_eq!(keeper.snapshot().resource_count(), 1);
}
