//! The Gantt chart: who held what when.

use std::collections::BTreeMap;
use std::fmt::Write as _;

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
/// Most units that leases which are drawn as one bar are wide together, with the time between them: more could be taken for
/// one lease.
const TOGETHER_MAX: f64 = 4.0;
/// Most bars of a chart that all say who it was, when you point at them: 6 kB on the wire.
const NAMED_MAX: usize = 150;
/// Bars that say so, the longest ones, of a chart that has more: together with 1,500 that do not, 8 kB.
const NAMED_OF_MANY: usize = 60;
/// Owners that are named of leases which are drawn as one.
const OWNERS_NAMED: usize = 3;

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
    /// Since when it is known who held it, in seconds before now; `None` if for all of the time that is shown.
    pub known: Option<u64>,
    /// Whether what happened before that is left out, and not forgotten.
    pub cut: bool,
    /// What was held, the last first.
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
    /// When it began, RFC 3339 in UTC; `None` if that was before what is known.
    pub began: Option<String>,
    /// When it ended.
    pub ended: Option<String>,
    /// How it ended.
    pub how: Option<&'static str>,
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
    notes: Vec<&'static str>,
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
    /// Where what is known begins.
    known: Option<String>,
    /// Bars without a name, by their colour.
    plain: Vec<(&'static str, String)>,
    bars: Vec<DrawnBar>,
}

#[derive(Clone, Debug)]
struct DrawnBar {
    x: String,
    width: String,
    class: &'static str,
    href: String,
    title: String,
}

impl Gantt {
    /// The chart of these lanes. What lies outside of the window is left out; leases that are too short to be drawn one by
    /// one are drawn together; if there are many bars, only the longest ones have names.
    #[must_use]
    pub fn of(window: Window, lanes: &[Lane]) -> Self {
        let whole = window.seconds();
        let bars: Vec<Vec<Bar<'_>>> = lanes.iter().map(|lane| lane_bars(lane, whole)).collect();
        let (mut quota, shortest) = named(&bars);
        let all_named = shortest == 0.0;
        let (mut y, mut several, mut cut, mut forgotten) = (TICKS, false, false, false);
        let drawn = lanes.iter().zip(bars).map(|(lane, bars)| {
            let (named, plain): (Vec<_>, Vec<_>) = bars.iter().partition(|bar| {
                let has_name = bar.width() >= shortest && quota > 0;
                quota -= usize::from(has_name);
                has_name
            });
            several |= named.iter().any(|bar| bar.spans.len() > 1);
            let known = lane.known.filter(|&known| known < whole);
            cut |= known.is_some() && lane.cut;
            forgotten |= known.is_some() && !lane.cut;
            let drawn = DrawnLane {
                name: short(&lane.name),
                href: lane.href.clone(),
                y: coordinate(y + 3.0),
                baseline: coordinate(y + 15.0),
                known: known.map(|known| coordinate(WIDTH - share(known, whole, WIDTH))),
                plain: plain_paths(&plain, y + 11.0),
                bars: named.iter().map(|bar| bar.drawn(lane)).collect(),
            };
            y += LANE;
            drawn
        });
        let drawn: Vec<DrawnLane> = drawn.collect();
        let notes = [
            (cut, "Hatched is the time of which is not shown who held it: more happened than fits here."),
            (forgotten && !cut, "Hatched is the time of which events are not kept any more."),
            (several, "Dotted is more than one lease."),
            (
                !all_named,
                "Of so many leases only the longest say who it was: the page of a resource has more of them.",
            ),
        ];
        Self {
            words: words(window, lanes),
            height: coordinate(y + 2.0),
            bottom: coordinate(y),
            ticks: ticks(window),
            lanes: drawn,
            notes: notes.into_iter().filter(|(said, _)| *said).map(|(_, words)| words).collect(),
        }
    }

    /// What is to be known to read it.
    #[must_use]
    pub fn notes(&self) -> &[&'static str] {
        &self.notes
    }
}

fn ticks(window: Window) -> Vec<Tick> {
    let tick = |(index, (ago, words)): (usize, (u64, &'static str))| Tick {
        x: coordinate(NAMES + WIDTH - share(ago, window.seconds(), WIDTH)),
        words,
        anchor: match index {
            0 => "start",
            3 => "end",
            _ => "middle",
        },
    };
    window.ticks().into_iter().enumerate().map(tick).collect()
}

fn words(window: Window, lanes: &[Lane]) -> String {
    let shown = |span: &&Span| span.to.unwrap_or(0) < window.seconds();
    let leases = lanes.iter().flat_map(|lane| &lane.spans).filter(shown).count();
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (leases, targets) = (counted(leases, "lease"), counted(lanes.len(), "target"));
    let cut = lanes.iter().any(|lane| lane.known.is_some_and(|known| known < window.seconds()));
    let least = if cut { "at least " } else { "" };
    format!("Who held what in the last {}: {least}{leases} on {targets}", window.name())
}

/// Leases that are drawn as one bar, the last first, and where it is.
struct Bar<'a> {
    left: f64,
    right: f64,
    spans: Vec<&'a Span>,
}

/// How many bars have a name, and how wide the narrowest of them is: 0 if all have one.
fn named(bars: &[Vec<Bar<'_>>]) -> (usize, f64) {
    let mut widths: Vec<f64> = bars.iter().flatten().map(Bar::width).collect();
    if widths.len() <= NAMED_MAX {
        return (widths.len(), 0.0);
    }
    widths.sort_unstable_by(f64::total_cmp);
    (NAMED_OF_MANY, widths[widths.len() - NAMED_OF_MANY])
}

/// Bars as one line of each colour, in whole units: a line is 4 bytes for each bar on the wire, a bar of its own is 40.
fn plain_paths(bars: &[&Bar<'_>], y: f64) -> Vec<(&'static str, String)> {
    let mut paths: BTreeMap<&'static str, (String, f64)> = BTreeMap::new();
    for bar in bars.iter().rev() {
        let (left, width) = ((NAMES + bar.left).round(), bar.width().round());
        let (path, end) = paths.entry(bar.colour()).or_default();
        let written = if path.is_empty() {
            write!(path, "M{left} {y}h{width}")
        } else {
            write!(path, "m{} 0h{width}", left - *end)
        };
        written.expect("a string takes everything");
        *end = left + width;
    }
    paths.into_iter().map(|(colour, (path, _))| (colour, path)).collect()
}

/// The bars of a lane, the last first. Leases that together are hardly wider than one can be are one bar.
fn lane_bars(lane: &Lane, whole: u64) -> Vec<Bar<'_>> {
    let mut bars: Vec<Bar<'_>> = Vec::new();
    for span in &lane.spans {
        let end = span.to.unwrap_or(0);
        if end >= whole {
            continue;
        }
        let right = WIDTH - share(end, whole, WIDTH);
        let left = (WIDTH - share(span.from, whole, WIDTH)).min(right - WIDTH_MIN).max(0.0);
        match bars.last_mut() {
            Some(bar) if bar.right - left <= TOGETHER_MAX => {
                bar.left = bar.left.min(left);
                bar.spans.push(span);
            }
            _ => bars.push(Bar { left, right, spans: vec![span] }),
        }
    }
    bars
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
    /// When, and how it ended.
    fn words(&self) -> String {
        match (&self.began, &self.ended) {
            (Some(began), None) => format!("since {began}"),
            (None, None) => "since before what is shown".to_owned(),
            (began, Some(ended)) => {
                let began = began.as_deref().unwrap_or("before what is shown");
                let how = self.how.map_or(String::new(), |how| format!(", {how}"));
                format!("{began} to {ended}{how}")
            }
        }
    }
}

impl Bar<'_> {
    fn width(&self) -> f64 {
        (self.right - self.left).max(WIDTH_MIN)
    }

    fn colour(&self) -> &'static str {
        match self.spans.as_slice() {
            [span] => colour(&span.owner),
            _ => "several",
        }
    }

    fn drawn(&self, lane: &Lane) -> DrawnBar {
        let (href, title) = match self.spans.as_slice() {
            [span] => (
                crate::link::lease(span.lease),
                format!("{}, lease {}: {}", span.owner, span.lease, span.words()),
            ),
            spans if spans.iter().any(|span| span.to.is_none()) => (lane.href.clone(), together(spans)),
            spans => {
                let filter = format!("{} is:ended", lessor_filter::term("target", lane.name.raw()));
                (crate::link::with("/leases", &[("q", &filter)]), together(spans))
            }
        };
        let (x, width) = (coordinate(NAMES + self.left), coordinate(self.width()));
        DrawnBar { x, width, class: self.colour(), href, title }
    }
}

/// One of six colours. Neighbours of one owner are told apart by their edges.
fn colour(owner: &Text) -> &'static str {
    let colours = ["c0", "c1", "c2", "c3", "c4", "c5"];
    colours[usize::try_from(crate::asset::hash(owner.raw().as_bytes()) % 6).unwrap_or(0)]
}

/// What is drawn as one, in words.
fn together(spans: &[&Span]) -> String {
    let mut owners: Vec<&Text> = spans.iter().map(|span| &span.owner).collect();
    owners.sort_unstable();
    owners.dedup();
    let named: Vec<String> = owners.iter().take(OWNERS_NAMED).map(ToString::to_string).collect();
    let more = owners.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let began = spans.last().and_then(|span| span.began.as_deref()).unwrap_or("before what is shown");
    let ended = spans.first().and_then(|span| span.ended.as_deref()).unwrap_or("now");
    format!("{} leases of {}{more}: {began} to {ended}", spans.len(), named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: u64, to: Option<u64>) -> Span {
        Span {
            from,
            to,
            owner: "<ann>".into(),
            lease: 7,
            began: Some("12:00".into()),
            ended: to.map(|_| "12:10".into()),
            how: to.map(|_| "released"),
        }
    }

    fn lane(spans: Vec<Span>) -> Lane {
        Lane { name: "a<b".into(), href: "/resources/a".into(), known: None, cut: false, spans }
    }

    fn drawn(from: u64, to: Option<u64>) -> Option<(String, String)> {
        let lane = lane(vec![span(from, to)]);
        let bars = lane_bars(&lane, 3_600);
        bars.first().map(|bar| bar.drawn(&lane)).map(|bar| (bar.x, bar.width))
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
        let chart = Gantt::of(Window::Hour, &[lane(vec![span(60, None)])]);
        let svg = chart.render().expect("renders");
        assert!(!svg.contains("<ann>") && !svg.contains("a<b"), "{svg}");
        assert!(svg.contains("1 lease on 1 target"), "{svg}");
        assert_eq!(chart.notes(), [""; 0]);
    }

    #[test]
    fn what_is_too_short_to_be_seen_is_drawn_together() {
        // A second each, with a second between: five seconds are a unit.
        let spans = (0..5).map(|n| span(2 * n + 1, Some(2 * n))).collect();
        let chart = Gantt::of(Window::Hour, &[lane(spans)]);
        assert!(chart.words.contains("5 leases on 1 target"), "{}", chart.words);
        let [bar] = chart.lanes[0].bars.as_slice() else { panic!("{:?}", chart.lanes) };
        assert_eq!((bar.class, bar.title.as_str()), ("several", "5 leases of <ann>: 12:00 to 12:10"));
        assert_eq!(chart.notes(), ["Dotted is more than one lease."]);
    }

    #[test]
    fn of_many_bars_the_longest_have_names_and_no_idle_time_is_drawn() {
        // Each 60 s, with as much between: 12 units each. One of each lane is a second longer.
        let spans = |long| (0..30).map(move |n| span(120 * n + 60 + u64::from(n == long), Some(120 * n)));
        // In ten lanes two are.
        let lanes: Vec<Lane> = (0..50)
            .map(|number| {
                let mut spans: Vec<Span> = spans(7).collect();
                spans[8].from += u64::from(number < 10);
                lane(spans)
            })
            .collect();
        let chart = Gantt::of(Window::Hour, &lanes);
        assert!(chart.words.contains("1500 leases on 50 targets"), "{}", chart.words);
        for (number, drawn) in chart.lanes.iter().enumerate() {
            let long = if number < 10 { 2 } else { 1 };
            assert_eq!((drawn.bars.len(), drawn.plain.len()), (long, 1));
            let path = &drawn.plain[0].1;
            assert!(path.starts_with("M152 ") && path.contains("h12m12 0h12"), "{path}");
            assert_eq!(path.matches('h').count(), 30 - long, "{path}");
        }
        assert!(chart.notes()[0].contains("only the longest"), "{:?}", chart.notes());
        let named: usize = chart.lanes.iter().map(|lane| lane.bars.len()).sum();
        assert_eq!(named, NAMED_OF_MANY);
    }

    #[test]
    fn what_is_not_known_is_hatched() {
        let lane = Lane { known: Some(1_800), cut: true, ..lane(vec![span(60, None)]) };
        let chart = Gantt::of(Window::Hour, std::slice::from_ref(&lane));
        assert_eq!(chart.lanes[0].known.as_deref(), Some("360"));
        assert!(chart.notes()[0].contains("more happened"), "{:?}", chart.notes());
        assert!(chart.words.contains("at least 1 lease "), "{}", chart.words);
        let forgotten = Gantt::of(Window::Hour, &[Lane { cut: false, ..lane.clone() }]);
        assert!(forgotten.notes()[0].contains("not kept"), "{:?}", forgotten.notes());
        let svg = chart.render().expect("renders");
        assert!(svg.contains("unknown"), "{svg}");
    }

    #[test]
    fn windows_are_found_by_their_names() {
        for window in Window::ALL {
            assert_eq!(Window::named(window.name()), Some(window));
        }
        assert_eq!(Window::named("1y"), None);
    }
}
