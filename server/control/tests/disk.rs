//! The reloader and a disk that takes nothing for a while.

use std::time::Duration;

use lessor_control::Reloader;
use lessor_keeper::{Keeper, Options};
use lessor_store::{Store, StoreOptions};

#[expect(dead_code, reason = "the keeper's tests have the disk hang as well")]
#[path = "../../keeper/tests/suite/disk.rs"]
mod disk;

use disk::{Disk, Mood};

#[tokio::test]
async fn a_good_file_is_applied_once_the_disk_takes_it() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("pools.yaml");
    std::fs::write(&file, "resources: [{type: gpu, names: [gpu-1]}]").expect("the file can be written");
    let disk = Disk::new();
    let opened = Store::open_on(disk.clone(), StoreOptions::default());
    let (store, ledger) = opened.expect("the store can be opened");
    let (keeper, _stopper) =
        Keeper::start(store, ledger, Options::default()).expect("the thread can be started");

    disk.set(Mood::RefusesWrites);
    let reloader = Reloader::start(keeper.clone(), file).await.expect("the file can be read");
    let mut status = reloader.status();
    let error = status.borrow().error.clone();
    assert!(error.is_some_and(|error| error.contains("the disk is broken")), "{:?}", status.borrow());
    assert_eq!(keeper.snapshot().resource_count(), 0);

    disk.set(Mood::Good);
    // The file does not change any more: what is applied now is what could not be applied before.
    let applied =
        tokio::time::timeout(Duration::from_mins(1), status.wait_for(|status| status.error.is_none()));
    applied.await.expect("the file is applied in time").expect("the reloader lives");
    assert_eq!(keeper.snapshot().resource_count(), 1);
}
