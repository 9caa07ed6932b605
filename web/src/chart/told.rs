//! A lane of a chart in words, for where there is no room to draw.

use super::gantt::{Lane, Span, Window};
use crate::text::Text;

/// What is said of a target.
#[derive(Clone, Debug)]
pub struct Told {
    /// The target.
    pub name: Text,
    /// Where more is to be read about it.
    pub href: String,
    /// For how much of the time it was held.
    pub words: String,
    /// Who holds it now.
    pub holder: Option<Text>,
}

impl Told {
    /// What a lane shows.
    #[must_use]
    pub fn of(window: Window, lane: &Lane) -> Self {
        let whole = window.seconds();
        let seen = lane.known.map_or(whole, |known| known.min(whole));
        let spans: Vec<&Span> = lane.spans.iter().filter(|span| span.to.unwrap_or(0) < seen).collect();
        let held: u64 =
            spans.iter().map(|span| span.from.min(seen) - span.to.unwrap_or(0).min(span.from)).sum();
        let time = if seen < whole {
            let length = crate::length(seen.cast_signed());
            format!("the last {length}, before which nothing is shown")
        } else {
            "the time".to_owned()
        };
        let words = match spans.len() {
            0 => format!("nobody for all of {time}"),
            count => {
                let percent = (held.min(seen) * 100 + seen / 2) / seen.max(1);
                let leases = if count == 1 { "1 lease".to_owned() } else { format!("{count} leases") };
                format!("{leases}, {percent} % of {time}")
            }
        };
        let holder = spans.iter().find(|span| span.to.is_none()).map(|span| span.owner.clone());
        Self { name: lane.name.clone(), href: lane.href.clone(), words, holder }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(known: Option<u64>, spans: &[(u64, Option<u64>)]) -> (String, bool) {
        let span = |&(from, to): &(u64, Option<u64>)| Span {
            from,
            to,
            owner: "ann".into(),
            lease: 7,
            began: None,
            ended: None,
            how: None,
        };
        let spans = spans.iter().map(span).collect();
        let lane = Lane { name: "a".into(), href: "/resources/a".into(), known, cut: known.is_some(), spans };
        let told = Told::of(Window::Hour, &lane);
        (told.words, told.holder.is_some())
    }

    #[test]
    fn it_is_said_for_how_much_of_the_time_it_was_held() {
        let is = |words: &str, held: bool| (words.to_owned(), held);
        assert_eq!(told(None, &[]), is("nobody for all of the time", false));
        assert_eq!(told(None, &[(900, None), (7_200, Some(2_700))]), is("2 leases, 50 % of the time", true));
        assert_eq!(told(None, &[(9_000, Some(4_000))]), is("nobody for all of the time", false));
        let cut = "1 lease, 50 % of the last 20 min, before which nothing is shown";
        assert_eq!(told(Some(1_200), &[(600, Some(0))]), is(cut, false));
        assert_eq!(
            told(Some(0), &[]),
            is("nobody for all of the last 0 s, before which nothing is shown", false)
        );
    }
}
