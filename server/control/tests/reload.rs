//! The reloader on a real keeper and a real file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lessor_control::{PoolsStatus, Reloader};
use lessor_keeper::stats::Kind;
use lessor_keeper::{Keeper, Options, Stopper};
use lessor_store::{Store, StoreOptions};
use tokio::sync::watch;

/// Longest wait for something that is bound to happen; the file is looked at every second.
const SOON: Duration = Duration::from_secs(30);

struct Lab {
    keeper: Keeper,
    stopper: Stopper,
    file: PathBuf,
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let opened = Store::open(&folder.path().join("data"), StoreOptions::default());
        let (store, ledger) = opened.expect("the store can be opened");
        let (keeper, stopper) =
            Keeper::start(store, ledger, Options::default()).expect("the thread can be started");
        Self { keeper, stopper, file: folder.path().join("pools.yaml"), folder }
    }

    /// As an editor does: written beside, then renamed.
    fn write(&self, content: &str) {
        let new = self.folder.path().join("new");
        std::fs::write(&new, content).expect("the file can be written");
        std::fs::rename(&new, &self.file).expect("the file can be renamed");
    }

    async fn start(&self) -> Reloader {
        Reloader::start(self.keeper.clone(), self.file.clone()).await.expect("the file can be read")
    }

    fn names(&self) -> Vec<String> {
        let snapshot = self.keeper.snapshot();
        snapshot.resources_after(None).map(|resource| resource.name.as_str().to_owned()).collect()
    }
}

/// Has the file read again, and waits until it was applied.
async fn apply_again(reloader: &Reloader, status: &mut watch::Receiver<PoolsStatus>) {
    let before = status.borrow().applied_at;
    reloader.nudge();
    until(status, |status| status.applied_at > before).await;
}

async fn until(
    status: &mut watch::Receiver<PoolsStatus>,
    what: impl FnMut(&PoolsStatus) -> bool,
) -> PoolsStatus {
    let found = tokio::time::timeout(SOON, status.wait_for(what)).await;
    found.expect("the status changes in time").expect("the reloader lives").clone()
}

const TWO: &str = "resources: [{type: gpu, names: [gpu-1, gpu-2]}]";
const THREE: &str = "resources: [{type: gpu, names: [gpu-1, gpu-2, gpu-3]}]";
const BAD: &str = "resources: [{type: gpu, names: [GPU]}]";

#[tokio::test]
async fn the_pools_are_there_when_the_reloader_is() {
    let lab = Lab::new();
    lab.write(TWO);
    let reloader = lab.start().await;
    assert_eq!(lab.names(), ["gpu-1", "gpu-2"]);
    let status = reloader.status().borrow().clone();
    assert_eq!(status.path.as_deref(), Some(Path::new(&lab.file)));
    assert!(status.applied_at.is_some());
    assert_eq!((status.error, status.warning), (None, None));
}

#[tokio::test]
async fn a_change_is_applied_and_a_bad_one_changes_nothing() {
    let lab = Lab::new();
    lab.write(TWO);
    let reloader = lab.start().await;
    let mut status = reloader.status();
    let first = status.borrow().applied_at;

    lab.write(BAD);
    let bad = until(&mut status, |status| status.error.is_some()).await;
    let error = bad.error.expect("there is one");
    assert!(error.starts_with(".0.names.0(GPU) is invalid: ["), "{error}");
    assert_eq!(bad.applied_at, first);
    assert_eq!(lab.names(), ["gpu-1", "gpu-2"]);

    lab.write(THREE);
    let good = until(&mut status, |status| status.error.is_none()).await;
    assert!(good.applied_at > first);
    assert_eq!(lab.names(), ["gpu-1", "gpu-2", "gpu-3"]);

    std::fs::remove_file(&lab.file).expect("the file can be removed");
    let gone = until(&mut status, |status| status.error.is_some()).await;
    assert!(gone.error.expect("there is one").starts_with("cannot read "));
    assert_eq!(lab.names(), ["gpu-1", "gpu-2", "gpu-3"]);
}

#[tokio::test]
async fn an_empty_file_is_a_warning_at_the_start_and_later() {
    let lab = Lab::new();
    lab.write("");
    let reloader = lab.start().await;
    let mut status = reloader.status();
    assert_eq!(status.borrow().warning.as_deref(), Some("empty config"));
    assert_eq!(status.borrow().error, None);

    lab.write(TWO);
    until(&mut status, |status| status.warning.is_none()).await;
    assert_eq!(lab.names(), ["gpu-1", "gpu-2"]);

    lab.write("resources: []");
    until(&mut status, |status| status.warning.is_some()).await;
    assert_eq!(lab.names(), ["gpu-1", "gpu-2"]);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_an_error_at_the_start_only() {
    let lab = Lab::new();
    let refused = Reloader::start(lab.keeper.clone(), lab.file.clone()).await.expect_err("there is none");
    let text = refused.to_string();
    assert!(text.starts_with("cannot read ") && text.contains("pools.yaml"), "{text}");

    lab.write(TWO);
    let reloader = lab.start().await;
    let mut status = reloader.status();
    std::fs::remove_file(&lab.file).expect("the file can be removed");
    until(&mut status, |status| status.error.is_some()).await;
    assert_eq!(lab.names(), ["gpu-1", "gpu-2"]);
    lab.write(THREE);
    until(&mut status, |status| status.error.is_none()).await;
    assert_eq!(lab.names(), ["gpu-1", "gpu-2", "gpu-3"]);
}

#[tokio::test]
async fn a_nudge_applies_the_file_even_if_it_is_the_same() {
    let lab = Lab::new();
    lab.write(TWO);
    let reloader = lab.start().await;
    let mut status = reloader.status();
    // Somebody took a listed resource away over the API; the file has not changed.
    let name = lessor_ledger::Target::new("gpu-2").expect("a name in a test is a name");
    let gone = lab.keeper.submit(lessor_ledger::Command::DeleteResource { name, revision: None }).await;
    gone.expect("nobody holds it");
    assert_eq!(lab.names(), ["gpu-1"]);
    apply_again(&reloader, &mut status).await;
    assert_eq!(lab.names(), ["gpu-1", "gpu-2"]);
}

#[tokio::test]
async fn a_file_that_changes_nothing_is_none_of_the_writers_business() {
    let lab = Lab::new();
    lab.write(TWO);
    let reloader = lab.start().await;
    let mut status = reloader.status();
    let syncs = || lab.keeper.stats().applied(Kind::Sync);
    assert_eq!(syncs(), 1);
    for _ in 0..3 {
        apply_again(&reloader, &mut status).await;
        assert_eq!(syncs(), 1, "nothing was to be done");
    }
    lab.write(THREE);
    apply_again(&reloader, &mut status).await;
    assert_eq!((syncs(), lab.names().len()), (2, 3));
}

#[tokio::test]
async fn a_keeper_that_stopped_shows_in_the_status_even_if_nothing_is_to_be_done() {
    let lab = Lab::new();
    lab.write(TWO);
    let reloader = lab.start().await;
    let mut status = reloader.status();
    lab.stopper.stop().await.expect("the keeper stops");
    reloader.nudge();
    let told = until(&mut status, |status| status.error.is_some()).await;
    assert_eq!(told.error.as_deref(), Some("the keeper has stopped"));
}

#[tokio::test]
async fn a_keeper_that_takes_nothing_shows_in_the_status() {
    let lab = Lab::new();
    lab.write(TWO);
    let Lab { keeper, stopper, file, folder } = lab;
    stopper.stop().await.expect("the keeper stops");
    let reloader = Reloader::start(keeper, file).await.expect("the file can be read");
    let status = reloader.status().borrow().clone();
    assert_eq!(status.error.as_deref(), Some("the keeper has stopped"));
    assert_eq!(status.applied_at, None);
    drop(folder);
}
