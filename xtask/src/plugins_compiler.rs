//! A Rust compiler that makes WebAssembly: the one of the checkout if it has the target or can get it, else Debian's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::tools::cargo;
use crate::{Result, debian, missing, place, process, say};

/// What plugins are built for: WebAssembly with nothing around it.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// How long a question to the compiler may take.
const ASK_BOUND: Duration = Duration::from_mins(1);

/// How long rustup may take to fetch the target.
const FETCH_BOUND: Duration = Duration::from_mins(10);

/// Debian's packages of a compiler with the source of its standard library. Their versions belong together.
const DEBIAN: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// Where Debian's packages put the programs and the source.
const DEBIAN_PROGRAMS: &str = "/usr/bin";
const DEBIAN_SOURCE: &str = "/usr/src";

/// A compiler that can build for [`TARGET`].
pub(crate) enum Compiler {
    /// The one that builds the server; it has the target.
    Ours {
        /// Where it has its libraries.
        sysroot: String,
    },
    /// Debian's, which builds the standard library along with the rest.
    Debian {
        /// The linker of our compiler, which knows WebAssembly.
        linker: PathBuf,
    },
}

impl Compiler {
    /// The first that is to be had.
    pub(crate) fn find() -> Result<Self> {
        if has_target() {
            return Self::ours();
        }
        if place::which("rustup").is_some() {
            say::step(&format!("Fetching the target {TARGET} with rustup: plugins are built for it"));
            let mut rustup = Command::new("rustup");
            rustup.args(["target", "add", TARGET]).current_dir(place::root());
            let fetched = process::show(&mut rustup, FETCH_BOUND)?;
            if fetched.ok && has_target() {
                return Self::ours();
            }
            say::note("it cannot be had there: Debian's compiler can build it");
        }
        Self::debian()
    }

    fn ours() -> Result<Self> {
        Ok(Self::Ours { sysroot: ask(&["--print", "sysroot"])? })
    }

    /// Debian's, installed if it is not there.
    pub(crate) fn debian() -> Result<Self> {
        debian::install(&DEBIAN, "they build plugins where rustup has no WebAssembly")?;
        let sysroot = ask(&["--print", "sysroot"])?;
        let host = ask(&["-vV"])?;
        let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
        let linker = Path::new(&sysroot).join("lib/rustlib").join(host).join("bin/rust-lld");
        if linker.is_file() {
            return Ok(Self::Debian { linker });
        }
        missing(format!("there is no linker for WebAssembly at {}", linker.display()))
    }

    /// Whether it is the compiler that builds the server, with its clippy.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Self::Ours { .. })
    }

    /// Cargo with the first words of a command and what builds for [`TARGET`] to a folder. No path of this machine gets
    /// into what is built.
    pub(crate) fn cargo(&self, words: &[&str], scratch: &Path) -> Command {
        let mut command;
        let toolchain = match self {
            Self::Ours { sysroot } => {
                command = cargo(words);
                PathBuf::from(sysroot)
            }
            Self::Debian { linker } => {
                let programs = Path::new(DEBIAN_PROGRAMS);
                command = Command::new(programs.join("cargo"));
                command
                    .args(words)
                    .args(["-Zbuild-std=std,panic_abort"])
                    .env("RUSTC", programs.join("rustc"))
                    // It lets a stable compiler build the standard library.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
                PathBuf::from(DEBIAN_SOURCE)
            }
        };
        let names = [
            (scratch, "/build"),
            (&toolchain, "/rust"),
            (&cargo_home(), "/cargo"),
            (place::root(), "/lessor"),
        ];
        let flags = names.map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display()));
        command
            .args(["--target", TARGET])
            .env("CARGO_TARGET_DIR", scratch)
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
            .env_remove("RUSTFLAGS");
        command
    }
}

/// Where Cargo keeps the sources of what comes from crates.io.
fn cargo_home() -> PathBuf {
    let home = || place::variable("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    place::variable("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(home)
        .unwrap_or_else(|| PathBuf::from("/nonexistent"))
}

/// Whether our compiler has the target's standard library.
fn has_target() -> bool {
    let Ok(libraries) = ask(&["--print", "target-libdir", "--target", TARGET]) else { return false };
    let Ok(entries) = std::fs::read_dir(libraries) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

/// What our compiler says.
fn ask(words: &[&str]) -> Result<String> {
    let mut command = Command::new("rustc");
    command.args(words).current_dir(place::root());
    let answer = process::quietly(&mut command, ASK_BOUND)?.expect_ok("rustc")?;
    Ok(answer.text.trim().to_owned())
}
