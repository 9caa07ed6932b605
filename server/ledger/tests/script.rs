//! A small script language, so that a test is the story that it tells.
//!
//! One step per line: `<time> <actor> <verb> …`. Times are `10s`, `5ms`, `2m`, `1h`, `1d` or `0`; a `+` behind it
//! is one nanosecond later. `pool …` and `nopool …` lines write the pools file, which `sync` applies. What comes
//! back is one line per step: the reply, then `|`, then what happened. After every step the ledger's invariants
//! are checked and a second ledger absorbs the changes; both must stay alike.

mod job;
pub(crate) mod parse;
mod render;

use std::collections::BTreeMap;

use lessor_ledger::{Change, Command, Counters, Event, Ledger, PoolEntry, Settings, Span, Step, Time};

/// What a script has come to.
pub(crate) struct Stage {
    pub(crate) ledger: Ledger,
    mirror: Ledger,
    log: Vec<Change>,
    file: Vec<PoolEntry>,
    text: String,
}

/// Runs a script from an empty ledger and tells what happened.
pub(crate) fn run(script: &str) -> String {
    let mut stage = Stage::new();
    stage.play(script);
    stage.text
}

/// Plays `script` and compares what it tells with `expected`.
pub(crate) fn check(script: &str, expected: &expect_test::Expect) {
    expected.assert_eq(&run(script));
}

impl Stage {
    pub(crate) fn new() -> Self {
        let settings = Settings { request_ttl: Span::from_secs(30), seed: 7, ..Settings::default() };
        Self {
            ledger: Ledger::new(settings),
            mirror: Ledger::new(settings),
            log: Vec::new(),
            file: Vec::new(),
            text: String::new(),
        }
    }

    /// A stage on which `changes` have happened before.
    pub(crate) fn with(changes: &[Change]) -> Self {
        let mut stage = Self::new();
        for change in changes {
            stage.ledger.absorb(change);
            stage.mirror.absorb(change);
            stage.log.push(change.clone());
        }
        stage
    }

    pub(crate) fn play(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["pool", name, options @ ..] => parse::pool(&mut self.file, name, options),
                ["nopool", name] => self.file.retain(|entry| entry.pool.name.as_str() != *name),
                [_, _, "show", what @ ..] => {
                    let shown = what.iter().map(|name| render::record(&self.ledger, name));
                    self.tell(&shown.collect::<Vec<_>>().join("; "));
                }
                [at, actor, verb, rest @ ..] => {
                    let command = parse::command(&self.file, actor, verb, rest);
                    let step = self.step(command, parse::time(at));
                    self.tell(&format!("{at}: {}", render::step(&step)));
                }
                _ => panic!("not a step: {line}"),
            }
        }
    }

    fn tell(&mut self, line: &str) {
        self.text.push_str(&job::abbreviated(line));
        self.text.push('\n');
    }

    /// Applies one command, and checks all that must hold after any.
    pub(crate) fn step(&mut self, command: Command, now: Time) -> Step {
        let said = format!("{command:?}");
        let step = self.ledger.apply(command, now);
        for change in &step.changes {
            self.mirror.absorb(change);
        }
        self.log.extend(step.changes.iter().cloned());
        assert_eq!(self.ledger.check(), [], "after {said}");
        assert_eq!(records(&self.mirror), records(&self.ledger), "a replay differs after {said}");
        step
    }

    /// Everything that was told, in order.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.log.iter().filter_map(|change| match change {
            Change::Event(event) => Some(event.as_ref()),
            _ => None,
        })
    }

    /// A ledger that knows nothing but what happened.
    pub(crate) fn replayed(&self) -> Ledger {
        let mut again = Ledger::new(self.ledger.settings());
        self.log.iter().for_each(|change| again.absorb(change));
        again
    }

    /// Replays all that ever happened onto the ledger as it is now: absorbing twice must be absorbing once.
    pub(crate) fn replay_twice(&self) {
        let mut again = self.ledger.clone();
        for change in &self.log {
            again.absorb(change);
        }
        assert_eq!(again.check(), [], "after a second replay");
        assert_eq!(records(&again), records(&self.ledger), "a second replay is not harmless");
    }
}

/// Every record of a ledger, and its counters.
pub(crate) fn records(ledger: &Ledger) -> (Counters, BTreeMap<String, Change>) {
    let mut all = BTreeMap::new();
    all.extend(ledger.pools().map(|p| (format!("pool {}", p.name), Change::Pool(p.clone()))));
    let resources = ledger.resources_after(None);
    all.extend(resources.map(|r| (format!("resource {}", r.name), Change::Resource(r.clone()))));
    all.extend(ledger.locks_after(None).map(|l| (format!("lock {}", l.target), Change::Lock(l.clone()))));
    all.extend(ledger.leases_after(None).map(|l| (format!("lease {}", l.id), Change::Lease(l.clone()))));
    all.extend(
        ledger.requests_after(None).map(|r| (format!("request {}", r.id), Change::Request(r.clone()))),
    );
    all.extend(ledger.jobs_after(None).map(|j| (format!("job {}", j.id.0), Change::Job(j.clone()))));
    all.extend(ledger.plugins().map(|p| (format!("plugin {}", p.name), Change::Plugin(p.clone()))));
    (ledger.counters(), all)
}
