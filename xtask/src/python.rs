//! Tools that come from `PyPI`: each in a virtual environment of its own under `target/tools`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{Result, debian, missing, place, process, say};

/// How long fetching a package may take.
const FETCH_BOUND: Duration = Duration::from_mins(10);

/// The folder with the programs of a package, which is fetched if it is not there in this version.
pub(crate) fn package(name: &str, version: &str, why: &str) -> Result<PathBuf> {
    let folder = place::tools().join(format!("{name}-{version}"));
    let bin = folder.join("bin");
    // Written last, so that a fetch that was cut off is not taken for a tool.
    let stamp = folder.join("complete");
    if stamp.is_file() {
        return Ok(bin);
    }
    say::step(&format!("Fetching {name} {version} from PyPI: {why}"));
    // A left-over of a fetch that was cut off; if there is none, there is nothing to do.
    let _ = std::fs::remove_dir_all(&folder);
    virtual_environment(&folder)?;
    let mut pip = Command::new(bin.join("pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", &format!("{name}=={version}")]);
    let fetched = process::show(&mut pip, FETCH_BOUND)?;
    if !fetched.ok {
        return missing(format!("{name} {version} cannot be had from PyPI ({})", fetched.how));
    }
    match std::fs::write(&stamp, "") {
        Ok(()) => Ok(bin),
        Err(error) => crate::failed(format!("cannot write {}: {error}", stamp.display())),
    }
}

fn virtual_environment(folder: &Path) -> Result<()> {
    let create = || {
        let mut command = Command::new("python3");
        command.args(["-m", "venv"]).arg(folder);
        process::quietly(&mut command, FETCH_BOUND)
    };
    if create().is_ok_and(|finished| finished.ok) {
        return Ok(());
    }
    debian::install(&["python3", "python3-venv"], "to keep Python tools apart from the system's")?;
    match create()? {
        finished if finished.ok => Ok(()),
        finished => {
            missing(format!("python3 makes no virtual environment ({}):\n{}", finished.how, finished.text))
        }
    }
}
