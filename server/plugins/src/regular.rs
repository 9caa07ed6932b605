//! Files that end and that nobody has to be waited for: no pipes and no devices.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

/// How such a file is opened. If it is a pipe, nobody may ever write to it: that must not be waited for.
pub(crate) const OPEN: OFlags = OFlags::from_bits_retain(
    OFlags::RDONLY.bits() | OFlags::NONBLOCK.bits() | OFlags::NOCTTY.bits() | OFlags::CLOEXEC.bits(),
);

/// Why there is no content.
#[derive(Debug, thiserror::Error)]
pub enum RegularError {
    /// It is a folder, a pipe, a socket or a device.
    #[error("it is not a regular file")]
    Other,
    /// It is longer than it may be.
    #[error("it has more than {0} bytes")]
    TooLarge(usize),
    /// The disk fails, or there is no such file.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// What is in a file, which has at most `bytes_max`. Blocks as long as the disk takes.
///
/// # Errors
/// See [`RegularError`].
pub fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, RegularError> {
    let file = rustix::fs::openat(CWD, path, OPEN, Mode::empty()).map_err(io::Error::from)?;
    content(File::from(file), bytes_max)
}

/// What is in a file that was opened as [`OPEN`] says.
pub(crate) fn content(file: File, bytes_max: usize) -> Result<Vec<u8>, RegularError> {
    if !file.metadata()?.is_file() {
        return Err(RegularError::Other);
    }
    let mut content = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut content)?;
    if content.len() > bytes_max { Err(RegularError::TooLarge(bytes_max)) } else { Ok(content) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ends_within_its_bound_is_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (file, pipe) = (folder.path().join("file"), folder.path().join("pipe"));
        std::fs::write(&file, "1234").expect("room");
        rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .expect("room");
        assert_eq!(read(&file, 4).expect("it fits"), b"1234");
        assert!(matches!(read(&file, 3), Err(RegularError::TooLarge(3))));
        for odd in [pipe.as_path(), Path::new("/dev/zero"), folder.path()] {
            assert!(matches!(read(odd, 4), Err(RegularError::Other)), "{}", odd.display());
        }
        assert!(matches!(read(&folder.path().join("none"), 4), Err(RegularError::Disk(_))));
    }
}
