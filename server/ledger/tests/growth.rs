//! What a command costs does not grow with how much there is (promise P6): the same story in a small lab and in one
//! that is 64 times as large.

use lessor_ledger::{Ledger, PoolEntry, Settings, Span, Target, Time};

use crate::cost;
use crate::script::parse;

const SMALL: usize = 1_000;
const LARGE: usize = 64 * SMALL;

const ROUNDS: usize = 25;

/// How many times as long the large lab may take: a tree is a few levels deeper, and does not fit into the
/// processor's cache. A walk takes 64 times as long.
const RATIO_MAX: u32 = 10;

struct Lab {
    ledger: Ledger,
    file: Vec<PoolEntry>,
    now: Time,
}

impl Lab {
    fn new() -> Self {
        let settings = Settings { request_ttl: Span::from_secs(3_600), seed: 7, ..Settings::default() };
        Self { ledger: Ledger::new(settings), file: Vec::new(), now: Time::ZERO }
    }

    /// Adds an entry with the names `<prefix>0`, `<prefix>1` and so on to the pools file.
    fn list(&mut self, pool: &str, prefix: char, count: usize, options: &[&str]) {
        parse::pool(&mut self.file, pool, options);
        let entry = self.file.last_mut().expect("it was just added");
        let name = |number| Target::new(format!("{prefix}{number}")).expect("a short name");
        entry.names = (0..count).map(name).collect();
    }

    /// `actor verb …`, as in scripts. Whether it is refused is the caller's business.
    fn play(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split_whitespace().collect();
        let command = parse::command(&self.file, words[0], words[1], &words[2..]);
        self.now = self.now.plus(Span::from_millis(1));
        self.ledger.apply(command, self.now).reply.is_ok()
    }
}

fn assert_does_not_grow(lab: impl Fn(usize) -> Lab, round: impl Fn(&mut Lab, usize)) {
    let least = |mut lab: Lab| cost::least(ROUNDS, |number| number, |number| round(&mut lab, *number));
    let (small, large) = (least(lab(SMALL)), least(lab(LARGE)));
    assert!(large < small * RATIO_MAX, "{large:?} with {LARGE}, {small:?} with {SMALL}");
}

/// Two kinds of machines have one label each of what somebody waits for, and none has both that is not held.
fn two_sites(size: usize) -> Lab {
    let mut lab = Lab::new();
    lab.list("lab", 'l', size / 2, &["labels=site=ber,os=linux"]);
    lab.list("lab", 'm', size / 2, &["also", "labels=site=muc,os=bsd"]);
    lab.list("lab", 'n', 2, &["also", "labels=site=ber,os=bsd"]);
    assert!(lab.play("- sync"));
    assert!(lab.play("bob take lab*2{site=ber,os=bsd}"));
    assert!(lab.play("eve take lab{site=ber,os=bsd} wait"));
    assert!(lab.play("eve take lab{site=muc,os=linux} wait anyway"));
    lab
}

#[test]
fn a_waiter_with_several_labels_slows_nobody_down() {
    assert_does_not_grow(two_sites, |lab, round| {
        assert!(lab.play("ann take lab"));
        assert!(lab.play(&format!("ann release L{}", round + 2)));
    });
}

#[test]
fn who_asks_for_several_labels_is_answered_as_soon() {
    assert_does_not_grow(two_sites, |lab, _| {
        assert!(!lab.play("ann take lab{site=ber,os=bsd}"));
    });
}

/// A dynamic pool of which far more than `max-count` is held.
fn shrunk(size: usize) -> Lab {
    let mut lab = Lab::new();
    lab.list("d", 'r', size, &[]);
    assert!(lab.play("- sync"));
    for _ in 0..size / SMALL {
        assert!(lab.play(&format!("ann take d*{SMALL} ttl=1h to=busy")));
    }
    parse::pool(&mut lab.file, "d", &["dynamic=1/1"]);
    assert!(lab.play("- sync"));
    lab
}

#[test]
fn a_pool_with_more_than_it_may_have_is_as_quick() {
    assert_does_not_grow(shrunk, |lab, round| {
        assert!(lab.play(&format!("ann b-update r{round} busy")));
        assert!(lab.play(&format!("ann b-release r{round} free")));
        assert!(!lab.play(&format!("bob b-acquire d free busy id={round}")));
    });
}
