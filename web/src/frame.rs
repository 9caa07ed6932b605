//! What is around every page, and times on it.

use crate::text::Text;

/// The policy that fits the pages: our stylesheet, our module, our forms, nothing else and nothing inline.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// What is around every page.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// The title of the page.
    pub title: String,
    /// The path of the section that the page belongs to, e.g. `/pools`.
    pub section: &'static str,
    /// Path and query of this page, where it is found again: also if it is the answer to a form.
    pub here: String,
    /// Who looks at it, if they have said so.
    pub owner: Option<Text>,
    /// Which colours they want.
    pub theme: Theme,
    /// The number of the last event that the page shows.
    pub seq: u64,
    /// How often something changed that no event tells of, up to what the page shows.
    pub touched: u64,
    /// How often leases were renewed, as far as pages were told when it was made.
    pub renewed: u64,
    /// What the page shows: it is made anew when one of these changes. Words of `leases`, `resources`, `queue`, `pools`,
    /// `jobs`, `plugins`.
    pub topics: &'static str,
    /// The server's time, RFC 3339.
    pub now: String,
    /// What is wrong with the server: what, and why.
    pub alerts: Vec<(&'static str, Text)>,
    /// What was just done.
    pub notice: Option<&'static str>,
}

/// A part of the dashboard that the navigation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Where it is.
    pub path: &'static str,
    /// What it is called.
    pub name: &'static str,
}

const fn section(path: &'static str, name: &'static str) -> Section {
    Section { path, name }
}

/// The sections that every server has, in order.
pub const SECTIONS: [Section; 9] = [
    section("/", "My work"),
    section("/pools", "Pools"),
    section("/resources", "Resources"),
    section("/leases", "Leases"),
    section("/queue", "Queue"),
    section("/events", "Events"),
    section("/jobs", "Jobs"),
    section("/plugins", "Plugins"),
    section("/status", "Status"),
];

impl Frame {
    /// The value of `aria-current` of a section's link, if it is to have one.
    #[must_use]
    pub fn is_at(&self, section: &Section) -> bool {
        self.section == section.path
    }
}

/// Which colours a page has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Those of the system.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// All of them, as they are offered.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// Its name in the page, in the form and in the cookie.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.name() == name)
    }
}

/// A point in time: for programs, and relative for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// RFC 3339 in UTC.
    pub utc: String,
    /// How long ago or ahead in words: `4 min ago`, `in 6 min`.
    pub words: String,
    /// Whether it was expected to come rather than to have been.
    pub ahead: bool,
}

impl Moment {
    /// A moment that was `seconds` ago.
    #[must_use]
    pub fn ago(utc: String, seconds: i64) -> Self {
        Self { utc, words: format!("{} ago", crate::length(seconds)), ahead: false }
    }

    /// A moment that comes in `seconds`.
    #[must_use]
    pub fn ahead(utc: String, seconds: i64) -> Self {
        let words = if seconds > 0 { format!("in {}", crate::length(seconds)) } else { "now".to_owned() };
        Self { utc, words, ahead: true }
    }

    /// For the module, which keeps the words true while the page is open.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.ahead { "in" } else { "ago" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_has_come_is_now() {
        assert_eq!(Moment::ahead(String::new(), 61).words, "in 1 min 1 s");
        assert_eq!(Moment::ahead(String::new(), 0).words, "now");
        assert_eq!(Moment::ahead(String::new(), -5).words, "now");
        assert_eq!(Moment::ago(String::new(), 5).words, "5 s ago");
    }

    #[test]
    fn the_policy_lets_nothing_inline_through() {
        assert!(!CONTENT_SECURITY_POLICY.contains("unsafe"));
        assert!(CONTENT_SECURITY_POLICY.starts_with("default-src 'none'"));
    }

    #[test]
    fn themes_are_found_by_their_names() {
        for theme in Theme::ALL {
            assert_eq!(Theme::named(theme.name()), Some(theme));
        }
        assert_eq!(Theme::named("pink"), None);
    }
}
