//! The log: lines on standard error, for people or as JSON.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::LogFormat;

/// Starts logging what `level` lets through.
///
/// # Errors
/// If `level` is neither a level nor a list of directives.
pub(crate) fn start(format: LogFormat, level: &str) -> Result<(), ParseError> {
    let filter = EnvFilter::try_new(level)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // An error means that logging was started before, as in a test.
    let _ = started;
    Ok(())
}
