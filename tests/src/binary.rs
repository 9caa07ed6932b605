//! Finds the binary under test.

use std::path::PathBuf;

/// The `lessor` binary: the one that `LESSOR_BIN` names, else the one beside the folder of the running test.
///
/// # Panics
/// If it is not there, with the command that builds it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place where the tests learn which binary is meant")]
pub fn lessor() -> PathBuf {
    if let Some(named) = std::env::var_os("LESSOR_BIN") {
        return existing(PathBuf::from(named));
    }
    let test = std::env::current_exe().expect("a running test knows its own path");
    // target/<profile>/deps/<test>
    let profile = test.parent().and_then(std::path::Path::parent);
    existing(profile.expect("a test lies in target/<profile>/deps").join("lessor"))
}

fn existing(path: PathBuf) -> PathBuf {
    assert!(
        path.is_file(),
        "there is no lessor binary at {}: build it with `cargo build --package lessor`, or name one in LESSOR_BIN",
        path.display()
    );
    path
}
