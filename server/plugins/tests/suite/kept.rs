//! Compiled components on disk: found again, and not used when somebody changed them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use lessor_plugins::{Host, HostError, HostOptions};
use serde_json::json;

use crate::rig::{Rig, component, spec, worker};

/// The only compiled component.
fn compiled(rig: &Rig) -> PathBuf {
    let files: Vec<PathBuf> =
        fs::read_dir(&rig.cache).expect("the folder is there").flatten().map(|entry| entry.path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

async fn works(rig: &Rig) {
    rig.install(spec("list"), component("target-list")).await;
    let targets = rig.acquire("list", &json!({"Targets": [{"ID": "a"}]})).await;
    assert_eq!(targets.map(|targets| targets.len()), Ok(1));
}

#[tokio::test]
async fn what_was_compiled_once_is_found_again() {
    let rig = Rig::new();
    works(&rig).await;
    let file = compiled(&rig);
    let (inode, content) = (fs::metadata(&file).unwrap().ino(), fs::read(&file).unwrap());
    works(&rig).await;
    assert_eq!(fs::metadata(compiled(&rig)).unwrap().ino(), inode);
    assert_eq!(fs::read(compiled(&rig)).unwrap(), content);
    assert_eq!(fs::metadata(&rig.cache).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn what_was_changed_cut_off_or_emptied_is_compiled_anew() {
    let rig = Rig::new();
    works(&rig).await;
    let file = compiled(&rig);
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut other_digest = whole.clone();
    other_digest[20] ^= 1;
    let cut = whole[..whole.len() - 1].to_vec();
    for bad in [flipped, other_digest, cut, whole[..30].to_vec(), Vec::new()] {
        fs::write(&file, &bad).unwrap();
        works(&rig).await;
        let now = fs::read(&file).unwrap();
        assert!(now != bad && now.len() == whole.len(), "the bad file is still there");
    }
}

#[tokio::test]
async fn a_file_that_is_in_use_is_never_written_to() {
    let rig = Rig::new();
    works(&rig).await;
    let file = compiled(&rig);
    let mut flipped = fs::read(&file).unwrap();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&file, &flipped).unwrap();
    let watched = fs::File::open(&file).unwrap();
    works(&rig).await;
    // A new file has taken the name; the old one is as it was.
    assert_ne!(fs::metadata(&file).unwrap().ino(), watched.metadata().unwrap().ino());
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut &watched, &mut content).unwrap();
    assert_eq!(content, flipped);
}

#[test]
fn a_folder_that_others_can_enter_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("compiled");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o755)).unwrap();
    let host = |cache| Host::new(HostOptions { cache, worker: worker() });
    let refused = host(cache.clone());
    assert!(matches!(refused, Err(HostError::CacheNotPrivate { .. })), "{refused:?}");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o700)).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&cache, &link).unwrap();
    assert!(matches!(host(link), Err(HostError::CacheNotPrivate { .. })));
    assert!(host(cache).is_ok());
}
