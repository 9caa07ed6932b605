//! `files`: reads regular files below the granted folders.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::contract::files;
use crate::guest::Guest;
use crate::limits::FILE_BYTES_MAX;
use crate::regular::{self, RegularError};

impl files::Host for Guest {
    async fn read(&mut self, path: String) -> wasmtime::Result<Result<Vec<u8>, files::FileError>> {
        self.visit.host_call()?;
        let context = Arc::clone(&self.context);
        // The disk may be slow, and the threads of the runtime are not for waiting.
        let read = tokio::task::spawn_blocking(move || read(&context.files, Path::new(&path))).await;
        self.visit.waited = true;
        Ok(read.unwrap_or_else(|_| Err(refusal("failed", "the file could not be read"))))
    }
}

/// Reads a file below one of the folders. A link out of the folder is not followed.
fn read(roots: &BTreeMap<PathBuf, Option<PathBuf>>, path: &Path) -> Result<Vec<u8>, files::FileError> {
    let path = std::path::absolute(path).map_err(|error| failed(&error))?;
    let below = roots.iter().find_map(|(root, beneath)| {
        let root = std::path::absolute(root).ok()?;
        path.strip_prefix(&root).ok().map(|rest| (root.clone(), beneath.as_deref(), rest.to_owned()))
    });
    let Some((root, beneath, rest)) = below else {
        return Err(refusal("not-granted", "the path is below no folder that was granted in `files`"));
    };
    let file = open_below(&root, beneath, &rest)?;
    regular::content(file, FILE_BYTES_MAX).map_err(|error| match error {
        RegularError::Other => refusal("not-a-file", &error.to_string()),
        RegularError::TooLarge(_) => refusal("too-large", &error.to_string()),
        RegularError::Disk(error) => failed(&error),
    })
}

/// Opens what lies below a folder, which itself lies beneath another one if there is one. The kernel sees to it that no `..`
/// and no link leads out of either, now or later.
fn open_below(root: &Path, beneath: Option<&Path>, rest: &Path) -> Result<File, files::FileError> {
    let opened = |error: Errno| match error {
        Errno::XDEV | Errno::LOOP => refusal("not-granted", "the path leads out of the granted folder"),
        error => failed(&error.into()),
    };
    let here = |path: &Path| if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() };
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let below = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let root = match beneath.and_then(|beneath| Some((beneath, root.strip_prefix(beneath).ok()?))) {
        None => rustix::fs::openat(CWD, root, folder, Mode::empty()).map_err(opened)?,
        Some((beneath, between)) => {
            let beneath = rustix::fs::openat(CWD, beneath, folder, Mode::empty()).map_err(opened)?;
            rustix::fs::openat2(&beneath, here(between), folder, Mode::empty(), below).map_err(opened)?
        }
    };
    let file = rustix::fs::openat2(&root, here(rest), regular::OPEN, Mode::empty(), below);
    file.map(File::from).map_err(opened)
}

fn failed(error: &io::Error) -> files::FileError {
    match error.kind() {
        io::ErrorKind::NotFound => refusal("not-found", "there is no such file"),
        io::ErrorKind::PermissionDenied => refusal("not-granted", "the server may not read it"),
        kind => refusal("failed", &kind.to_string()),
    }
}

fn refusal(code: &str, message: &str) -> files::FileError {
    files::FileError { code: code.to_owned(), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn code(roots: &BTreeMap<PathBuf, Option<PathBuf>>, path: &Path) -> String {
        read(roots, path).map_or_else(|error| error.code, |content| String::from_utf8(content).unwrap())
    }

    #[test]
    fn only_regular_files_below_a_granted_folder_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let (granted, other) = (folder.path().join("granted"), folder.path().join("other"));
        fs::create_dir(&granted).unwrap();
        fs::create_dir(&other).unwrap();
        fs::create_dir(granted.join("sub")).unwrap();
        fs::write(granted.join("hosts"), "inside").unwrap();
        fs::write(other.join("hosts"), "outside").unwrap();
        symlink(other.join("hosts"), granted.join("absolute")).unwrap();
        symlink("../other/hosts", granted.join("relative")).unwrap();
        symlink("hosts", granted.join("fine")).unwrap();
        let large = fs::File::create(granted.join("large")).unwrap();
        large.set_len(FILE_BYTES_MAX as u64 + 1).unwrap();
        let roots = BTreeMap::from([(granted.clone(), None)]);
        let cases = [
            (granted.join("hosts"), "inside"),
            (granted.join("fine"), "inside"),
            (granted.join("sub/../hosts"), "inside"),
            (granted.join("../granted/hosts"), "not-granted"),
            (granted.join("none"), "not-found"),
            (granted.clone(), "not-a-file"),
            (granted.join("large"), "too-large"),
            (other.join("hosts"), "not-granted"),
            (granted.join("../other/hosts"), "not-granted"),
            (granted.join("absolute"), "not-granted"),
            (granted.join("relative"), "not-granted"),
            (PathBuf::from("/etc/passwd"), "not-granted"),
        ];
        for (path, expected) in cases {
            assert_eq!(code(&roots, &path), expected, "{}", path.display());
        }
        assert_eq!(code(&BTreeMap::new(), &granted.join("hosts")), "not-granted");
    }

    #[test]
    fn a_granted_folder_that_becomes_a_link_does_not_lead_out_of_the_one_above() {
        let place = tempfile::tempdir().unwrap();
        let (above, shut) = (place.path().join("above"), place.path().join("shut"));
        for folder in [&above, &shut, &above.join("sub")] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("hosts"), folder.file_name().unwrap().as_encoded_bytes()).unwrap();
        }
        let later = above.join("later");
        let bounded =
            BTreeMap::from([(later.clone(), Some(above.clone())), (above.join("sub"), Some(above.clone()))]);
        assert_eq!(code(&bounded, &above.join("sub/hosts")), "sub");
        assert_eq!(code(&bounded, &later.join("hosts")), "not-found");
        for (to, expected) in
            [(PathBuf::from("sub"), "sub"), (shut, "not-granted"), ("../shut".into(), "not-granted")]
        {
            symlink(&to, &later).unwrap();
            assert_eq!(code(&bounded, &later.join("hosts")), expected, "{}", to.display());
            fs::remove_file(&later).unwrap();
        }
        let whole = BTreeMap::from([(above.clone(), Some(above.clone()))]);
        assert_eq!(code(&whole, &above.join("hosts")), "above");
        // Whoever is free to grant anything may grant a link.
        symlink(place.path().join("shut"), &later).unwrap();
        assert_eq!(code(&BTreeMap::from([(later.clone(), None)]), &later.join("hosts")), "shut");
    }
}
