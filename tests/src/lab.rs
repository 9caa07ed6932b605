//! A ledger with a clock set by hand, and records put in place as if they had always been there.

use std::collections::BTreeMap;
use std::sync::Arc;

use lessor_ledger::{
    BoskosAcquire, BoskosUpdate, Change, Command, ContestLock, Dialect, Job, Lease, LeaseId, Ledger,
    Lifecycle, Lock, Origin, Owner, Pool, PoolEntry, PoolName, PoolOrigin, Refusal, Reply, Resource,
    Settings, Span, State, SyncReport, Target, Time,
};

/// A ledger, and what time it is there.
#[derive(Clone, Debug)]
pub struct Lab {
    /// The ledger under test.
    pub ledger: Ledger,
    /// The time of the next command.
    pub now: Time,
}

/// A name from a text that is one.
macro_rules! named {
    ($($(#[$doc:meta])* $function:ident -> $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Panics
        /// If it is not one.
        #[must_use]
        pub fn $function(text: &str) -> $name {
            $name::new(text).expect("the test names it well")
        }
    )*};
}

named! {
    /// A target's name.
    target -> Target;
    /// A pool's name.
    pool_name -> PoolName;
    /// A state.
    state -> State;
    /// An owner.
    owner -> Owner;
}

/// What a Boskos call answers: the resource, or why not.
pub type Answer<T> = Result<T, Refusal>;

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

impl Lab {
    /// An empty ledger with Boskos' request TTL of 30 s, at 2024-05-01T10:00:00Z.
    #[must_use]
    pub fn new() -> Self {
        Self { ledger: Ledger::new(Settings::default()), now: Time::from_millis(1_714_557_600_000) }
    }

    /// Lets time pass.
    pub fn pass(&mut self, span: Span) {
        self.now = self.now.plus(span);
    }

    /// Lets whole seconds pass.
    pub fn pass_secs(&mut self, secs: i64) {
        self.pass(Span::from_secs(secs));
    }

    /// Asks the ledger, checks its invariants, and checks that its changes rebuild it.
    ///
    /// # Panics
    /// If an invariant does not hold, or a copy that absorbs the changes comes to other records.
    #[expect(clippy::missing_errors_doc, reason = "the errors are the ledger's refusals")]
    pub fn ask(&mut self, command: Command) -> Answer<Reply> {
        let mut copy = self.ledger.clone();
        let said = format!("{command:?}");
        let step = self.ledger.apply(command, self.now);
        let broken = self.ledger.check();
        assert!(broken.is_empty(), "after {said}: {broken:?}");
        for change in &step.changes {
            copy.absorb(change);
        }
        assert_eq!(records(&copy), records(&self.ledger), "replaying {said} comes to something else");
        step.reply
    }

    /// Puts a pool in place whose resources are only listed.
    pub fn has_pool(&mut self, name: &str) {
        self.put_pool(name, None);
    }

    /// Puts a dynamic pool in place.
    pub fn has_dynamic_pool(&mut self, name: &str, min_count: i64, max_count: i64) {
        self.put_pool(name, Some(Lifecycle { min_count, max_count, ..Lifecycle::default() }));
    }

    /// Puts a dynamic pool in place whose resources live this long after a release.
    pub fn has_pool_with_lifespan(&mut self, name: &str, lifespan: Span) {
        let lifecycle =
            Lifecycle { min_count: 0, max_count: 10, lifespan: Some(lifespan), ..Lifecycle::default() };
        self.put_pool(name, Some(lifecycle));
    }

    fn put_pool(&mut self, name: &str, lifecycle: Option<Lifecycle>) {
        self.ledger.absorb(&Change::Pool(Arc::new(pool(name, lifecycle))));
    }

    /// Puts an unowned resource in place, last written now; listed unless its pool is dynamic.
    pub fn has(&mut self, pool: &str, name: &str, state_now: &str) {
        self.has_since(pool, name, state_now, self.now);
    }

    /// As [`Self::has`], last written at `updated_at`.
    pub fn has_since(&mut self, pool: &str, name: &str, state_now: &str, updated_at: Time) {
        if self.ledger.pool(pool).is_none() {
            self.has_pool(pool);
        }
        let dynamic = self.ledger.pool(pool).is_some_and(|pool| pool.lifecycle.is_some());
        self.edit_resource(&Resource {
            name: target(name),
            pool: pool_name(pool),
            state: state(state_now),
            origin: if dynamic { Origin::Dynamic } else { Origin::Listed },
            created_at: updated_at,
            updated_at,
            expires_at: None,
            revision: 1,
            details: None,
        });
    }

    /// Gives a resource that is in place another expiry.
    ///
    /// # Panics
    /// If there is no such resource.
    pub fn expires(&mut self, name: &str, expires_at: Time) {
        let resource = Resource::clone(self.ledger.resource(name).expect("the resource is in place"));
        self.edit_resource(&Resource { expires_at: Some(expires_at), ..resource });
    }

    fn edit_resource(&mut self, resource: &Resource) {
        self.ledger.absorb(&Change::Resource(Arc::new(resource.clone())));
    }

    /// Puts a resource in place that `holder` holds without a deadline.
    pub fn has_held(&mut self, pool: &str, name: &str, state_now: &str, holder: &str) {
        self.has(pool, name, state_now);
        let id = LeaseId(self.ledger.counters().lease + 1);
        self.ledger.absorb(&Change::Lock(Arc::new(Lock {
            target: target(name),
            lease: id,
            owner: owner(holder),
            taken_at: self.now,
            deadline: None,
            lapsed: false,
        })));
        self.ledger.absorb(&Change::Lease(Arc::new(Lease {
            id,
            owner: owner(holder),
            dialect: Dialect::Boskos,
            targets: vec![target(name)],
            returned: Vec::new(),
            granted_at: self.now,
            renewed_at: self.now,
            ttl: None,
            purpose: None,
            key: None,
            request: None,
            pickup: None,
            ended: None,
        })));
    }

    /// Boskos `/acquire` from `free` (or any state) to `busy`; an empty `request_id` is none. Gives the name.
    ///
    /// # Panics
    /// If the ledger answers with something else than a resource.
    #[expect(clippy::missing_errors_doc, reason = "the errors are the ledger's refusals")]
    pub fn acquire(&mut self, pool: &str, from: &str, holder: &str, request_id: &str) -> Answer<String> {
        let reply = self.ask(Command::BoskosAcquire(BoskosAcquire {
            pool: pool_name(pool),
            state: state(from),
            dest: state("busy"),
            owner: owner(holder),
            request_id: (!request_id.is_empty()).then(|| request_id.into()),
        }))?;
        match reply {
            Reply::Held(resources, _) => Ok(resources[0].name.to_string()),
            other => panic!("not a held resource: {other:?}"),
        }
    }

    /// Boskos `/release`.
    #[expect(clippy::missing_errors_doc, reason = "the errors are the ledger's refusals")]
    pub fn release(&mut self, name: &str, dest: &str, holder: &str) -> Answer<()> {
        let command = Command::BoskosRelease { name: target(name), dest: state(dest), owner: owner(holder) };
        self.ask(command).map(|_| ())
    }

    /// Boskos `/update` without a patch.
    #[expect(clippy::missing_errors_doc, reason = "the errors are the ledger's refusals")]
    pub fn beat(&mut self, name: &str, state_now: &str, holder: &str) -> Answer<()> {
        let update = BoskosUpdate {
            name: target(name),
            owner: owner(holder),
            state: state(state_now),
            patch: BTreeMap::new(),
        };
        self.ask(Command::BoskosUpdate(update)).map(|_| ())
    }

    /// Boskos `/reset`; gives name and former owner.
    ///
    /// # Panics
    /// If it is refused, which it never is.
    pub fn reset(&mut self, pool: &str, from: &str, expire: Span, dest: &str) -> Vec<(String, String)> {
        let command =
            Command::BoskosReset { pool: pool_name(pool), state: state(from), expire, dest: state(dest) };
        match self.ask(command) {
            Ok(Reply::Reset(taken)) => {
                taken.iter().map(|(name, owner)| (name.to_string(), owner.to_string())).collect()
            }
            other => panic!("a reset answers what was reset: {other:?}"),
        }
    }

    /// Makes everything as in the pools file with these entries.
    ///
    /// # Panics
    /// If it is refused, which it never is.
    pub fn sync(&mut self, entries: Vec<PoolEntry>) -> SyncReport {
        match self.ask(Command::Sync(entries)) {
            Ok(Reply::Synced(report)) => report,
            other => panic!("a sync answers what it did: {other:?}"),
        }
    }

    /// Settles what is due.
    ///
    /// # Panics
    /// If it is refused, which it never is.
    pub fn tick(&mut self) {
        self.ask(Command::Tick).map(|_| ()).expect("a tick is never refused");
    }

    /// `ConTest` `Lock`.
    #[expect(clippy::missing_errors_doc, reason = "the errors are the ledger's refusals")]
    pub fn lock(&mut self, job: u64, duration: Span, targets: &[&str]) -> Answer<Vec<String>> {
        self.contest(Command::ContestLock(call(job, duration, targets)))
    }

    /// `ConTest` `TryLock`.
    #[expect(clippy::missing_errors_doc, reason = "the errors are the ledger's refusals")]
    pub fn try_lock(
        &mut self,
        job: u64,
        duration: Span,
        targets: &[&str],
        limit: u64,
    ) -> Answer<Vec<String>> {
        self.contest(Command::ContestTryLock { lock: call(job, duration, targets), limit })
    }

    /// `ConTest` `Unlock`.
    #[expect(clippy::missing_errors_doc, reason = "the errors are the ledger's refusals")]
    pub fn unlock(&mut self, job: u64, targets: &[&str]) -> Answer<Vec<String>> {
        self.contest(Command::ContestUnlock(call(job, Span::ZERO, targets)))
    }

    /// `ConTest` `RefreshLocks`.
    #[expect(clippy::missing_errors_doc, reason = "the errors are the ledger's refusals")]
    pub fn refresh(&mut self, job: u64, duration: Span, targets: &[&str]) -> Answer<Vec<String>> {
        self.contest(Command::ContestRefresh(call(job, duration, targets)))
    }

    fn contest(&mut self, command: Command) -> Answer<Vec<String>> {
        match self.ask(command)? {
            Reply::Locked(targets) => Ok(targets.iter().map(ToString::to_string).collect()),
            other => panic!("not locked targets: {other:?}"),
        }
    }

    /// The resource of this name.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn resource(&self, name: &str) -> &Resource {
        self.ledger.resource(name).unwrap_or_else(|| panic!("there is no resource {name:?}"))
    }

    /// Who holds the target now; empty for nobody.
    #[must_use]
    pub fn holder(&self, name: &str) -> String {
        self.ledger.holder(name, self.now).map(|lock| lock.owner.to_string()).unwrap_or_default()
    }

    /// The names of a pool's resources, in order.
    #[must_use]
    pub fn names(&self, pool: &str) -> Vec<String> {
        self.ledger.members_after(pool, None).map(|resource| resource.name.to_string()).collect()
    }
}

/// A pool declared in the pools file.
#[must_use]
pub fn pool(name: &str, lifecycle: Option<Lifecycle>) -> Pool {
    Pool {
        name: pool_name(name),
        origin: PoolOrigin::Config,
        initial_state: State::free(),
        lifecycle,
        default_ttl: None,
        max_ttl: None,
        on_expire: None,
        reap_after: None,
    }
}

/// An entry of the pools file that lists these names.
#[must_use]
pub fn listed(pool_name: &str, names: &[&str]) -> PoolEntry {
    entry(pool(pool_name, None), names)
}

/// An entry of the pools file for a dynamic pool.
#[must_use]
pub fn dynamic(pool_name: &str, min_count: i64, max_count: i64) -> PoolEntry {
    let lifecycle = Lifecycle { min_count, max_count, ..Lifecycle::default() };
    entry(pool(pool_name, Some(lifecycle)), &[])
}

fn entry(pool: Pool, names: &[&str]) -> PoolEntry {
    PoolEntry {
        pool,
        names: names.iter().map(|name| target(name)).collect(),
        labels: None,
        addresses: BTreeMap::new(),
    }
}

/// An empty text stands for an empty ID.
fn call(job: u64, duration: Span, targets: &[&str]) -> ContestLock {
    let targets = targets.iter().map(|name| (!name.is_empty()).then(|| target(name))).collect();
    ContestLock { job: Job(job), duration, targets }
}

/// Everything that a ledger records, for comparison.
fn records(ledger: &Ledger) -> String {
    let pools: Vec<_> = ledger.pools().collect();
    let resources: Vec<_> = ledger.resources_after(None).collect();
    let locks: Vec<_> = ledger.locks_after(None).collect();
    let leases: Vec<_> = ledger.leases_after(None).collect();
    let requests: Vec<_> = ledger.requests_after(None).collect();
    format!("{:?}\n{pools:?}\n{resources:?}\n{locks:?}\n{leases:?}\n{requests:?}", ledger.counters())
}
