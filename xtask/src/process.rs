//! Running other programs: shown before they start, bounded in time, ended when we are.

use std::io::{BufRead, BufReader, PipeReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::place::now;
use crate::{Result, failed, missing, say};

/// How often a running program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long the rest of its output is waited for when a program has ended.
const PUMP_BOUND: Duration = Duration::from_mins(1);

/// How long a program may take to leave after SIGTERM. Lessor promises 10 s.
pub(crate) const LEAVE_BOUND: Duration = Duration::from_secs(15);

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Takes note of SIGINT and SIGTERM instead of ending at once, so that nothing that we started is left behind.
pub(crate) fn catch_signals() {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // A second signal ends us at once.
        let register =
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&INTERRUPTED))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&INTERRUPTED)));
        if let Err(error) = register {
            say::note(&format!("signals are not caught ({error}): end what was started by hand"));
        }
    }
}

/// Whether somebody asked us to stop.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// How a program ended, and what it printed.
pub(crate) struct Finished {
    /// Whether it exited with 0.
    pub(crate) ok: bool,
    /// For people: `exit status: 1`.
    pub(crate) how: String,
    /// Its standard output and standard error, as they came.
    pub(crate) text: String,
}

impl Finished {
    /// An error that names the program unless it succeeded.
    pub(crate) fn expect_ok(self, what: &str) -> Result<Self> {
        if self.ok { Ok(self) } else { failed(format!("{what}: {}", self.how)) }
    }
}

/// Runs a program with its output shown, and keeps the output too.
pub(crate) fn show(command: &mut Command, bound: Duration) -> Result<Finished> {
    say::command(command);
    run(command, bound, true)
}

/// Runs a program without showing its output.
pub(crate) fn quietly(command: &mut Command, bound: Duration) -> Result<Finished> {
    run(command, bound, false)
}

fn run(command: &mut Command, bound: Duration, shown: bool) -> Result<Finished> {
    let name = command.get_program().to_string_lossy().into_owned();
    let (reader, writer) = std::io::pipe().or_else(|error| failed(format!("cannot make a pipe: {error}")))?;
    let second = writer.try_clone().or_else(|error| failed(format!("cannot make a pipe: {error}")))?;
    clean(command).stdin(Stdio::null()).stdout(writer).stderr(second);
    let child = command.spawn();
    // The command holds our copies of the pipe's ends: as long as they live, its output has no end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = match child {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return missing(format!("{name} is not installed"));
        }
        Err(error) => return failed(format!("{name} does not start: {error}")),
    };
    let (text, pump) = pump(reader, shown);
    let how = await_end(&mut child, bound, &name)?;
    // A grandchild that stays behind would keep the pipe open: what it may still say is not waited for for ever.
    let deadline = now() + PUMP_BOUND;
    while !pump.is_finished() && now() < deadline {
        std::thread::sleep(LOOK_EVERY);
    }
    let text = text.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    Ok(Finished { ok: how.success(), how: how.to_string(), text })
}

/// Copies lines to where they are collected, and to our output if they are to be shown.
fn pump(reader: PipeReader, shown: bool) -> (Arc<Mutex<String>>, JoinHandle<()>) {
    let text = Arc::new(Mutex::new(String::new()));
    let collected = Arc::clone(&text);
    let pump = std::thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            let words = String::from_utf8_lossy(&line);
            if shown {
                print!("{words}");
            }
            collected.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push_str(&words);
            line.clear();
        }
    });
    (text, pump)
}

/// Waits until the program has ended, which it is made to when the bound is reached or we are to stop.
fn await_end(child: &mut Child, bound: Duration, name: &str) -> Result<std::process::ExitStatus> {
    let deadline = now() + bound;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) => {}
            Err(error) => return failed(format!("{name}: {error}")),
        }
        if interrupted() {
            end(child);
            return failed(format!("{name} was ended: interrupted"));
        }
        if now() >= deadline {
            end(child);
            return failed(format!("{name} was ended: it took longer than {} s", bound.as_secs()));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Ends a program by its process id: asked first, made to after a while.
pub(crate) fn end(child: &mut Child) {
    let asked = Command::new("sh")
        .args(["-c", "kill -TERM \"$1\"", "sh", &child.id().to_string()])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let deadline = now() + LEAVE_BOUND;
    while asked && now() < deadline {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    // Both fail only if it is gone already.
    let _ = child.kill();
    let _ = child.wait();
}

/// Takes away what `cargo run` tells about this crate: it would be wrong for a build of another one.
pub(crate) fn clean(command: &mut Command) -> &mut Command {
    const ABOUT_US: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
    for (name, _) in std::env::vars_os() {
        if ABOUT_US.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}
