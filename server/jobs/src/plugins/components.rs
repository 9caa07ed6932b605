//! Components on disk: a folder of files named after the digest of what is in them.
//!
//! A file appears under its name whole, and is never written to again. What is read is held against its name, so damage
//! is found before it is run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use lessor_plugins::limits::COMPONENT_BYTES_MAX;
use lessor_plugins::regular::{self, RegularError};
use sha2::{Digest as _, Sha256};

use crate::limits::{FILE_READ_MAX, SPARE_COMPONENTS_MAX};

const SUFFIX: &str = "wasm";

/// The folder of components.
#[derive(Clone, Debug)]
pub(crate) struct Components {
    folder: PathBuf,
    /// How many [`Kept`] there are of each digest.
    wanted: Wanted,
}

type Wanted = Arc<Mutex<BTreeMap<String, usize>>>;

/// Keeps a component on disk that no plugin refers to yet, as long as this lives.
#[derive(Debug)]
pub(crate) struct Kept {
    digest: String,
    wanted: Wanted,
}

impl Kept {
    /// SHA-256 of the component.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut wanted = lock(&self.wanted);
        if let Some(count) = wanted.get_mut(&self.digest) {
            *count -= 1;
            if *count == 0 {
                wanted.remove(&self.digest);
            }
        }
    }
}

fn lock(wanted: &Mutex<BTreeMap<String, usize>>) -> MutexGuard<'_, BTreeMap<String, usize>> {
    wanted.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a component cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// No component with this digest was uploaded, or it was swept away unused.
    #[error("there is no component with the digest {0}: upload it first, or install the plugin again")]
    Unknown(String),
    /// What lies under the digest has another one.
    #[error("the component {0} is damaged on disk: upload it, or install the plugin again")]
    Damaged(String),
    /// There is nothing of it.
    #[error("a component of no bytes is none: send the file that `lessor plugin build` makes")]
    Empty,
    /// What is needed for it could not be read in time: what that lies on does not answer.
    #[error("{} could not be read within {} s: see whether its disk answers", path.display(), FILE_READ_MAX.as_secs())]
    Slow {
        /// Which file, or the folder of secrets.
        path: PathBuf,
    },
    /// It is larger than a component may be.
    #[error("a component has at most {COMPONENT_BYTES_MAX} bytes")]
    TooLarge,
    /// The configuration names a file that cannot be read.
    #[error("the file {} that the configuration names cannot be read", path.display())]
    Configured {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The disk fails.
    #[error("the file {} of a component cannot be used", path.display())]
    Disk {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Components {
    /// Opens the folder, and makes it if it is not there.
    ///
    /// # Errors
    /// The disk fails.
    pub(crate) fn open(folder: PathBuf) -> Result<Self, ComponentError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|source| ComponentError::Disk { path: folder.clone(), source })?;
        Ok(Self { folder, wanted: Wanted::default() })
    }

    /// Keeps a component. Keeping it again repairs it.
    ///
    /// # Errors
    /// It is too large, or the disk fails.
    pub(crate) fn keep(&self, component: &[u8]) -> Result<Kept, ComponentError> {
        if component.is_empty() {
            return Err(ComponentError::Empty);
        }
        if component.len() > COMPONENT_BYTES_MAX {
            return Err(ComponentError::TooLarge);
        }
        let digest = digest(component);
        let path = self.path(&digest);
        let kept = self.hold(&digest);
        self.write(&path, component).map_err(|source| ComponentError::Disk { path, source })?;
        Ok(kept)
    }

    /// Waits for a sweep that is under way: what it took is missed by the reader who comes after, not later.
    fn hold(&self, digest: &str) -> Kept {
        *lock(&self.wanted).entry(digest.to_owned()).or_default() += 1;
        Kept { digest: digest.to_owned(), wanted: Arc::clone(&self.wanted) }
    }

    fn write(&self, path: &Path, component: &[u8]) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix("new-").tempfile_in(&self.folder)?;
        file.write_all(component)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(&self.folder)?.sync_all()
    }

    /// The component with this digest, which stays on disk as long as the second lives.
    ///
    /// # Errors
    /// It is not there or damaged, or the disk fails.
    pub(crate) fn read(&self, wanted: &str) -> Result<(Vec<u8>, Kept), ComponentError> {
        // Only a digest is a name here.
        if wanted.len() != 64 || !wanted.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ComponentError::Unknown(wanted.to_owned()));
        }
        let path = self.path(wanted);
        let kept = self.hold(wanted);
        match read_file(&path) {
            Err(ComponentError::Disk { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(ComponentError::Unknown(wanted.to_owned()))
            }
            Ok(component) if digest(&component) != wanted => Err(ComponentError::Damaged(wanted.to_owned())),
            read => read.map(|component| (component, kept)),
        }
    }

    /// Removes what no plugin refers to and nobody is about to, but for the latest [`SPARE_COMPONENTS_MAX`], which
    /// somebody may install next. `used` is asked after that was looked up: what has come to be used in between is in both.
    pub(crate) fn sweep(&self, used: impl FnOnce() -> BTreeSet<String>) {
        let wanted = lock(&self.wanted);
        let used = used();
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut spare: Vec<(SystemTime, PathBuf)> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let path = entry.path();
                let digest = path.file_stem()?.to_str()?.to_owned();
                let spare = !used.contains(&digest) && !wanted.contains_key(&digest);
                spare.then_some((entry.metadata().ok()?.modified().ok()?, path))
            })
            .collect();
        spare.sort();
        let surplus = spare.len().saturating_sub(SPARE_COMPONENTS_MAX);
        for (_, path) in spare.into_iter().take(surplus) {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(file = %path.display(), %error, "an unused component cannot be removed");
            }
        }
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.{SUFFIX}"))
    }
}

/// What a file holds that is to be a component.
///
/// # Errors
/// It is no regular file, too large, or the disk fails.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, ComponentError> {
    regular::read(path, COMPONENT_BYTES_MAX).map_err(|error| match error {
        RegularError::TooLarge(_) => ComponentError::TooLarge,
        RegularError::Other => {
            ComponentError::Disk { path: path.to_owned(), source: io::Error::other(error) }
        }
        RegularError::Disk(source) => ComponentError::Disk { path: path.to_owned(), source },
    })
}

/// The same of a file that the configuration names.
pub(crate) fn read_configured(path: &Path) -> Result<Vec<u8>, ComponentError> {
    read_file(path).map_err(|error| match error {
        ComponentError::Disk { path, source } => ComponentError::Configured { path, source },
        other => other,
    })
}

fn digest(component: &[u8]) -> String {
    Sha256::digest(component).iter().fold(String::with_capacity(64), |mut text, byte| {
        use std::fmt::Write as _;
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_read_is_what_was_kept_or_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let components = Components::open(folder.path().join("plugins")).expect("a folder");
        let digest = components.keep(b"hello").expect("room").digest().to_owned();
        let read = |digest: &str| components.read(digest).map(|(component, _)| component);
        assert_eq!(read(&digest).expect("it is there"), b"hello");
        fs::write(components.path(&digest), b"jello").expect("the file is ours");
        assert!(matches!(read(&digest), Err(ComponentError::Damaged(_))));
        components.keep(b"hello").expect("room");
        assert_eq!(read(&digest).expect("it is repaired"), b"hello");
        for unknown in ["", "../../etc/passwd", &"0".repeat(64)] {
            assert!(matches!(read(unknown), Err(ComponentError::Unknown(_))), "{unknown}");
        }
    }

    #[test]
    fn what_is_empty_or_no_file_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let components = Components::open(folder.path().join("plugins")).expect("a folder");
        assert!(matches!(components.keep(b""), Err(ComponentError::Empty)));
        let refused = read_file(Path::new("/dev/zero")).expect_err("it is no file").to_string();
        assert!(refused.contains("cannot be used"), "{refused}");
    }

    #[test]
    fn only_so_many_unused_components_stay() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let components = Components::open(folder.path().to_owned()).expect("a folder");
        // Files made within one tick of a file system's clock have the same time: each is given a second of its own.
        let keep = |n: usize| {
            let digest = components.keep(&n.to_le_bytes()).expect("room").digest().to_owned();
            let file = File::options().write(true).open(components.path(&digest)).expect("it was just made");
            let kept = SystemTime::UNIX_EPOCH + Duration::from_secs(n as u64);
            file.set_modified(kept).expect("the file is ours");
            digest
        };
        let digests: Vec<String> = (0..SPARE_COMPONENTS_MAX + 4).map(keep).collect();
        let being_installed = components.read(&digests[1]).expect("it is there");
        components.sweep(|| BTreeSet::from([digests[0].clone()]));
        let there = |digest: &String| components.read(digest).is_ok();
        assert_eq!(digests.iter().filter(|digest| there(digest)).count(), SPARE_COMPONENTS_MAX + 2);
        assert!(there(&digests[0]), "a plugin refers to it");
        assert!(there(&digests[1]), "somebody is about to");
        drop(being_installed);
        components.sweep(|| BTreeSet::from([digests[0].clone()]));
        assert!(!there(&digests[1]));
    }
}
