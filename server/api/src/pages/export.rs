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
    fn cells(&self) -> Vec<Cell>;
}

/// A cell: in a CSV file it is text, in a JSON file what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Nothing,
    Text(String),
    Number(i64),
    Flag(bool),
    /// Names; with spaces between in a CSV file, in quotes if there are spaces or quotes in them.
    Names(Vec<String>),
    /// Labels; `key=value` in a CSV file.
    Pairs(Vec<(String, String)>),
}

impl Cell {
    /// As it is written in a CSV file.
    fn text(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Names(names) => joined(names.iter()),
            Self::Pairs(pairs) => joined(pairs.iter().map(|(key, value)| format!("{key}={value}"))),
        }
    }
}

/// Names, with spaces between.
fn joined<N: AsRef<str>>(names: impl Iterator<Item = N>) -> String {
    names.map(|name| lessor_filter::word(name.as_ref()).into_owned()).collect::<Vec<_>>().join(" ")
}

impl From<Cell> for serde_json::Value {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Nothing => Self::Null,
            Cell::Text(text) => text.into(),
            Cell::Number(number) => number.into(),
            Cell::Flag(flag) => flag.into(),
            Cell::Names(names) => names.into(),
            Cell::Pairs(pairs) => pairs.into_iter().map(|(key, value)| (key, Self::from(value))).collect(),
        }
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl<C: Into<Self>> From<Option<C>> for Cell {
    fn from(cell: Option<C>) -> Self {
        cell.map_or(Self::Nothing, Into::into)
    }
}

impl From<&Text> for Cell {
    fn from(text: &Text) -> Self {
        Self::Text(text.raw().to_owned())
    }
}

impl From<&[Text]> for Cell {
    fn from(names: &[Text]) -> Self {
        Self::Names(names.iter().map(|name| name.raw().to_owned()).collect())
    }
}

impl From<&Moment> for Cell {
    fn from(moment: &Moment) -> Self {
        Self::Text(moment.utc.clone())
    }
}

impl Format {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Json => "application/json",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

/// A file in the making. It has all rows, or there is none.
#[derive(Debug)]
pub(crate) struct File {
    format: Format,
    what: &'static str,
    /// By which keys it could be narrowed.
    keys: Vec<&'static str>,
    bytes: Vec<u8>,
}

impl File {
    /// One without rows, for a list of `what` that has these keys.
    pub(crate) fn new<R: Cells>(
        format: Format,
        what: &'static str,
        keys: &[&'static str],
    ) -> Result<Self, Problem> {
        let mut file = Self { format, what, keys: keys.to_vec(), bytes: Vec::new() };
        if format == Format::Csv {
            file.csv([R::COLUMNS]).map_err(|error| Problem::internal(&error))?;
        }
        Ok(file)
    }

    /// Adds rows.
    ///
    /// # Errors
    /// A problem if it would have more than [`EXPORT_BYTES_MAX`].
    pub(crate) fn add<R: Cells>(&mut self, rows: &[R]) -> Result<(), Problem> {
        for rows in rows.chunks(ROWS_BETWEEN_LOOKS) {
            let added =
                match self.format {
                    Format::Csv => self
                        .csv(rows.iter().map(|row| {
                            row.cells().iter().map(|cell| guarded(&cell.text())).collect::<Vec<_>>()
                        }))
                        .map_err(|error| Problem::internal(&error)),
                    Format::Json => self.json(rows).map_err(|error| Problem::internal(&error)),
                };
            added?;
            if self.bytes.len() > EXPORT_BYTES_MAX {
                let mebibytes = EXPORT_BYTES_MAX >> 20;
                let why = format!("finds more than the {mebibytes} MiB that a file may have");
                return Err(too_much(why, &self.keys));
            }
        }
        Ok(())
    }

    /// The file as an answer.
    pub(crate) fn answer(mut self) -> Response {
        let Self { format, what, .. } = self;
        if format == Format::Json {
            let empty = self.bytes.is_empty();
            self.bytes.extend_from_slice(if empty { b"[]" } else { b"]" });
        }
        let headers = [
            (header::CONTENT_TYPE, format.media_type().to_owned()),
            (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{what}.{}\"", format.extension())),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
            (header::CACHE_CONTROL, "private, no-cache".to_owned()),
        ];
        (headers, self.bytes).into_response()
    }

    fn csv<C: AsRef<[u8]>>(
        &mut self,
        rows: impl IntoIterator<Item = impl IntoIterator<Item = C>>,
    ) -> Result<(), csv::Error> {
        let mut writer =
            csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(&mut self.bytes);
        rows.into_iter().try_for_each(|row| writer.write_record(row))?;
        writer.flush()?;
        Ok(())
    }

    fn json<R: Cells>(&mut self, rows: &[R]) -> Result<(), serde_json::Error> {
        for row in rows {
            self.bytes.push(if self.bytes.is_empty() { b'[' } else { b',' });
            let cells = row.cells().into_iter().map(Into::into);
            let object: serde_json::Map<String, serde_json::Value> =
                R::COLUMNS.iter().map(|&column| column.to_owned()).zip(cells).collect();
            serde_json::to_writer(&mut self.bytes, &object)?;
        }
        Ok(())
    }
}

/// Rows that are written before it is looked how large a file has become.
const ROWS_BETWEEN_LOOKS: usize = 100;

/// There is no file, because the filter leaves more than so many rows to be looked at.
pub(crate) fn too_many(rows: usize, keys: &[&str]) -> Problem {
    too_much(format!("is about more than the {rows} rows that are looked at for a file"), keys)
}

/// Why there is no file of a list with these keys: a part of one would be taken for the whole.
pub(crate) fn too_much(why: impl std::fmt::Display, keys: &[&str]) -> Problem {
    let keys: Vec<String> = keys.iter().map(|key| format!("{key}:")).collect();
    Problem::invalid("filter", format!("{why}; narrow it, as with {}", keys.join(", ")))
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

impl Cells for PoolRow {
    const COLUMNS: &'static [&'static str] =
        &["pool", "dynamic", "total", "free", "leased", "dirty", "away", "waiting", "oldest_wait_since"];

    fn cells(&self) -> Vec<Cell> {
        let stock = self.stock;
        let counts = [stock.total(), stock.free, stock.leased, stock.dirty, stock.away, self.waiting];
        let mut cells = vec![(&self.name).into(), Cell::Flag(self.dynamic)];
        cells.extend(counts.map(Cell::from));
        cells.push(self.oldest.as_ref().into());
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

    fn cells(&self) -> Vec<Cell> {
        let holder = self.holder.as_ref();
        let label = |(key, value): &(Text, Text)| (key.raw().to_owned(), value.raw().to_owned());
        vec![
            (&self.name).into(),
            (&self.pool).into(),
            (&self.state.name).into(),
            holder.map(|holder| &holder.owner).into(),
            holder.map(|holder| holder.lease).into(),
            holder.and_then(|holder| holder.purpose.as_ref()).into(),
            holder.map(|holder| &holder.since).into(),
            holder.and_then(|holder| holder.until.as_ref()).into(),
            self.drained.as_ref().map(|drained| &drained.why).into(),
            self.drained.as_ref().and_then(|drained| drained.until.as_ref()).into(),
            Cell::Pairs(self.labels.iter().map(label).collect()),
        ]
    }
}

impl Cells for LeaseRow {
    const COLUMNS: &'static [&'static str] =
        &["lease", "owner", "targets", "purpose", "since", "until", "ended", "cause"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            self.holder.lease.into(),
            (&self.holder.owner).into(),
            self.targets.as_slice().into(),
            self.holder.purpose.as_ref().into(),
            (&self.holder.since).into(),
            self.holder.until.as_ref().or(self.lapsed.as_ref()).into(),
            self.ended.as_ref().map(|(_, at)| at).into(),
            self.ended.as_ref().map(|(how, _)| how).into(),
        ]
    }
}

impl Cells for WaitRow {
    const COLUMNS: &'static [&'static str] =
        &["request", "owner", "wants", "purpose", "position", "priority", "since"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            self.id.into(),
            (&self.owner).into(),
            self.wants.as_slice().into(),
            self.purpose.as_ref().into(),
            self.position.into(),
            Cell::Number(self.priority.into()),
            (&self.since).into(),
        ]
    }
}

impl Cells for JobRow {
    const COLUMNS: &'static [&'static str] =
        &["job", "owner", "target_manager", "phase", "targets", "since", "next", "at", "why"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            self.id.into(),
            (&self.owner).into(),
            (&self.manager).into(),
            (&self.phase.name).into(),
            self.targets.as_slice().into(),
            (&self.since).into(),
            self.next.as_ref().map_or(Cell::Nothing, |(what, _)| Cell::Text((*what).to_owned())),
            self.next.as_ref().map(|(_, at)| at).into(),
            self.why.as_ref().into(),
        ]
    }
}

impl Cells for PluginRow {
    const COLUMNS: &'static [&'static str] =
        &["plugin", "kind", "state", "reason", "calls", "errors", "refused", "in_flight", "changed"];

    fn cells(&self) -> Vec<Cell> {
        let mut cells: Vec<Cell> = vec![(&self.name).into(), (&self.kind).into(), (&self.state.name).into()];
        cells.push(self.reason.as_ref().into());
        cells.extend([self.calls, self.errors, self.refused, self.in_flight].map(Cell::from));
        cells.push(self.changed.as_ref().into());
        cells
    }
}

impl Cells for EventRow {
    const COLUMNS: &'static [&'static str] =
        &["event", "at", "kind", "target", "pool", "lease", "request", "owner", "more"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            self.id.into(),
            (&self.at).into(),
            Cell::Text(self.kind.to_owned()),
            self.target.as_ref().into(),
            self.pool.as_ref().into(),
            self.lease.into(),
            self.request.into(),
            self.owner.as_ref().into(),
            (&self.words).into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair(&'static str, &'static str);

    impl Cells for Pair {
        const COLUMNS: &'static [&'static str] = &["a", "b"];

        fn cells(&self) -> Vec<Cell> {
            vec![Cell::Text(self.0.to_owned()), Cell::Text(self.1.to_owned())]
        }
    }

    fn written(format: Format, pieces: &[&[Pair]]) -> String {
        let mut file = File::new::<Pair>(format, "pairs", &["name"]).expect("begins");
        for rows in pieces {
            file.add(rows).expect("it is small");
        }
        let answer = file.answer().into_body();
        let bytes = futures_util::FutureExt::now_or_never(axum::body::to_bytes(answer, usize::MAX));
        String::from_utf8(bytes.expect("it is there").expect("it is whole").into()).expect("UTF-8")
    }

    #[test]
    fn no_cell_is_a_formula_or_breaks_out() {
        let text = written(Format::Csv, &[&[Pair("=1+1", "a,\"b\"\nc")], &[Pair("@x", "plain")]]);
        assert_eq!(text, "a,b\r\n'=1+1,\"a,\"\"b\"\"\nc\"\r\n'@x,plain\r\n");
        assert_eq!(written(Format::Csv, &[]), "a,b\r\n");
    }

    #[test]
    fn a_cell_is_what_it_is() {
        let names = Cell::Names(vec!["a".into(), "b c".into(), "d\"e".into()]);
        assert_eq!(names.text(), r#"a "b c" "d\"e""#);
        assert_eq!(serde_json::Value::from(names), serde_json::json!(["a", "b c", "d\"e"]));
        let pairs = Cell::Pairs(vec![("site".into(), "ber".into()), ("x".into(), "1 2".into())]);
        assert_eq!(pairs.text(), r#"site=ber "x=1 2""#);
        assert_eq!(serde_json::Value::from(pairs), serde_json::json!({"site": "ber", "x": "1 2"}));
        assert_eq!(serde_json::Value::from(Cell::from(7)), serde_json::json!(7));
        assert_eq!(serde_json::Value::from(Cell::from(None::<u64>)), serde_json::Value::Null);
    }

    #[test]
    fn what_is_too_large_is_no_file() {
        let long: &'static str = "w".repeat(EXPORT_BYTES_MAX / 4).leak();
        for format in [Format::Csv, Format::Json] {
            let mut file = File::new::<Pair>(format, "pairs", &["name"]).expect("begins");
            assert!(file.add(&[Pair(long, long)]).is_ok());
            let problem = file.add(&[Pair(long, long)]).expect_err("it is too large");
            assert!(problem.detail().contains("more than the 32 MiB"), "{}", problem.detail());
        }
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
        let text = written(Format::Json, &[&[Pair("=1", "\0")], &[Pair("", "x")]]);
        assert_eq!(text, r#"[{"a":"=1","b":"\u0000"},{"a":"","b":"x"}]"#);
        assert_eq!(written(Format::Json, &[]), "[]");
    }
}
