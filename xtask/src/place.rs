//! Where things are, and what the environment says.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The root of the checkout: where Cargo runs this, which need not be where it was built, for a target folder may have
/// come from another checkout.
pub(crate) fn root() -> &'static Path {
    static CRATE: LazyLock<PathBuf> = LazyLock::new(|| match variable("CARGO_MANIFEST_DIR") {
        Some(dir) => dir.into(),
        None => env!("CARGO_MANIFEST_DIR").into(),
    });
    CRATE.parent().expect("this crate is a folder of the checkout")
}

/// Where Cargo builds to.
pub(crate) fn target() -> PathBuf {
    match variable("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// Where fetched tools live, one folder each.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

/// The `lessor` binary of a build.
pub(crate) fn lessor(build: Build) -> PathBuf {
    target().join(build.folder()).join("lessor")
}

/// Which of Cargo's two profiles.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// Quick to build.
    Dev,
    /// Quick to run.
    Release,
}

impl Build {
    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// A variable of the environment, if it is set and not empty.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment of these commands")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The monotonic clock, for bounds and for how long a step took.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock of these commands")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// How long something took, for people: `3 s`, `2 min 5 s`.
pub(crate) fn spell(took: Duration) -> String {
    let seconds = took.as_secs_f64().round();
    if seconds < 60.0 {
        return format!("{seconds} s");
    }
    format!("{} min {} s", (seconds / 60.0).floor(), seconds % 60.0)
}

/// The `PATH` with `dir` before everything else.
pub(crate) fn path_with(dir: &Path) -> OsString {
    let rest = variable("PATH").unwrap_or_default();
    let dirs = std::iter::once(dir.to_path_buf()).chain(std::env::split_paths(&rest));
    std::env::join_paths(dirs).unwrap_or(rest)
}

/// Finds a program on the `PATH`.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}
