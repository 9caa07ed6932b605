//! What can go wrong, which exit code that is, and how it is told.

use std::fmt::Write as _;

use serde_json::Value;

use super::exit::Code;
use super::text::{clean, clean_lines};

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line, or something that it names, is wrong.
    #[error("{0}")]
    Usage(String),
    /// No answer came, or only a part of one.
    #[error("cannot reach {server}")]
    Unreachable {
        /// The server's address.
        server: String,
        /// Whether there was no connection, so that the request cannot have been carried out.
        never_sent: bool,
        /// What happened.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer is not what this version understands.
    #[error("{server} gave an answer that is not understood: {what}")]
    Garbled {
        /// The server's address.
        server: String,
        /// What is wrong with it.
        what: String,
    },
    /// The server said no.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// It did not become free in time.
    #[error("{0}")]
    WaitTimedOut(String),
    /// The lease is over.
    #[error("{0}")]
    LeaseLost(String),
    /// Ended by this signal while waiting.
    #[error("ended by signal {0}")]
    Signal(i32),
    /// A file or the terminal failed.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// What happened.
        #[source]
        cause: std::io::Error,
    },
    /// A store cannot be read.
    #[error("the store cannot be checked")]
    Store {
        /// What happened.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A plugin cannot be tried, or does not fit.
    #[error("the plugin cannot be tried")]
    Plugin {
        /// What happened.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer is "no", for these reasons.
    #[error("{what}: {}", .reasons.join("; "))]
    Refused {
        /// What was refused, and by whom.
        what: String,
        /// Why, at least one.
        reasons: Vec<String>,
    },
    /// Whoever read the output has gone; not worth a word.
    #[error("the reader of the output has gone")]
    PipeClosed,
    /// What was asked for was done, and the answer is "no".
    #[error("{0}")]
    Negative(String),
}

/// A problem document (RFC 9457) of the server.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The status of the answer.
    pub(crate) status: u16,
    /// The whole document, or an empty object if the answer was none.
    pub(crate) body: Value,
    /// What to do if a conflict means that others hold what was to be taken, which only the command knows.
    pub(crate) taking: Option<&'static str>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.text("detail"), self.text("title")) {
            (Some(detail), _) => f.write_str(&clean(detail)),
            (None, Some(title)) => f.write_str(&clean(title)),
            (None, None) => write!(f, "the server answered {}", self.status),
        }
    }
}

impl Problem {
    /// A member that is a text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.body.get(key)?.as_str().filter(|text| !text.is_empty())
    }

    /// Last part of the problem's `type`, e.g. `busy`; empty if it has none.
    pub(crate) fn kind(&self) -> &str {
        self.text("type").and_then(|kind| kind.rsplit('/').next()).unwrap_or_default()
    }

    /// Whether the same request may succeed a little later without anybody changing anything.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.status, 429 | 502 | 503 | 504) && self.kind() != "plugin-broke"
    }

    /// The exit code that stands for this problem.
    pub(crate) fn code(&self) -> Code {
        match (self.status, self.kind()) {
            (409, _) if self.taking.is_some() => Code::Busy,
            (_, "plugin-broke") => Code::Failed,
            (422, "unsatisfiable") => Code::Unsatisfiable,
            (404, _) => Code::NotFound,
            (401 | 403, _) => Code::Forbidden,
            (409 | 412 | 422 | 428, _) => Code::Conflict,
            (410, _) => Code::LeaseLost,
            (429 | 502..=504, _) => Code::Unreachable,
            (400 | 405 | 413 | 414 | 415, _) => Code::Usage,
            _ => Code::Failed,
        }
    }

    /// Who or what is in the way, one line each. Why a request can never be met, or a plugin does not
    /// fit, is in the detail.
    fn blockers(&self) -> String {
        let mut lines = String::new();
        let list = |key: &str| self.body.get(key).and_then(Value::as_array).into_iter().flatten();
        for conflict in list("conflicts").take(CONFLICTS_SHOWN) {
            writeln!(lines, "  {}", conflict_line(conflict)).expect("a string takes everything");
        }
        for problem in list("problems").take(CONFLICTS_SHOWN) {
            let part = |key: &str| clean(problem[key].as_str().unwrap_or_default()).into_owned();
            writeln!(lines, "  {}: {}", part("path"), part("message")).expect("a string takes everything");
        }
        if lines.is_empty()
            && let Some(holder) = self.text("holder")
        {
            writeln!(lines, "  held by {}", clean(holder)).expect("a string takes everything");
        }
        lines
    }

    /// What to do next.
    fn next_step(&self) -> Option<&'static str> {
        match self.code() {
            Code::Busy => self.taking,
            Code::Unsatisfiable => {
                Some("see what there is with `lessor pools list`, or wait all the same with --wait-anyway")
            }
            Code::LeaseLost => Some("acquire a new one"),
            Code::Unreachable => Some("try again in a moment"),
            _ => None,
        }
    }
}

/// Conflicts shown under an error; the rest is in `-o json`.
const CONFLICTS_SHOWN: usize = 20;

fn conflict_line(conflict: &Value) -> String {
    let text = |key: &str| conflict.get(key).and_then(Value::as_str).map(clean);
    let mut line = match (text("target"), text("pool")) {
        (Some(target), _) => target.into_owned(),
        (None, Some(pool)) => format!("pool {pool}"),
        (None, None) => "something".to_owned(),
    };
    if let Some(holder) = text("holder") {
        write!(line, ": held by {holder}").expect("a string takes everything");
        if let Some(lease) = conflict.get("lease").and_then(Value::as_u64) {
            write!(line, " (lease {lease})").expect("a string takes everything");
        }
        if let Some(until) = text("until") {
            write!(line, " until {until}").expect("a string takes everything");
        }
    }
    if let Some(why) = text("why") {
        write!(line, ": {why}").expect("a string takes everything");
    }
    line
}

impl Failure {
    /// The exit code of a command other than `run`.
    pub(crate) fn code(&self) -> u8 {
        let code = match self {
            Self::Usage(_) => Code::Usage,
            Self::Unreachable { .. } => Code::Unreachable,
            Self::Garbled { .. }
            | Self::Io { .. }
            | Self::Store { .. }
            | Self::Plugin { .. }
            | Self::Refused { .. }
            | Self::Negative(_) => Code::Failed,
            Self::Problem(problem) => problem.code(),
            Self::WaitTimedOut(_) => Code::WaitTimedOut,
            Self::LeaseLost(_) => Code::LeaseLost,
            Self::Signal(signal) => {
                return u8::try_from(super::exit::SIGNAL_BASE + signal).unwrap_or(u8::MAX);
            }
            Self::PipeClosed => Code::Ok,
        };
        code as u8
    }

    /// Whether the same request may succeed a little later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem(problem) => problem.is_transient(),
            Self::Usage(_)
            | Self::Garbled { .. }
            | Self::WaitTimedOut(_)
            | Self::LeaseLost(_)
            | Self::Signal(_)
            | Self::Io { .. }
            | Self::Store { .. }
            | Self::Plugin { .. }
            | Self::Refused { .. }
            | Self::PipeClosed
            | Self::Negative(_) => false,
        }
    }

    /// Whether the server cannot have heard of the request.
    pub(crate) fn never_sent(&self) -> bool {
        matches!(self, Self::Unreachable { never_sent: true, .. })
    }

    /// The whole story for a person: what, why, who is in the way, what next.
    pub(crate) fn story(&self) -> String {
        let mut story = match self {
            Self::PipeClosed => return String::new(),
            Self::Problem(problem) => match problem.text("title") {
                Some(title) if problem.text("detail").is_some() => format!("{}\n  {problem}\n", clean(title)),
                _ => format!("{problem}\n"),
            },
            Self::Refused { what, reasons } => {
                let reasons = reasons.iter().map(|reason| format!("  {}\n", clean(reason)));
                format!("{}:\n{}", clean(what), reasons.collect::<String>())
            }
            _ => format!("{}\n", self.with_causes()),
        };
        if let Self::Problem(problem) = self {
            story.push_str(&problem.blockers());
            if let Some(next) = problem.next_step() {
                writeln!(story, "hint: {next}").expect("a string takes everything");
            }
            if let Some(id) = problem.text("request_id") {
                writeln!(story, "request id: {}", clean(id)).expect("a string takes everything");
            }
        }
        if let Self::Unreachable { .. } = self {
            story.push_str(
                "hint: start one with `lessor serve`, or name it with --server URL or LESSOR_SERVER\n",
            );
        }
        story
    }

    /// The failure as one JSON document in the shape of a problem.
    pub(crate) fn document(&self) -> Value {
        match self {
            Self::Problem(problem) if problem.body.as_object().is_some_and(|body| !body.is_empty()) => {
                problem.body.clone()
            }
            _ => {
                serde_json::json!({ "type": "about:blank", "title": self.to_string(), "detail": self.with_causes() })
            }
        }
    }

    /// The message with every cause behind it.
    pub(crate) fn with_causes(&self) -> String {
        let mut text = clean_lines(&self.to_string());
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let link = error.to_string();
            // Some libraries repeat their cause in their own message.
            if !text.contains(&link) {
                write!(text, ": {}", clean(&link)).expect("a string takes everything");
            }
            cause = error.source();
        }
        text
    }

    /// Says that the command tries to take something, so that a conflict means "busy", and what to do then.
    pub(crate) fn held_by_others(mut self, next: &'static str) -> Self {
        if let Self::Problem(problem) = &mut self {
            problem.taking = Some(next);
        }
        self
    }

    /// A failure of a file.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Io { what: what.into(), cause }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problem(status: u16, kind: &str) -> Problem {
        let body = json!({ "type": format!("/problems/{kind}"), "title": "T", "detail": "d" });
        Problem { status, body, taking: (kind == "busy").then_some("wait") }
    }

    #[test]
    fn every_status_has_its_code() {
        for (status, kind, code) in [
            (400, "invalid", Code::Usage),
            (403, "forbidden", Code::Forbidden),
            (404, "no-such-lease", Code::NotFound),
            (409, "busy", Code::Busy),
            (409, "not-holder", Code::Conflict),
            (410, "lease-ended", Code::LeaseLost),
            (412, "stale-revision", Code::Conflict),
            (422, "unsatisfiable", Code::Unsatisfiable),
            (422, "key-reused", Code::Conflict),
            (500, "internal", Code::Failed),
            (503, "overloaded", Code::Unreachable),
        ] {
            assert_eq!(problem(status, kind).code(), code, "{status} {kind}");
        }
    }

    #[test]
    fn a_story_names_the_holder_and_hides_control_characters() {
        let failure = Failure::Problem(Box::new(Problem {
            status: 409,
            taking: Some("wait"),
            body: json!({
                "type": "/problems/busy", "title": "Busy", "detail": "nothing is free",
                "conflicts": [{ "target": "gpu-1\u{1b}[2J", "holder": "ann", "lease": 7, "until": "2030-01-01T00:00:00Z" }],
            }),
        }));
        let story = failure.story();
        assert!(
            story.contains("gpu-1\u{fffd}[2J: held by ann (lease 7) until 2030-01-01T00:00:00Z"),
            "{story}"
        );
        assert!(!story.contains('\u{1b}'), "{story:?}");
    }
}
