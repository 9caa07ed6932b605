//! The Gantt chart: who held what when.

use askama::Template;

use super::{coordinate, share};
use crate::text::Text;

/// Width of the chart without the names, in units of the picture.
const WIDTH: f64 = 720.0;
/// Width of the names.
const NAMES: f64 = 140.0;
/// Most characters of a name that fit there.
const NAME_CHARS_MAX: usize = 20;
/// Height of one lane.
const LANE: f64 = 22.0;
/// Height of the ticks.
const TICKS: f64 = 18.0;
/// Fewest units that a span is drawn wide, so that it can be seen and pointed at.
const WIDTH_MIN: f64 = 2.0;

/// How much time a chart shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Window {
    /// One hour.
    Hour,
    /// 24 hours.
    #[default]
    Day,
    /// Seven days.
    Week,
}

impl Window {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// As it is written in a query.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    /// The window of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.name() == name)
    }

    /// How long it is, in seconds.
    #[must_use]
    pub fn seconds(self) -> u64 {
        match self {
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Week => 604_800,
        }
    }

    /// Its ticks: seconds before the end, and what they are called.
    fn ticks(self) -> [(u64, &'static str); 4] {
        match self {
            Self::Hour => [(3_600, "1 h ago"), (2_400, "40 min"), (1_200, "20 min"), (0, "now")],
            Self::Day => [(86_400, "24 h ago"), (57_600, "16 h"), (28_800, "8 h"), (0, "now")],
            Self::Week => [(604_800, "7 d ago"), (432_000, "5 d"), (172_800, "2 d"), (0, "now")],
        }
    }
}

/// One row of a chart.
#[derive(Clone, Debug)]
pub struct Lane {
    /// What it is about.
    pub name: Text,
    /// Where more is to be read about it.
    pub href: String,
    /// What was held, in any order.
    pub spans: Vec<Span>,
}

/// One lease on one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// When it began, in seconds before now.
    pub from: u64,
    /// When it ended, in seconds before now; `None` if it has not.
    pub to: Option<u64>,
    /// Who held it.
    pub owner: Text,
    /// By which lease.
    pub lease: u64,
    /// When it began and ended, in words.
    pub words: String,
}

/// A chart.
#[derive(Clone, Debug, Template)]
#[template(path = "chart/gantt.svg")]
pub struct Gantt {
    words: String,
    height: String,
    bottom: String,
    ticks: Vec<Tick>,
    lanes: Vec<DrawnLane>,
}

#[derive(Clone, Debug)]
struct Tick {
    x: String,
    words: &'static str,
    anchor: &'static str,
}

#[derive(Clone, Debug)]
struct DrawnLane {
    name: String,
    href: String,
    y: String,
    baseline: String,
    spans: Vec<DrawnSpan>,
}

#[derive(Clone, Debug)]
struct DrawnSpan {
    x: String,
    width: String,
    class: &'static str,
    lease: u64,
    title: String,
}

impl Gantt {
    /// The chart of these lanes. What lies outside of the window is left out.
    #[must_use]
    pub fn of(window: Window, lanes: &[Lane]) -> Self {
        let whole = window.seconds();
        let mut y = TICKS;
        let drawn = lanes.iter().map(|lane| {
            let spans = lane.spans.iter().filter_map(|span| span.drawn(whole));
            let drawn = DrawnLane {
                name: short(&lane.name),
                href: lane.href.clone(),
                y: coordinate(y + 3.0),
                baseline: coordinate(y + 15.0),
                spans: spans.collect(),
            };
            y += LANE;
            drawn
        });
        let drawn: Vec<DrawnLane> = drawn.collect();
        let ticks = window.ticks().into_iter().enumerate().map(|(index, (ago, words))| Tick {
            x: coordinate(NAMES + WIDTH - share(ago, whole, WIDTH)),
            words,
            anchor: match index {
                0 => "start",
                3 => "end",
                _ => "middle",
            },
        });
        let leases: usize = drawn.iter().map(|lane| lane.spans.len()).sum();
        let words = format!(
            "Who held what in the last {}: {leases} leases on {} targets",
            window.name(),
            lanes.len()
        );
        Self {
            words,
            height: coordinate(y + 2.0),
            bottom: coordinate(y),
            ticks: ticks.collect(),
            lanes: drawn,
        }
    }
}

/// A name that fits before its lane.
fn short(name: &Text) -> String {
    let shown = name.to_string();
    if shown.chars().count() <= NAME_CHARS_MAX {
        return shown;
    }
    shown.chars().take(NAME_CHARS_MAX - 1).chain(['…']).collect()
}

impl Span {
    fn drawn(&self, whole: u64) -> Option<DrawnSpan> {
        let end = self.to.unwrap_or(0);
        if end >= whole {
            return None;
        }
        let right = WIDTH - share(end, whole, WIDTH);
        let left = WIDTH - share(self.from, whole, WIDTH);
        let left = left.min(right - WIDTH_MIN).max(0.0);
        // Neighbours of one owner are told apart by their edges, owners by one of six colours.
        let colours = ["c0", "c1", "c2", "c3", "c4", "c5"];
        let class =
            colours[usize::try_from(crate::asset::hash(self.owner.raw().as_bytes()) % 6).unwrap_or(0)];
        Some(DrawnSpan {
            x: coordinate(NAMES + left),
            width: coordinate((right - left).max(WIDTH_MIN)),
            class,
            lease: self.lease,
            title: format!("{}, lease {}: {}", self.owner, self.lease, self.words),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: u64, to: Option<u64>) -> Span {
        Span { from, to, owner: "<ann>".into(), lease: 7, words: "12:00 to 12:10".into() }
    }

    fn drawn(from: u64, to: Option<u64>) -> Option<(String, String)> {
        span(from, to).drawn(3_600).map(|span| (span.x, span.width))
    }

    #[test]
    fn spans_lie_on_the_line_of_time() {
        let at = |x: &str, width: &str| Some((x.to_owned(), width.to_owned()));
        assert_eq!(drawn(3_600, Some(1_800)), at("140", "360"));
        assert_eq!(drawn(1_800, None), at("500", "360"));
        assert_eq!(drawn(100_000, None), at("140", "720"), "what began earlier is cut");
        assert_eq!(drawn(0, None), at("858", "2"), "what has just begun can be seen");
        assert_eq!(drawn(9_000, Some(3_600)), None, "what ended earlier is left out");
    }

    #[test]
    fn the_chart_escapes_what_users_wrote() {
        let lane = Lane { name: "a<b".into(), href: "/resources/a".into(), spans: vec![span(60, None)] };
        let svg = Gantt::of(Window::Hour, &[lane]).render().expect("renders");
        assert!(!svg.contains("<ann>") && !svg.contains("a<b"), "{svg}");
        assert!(svg.contains("1 leases on 1 targets"), "{svg}");
    }

    #[test]
    fn windows_are_found_by_their_names() {
        for window in Window::ALL {
            assert_eq!(Window::named(window.name()), Some(window));
        }
        assert_eq!(Window::named("1y"), None);
    }
}
