//! From words to commands.

use std::collections::BTreeMap;

use lessor_ledger::{
    Acquire, Addresses, BoskosAcquire, BoskosUpdate, Command, ContestLock, CordonEdit, Force, Job, Labels,
    LeaseId, Lifecycle, Owner, Part, Pool, PoolEntry, PoolName, PoolOrigin, RequestId, ResourceEdit, Span,
    State, Subject, Target, Text, Time, Withdrawal,
};

type Map = BTreeMap<Text, Text>;

pub(crate) fn time(word: &str) -> Time {
    let (word, more) = match word.strip_suffix('+') {
        Some(word) => (word, 1),
        None => (word, 0),
    };
    Time::ZERO.plus(span(word)).plus(Span::from_nanos(more))
}

pub(crate) fn span(word: &str) -> Span {
    let digits = word.trim_end_matches(char::is_alphabetic);
    let number: i64 = digits.parse().expect("a number with a unit");
    match &word[digits.len()..] {
        "d" => Span::from_secs(number * 86_400),
        "h" => Span::from_secs(number * 3_600),
        "m" => Span::from_secs(number * 60),
        "s" => Span::from_secs(number),
        "ms" => Span::from_millis(number),
        "ns" | "" => Span::from_nanos(number),
        unit => panic!("no unit of time: {unit}"),
    }
}

pub(crate) fn target(word: &str) -> Target {
    Target::new(word).expect("a target name")
}

pub(crate) fn state(word: &str) -> State {
    State::new(word).expect("a state")
}

pub(crate) fn pool_name(word: &str) -> PoolName {
    PoolName::new(word).expect("a pool name")
}

pub(crate) fn owner(word: &str) -> Owner {
    match word.parse() {
        Ok(job) => Owner::of_job(Job(job)),
        Err(_) => Owner::new(word).expect("an owner"),
    }
}

/// `a,b` as targets; `_` is an empty name, `-` an empty list.
fn names(word: &str) -> Vec<Option<Target>> {
    let words = word.split(',').filter(|word| *word != "-");
    words.map(|word| (word != "_").then(|| target(word))).collect()
}

fn targets(word: &str) -> Vec<Target> {
    names(word).into_iter().map(|name| name.expect("a target name")).collect()
}

/// `k=v,k=v`; `-` is empty.
fn map(word: &str) -> Map {
    let pairs = word.split(',').filter(|pair| *pair != "-");
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').expect("key=value");
            (key.into(), value.into())
        })
        .collect()
}

fn lease(word: &str) -> LeaseId {
    LeaseId(word.strip_prefix('L').and_then(|id| id.parse().ok()).expect("a lease like L1"))
}

fn request(word: &str) -> RequestId {
    RequestId(word.strip_prefix('R').and_then(|id| id.parse().ok()).expect("a request like R1"))
}

/// Options are `key=value` or a bare `key`.
pub(super) struct Options<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Options<'a> {
    pub(super) fn of(words: &[&'a str]) -> Self {
        Self(words.iter().map(|word| word.split_once('=').unwrap_or((word, ""))).collect())
    }

    pub(super) fn take(&mut self, key: &str) -> Option<&'a str> {
        self.0.remove(key)
    }

    /// Fails on a word that nobody asked for: a typing error would make a test say less than it seems to.
    pub(super) fn done(self) {
        assert!(self.0.is_empty(), "options that mean nothing: {:?}", self.0);
    }
}

/// `pool NAME [names=a,b] [state=S] [dynamic=MIN/MAX] [lifespan=D] [ttl=D] [max-ttl=D] [on-expire=S] [reap=D]
/// [labels=k=v,k=v] [needs=…]`: an entry of the pools file, in the place of earlier ones of this name unless it
/// says `also`.
pub(crate) fn pool(file: &mut Vec<PoolEntry>, name: &str, words: &[&str]) {
    let mut options = Options::of(words);
    if options.take("also").is_none() {
        file.retain(|entry| entry.pool.name.as_str() != name);
    }
    let lifespan = options.take("lifespan").map(span);
    let lifecycle = options.take("dynamic").map(|counts| {
        let (min, max) = counts.split_once('/').expect("min/max");
        Lifecycle {
            min_count: min.parse().expect("a count"),
            max_count: max.parse().expect("a count"),
            lifespan,
            ..Lifecycle::default()
        }
    });
    let pool = Pool {
        name: pool_name(name),
        origin: PoolOrigin::Config,
        initial_state: options.take("state").map_or_else(State::free, state),
        lifecycle,
        default_ttl: options.take("ttl").map(span),
        max_ttl: options.take("max-ttl").map(span),
        on_expire: options.take("on-expire").map(state),
        reap_after: options.take("reap").map(span),
    };
    let names = options.take("names").map(targets).unwrap_or_default();
    let labels = options.take("labels").map(map).map(Labels::from);
    options.done();
    file.push(PoolEntry { pool, names, labels, addresses: BTreeMap::new() });
}

/// `POOL[*N][{k=v,…}][:STATE]` or `@a,b[:STATE][/POOL]`, joined by `+`.
fn parts(word: &str) -> Vec<Part> {
    word.split('+').map(part).collect()
}

fn part(word: &str) -> Part {
    if let Some(rest) = word.strip_prefix('@') {
        let (rest, pool) = match rest.split_once('/') {
            Some((rest, pool)) => (rest, Some(pool_name(pool))),
            None => (rest, None),
        };
        let (names, state) = with_state(rest);
        return Part::Named { targets: targets(names), pool, state };
    }
    let (word, state) = with_state(word);
    let (word, labels) = match word.split_once('{') {
        Some((word, labels)) => (word, map(labels.trim_end_matches('}'))),
        None => (word, Map::new()),
    };
    let (pool, count) = word.split_once('*').unwrap_or((word, "1"));
    Part::Pool { pool: pool_name(pool), state, labels, count: count.parse().expect("a count") }
}

fn with_state(word: &str) -> (&str, State) {
    match word.rsplit_once(':') {
        Some((word, name)) => (word, state(name)),
        None => (word, State::free()),
    }
}

/// The command of one line.
pub(crate) fn command(file: &[PoolEntry], actor: &str, verb: &str, rest: &[&str]) -> Command {
    match (verb, rest) {
        ("tick", []) => Command::Tick,
        ("resume", []) => Command::Resume,
        ("sync", []) => Command::Sync(file.to_vec()),
        ("poll", [id]) => Command::Poll(request(id)),
        ("withdraw", [id, options @ ..]) => {
            let mut options = Options::of(options);
            let reason = options.take("reason").map(Into::into);
            options.done();
            Command::Withdraw(Withdrawal { request: request(id), by: someone(actor), reason })
        }
        ("take", [what, options @ ..]) => take(actor, what, options),
        ("renew", [id, options @ ..]) => {
            let mut options = Options::of(options);
            let ttl = options.take("ttl").map(span);
            options.done();
            Command::Renew { lease: lease(id), owner: someone(actor), ttl }
        }
        ("release", [id, options @ ..]) => {
            let mut options = Options::of(options);
            let targets = options.take("targets").map(targets);
            let to_state = options.take("to").map(state);
            options.done();
            Command::Release { lease: lease(id), owner: someone(actor), targets, to_state }
        }
        ("force", [subject, options @ ..]) => force(actor, subject, options),
        ("put" | "patch", [name, options @ ..]) => edit(verb, name, options),
        ("delete", [name, options @ ..]) => {
            let mut options = Options::of(options);
            let revision = options.take("rev").map(|rev| rev.parse().expect("a revision"));
            options.done();
            Command::DeleteResource { name: target(name), revision }
        }
        _ if verb.starts_with("b-") => boskos(actor, verb, rest),
        _ if verb.starts_with("j-") => Command::Job(super::job::locker(actor, verb, rest)),
        _ if verb.starts_with("job-") => Command::Job(super::job::command(actor, verb, rest)),
        _ if verb.starts_with("plugin-") => Command::Plugin(super::job::plugin(verb, rest)),
        _ => contest(actor, verb, rest),
    }
}

/// `-` is nobody in particular.
pub(super) fn someone(actor: &str) -> Option<Owner> {
    (actor != "-").then(|| owner(actor))
}

fn take(actor: &str, what: &str, words: &[&str]) -> Command {
    let mut options = Options::of(words);
    let key = options.take("key").map(|key| {
        let body = options.take("body").map_or(0, |body| body.parse().expect("a fingerprint"));
        (Text::from(key), body)
    });
    let anyway = options.take("anyway").is_some();
    let acquire = Acquire {
        owner: owner(actor),
        parts: parts(what),
        to_state: state(options.take("to").unwrap_or("leased")),
        ttl: options.take("ttl").map(span),
        queue: options.take("wait").is_some() || anyway,
        wait_anyway: anyway,
        priority: options.take("prio").map_or(0, |prio| prio.parse().expect("a priority")),
        purpose: options.take("for").map(Text::from),
        key,
    };
    options.done();
    Command::Acquire(Box::new(acquire))
}

fn force(actor: &str, subject: &str, words: &[&str]) -> Command {
    let mut options = Options::of(words);
    let force = Force {
        subject: match subject.strip_prefix('@') {
            Some(name) => Subject::Target(target(name)),
            None => Subject::Lease(lease(subject)),
        },
        expected: options.take("expect").map(owner),
        reason: options.take("why").unwrap_or("because").into(),
        by: someone(actor),
        to_state: options.take("to").map(state),
    };
    options.done();
    Command::Force(force)
}

fn edit(verb: &str, name: &str, words: &[&str]) -> Command {
    let mut options = Options::of(words);
    let edit = Box::new(ResourceEdit {
        name: target(name),
        revision: options.take("rev").map(|rev| rev.parse().expect("a revision")),
        pool: options.take("pool").map(pool_name),
        state: options.take("state").map(state),
        labels: options.take("labels").map(map),
        user_data: options.take("data").map(map),
        addresses: options
            .take("fqdn")
            .map(|fqdn| Addresses { fqdn: Some(fqdn.into()), ..Addresses::default() }),
        cordon: match (options.take("cordon"), options.take("uncordon")) {
            (Some(message), _) => {
                Some(Some(CordonEdit { message: message.into(), until: options.take("until").map(time) }))
            }
            (None, Some(_)) => Some(None),
            (None, None) => None,
        },
    });
    options.done();
    if verb == "put" { Command::PutResource(edit) } else { Command::PatchResource(edit) }
}

fn boskos(actor: &str, verb: &str, rest: &[&str]) -> Command {
    match (verb, rest) {
        ("b-acquire", [pool, from, dest, options @ ..]) => {
            let mut options = Options::of(options);
            let request_id = options.take("id").map(Text::from);
            options.done();
            Command::BoskosAcquire(BoskosAcquire {
                pool: pool_name(pool),
                state: state(from),
                dest: state(dest),
                owner: owner(actor),
                request_id,
            })
        }
        ("b-by-state", [from, dest, list]) => Command::BoskosAcquireByState {
            state: state(from),
            dest: state(dest),
            owner: owner(actor),
            names: names(list),
        },
        ("b-release", [name, dest]) => {
            Command::BoskosRelease { name: target(name), dest: state(dest), owner: owner(actor) }
        }
        ("b-update", [name, from, patch @ ..]) => Command::BoskosUpdate(BoskosUpdate {
            name: target(name),
            owner: owner(actor),
            state: state(from),
            patch: patch.iter().flat_map(|word| map(word)).collect(),
        }),
        ("b-reset", [pool, from, expire, dest]) => Command::BoskosReset {
            pool: pool_name(pool),
            state: state(from),
            expire: span(expire),
            dest: state(dest),
        },
        _ => panic!("no such verb: {verb} {rest:?}"),
    }
}

pub(super) fn contest(actor: &str, verb: &str, rest: &[&str]) -> Command {
    let lock = |duration: &str, list: &str| ContestLock {
        job: Job(actor.parse().expect("a job number")),
        duration: span(duration),
        targets: names(list),
    };
    match (verb, rest) {
        ("lock", [duration, list]) => Command::ContestLock(lock(duration, list)),
        ("try", [duration, list, limit]) => {
            Command::ContestTryLock { lock: lock(duration, list), limit: limit.parse().expect("a limit") }
        }
        ("unlock", [list]) => Command::ContestUnlock(lock("0", list)),
        ("refresh", [duration, list]) => Command::ContestRefresh(lock(duration, list)),
        _ => panic!("no such verb: {verb} {rest:?}"),
    }
}
