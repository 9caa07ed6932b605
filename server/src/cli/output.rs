//! Data on standard output, everything else on standard error.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use super::failure::Failure;
use super::text::{self, clean, clean_lines, json};

/// How data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people.
    Table,
    /// One JSON document, in the shape that the API gives.
    Json,
    /// One JSON document per line and item.
    Jsonl,
    /// Names or IDs only, one per line; one with control characters as a JSON string.
    Name,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// One column of a table.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    /// Its header.
    pub(crate) head: &'static str,
    /// What it shows of an item.
    pub(crate) show: fn(&Value) -> String,
    /// Whether it is left out when a terminal is too narrow for all of them.
    pub(crate) optional: bool,
}

/// A kind of list: its columns, and the member that names an item.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// Member printed by `-o name`.
    pub(crate) name: &'static str,
    /// Columns from left to right.
    pub(crate) columns: &'static [Column],
}

/// A column that is always shown.
pub(crate) const fn column(head: &'static str, show: fn(&Value) -> String) -> Column {
    Column { head, show, optional: false }
}

/// A column that narrow terminals do without.
pub(crate) const fn optional(head: &'static str, show: fn(&Value) -> String) -> Column {
    Column { head, show, optional: true }
}

/// Where and how to write.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// What `-o` said, if anything.
    pub(crate) format: Option<Format>,
    /// Whether tables have a header.
    pub(crate) headers: bool,
    /// Whether notes are left out.
    pub(crate) quiet: bool,
    /// Whether standard output takes colours.
    pub(crate) colour: bool,
    /// Columns of the terminal on standard output, if it is one.
    pub(crate) width: Option<usize>,
}

impl Output {
    /// Works out what the terminal can do.
    pub(crate) fn new(format: Option<Format>, headers: bool, quiet: bool, colour: Colour) -> Self {
        let colour = match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never,
        };
        let width = io::stdout()
            .is_terminal()
            .then(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)))
            .flatten();
        Self { format, headers, quiet, colour, width }
    }

    /// The format, [`Format::Table`] if none was asked for.
    pub(crate) fn format(&self) -> Format {
        self.format.unwrap_or(Format::Table)
    }

    /// Whether the user reads JSON.
    pub(crate) fn json(&self) -> bool {
        matches!(self.format(), Format::Json | Format::Jsonl)
    }

    /// Writes `text` as it is.
    ///
    /// # Errors
    /// [`Failure::PipeClosed`] or [`Failure::Io`].
    #[expect(clippy::unused_self, reason = "whoever writes data must have been given the way out")]
    pub(crate) fn raw(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(write_failure)
    }

    /// Writes one item.
    ///
    /// # Errors
    /// As [`raw`](Self::raw).
    pub(crate) fn item(&self, kind: Kind, item: &Value) -> Result<(), Failure> {
        match self.format() {
            Format::Json => self.raw(&format!("{}\n", json(item, true))),
            Format::Jsonl | Format::Name | Format::Table => self.rows(kind, std::slice::from_ref(item), true),
        }
    }

    /// Writes one item member by member, for people; in the other formats as [`item`](Self::item).
    ///
    /// # Errors
    /// As [`raw`](Self::raw).
    pub(crate) fn details(&self, kind: Kind, item: &Value) -> Result<(), Failure> {
        if self.format() != Format::Table {
            return self.item(kind, item);
        }
        let members: Vec<(&String, String)> = item
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| {
                (key, value.as_str().map_or_else(|| json(value, false), |text| clean(text).into_owned()))
            })
            .collect();
        let widest = members.iter().map(|(key, _)| key.width()).max().unwrap_or(0);
        let mut text = String::new();
        for (key, value) in members {
            let pad = " ".repeat(widest - key.width());
            writeln!(text, "{}{pad}  {value}", self.bold(&clean(key))).expect("a string takes everything");
        }
        self.raw(&text)
    }

    /// Writes the items of one page; `first` says that no page came before. Not for [`Format::Json`], which
    /// [`List`] brackets.
    fn rows(&self, kind: Kind, items: &[Value], first: bool) -> Result<(), Failure> {
        let mut out = String::new();
        match self.format() {
            Format::Json | Format::Jsonl => {
                for item in items {
                    out.push_str(&json(item, false));
                    out.push('\n');
                }
            }
            Format::Name => {
                for item in items {
                    let name = item.get(kind.name).unwrap_or(&Value::Null);
                    let plain = name.as_str().map_or_else(|| json(name, false).into(), text::name);
                    out.push_str(&plain);
                    out.push('\n');
                }
            }
            Format::Table => self.table(kind, items, first && self.headers, &mut out),
        }
        self.raw(&out)
    }

    fn table(&self, kind: Kind, items: &[Value], header: bool, text: &mut String) {
        let rows: Vec<Vec<String>> = items
            .iter()
            .map(|item| kind.columns.iter().map(|column| clean(&(column.show)(item)).into_owned()).collect())
            .collect();
        let widths: Vec<usize> = (0..kind.columns.len())
            .map(|at| {
                rows.iter().map(|row| row[at].width()).max().unwrap_or(0).max(kind.columns[at].head.width())
            })
            .collect();
        let shown = self.shown(kind.columns, &widths);
        let line = |cells: &dyn Fn(usize) -> String| {
            let mut row = String::new();
            for (nth, &at) in shown.iter().enumerate() {
                let cell = cells(at);
                let pad = widths[at] - cell.width();
                row.push_str(&cell);
                if nth + 1 < shown.len() {
                    row.push_str(&" ".repeat(pad + 2));
                }
            }
            row.trim_end().to_owned()
        };
        if header {
            let head = line(&|at| kind.columns[at].head.to_owned());
            text.push_str(&self.bold(&head));
            text.push('\n');
        }
        for row in &rows {
            text.push_str(&line(&|at| if row[at].is_empty() { "-".to_owned() } else { row[at].clone() }));
            text.push('\n');
        }
    }

    /// Which columns fit: optional ones go from the right until the rest does.
    fn shown(&self, columns: &[Column], widths: &[usize]) -> Vec<usize> {
        let mut shown: Vec<usize> = (0..columns.len()).collect();
        let Some(width) = self.width else { return shown };
        let total = |shown: &[usize]| shown.iter().map(|&at| widths[at] + 2).sum::<usize>().saturating_sub(2);
        while total(&shown) > width {
            let Some(last) = shown.iter().rposition(|&at| columns[at].optional) else { break };
            shown.remove(last);
        }
        shown
    }

    /// `text` in bold, if colours are used.
    fn bold(&self, text: &str) -> String {
        if self.colour { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Tells the user something that is not data; left out by `--quiet`.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.warn(text);
        }
    }

    /// Tells the user something that matters even with `--quiet`.
    #[expect(clippy::unused_self, reason = "reads like `note`, of which it is the louder form")]
    pub(crate) fn warn(&self, text: &str) {
        // Nobody is left to be told if standard error is closed.
        let _ = writeln!(io::stderr().lock(), "{}", clean_lines(text));
    }

    /// Tells why a command failed: as a problem document if the user reads JSON, else as a story.
    pub(crate) fn failure(&self, failure: &Failure) {
        let story = match self.format {
            Some(Format::Json | Format::Jsonl) if !failure.story().is_empty() => {
                json(&failure.document(), false)
            }
            _ => failure.story(),
        };
        if !story.is_empty() {
            let prefix = if story.starts_with('{') { "" } else { "error: " };
            self.warn(&format!("{prefix}{}", story.trim_end()));
        }
    }
}

/// A list that is written page by page.
pub(crate) struct List<'a> {
    output: &'a Output,
    kind: Kind,
    written: u64,
}

impl<'a> List<'a> {
    /// Begins a list.
    pub(crate) fn new(output: &'a Output, kind: Kind) -> Self {
        Self { output, kind, written: 0 }
    }

    /// Writes the items of one page.
    ///
    /// # Errors
    /// As [`Output::raw`].
    pub(crate) fn page(&mut self, items: &[Value]) -> Result<(), Failure> {
        if self.output.format() == Format::Json {
            for item in items {
                let lead = if self.written == 0 { "{\"items\":[\n" } else { ",\n" };
                self.output.raw(&format!("{lead}{}", json(item, false)))?;
                self.written += 1;
            }
            return Ok(());
        }
        if !items.is_empty() {
            self.output.rows(self.kind, items, self.written == 0)?;
            self.written += items.len() as u64;
        }
        Ok(())
    }

    /// Ends the list; `next` is the cursor behind it, if there is more.
    ///
    /// # Errors
    /// As [`Output::raw`].
    pub(crate) fn end(self, next: Option<&str>) -> Result<(), Failure> {
        match self.output.format() {
            Format::Json => {
                let lead = if self.written == 0 { "{\"items\":[" } else { "\n" };
                let next = json(&next.map_or(Value::Null, Value::from), false);
                self.output.raw(&format!("{lead}],\"next\":{next}}}\n"))
            }
            Format::Table => {
                if self.written == 0 {
                    self.output.note("none");
                }
                if next.is_some() {
                    self.output.note("there is more: raise --limit");
                }
                Ok(())
            }
            Format::Jsonl | Format::Name => Ok(()),
        }
    }
}

fn write_failure(cause: io::Error) -> Failure {
    match cause.kind() {
        io::ErrorKind::BrokenPipe => Failure::PipeClosed,
        _ => Failure::Io { what: "cannot write to standard output".to_owned(), cause },
    }
}

/// The member `key` for a table cell: texts as they are, lists joined by commas, null as nothing.
pub(crate) fn cell(item: &Value, key: &str) -> String {
    item.get(key).map(plain).unwrap_or_default()
}

/// A value for a table cell.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        Value::Object(members) => {
            members.iter().map(|(key, value)| format!("{key}={}", plain(value))).collect::<Vec<_>>().join(",")
        }
    }
}

/// The member `key`, a time, to the second.
pub(crate) fn cell_time(item: &Value, key: &str) -> String {
    let text = cell(item, key);
    match text.split_once('.') {
        Some((seconds, _)) if text.ends_with('Z') => format!("{seconds}Z"),
        _ => text,
    }
}

/// Milliseconds as `2d3h`, `4m32s` or `1.5s`: the two largest units, rounded down.
pub(crate) fn millis(ms: i64) -> String {
    let (sign, ms) = (if ms < 0 { "-" } else { "" }, ms.unsigned_abs());
    let secs = ms / 1000;
    let text = match secs {
        0..10 => format!("{}.{}s", secs, ms % 1000 / 100),
        10..60 => format!("{secs}s"),
        60..3600 => format!("{}m{:02}s", secs / 60, secs % 60),
        3600..86_400 => format!("{}h{:02}m", secs / 3600, secs % 3600 / 60),
        _ => format!("{}d{:02}h", secs / 86_400, secs % 86_400 / 3600),
    };
    format!("{sign}{text}")
}

/// The member `key`, a number of milliseconds, as a length of time.
pub(crate) fn cell_millis(item: &Value, key: &str) -> String {
    item.get(key).and_then(Value::as_i64).map(millis).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KIND: Kind = Kind {
        name: "name",
        columns: &[
            column("NAME", |item| cell(item, "name")),
            optional("NOTE", |item| cell(item, "note")),
            column("N", |item| cell(item, "n")),
        ],
    };

    fn table(width: Option<usize>) -> String {
        let output = Output { format: None, headers: true, quiet: false, colour: false, width };
        let items = [
            json!({ "name": "ü\u{1b}[1m", "note": "long note", "n": 1 }),
            json!({ "name": "bb", "n": null }),
        ];
        let mut text = String::new();
        output.table(KIND, &items, true, &mut text);
        text
    }

    #[test]
    fn tables_align_and_hide_control_characters() {
        let rows = ["NAME   NOTE       N", "ü\u{fffd}[1m  long note  1", "bb     -          -", ""];
        assert_eq!(table(None), rows.join("\n"));
    }

    #[test]
    fn a_narrow_terminal_loses_optional_columns_first() {
        let text = table(Some(12));
        assert!(!text.contains("NOTE") && text.starts_with("NAME"), "{text}");
    }

    #[test]
    fn lengths_of_time_read_well() {
        for (ms, text) in [
            (0, "0.0s"),
            (1_560, "1.5s"),
            (59_999, "59s"),
            (60_000, "1m00s"),
            (7_384_000, "2h03m"),
            (183_600_000, "2d03h"),
            (-5000, "-5.0s"),
        ] {
            assert_eq!(millis(ms), text);
        }
    }
}
