//! Packages of the system, as root or with sudo.

use std::io::IsTerminal;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::{Result, missing, place, process, say};

/// How long an installation may take.
const INSTALL_BOUND: Duration = Duration::from_mins(10);

static LISTS_ARE_FRESH: OnceLock<()> = OnceLock::new();

/// Installs those of the packages that are not there.
pub(crate) fn install(packages: &[&str], why: &str) -> Result<()> {
    let wanted: Vec<&str> = packages.iter().copied().filter(|package| !installed(package)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let names = wanted.join(", ");
    say::step(&format!("Installing {names} with apt-get: {why}"));
    let cannot = |reason: &str| missing(format!("{names} cannot be installed: {reason}"));
    if place::which("apt-get").is_none() {
        return cannot("this is no Debian; install what corresponds to it by hand");
    }
    if LISTS_ARE_FRESH.get().is_none() {
        let update = process::quietly(as_root("apt-get").args(["update", "-qq"]), INSTALL_BOUND)?;
        if !update.ok {
            return cannot(&format!(
                "apt-get update failed; are you root, or is there sudo?\n{}",
                update.text
            ));
        }
        LISTS_ARE_FRESH.get_or_init(|| ());
    }
    let mut command = as_root("apt-get");
    command.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&wanted);
    say::command(&command);
    let done = process::quietly(&mut command, INSTALL_BOUND)?;
    if done.ok { Ok(()) } else { cannot(&format!("apt-get install failed ({})\n{}", done.how, done.text)) }
}

/// Whether a package is installed.
pub(crate) fn installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${Status}", package]);
    process::quietly(&mut query, INSTALL_BOUND)
        .is_ok_and(|answer| answer.ok && answer.text.trim() == "install ok installed")
}

/// A program run as root: as it is, or with sudo.
pub(crate) fn as_root(program: &str) -> Command {
    let mut command;
    if is_root() {
        command = Command::new(program);
    } else {
        command = Command::new("sudo");
        // Without somebody to type a password, sudo must not ask for one.
        if !std::io::stdin().is_terminal() {
            command.arg("-n");
        }
        command.args(["env", "DEBIAN_FRONTEND=noninteractive", program]);
    }
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_root() -> bool {
    process::quietly(Command::new("id").arg("-u"), INSTALL_BOUND).is_ok_and(|id| id.text.trim() == "0")
}
