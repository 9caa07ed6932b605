//! Compiled components on disk, so that a start does not compile what was compiled before.
//!
//! What lies here is machine code that is run without another look, so nobody else may write to the folder: it belongs to
//! the server's user and has mode 0700. A file is named after what it was made of (the component, the engine and its
//! settings) and carries the digest of its content: what was changed, cut off or half written is thrown away and made
//! anew. Files appear under their name complete, by a link that does not replace, and are never written to again.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::HostError;
use crate::limits::{CACHE_FILES_MAX, COMPILED_BYTES_MAX};

/// What every file begins with; the digest of the rest follows.
const MAGIC: &[u8; 16] = b"lessor-compiled1";

/// How the names of files end.
const SUFFIX: &str = "compiled";

/// What every file begins with, in bytes.
const HEAD_BYTES: usize = MAGIC.len() + 32;

/// The folder of compiled components.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    /// The engine, its settings, and the processor that it compiles for.
    engine_key: Vec<u8>,
}

impl Cache {
    /// Opens the folder, and makes it if it is not there.
    pub(crate) fn open(folder: PathBuf, engine: &Engine) -> Result<Self, HostError> {
        let failed = |source| HostError::Cache { folder: folder.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        let metadata = fs::symlink_metadata(&folder).map_err(failed)?;
        // A file of our own tells who we are.
        let ours = tempfile::tempfile_in(&folder).and_then(|file| file.metadata()).map_err(failed)?.uid();
        if !metadata.is_dir() || metadata.uid() != ours || metadata.permissions().mode() & 0o077 != 0 {
            return Err(HostError::CacheNotPrivate { folder });
        }
        Ok(Self { folder, engine_key: engine_key(engine) })
    }

    /// The compiled component, if it is there and whole.
    pub(crate) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let path = self.path(digest);
        let content = match read(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "a compiled plugin is not usable: it is compiled anew");
                self.forget(&path);
                return None;
            }
        };
        match deserialize(engine, &content) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(file = %path.display(), error = format!("{error:#}"), "a compiled plugin does not load: it is compiled anew");
                self.forget(&path);
                None
            }
        }
    }

    /// Loads what was just compiled for this engine, and keeps it. If that fails, it is compiled again next time.
    pub(crate) fn keep(&self, engine: &Engine, digest: &str, compiled: &[u8]) -> wasmtime::Result<Component> {
        let component = deserialize(engine, compiled)?;
        let path = self.path(digest);
        if let Err(error) = self.write(&path, compiled) {
            tracing::warn!(file = %path.display(), %error, "a compiled plugin is not kept: the next start compiles it again");
        }
        self.trim(&path);
        Ok(component)
    }

    fn write(&self, path: &Path, compiled: &[u8]) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix("new-").tempfile_in(&self.folder)?;
        file.write_all(MAGIC)?;
        file.write_all(&Sha256::digest(compiled))?;
        file.write_all(compiled)?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(path) {
            Ok(_) => File::open(&self.folder)?.sync_all(),
            // Somebody else was quicker, with the same content.
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error.error),
        }
    }

    /// Where the compiled form of a component lies.
    fn path(&self, digest: &str) -> PathBuf {
        let mut hasher = Sha256::new();
        hasher.update(digest.as_bytes());
        hasher.update(&self.engine_key);
        self.folder.join(format!("{}.{SUFFIX}", hex(&hasher.finalize())))
    }

    fn forget(&self, path: &Path) {
        if let Err(error) = fs::remove_file(path) {
            tracing::warn!(file = %path.display(), folder = %self.folder.display(), %error, "cannot be removed");
        }
    }

    /// Removes the oldest files when there are too many, but not `latest`.
    fn trim(&self, latest: &Path) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut files: Vec<_> = entries
            .flatten()
            .filter(|entry| {
                entry.path().extension().is_some_and(|end| end == SUFFIX) && entry.path() != latest
            })
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        files.sort();
        let surplus = (files.len() + 1).saturating_sub(CACHE_FILES_MAX);
        for (_, path) in files.into_iter().take(surplus) {
            self.forget(&path);
        }
    }
}

/// Reads a file and checks that it is what was written.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut file = File::open(path)?;
    if file.metadata()?.len() > (HEAD_BYTES + COMPILED_BYTES_MAX) as u64 {
        return Err(invalid("it is too large"));
    }
    let mut head = [0; HEAD_BYTES];
    file.read_exact(&mut head)?;
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    let (magic, digest) = head.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(invalid("it is something else"));
    }
    if digest != Sha256::digest(&content).as_slice() {
        return Err(invalid("its content is not what was written"));
    }
    Ok(content)
}

#[expect(
    unsafe_code,
    reason = "machine code is run as it is; it comes from our own program, directly or through a private folder"
)]
fn deserialize(engine: &Engine, content: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes come from `Engine::precompile_component` of an engine with the same settings. Either our own
    // program has just answered with them, or the name of the file says so, its digest was checked in memory, and only the
    // server's own user can write to the folder.
    unsafe { Component::deserialize(engine, content) }
}

/// What tells engines apart whose machine code must not be mixed.
fn engine_key(engine: &Engine) -> Vec<u8> {
    struct Bytes(Sha256);
    impl std::hash::Hasher for Bytes {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
    }
    let mut hasher = Bytes(Sha256::new());
    std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut hasher);
    hasher.0.update(std::env::consts::ARCH);
    hasher.0.update(std::env::consts::OS);
    hasher.0.finalize().to_vec()
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes any text");
        text
    })
}
