//! Noticing that a file has changed.
//!
//! Looking is cheap (one `stat` that follows links), so it is done on a timer instead of by watching for events:
//! that way an editor that renames, a `ConfigMap` that swaps a link two levels up, a network file system and a file
//! that appears late all work alike. Only when the look differs, and has not changed since the last time, is the file
//! read: half a file that a script is still writing is a good one as likely as not, and deletes what the other half
//! declares. Only when its content differs is that a change.

use std::hash::{DefaultHasher, Hasher as _};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::limits::POOLS_FILE_BYTES_MAX;

/// A file that is read again and again.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    /// What was seen last.
    glance: Option<Look>,
    /// What was seen before it was read last.
    look: Option<Look>,
    seen: Option<Result<Print, String>>,
}

/// Fingerprint of a content: its length in bytes and a 64-bit hash. Keeping the content itself would cost as much
/// memory as the file is large; that two edits of one file look alike by accident is too unlikely to matter, and
/// [`Source::again`] is there.
type Print = (usize, u64);

/// What a glance at a file shows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
    device: u64,
    changed_s: i64,
    changed_ns: i64,
}

/// Why a file has no content that can be used.
#[derive(Debug, thiserror::Error)]
enum SourceError {
    #[error("cannot read {}: {cause}", .path.display())]
    Io { path: PathBuf, cause: io::Error },
    #[error("{} is no regular file, and nothing else can be read again when it changes", .path.display())]
    Kind { path: PathBuf },
    #[error("{} has more than {POOLS_FILE_BYTES_MAX} bytes", .path.display())]
    Large { path: PathBuf },
    #[error("{} is not UTF-8", .path.display())]
    Encoding { path: PathBuf },
}

impl Source {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, glance: None, look: None, seen: None }
    }

    /// The content, or why there is none, if that is news and looks as it did in the last call.
    pub(crate) fn news(&mut self) -> Option<Result<String, String>> {
        let look = Look::at(&self.path).ok();
        let settled = look == self.glance;
        self.glance.clone_from(&look);
        if !settled || look.is_some() && look == self.look {
            return None;
        }
        self.look = look;
        let (content, news) = self.read();
        news.then_some(content)
    }

    /// As [`Source::news`], but reads even if the file looks as before, and reports even what is not news.
    pub(crate) fn again(&mut self) -> Result<String, String> {
        self.look = Look::at(&self.path).ok();
        self.glance.clone_from(&self.look);
        self.read().0
    }

    /// The content, or why there is none, and whether that is news.
    fn read(&mut self) -> (Result<String, String>, bool) {
        let content = read(&self.path).map_err(|error| error.to_string());
        let seen = Some(content.as_ref().map(|text| print(text)).map_err(Clone::clone));
        let news = self.seen != seen;
        self.seen = seen;
        (content, news)
    }
}

impl Look {
    fn at(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let data = std::fs::metadata(path)?;
        Ok(Self {
            modified: data.modified().ok(),
            bytes: data.len(),
            inode: data.ino(),
            device: data.dev(),
            changed_s: data.ctime(),
            changed_ns: data.ctime_nsec(),
        })
    }
}

fn print(text: &str) -> Print {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    (text.len(), hasher.finish())
}

fn read(path: &Path) -> Result<String, SourceError> {
    let io = |cause| SourceError::Io { path: path.to_owned(), cause };
    // To open a pipe would wait for somebody to write to it.
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(SourceError::Kind { path: path.to_owned() });
    }
    let file = std::fs::File::open(path).map_err(io)?;
    let mut content = Vec::new();
    file.take(POOLS_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut content).map_err(io)?;
    if content.len() > POOLS_FILE_BYTES_MAX {
        return Err(SourceError::Large { path: path.to_owned() });
    }
    String::from_utf8(content).map_err(|_| SourceError::Encoding { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is news once the file has looked the same twice.
    fn settled(source: &mut Source) -> Option<Result<String, String>> {
        assert_eq!(source.news(), None);
        source.news()
    }

    #[test]
    fn only_a_different_content_is_news() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("pools.yaml");
        let mut source = Source::new(path.clone());
        assert!(source.news().expect("that it is missing is news").is_err());
        assert_eq!(source.news(), None);

        std::fs::write(&path, "a").expect("the file can be written");
        assert_eq!(settled(&mut source), Some(Ok("a".into())));
        assert_eq!(source.news(), None);

        // Written anew with the same content, as an editor does.
        std::fs::write(folder.path().join("new"), "a").expect("the file can be written");
        std::fs::rename(folder.path().join("new"), &path).expect("the file can be renamed");
        assert_eq!(settled(&mut source), None);
        assert_eq!(source.again(), Ok("a".into()));

        std::fs::write(folder.path().join("new"), "b").expect("the file can be written");
        std::fs::rename(folder.path().join("new"), &path).expect("the file can be renamed");
        assert_eq!(settled(&mut source), Some(Ok("b".into())));
    }

    #[test]
    fn a_file_that_is_still_being_written_is_not_read() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("pools.yaml");
        std::fs::write(&path, "a b").expect("the file can be written");
        let mut source = Source::new(path.clone());
        assert_eq!(source.again(), Ok("a b".into()));
        for half in ["a", "a b", "a b c"] {
            std::fs::write(&path, half).expect("the file can be written");
            assert_eq!(source.news(), None);
        }
        assert_eq!(source.news(), Some(Ok("a b c".into())));
    }

    #[test]
    fn a_link_swapped_above_the_file_is_noticed() {
        // The way a `ConfigMap` is mounted: pools.yaml -> ..data/pools.yaml, ..data -> ..2024.
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let at = |name: &str| folder.path().join(name);
        for (version, content) in [("..1", "one"), ("..2", "two")] {
            std::fs::create_dir(at(version)).expect("a folder can be made");
            std::fs::write(at(version).join("pools.yaml"), content).expect("the file can be written");
        }
        std::os::unix::fs::symlink("..1", at("..data")).expect("a link can be made");
        std::os::unix::fs::symlink("..data/pools.yaml", at("pools.yaml")).expect("a link can be made");
        let mut source = Source::new(at("pools.yaml"));
        assert_eq!(source.again(), Ok("one".into()));

        std::os::unix::fs::symlink("..2", at("..data_tmp")).expect("a link can be made");
        std::fs::rename(at("..data_tmp"), at("..data")).expect("a link can be swapped");
        assert_eq!(settled(&mut source), Some(Ok("two".into())));
    }
}
