//! What a call costs grows with its length, not with the square of it.

use std::collections::BTreeMap;
use std::time::Duration;

use lessor_ledger::{
    Command, LeaseId, Ledger, Part, PoolName, Refusal, RequestId, ResourceEdit, State, Target,
};

use crate::calls::{self, apply, owner, take};
use crate::cost;

/// Least and most targets of the calls that are compared.
const SIZES: (usize, usize) = (500, 8_000);

const ROUNDS: usize = 9;

/// The same where the calls that come before them cost the square: each walks along those in line.
const LINES: (usize, usize) = (50, 800);

/// How many times as long the large call may take: it is 16 times as large, a logarithm and the caches of the
/// processor make that some 40, and a square would make it 256.
const GROWTH_MAX: u32 = 120;

fn names(prefix: &str, count: usize) -> Vec<Target> {
    (0..count).map(|n| Target::new(format!("{prefix}-{n:05}")).expect("a name")).collect()
}

/// Lease 1 of `ann`, over so many targets.
fn leased(count: usize) -> Ledger {
    let mut ledger = calls::ledger();
    apply(&mut ledger, take("ann", names("t", count), false)).expect("a lease");
    ledger
}

fn release(targets: Vec<Target>) -> Command {
    Command::Release { lease: LeaseId(1), owner: Some(owner("ann")), targets: Some(targets), to_state: None }
}

/// Measures `work` on what `make` makes of each size.
fn grows_no_faster<T>(make: impl Fn(usize) -> T, work: impl Fn(&mut T)) {
    compare(SIZES, |size| cost::least(ROUNDS, |_| make(size), &work));
}

fn compare(sizes: (usize, usize), cost: impl Fn(usize) -> Duration) {
    let (small, large) = (cost(sizes.0), cost(sizes.1));
    assert!(large < small * GROWTH_MAX, "{small:?} for {}, {large:?} for {}", sizes.0, sizes.1);
}

#[test]
fn a_release_of_what_is_not_held_costs_what_it_names() {
    grows_no_faster(
        |count| (leased(count), release(names("other", count))),
        |(ledger, release)| match apply(ledger, release.clone()) {
            Err(Refusal::NotHeld(missing)) => assert!(missing.len() >= SIZES.0),
            other => panic!("not refused: {other:?}"),
        },
    );
}

#[test]
fn a_release_of_half_a_lease_costs_what_it_names() {
    grows_no_faster(
        |count| (leased(count), release(names("t", count).split_off(count / 2))),
        |(ledger, release)| assert!(apply(ledger, release.clone()).is_ok()),
    );
}

#[test]
fn releasing_again_what_was_given_back_costs_what_it_names() {
    grows_no_faster(
        |count| {
            let mut ledger = leased(count);
            let back = release(names("t", count).split_off(1));
            apply(&mut ledger, back.clone()).expect("given back");
            (ledger, back)
        },
        |(ledger, release)| assert!(apply(ledger, release.clone()).is_ok()),
    );
}

/// Somebody waits for all of it, and does not get it.
#[test]
fn a_release_that_helps_nobody_costs_what_it_names() {
    grows_no_faster(
        |count| {
            let mut ledger = leased(count);
            apply(&mut ledger, take("bob", names("t", count), true)).expect("in line");
            (ledger, release(names("t", count).split_off(1)))
        },
        |(ledger, release)| {
            assert!(apply(ledger, release.clone()).is_ok());
            assert!(ledger.request(RequestId(1)).is_some_and(|request| request.waits()));
        },
    );
}

/// Somebody waits for all of it, and gets it.
#[test]
fn a_release_that_somebody_waits_for_costs_what_it_names() {
    grows_no_faster(
        |count| {
            let mut ledger = leased(count);
            apply(&mut ledger, take("bob", names("t", count), true)).expect("in line");
            (ledger, release(names("t", count)))
        },
        |(ledger, release)| {
            assert!(apply(ledger, release.clone()).is_ok());
            assert!(ledger.request(RequestId(1)).is_some_and(|request| !request.waits()));
        },
    );
}

fn one_of(pool: &str, count: u32) -> Part {
    Part::Pool {
        pool: PoolName::new(pool).expect("a name"),
        state: State::free(),
        labels: BTreeMap::new(),
        count,
    }
}

/// A pool with so many free resources.
fn stocked(ledger: &mut Ledger, pool: &str, count: usize) {
    for name in names(pool, count) {
        let edit = ResourceEdit { pool: PoolName::new(pool).ok(), ..ResourceEdit::of(name) };
        apply(ledger, Command::PutResource(Box::new(edit))).expect("a resource");
    }
}

/// Everybody waits for something of their own, for one of a pool that has enough for all, and for two of one that has one.
#[test]
fn a_release_that_is_not_enough_for_anybody_costs_what_it_names() {
    compare(LINES, |count| {
        let mut ledger = leased(count);
        stocked(&mut ledger, "enough", count);
        stocked(&mut ledger, "short", 1);
        for name in names("t", count) {
            let Command::Acquire(mut ask) = take("bob", vec![name], true) else { unreachable!("it is one") };
            ask.parts.extend([one_of("enough", 1), one_of("short", 2)]);
            apply(&mut ledger, Command::Acquire(ask)).expect("in line");
        }
        let release = release(names("t", count));
        cost::least(
            ROUNDS,
            |_| ledger.clone(),
            |ledger| {
                assert!(apply(ledger, release.clone()).is_ok());
                assert!(ledger.request(RequestId(1)).is_some_and(|request| request.waits()));
            },
        )
    });
}
