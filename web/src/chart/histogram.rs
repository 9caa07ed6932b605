//! The histogram: how long those who got something had waited for it.

use askama::Template;

use super::{coordinate, share};

/// Height of the highest column, in units of the picture.
const HEIGHT: f64 = 60.0;
/// Width of one column with the gap after it.
const STEP: f64 = 40.0;

/// Room for marks that are wider than the first or last column.
const MARGIN: f64 = 6.0;

/// A histogram of waiting times.
#[derive(Clone, Debug, Template)]
#[template(path = "chart/histogram.svg")]
pub struct Histogram {
    words: String,
    width: String,
    columns: Vec<Column>,
}

#[derive(Clone, Debug)]
struct Column {
    x: String,
    middle: String,
    y: String,
    height: String,
    label: String,
    count: u64,
    /// Which percentiles lie in it.
    marks: String,
}

impl Histogram {
    /// From counts with the upper bound of each in words; the median and the 95th percentile are marked on the columns
    /// that they lie in.
    #[must_use]
    pub fn of(columns: &[(String, u64)]) -> Self {
        let most = columns.iter().map(|(_, count)| *count).max().unwrap_or(0);
        let total: u64 = columns.iter().map(|(_, count)| count).sum();
        let (half, most_of_them) = (at_percentile(columns, 50), at_percentile(columns, 95));
        let mut x = MARGIN;
        let drawn = columns.iter().enumerate().map(|(index, (label, count))| {
            let height = share(*count, most, HEIGHT);
            let marks = match (half == Some(index), most_of_them == Some(index)) {
                (true, true) => "p50 p95",
                (true, false) => "p50",
                (false, true) => "p95",
                (false, false) => "",
            };
            let column = Column {
                x: coordinate(x),
                middle: coordinate(x + (STEP - 4.0) / 2.0),
                y: coordinate(HEIGHT + 24.0 - height),
                height: coordinate(height),
                label: label.clone(),
                count: *count,
                marks: marks.to_owned(),
            };
            x += STEP;
            column
        });
        let drawn: Vec<Column> = drawn.collect();
        let bound = |index: Option<usize>| {
            index.and_then(|index| columns.get(index)).map(|(label, _)| label.as_str())
        };
        let words = match (bound(half), bound(most_of_them)) {
            (Some(half), Some(most)) => {
                let grants = if total == 1 { "grant" } else { "grants" };
                format!("{total} {grants} after waiting: half within {half}, 95 % within {most}")
            }
            _ => "Nobody had to wait".to_owned(),
        };
        Self { words, width: coordinate(x + MARGIN - 4.0), columns: drawn }
    }

    /// What it shows, in words.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }
}

/// The column in which this percentile lies.
fn at_percentile(columns: &[(String, u64)], percent: u64) -> Option<usize> {
    let total: u64 = columns.iter().map(|(_, count)| count).sum();
    let rank = (total * percent).div_ceil(100).max(1);
    let mut seen = 0;
    columns.iter().position(|(_, count)| {
        seen += count;
        total > 0 && seen >= rank
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(counts: &[u64]) -> Vec<(String, u64)> {
        counts.iter().enumerate().map(|(index, &count)| (format!("{index} s"), count)).collect()
    }

    #[test]
    fn percentiles_lie_where_they_should() {
        assert_eq!(at_percentile(&columns(&[1]), 50), Some(0));
        assert_eq!(at_percentile(&columns(&[50, 44, 1, 5]), 95), Some(2));
        assert_eq!(at_percentile(&columns(&[50, 44, 0, 6]), 95), Some(3));
        assert_eq!(at_percentile(&columns(&[50, 50]), 50), Some(0));
        assert_eq!(at_percentile(&columns(&[49, 51]), 50), Some(1));
        assert_eq!(at_percentile(&columns(&[0, 0]), 50), None);
    }

    #[test]
    fn it_says_what_it_shows() {
        let histogram = Histogram::of(&columns(&[3, 0, 1]));
        assert_eq!(histogram.words(), "4 grants after waiting: half within 0 s, 95 % within 2 s");
        assert_eq!(histogram.columns[2].marks, "p95");
        assert_eq!(Histogram::of(&columns(&[0])).words(), "Nobody had to wait");
    }
}
