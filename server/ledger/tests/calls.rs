//! Commands as tests make them that need no script: many targets, and a clock that stands still.

use lessor_ledger::{
    Acquire, Command, Ledger, Owner, Part, Refusal, Reply, Settings, Span, State, Target, Time,
};

pub(crate) fn ledger() -> Ledger {
    Ledger::new(Settings { request_ttl: Span::from_secs(30), seed: 7, ..Settings::default() })
}

pub(crate) fn apply(ledger: &mut Ledger, command: Command) -> Result<Reply, Refusal> {
    ledger.apply(command, Time::ZERO).reply
}

pub(crate) fn owner(name: &str) -> Owner {
    Owner::new(name).expect("a name")
}

/// Takes all of `targets`, or waits for them if `queue` says so, whether they can ever be had or not.
pub(crate) fn take(owner_name: &str, targets: Vec<Target>, queue: bool) -> Command {
    Command::Acquire(Box::new(Acquire {
        owner: owner(owner_name),
        parts: vec![Part::Named { targets, pool: None, state: State::free() }],
        to_state: State::new("leased").expect("a state"),
        ttl: None,
        queue,
        wait_anyway: queue,
        priority: 0,
        purpose: None,
        key: None,
    }))
}
