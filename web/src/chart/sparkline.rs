//! The sparkline: how much of a pool was leased, over the last 24 hours.

use std::fmt::Write as _;

use askama::Template;

use super::coordinate;

/// Height of the picture, in its units.
const HEIGHT: f64 = 24.0;
/// Width of one point.
const STEP: f64 = 2.5;
/// How long one point is.
const QUARTER_SECONDS: i64 = 15 * 60;

/// A sparkline.
#[derive(Clone, Debug, Template)]
#[template(path = "chart/sparkline.svg")]
pub struct Sparkline {
    words: String,
    width: String,
    area: String,
    line: String,
}

impl Sparkline {
    /// From shares in percent, of a quarter of an hour each, the oldest first and the last one not over yet; `None` where
    /// nothing is known. `mean` is the share of all the time that is known.
    #[must_use]
    pub fn of(percents: &[Option<u8>], mean: Option<u8>) -> Self {
        let (mut area, mut line) = (String::new(), String::new());
        let (mut runs, mut run) = (Vec::new(), Vec::new());
        let mut x = 0.0;
        for percent in percents {
            match percent {
                Some(percent) => {
                    let y = HEIGHT - 1.0 - f64::from((*percent).min(100)) / 100.0 * (HEIGHT - 2.0);
                    run.push((x, y));
                }
                None => runs.push(std::mem::take(&mut run)),
            }
            x += STEP;
        }
        runs.push(run);
        for run in runs.iter().filter(|run| !run.is_empty()) {
            draw(run, &mut area, &mut line);
        }
        Self { words: words(percents, mean), width: coordinate(x), area, line }
    }

    /// What it shows, in words.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }
}

fn draw(run: &[(f64, f64)], area: &mut String, line: &mut String) {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return };
    let mut points = String::new();
    for (x, y) in run {
        // Writing to a string cannot fail.
        let _ = write!(points, "L{} {}", coordinate(*x), coordinate(*y));
        let _ = write!(points, "H{}", coordinate(x + STEP));
    }
    let _ = write!(line, "M{}", &points[1..]);
    let (left, right) = (coordinate(first.0), coordinate(last.0 + STEP));
    let _ = write!(area, "M{left} {HEIGHT}{points}L{right} {HEIGHT}Z");
}

fn words(percents: &[Option<u8>], mean: Option<u8>) -> String {
    let known = percents.iter().flatten();
    let (Some(mean), Some(most)) = (mean, known.clone().max()) else {
        return "Use over 24 hours: nothing known yet".to_owned();
    };
    let quarters = known.count();
    let time = match quarters {
        1 => "in this quarter of an hour".to_owned(),
        _ if quarters < percents.len() => {
            let seconds = i64::try_from(quarters).unwrap_or(i64::MAX).saturating_mul(QUARTER_SECONDS);
            format!("over the {} that are known", crate::length(seconds))
        }
        _ => "over 24 hours".to_owned(),
    };
    let last = match percents.last() {
        Some(Some(last)) if quarters > 1 => format!(", {last} % in this quarter of an hour"),
        _ => String::new(),
    };
    format!("Use {time}: {mean} % on average, {most} % at most{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_left_open() {
        let line = Sparkline::of(&[Some(0), None, Some(100), Some(50)], Some(60));
        assert_eq!(line.line, "M0 23H2.5M5 1H7.5L7.5 12H10");
        assert_eq!(line.area, "M0 24L0 23H2.5L2.5 24ZM5 24L5 1H7.5L7.5 12H10L10 24Z");
    }

    #[test]
    fn words_say_how_much_of_the_time_is_known() {
        let words = |percents: &[Option<u8>]| Sparkline::of(percents, Some(60)).words;
        assert_eq!(
            words(&[Some(0), Some(100), Some(50)]),
            "Use over 24 hours: 60 % on average, 100 % at most, 50 % in this quarter of an hour"
        );
        assert_eq!(
            words(&[None, Some(100), Some(50)]),
            "Use over the 30 min that are known: 60 % on average, 100 % at most, 50 % in this quarter of an hour"
        );
        assert_eq!(
            words(&[None, None, Some(60)]),
            "Use in this quarter of an hour: 60 % on average, 60 % at most"
        );
    }

    #[test]
    fn nothing_known_is_said() {
        let line = Sparkline::of(&[None, None], None);
        assert_eq!((line.line.as_str(), line.area.as_str()), ("", ""));
        assert_eq!(line.words(), "Use over 24 hours: nothing known yet");
    }
}
