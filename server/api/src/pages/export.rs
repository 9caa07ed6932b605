//! Lists as files: CSV and JSON.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use lessor_web::{EventRow, JobRow, LeaseRow, Moment, PluginRow, PoolRow, ResourceRow, Text, WaitRow};

use crate::limits::EXPORT_BYTES_MAX;
use crate::problem::Problem;

/// What kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// RFC 4180, with a header.
    Csv,
    /// An array of objects.
    Json,
}

/// A row as cells of a file.
pub(crate) trait Cells {
    /// What the columns are called.
    const COLUMNS: &'static [&'static str];

    /// The cells, one for each column.
    fn cells(&self) -> Vec<String>;
}

impl Format {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    /// The rows as a file called after what they are.
    pub(crate) fn file<R: Cells>(self, what: &str, rows: &[R]) -> Result<Response, Problem> {
        let bytes: usize = rows.iter().flat_map(Cells::cells).map(|cell| cell.len()).sum();
        if bytes > EXPORT_BYTES_MAX {
            let limit = EXPORT_BYTES_MAX >> 20;
            return Err(Problem::invalid(
                "filter",
                format!("finds more than the {limit} MiB that a file may have"),
            ));
        }
        let (media_type, extension, bytes) = match self {
            Self::Csv => (
                "text/csv; charset=utf-8; header=present",
                "csv",
                csv(rows).map_err(|e| Problem::internal(&e))?,
            ),
            Self::Json => ("application/json", "json", json(rows).map_err(|e| Problem::internal(&e))?),
        };
        let headers = [
            (header::CONTENT_TYPE, media_type.to_owned()),
            (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{what}.{extension}\"")),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
            (header::CACHE_CONTROL, "private, no-cache".to_owned()),
        ];
        Ok((headers, bytes).into_response())
    }
}

fn csv<R: Cells>(rows: &[R]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(R::COLUMNS)?;
    for row in rows {
        writer.write_record(row.cells().iter().map(|cell| guarded(cell)))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// What makes a spreadsheet take a cell for a formula; some take the wide forms for the same.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// A cell that no spreadsheet takes for a formula, whatever it skips before it looks.
fn guarded(cell: &str) -> String {
    let skipped = |c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}';
    let formula = cell.trim_start_matches(skipped).starts_with(FORMULA);
    let control = cell.starts_with(|c: char| c.is_control());
    // A number below zero is no formula.
    let digits = cell.strip_prefix('-').unwrap_or_default();
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if formula && !number || control { format!("'{cell}") } else { cell.to_owned() }
}

fn json<R: Cells>(rows: &[R]) -> Result<Vec<u8>, serde_json::Error> {
    let objects: Vec<serde_json::Map<String, serde_json::Value>> = rows
        .iter()
        .map(|row| {
            R::COLUMNS
                .iter()
                .map(|&column| column.to_owned())
                .zip(row.cells().into_iter().map(Into::into))
                .collect()
        })
        .collect();
    serde_json::to_vec(&objects)
}

fn text(text: Option<&Text>) -> String {
    text.map_or(String::new(), |text| text.raw().to_owned())
}

fn at(moment: Option<&Moment>) -> String {
    moment.map_or(String::new(), |moment| moment.utc.clone())
}

fn joined(texts: &[Text]) -> String {
    texts.iter().map(Text::raw).collect::<Vec<_>>().join(" ")
}

impl Cells for PoolRow {
    const COLUMNS: &'static [&'static str] =
        &["pool", "dynamic", "total", "free", "leased", "dirty", "away", "waiting", "oldest_wait_since"];

    fn cells(&self) -> Vec<String> {
        let stock = self.stock;
        let counts = [stock.total(), stock.free, stock.leased, stock.dirty, stock.away, self.waiting];
        let mut cells = vec![self.name.raw().to_owned(), self.dynamic.to_string()];
        cells.extend(counts.iter().map(ToString::to_string));
        cells.push(at(self.oldest.as_ref()));
        cells
    }
}

impl Cells for ResourceRow {
    const COLUMNS: &'static [&'static str] = &[
        "resource",
        "pool",
        "state",
        "owner",
        "lease",
        "purpose",
        "since",
        "until",
        "drained",
        "drained_until",
        "labels",
    ];

    fn cells(&self) -> Vec<String> {
        let holder = self.holder.as_ref();
        let labels: Vec<String> =
            self.labels.iter().map(|(key, value)| format!("{}={}", key.raw(), value.raw())).collect();
        vec![
            self.name.raw().to_owned(),
            self.pool.raw().to_owned(),
            self.state.name.raw().to_owned(),
            text(holder.map(|holder| &holder.owner)),
            holder.map_or(String::new(), |holder| holder.lease.to_string()),
            text(holder.and_then(|holder| holder.purpose.as_ref())),
            at(holder.map(|holder| &holder.since)),
            at(holder.and_then(|holder| holder.until.as_ref())),
            text(self.drained.as_ref().map(|drained| &drained.why)),
            at(self.drained.as_ref().and_then(|drained| drained.until.as_ref())),
            labels.join(" "),
        ]
    }
}

impl Cells for LeaseRow {
    const COLUMNS: &'static [&'static str] =
        &["lease", "owner", "targets", "more", "purpose", "since", "until", "ended", "cause"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.holder.lease.to_string(),
            self.holder.owner.raw().to_owned(),
            joined(&self.targets),
            self.more.to_string(),
            text(self.holder.purpose.as_ref()),
            self.holder.since.utc.clone(),
            at(self.holder.until.as_ref()),
            at(self.ended.as_ref().map(|(_, at)| at)),
            text(self.ended.as_ref().map(|(how, _)| how)),
        ]
    }
}

impl Cells for WaitRow {
    const COLUMNS: &'static [&'static str] =
        &["request", "owner", "wants", "purpose", "position", "priority", "since"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.owner.raw().to_owned(),
            joined(&self.wants),
            text(self.purpose.as_ref()),
            self.position.map_or(String::new(), |position| position.to_string()),
            self.priority.to_string(),
            self.since.utc.clone(),
        ]
    }
}

impl Cells for JobRow {
    const COLUMNS: &'static [&'static str] =
        &["job", "owner", "target_manager", "phase", "targets", "more", "since", "next", "at", "why"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.owner.raw().to_owned(),
            self.manager.raw().to_owned(),
            self.phase.name.raw().to_owned(),
            joined(&self.targets),
            self.more.to_string(),
            self.since.utc.clone(),
            self.next.as_ref().map_or(String::new(), |(what, _)| (*what).to_owned()),
            at(self.next.as_ref().map(|(_, at)| at)),
            text(self.why.as_ref()),
        ]
    }
}

impl Cells for PluginRow {
    const COLUMNS: &'static [&'static str] =
        &["plugin", "kind", "state", "reason", "calls", "errors", "refused", "in_flight", "changed"];

    fn cells(&self) -> Vec<String> {
        let counts = [self.calls, self.errors, self.refused, self.in_flight];
        let mut cells = vec![self.name.raw().to_owned(), self.kind.raw().to_owned()];
        cells.extend([self.state.name.raw().to_owned(), text(self.reason.as_ref())]);
        cells.extend(counts.iter().map(ToString::to_string));
        cells.push(self.changed.utc.clone());
        cells
    }
}

impl Cells for EventRow {
    const COLUMNS: &'static [&'static str] =
        &["event", "at", "kind", "target", "pool", "lease", "request", "owner", "more"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.at.utc.clone(),
            self.kind.to_owned(),
            text(self.target.as_ref()),
            text(self.pool.as_ref()),
            self.lease.map_or(String::new(), |lease| lease.to_string()),
            self.request.map_or(String::new(), |request| request.to_string()),
            text(self.owner.as_ref()),
            self.words.raw().to_owned(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair(&'static str, &'static str);

    impl Cells for Pair {
        const COLUMNS: &'static [&'static str] = &["a", "b"];

        fn cells(&self) -> Vec<String> {
            vec![self.0.to_owned(), self.1.to_owned()]
        }
    }

    #[test]
    fn no_cell_is_a_formula_or_breaks_out() {
        let bytes = csv(&[Pair("=1+1", "a,\"b\"\nc"), Pair("@x", "plain")]).expect("writes");
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert_eq!(text, "a,b\r\n'=1+1,\"a,\"\"b\"\"\nc\"\r\n'@x,plain\r\n");
    }

    #[test]
    fn what_a_spreadsheet_skips_hides_no_formula() {
        for formula in [
            "=1",
            "+1",
            "-1+1",
            "-x",
            "-",
            "@x",
            " =1",
            "\t=1",
            "\r\n@x",
            "\u{a0}-1",
            "\u{feff}+1",
            "＝1",
            " ＠x",
            "\tplain",
        ] {
            assert_eq!(guarded(formula), format!("'{formula}"));
        }
        for plain in ["", "-5", "a=1", " a", "1-1", "ü", "é＝"] {
            assert_eq!(guarded(plain), plain);
        }
    }

    #[test]
    fn json_keeps_texts_as_they_are() {
        let bytes = json(&[Pair("=1", "\0")]).expect("writes");
        assert_eq!(String::from_utf8(bytes).expect("UTF-8"), r#"[{"a":"=1","b":"\u0000"}]"#);
    }
}
