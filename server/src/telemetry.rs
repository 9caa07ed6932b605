//! The log: lines on standard error, for people or as JSON.
//!
//! A thread of its own writes them, because whoever reads a pipe or a terminal may stop doing so, and nothing that serves
//! may wait for that. Lines that have no room until then are lost, and counted.

use std::io::IsTerminal as _;

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};

use crate::config::LogFormat;
use crate::limits::{LOG_LINES_MAX, LOG_LOSSES_EVERY};

/// Why something is no log level.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoLevel {
    /// A word alone. As a directive it would name a module, and mute all others.
    #[error("{0:?} is none of off, error, warn, info, debug and trace; for one module say module=level")]
    Word(String),
    /// Not a list of directives.
    #[error(transparent)]
    Directives(#[from] ParseError),
}

/// The log of a server. Dropping it writes what is left, for at most a second.
#[derive(Debug)]
pub(crate) struct Log {
    lost: ErrorCounter,
    _writer: WorkerGuard,
}

/// Starts logging what `level` lets through.
///
/// # Errors
/// If `level` is neither a level nor a list of directives.
pub(crate) fn start(format: LogFormat, level: &str) -> Result<Log, NoLevel> {
    let filter = filter(level)?;
    let (lines, writer) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LOG_LINES_MAX)
        .thread_name("lessor-log")
        .finish(std::io::stderr());
    let lost = lines.error_counter();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(lines)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // An error means that logging was started before, as in a test.
    let _ = started;
    Ok(Log { lost, _writer: writer })
}

impl Log {
    /// Says in the log, whenever lines were lost, how many; never ends.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) fn tell_losses(&self) -> impl Future<Output = ()> + use<> {
        let lost = self.lost.clone();
        async move {
            let mut told = 0;
            loop {
                tokio::time::sleep(LOG_LOSSES_EVERY).await;
                let lines = lost.dropped_lines();
                if lines > told {
                    tracing::warn!(
                        lines = lines - told,
                        "lines of this log were lost, because it was not read in time"
                    );
                    told = lines;
                }
            }
        }
    }
}

/// Starts showing what a plugin that is tried logs, and nothing else.
pub(crate) fn start_for_plugins() {
    let started = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("plugin=debug"))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .without_time()
        .try_init();
    // An error means that logging was started before, as in a test.
    let _ = started;
}

fn filter(level: &str) -> Result<EnvFilter, NoLevel> {
    let words = level.split(',').map(str::trim).filter(|part| !part.contains(['=', '[']));
    if let Some(word) = words.into_iter().find(|word| word.is_empty() || word.parse::<LevelFilter>().is_err())
    {
        return Err(NoLevel::Word(word.to_owned()));
    }
    Ok(EnvFilter::try_new(level)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_level_or_a_list_of_directives() {
        for level in ["info", "WARN", "off", "info,lessor_keeper=debug", "lessor=trace, warn"] {
            assert!(filter(level).is_ok(), "{level}");
        }
        for level in ["nonsense", "info,hyper", "lessor=loud", ""] {
            assert!(filter(level).is_err(), "{level:?}");
        }
    }
}
