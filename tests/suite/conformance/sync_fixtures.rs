//! The sync fixtures F1–F18 and G1–G10 of `reference/boskos.md` §8, in its notation.

use std::collections::BTreeMap;

use lessor_ledger::{Change, Command, PoolEntry, PoolOrigin, Resource, Span};
use lessor_tests::Lab;
use lessor_tests::lab::{dynamic, listed, pool, state};

/// What there is, what the file says, and what becomes of it.
#[derive(Default)]
pub(super) struct Fixture {
    pub(super) name: &'static str,
    /// Lifecycles in place: type, min, max; 0/0 is one on its way out.
    pub(super) pools: &'static [(&'static str, i64, i64)],
    /// Resources in place as `type/name:state`, with `[o]` if owned and `!` if their expiration is in the past.
    pub(super) stored: &'static [&'static str],
    /// What the file says; `None` only lets the dynamic pools be looked at.
    pub(super) config: Option<Vec<PoolEntry>>,
    /// Names that stay as they are, time of the last update included.
    pub(super) same: &'static [&'static str],
    /// Names that are marked `toBeDeleted` now.
    pub(super) doomed: &'static [&'static str],
    /// Names that are gone.
    pub(super) gone: &'static [&'static str],
    /// Named ones that are new, as `type/name`.
    pub(super) new: &'static [&'static str],
    /// How many more a type has that were made by themselves.
    pub(super) more: &'static [(&'static str, usize)],
    /// Lifecycles afterwards; any other type has none.
    pub(super) lifecycles: &'static [(&'static str, i64, i64)],
}

impl Fixture {
    pub(super) fn check(self) {
        let mut lab = Lab::new();
        // Written a while ago, but not so long that the built-in cleaner finds what waits for it.
        let now = lab.now;
        lab.now = now.plus(Span::from_secs(-5));
        for &(name, min, max) in self.pools {
            lab.has_dynamic_pool(name, min, max);
            if (min, max) == (0, 0) {
                let mut retired = pool(name, lab.ledger.pool(name).and_then(|pool| pool.lifecycle.clone()));
                retired.origin = PoolOrigin::Retired;
                lab.ledger.absorb(&Change::Pool(retired.into()));
            }
        }
        for text in self.stored {
            store(&mut lab, text);
        }
        lab.now = now;
        let before: BTreeMap<String, Resource> = all(&lab);
        match self.config.clone() {
            Some(entries) => drop(lab.sync(entries)),
            None => drop(lab.ask(Command::Resume).expect("never refused")),
        }
        self.compare(&lab, &before);
        let settled = all(&lab);
        lab.ask(Command::Resume).expect("never refused");
        assert_eq!(all(&lab), settled, "{}: a second look changes nothing", self.name);
    }

    fn compare(&self, lab: &Lab, before: &BTreeMap<String, Resource>) {
        let fixture = self.name;
        let mut after = all(lab);
        for &name in self.same {
            let after = after.remove(name).unwrap_or_else(|| panic!("{fixture}: {name} is gone"));
            assert_eq!(essence(&after), essence(&before[name]), "{fixture}: {name}");
        }
        for &name in self.doomed {
            let after = after.remove(name).unwrap_or_else(|| panic!("{fixture}: {name} is gone"));
            let before = &before[name];
            let expected = (&before.pool, &state("toBeDeleted"), lab.now, before.expires_at);
            assert_eq!(essence(&after), expected, "{fixture}: {name}");
        }
        for &name in self.gone {
            assert!(!after.contains_key(name), "{fixture}: {name} is there");
        }
        for text in self.new {
            let (kind, name) = text.split_once('/').expect("type/name");
            let after = after.remove(name).unwrap_or_else(|| panic!("{fixture}: {name} is not there"));
            assert_eq!(
                (after.pool.as_str(), &after.state, after.updated_at),
                (kind, &state("free"), lab.now),
                "{fixture}: {name}"
            );
            assert_eq!(lab.holder(name), "", "{fixture}: {name}");
        }
        for &(kind, count) in self.more {
            let made: Vec<_> =
                after.values().filter(|resource| resource.pool.as_str() == kind).cloned().collect();
            assert_eq!(made.len(), count, "{fixture}: {made:?}");
            for resource in made {
                assert_eq!((&resource.state, resource.updated_at), (&state("free"), lab.now), "{fixture}");
                after.remove(resource.name.as_str());
            }
        }
        assert!(after.is_empty(), "{fixture}: nobody expects {:?}", after.keys());
        let lifecycles: Vec<_> = lab
            .ledger
            .pools()
            .filter_map(|pool| Some((pool.name.to_string(), pool.lifecycle.clone()?)))
            .map(|(name, cycle)| (name, cycle.min_count, cycle.max_count))
            .collect();
        let expected: Vec<_> =
            self.lifecycles.iter().map(|&(name, min, max)| (name.to_owned(), min, max)).collect();
        assert_eq!(lifecycles, expected, "{fixture}");
    }
}

/// What "unchanged" is about.
fn essence(
    resource: &Resource,
) -> (&lessor_ledger::PoolName, &lessor_ledger::State, lessor_ledger::Time, Option<lessor_ledger::Time>) {
    (&resource.pool, &resource.state, resource.updated_at, resource.expires_at)
}

fn all(lab: &Lab) -> BTreeMap<String, Resource> {
    lab.ledger
        .resources_after(None)
        .map(|resource| (resource.name.to_string(), Resource::clone(resource)))
        .collect()
}

fn store(lab: &mut Lab, text: &str) {
    let expired = text.ends_with('!');
    let text = text.trim_end_matches('!');
    let owned = text.ends_with("[o]");
    let text = text.trim_end_matches("[o]");
    let (kind, rest) = text.split_once('/').expect("type/name:state");
    let (name, state) = rest.split_once(':').unwrap_or((rest, "free"));
    if owned {
        lab.has_held(kind, name, state, "o");
    } else {
        lab.has(kind, name, state);
    }
    if expired {
        // Before now, but after it was stored: an absorbed record is not swept.
        lab.expires(name, lab.now.plus(Span::from_secs(1)));
    }
}

fn f8_config() -> Vec<PoolEntry> {
    vec![listed("t", &["res-2"]), dynamic("dt", 1, 2), dynamic("dt2", 1, 2)]
}

/// F1–F7.
fn with_and_without_lifecycle() -> Vec<Fixture> {
    vec![
        Fixture {
            name: "F1",
            stored: &["t/res-1", "mason/dt_1", "mason/dt_2"],
            config: Some(vec![listed("t", &["res-1"]), dynamic("mason", 2, 4)]),
            same: &["res-1", "dt_1", "dt_2"],
            lifecycles: &[("mason", 2, 4)],
            ..Fixture::default()
        },
        Fixture { name: "F2", config: Some(vec![]), ..Fixture::default() },
        Fixture {
            name: "F3",
            stored: &["t/res-1"],
            config: Some(vec![listed("t", &["res-1", "res-2"]), dynamic("dt", 1, 2)]),
            same: &["res-1"],
            new: &["t/res-2"],
            more: &[("dt", 1)],
            lifecycles: &[("dt", 1, 2)],
            ..Fixture::default()
        },
        Fixture {
            name: "F4",
            pools: &[("dt", 1, 2)],
            stored: &["t/res-1", "dt/dt_1"],
            config: Some(vec![listed("t", &["res-1"]), dynamic("dt", 1, 2)]),
            same: &["res-1", "dt_1"],
            lifecycles: &[("dt", 1, 2)],
            ..Fixture::default()
        },
        Fixture {
            name: "F5",
            pools: &[("dt", 1, 2)],
            stored: &["t/res", "dt/dt_1"],
            config: Some(vec![]),
            gone: &["res"],
            doomed: &["dt_1"],
            lifecycles: &[("dt", 0, 0)],
            ..Fixture::default()
        },
        Fixture { name: "F6", pools: &[("dt", 1, 2)], config: Some(vec![]), ..Fixture::default() },
        Fixture {
            name: "F7",
            pools: &[("dt", 1, 2)],
            stored: &["t/res:busy[o]", "dt/dt_1:busy[o]"],
            config: Some(vec![]),
            same: &["res", "dt_1"],
            lifecycles: &[("dt", 0, 0)],
            ..Fixture::default()
        },
    ]
}

/// F8 and F9.
fn with_tombstones() -> Vec<Fixture> {
    vec![
        Fixture {
            name: "F8",
            pools: &[("dt", 1, 3)],
            stored: &["t/res-1:tombstone", "dt/dt_1:toBeDeleted", "dt/dt_2", "dt/dt_3"],
            config: Some(f8_config()),
            gone: &["res-1"],
            new: &["t/res-2"],
            same: &["dt_1", "dt_2", "dt_3"],
            more: &[("dt2", 1)],
            lifecycles: &[("dt", 1, 2), ("dt2", 1, 2)],
            ..Fixture::default()
        },
        Fixture {
            name: "F9",
            pools: &[("dt", 1, 3)],
            stored: &["t/res-1:busy[o]", "dt/dt_1", "dt/dt_2:tombstone", "dt/dt_3:busy[o]"],
            config: Some(f8_config()),
            gone: &["dt_2"],
            new: &["t/res-2"],
            same: &["res-1", "dt_1", "dt_3"],
            more: &[("dt2", 1)],
            lifecycles: &[("dt", 1, 2), ("dt2", 1, 2)],
            ..Fixture::default()
        },
    ]
}

/// F1–F9.
pub(super) fn first_half() -> Vec<Fixture> {
    with_and_without_lifecycle().into_iter().chain(with_tombstones()).collect()
}

/// F10–F18.
pub(super) fn second_half() -> Vec<Fixture> {
    let mut fixtures = vec![
        Fixture {
            name: "F10",
            stored: &["t/res-1:tombstone"],
            config: Some(vec![listed("t", &["res-2"]), listed("t2", &["res-3"])]),
            gone: &["res-1"],
            new: &["t/res-2", "t2/res-3"],
            ..Fixture::default()
        },
        Fixture {
            name: "F11",
            pools: &[("dt", 2, 4)],
            stored: &["dt/dt_1:free!", "dt/dt_2", "dt/dt_3:tombstone!", "dt/dt_4"],
            config: Some(vec![dynamic("dt", 2, 4)]),
            doomed: &["dt_1"],
            gone: &["dt_3"],
            same: &["dt_2", "dt_4"],
            lifecycles: &[("dt", 2, 4)],
            ..Fixture::default()
        },
        Fixture {
            name: "F12",
            pools: &[("dt", 1, 4)],
            stored: &["dt/dt_1:tombstone!", "dt/dt_2", "dt/dt_3:busy[o]!", "dt/dt_4:busy[o]"],
            config: Some(vec![dynamic("dt", 1, 3)]),
            gone: &["dt_1"],
            same: &["dt_2", "dt_3", "dt_4"],
            lifecycles: &[("dt", 1, 3)],
            ..Fixture::default()
        },
        Fixture {
            name: "F13",
            pools: &[("dt", 4, 6)],
            stored: &["dt/dt_1:free!", "dt/dt_2", "dt/dt_3:tombstone!", "dt/dt_4"],
            config: Some(vec![dynamic("dt", 4, 6)]),
            doomed: &["dt_1"],
            gone: &["dt_3"],
            same: &["dt_2", "dt_4"],
            more: &[("dt", 1)],
            lifecycles: &[("dt", 4, 6)],
            ..Fixture::default()
        },
        Fixture {
            name: "F14",
            pools: &[("dt", 1, 6)],
            stored: &["dt/dt_1", "dt/dt_2", "dt/dt_3", "dt/dt_4:toBeDeleted", "dt/dt_5:tombstone"],
            config: Some(vec![dynamic("dt", 1, 1)]),
            doomed: &["dt_2", "dt_3"],
            gone: &["dt_5"],
            same: &["dt_1", "dt_4"],
            lifecycles: &[("dt", 1, 1)],
            ..Fixture::default()
        },
        Fixture {
            name: "F15",
            pools: &[("dt", 1, 6)],
            stored: &["dt/dt_1", "dt/dt_2", "dt/dt_3:toBeDeleted", "dt/dt_4:tombstone"],
            config: Some(vec![dynamic("dt", 4, 6)]),
            gone: &["dt_4"],
            same: &["dt_1", "dt_2", "dt_3"],
            more: &[("dt", 1)],
            lifecycles: &[("dt", 4, 6)],
            ..Fixture::default()
        },
    ];
    fixtures.extend(type_changes());
    fixtures
}

/// F16–F18.
fn type_changes() -> Vec<Fixture> {
    vec![
        Fixture {
            name: "F16",
            stored: &["dt/a", "dt/b", "dt/c"],
            config: Some(vec![dynamic("dt", 10, 10)]),
            same: &["a", "b", "c"],
            more: &[("dt", 7)],
            lifecycles: &[("dt", 10, 10)],
            ..Fixture::default()
        },
        Fixture {
            name: "F17",
            pools: &[("dt", 10, 10)],
            stored: &[
                "dt/a", "dt/b", "dt/c", "dt/u-1", "dt/u-2", "dt/u-3", "dt/u-4", "dt/u-5", "dt/u-6", "dt/u-7",
            ],
            config: Some(vec![listed("dt", &["a", "b", "c"])]),
            same: &["a", "b", "c"],
            doomed: &["u-1", "u-2", "u-3", "u-4", "u-5", "u-6", "u-7"],
            lifecycles: &[("dt", 0, 0)],
            ..Fixture::default()
        },
        Fixture {
            name: "F18",
            stored: &["type-0/a1", "type-0/a2", "type-1/b1"],
            config: Some(vec![listed("type-0", &["a1"]), listed("type-1", &["a2", "b1"])]),
            same: &["a1", "b1"],
            new: &["type-1/a2"],
            ..Fixture::default()
        },
    ]
}

/// G1–G6.
fn within_bounds() -> Vec<Fixture> {
    vec![
        Fixture {
            name: "G1",
            pools: &[("dt", 1, 4)],
            stored: &["dt/dt_1", "t/t_1"],
            same: &["dt_1", "t_1"],
            lifecycles: &[("dt", 1, 4)],
            ..Fixture::default()
        },
        Fixture { name: "G2", pools: &[("dt", 0, 4)], lifecycles: &[("dt", 0, 4)], ..Fixture::default() },
        Fixture {
            name: "G3",
            pools: &[("dt", 2, 4)],
            more: &[("dt", 2)],
            lifecycles: &[("dt", 2, 4)],
            ..Fixture::default()
        },
        Fixture {
            name: "G4",
            pools: &[("dt", 1, 4)],
            stored: &["dt/dt_1", "dt/dt_2:free!", "dt/dt_3:busy[o]!", "dt/dt_4:toBeDeleted!"],
            same: &["dt_1", "dt_3", "dt_4"],
            doomed: &["dt_2"],
            lifecycles: &[("dt", 1, 4)],
            ..Fixture::default()
        },
        Fixture {
            name: "G5",
            pools: &[("dt", 1, 2)],
            stored: &["dt/dt_1", "dt/dt_2", "dt/dt_4:busy[o]"],
            same: &["dt_1", "dt_4"],
            doomed: &["dt_2"],
            lifecycles: &[("dt", 1, 2)],
            ..Fixture::default()
        },
        Fixture {
            name: "G6",
            pools: &[("dt", 1, 2)],
            stored: &["dt/dt_1", "dt/dt_2:busy[o]", "dt/dt_3:busy[o]", "dt/dt_4:busy[o]"],
            same: &["dt_2", "dt_3", "dt_4"],
            doomed: &["dt_1"],
            lifecycles: &[("dt", 1, 2)],
            ..Fixture::default()
        },
    ]
}

/// G7–G10.
fn on_the_way_out() -> Vec<Fixture> {
    vec![
        Fixture {
            name: "G7",
            pools: &[("dt", 4, 8)],
            stored: &["dt/dt_1", "dt/dt_2:busy[o]", "dt/dt_3:toBeDeleted", "dt/dt_4:tombstone"],
            same: &["dt_1", "dt_2", "dt_3"],
            gone: &["dt_4"],
            more: &[("dt", 1)],
            lifecycles: &[("dt", 4, 8)],
            ..Fixture::default()
        },
        Fixture {
            name: "G8",
            pools: &[("dt", 0, 0)],
            stored: &["dt/dt_1", "dt/dt_2", "dt/dt_3:tombstone", "dt/dt_4:busy[o]"],
            same: &["dt_4"],
            doomed: &["dt_1", "dt_2"],
            gone: &["dt_3"],
            lifecycles: &[("dt", 0, 0)],
            ..Fixture::default()
        },
        Fixture { name: "G9", pools: &[("dt", 0, 0)], ..Fixture::default() },
        Fixture {
            name: "G10",
            pools: &[("dt", 0, 0)],
            stored: &["dt/dt_1:tombstone", "dt/dt_2:tombstone"],
            gone: &["dt_1", "dt_2"],
            ..Fixture::default()
        },
    ]
}

/// G1–G10: the dynamic update alone.
pub(super) fn dynamic_updates() -> Vec<Fixture> {
    within_bounds().into_iter().chain(on_the_way_out()).collect()
}
