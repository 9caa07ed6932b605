//! Getting something now, or getting in line for it; and handing out what becomes free (design §3.3).

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::apply::Draft;
use crate::apply::grant::NewLease;
use crate::apply::job::clip;
use crate::change::{Answer, Change, Key};
use crate::command::{Acquire, Withdrawal};
use crate::event::EventKind;
use crate::index::{Demand, Turn, arranged, demands};
use crate::lease::{Dialect, LeaseId};
use crate::limits;
use crate::name::{Owner, PoolName, Target, Text};
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::request::{Outcome, Part, Request, RequestId, matching};
use crate::time::Span;

impl Draft<'_> {
    /// Leases everything asked for, or gets in line for it, or says why neither.
    pub(super) fn acquire(&mut self, mut ask: Acquire) -> Result<Reply, Refusal> {
        check_size(&mut ask.parts)?;
        if let Some(reply) = self.replay(&ask)? {
            return Ok(reply);
        }
        self.check_satisfiable(&ask)?;
        if let Some(ttl) = ask.ttl {
            self.check_ttl_of(ttl, &ask.parts)?;
        }
        let demands = demands(&ask.parts, &self.ledger.resources);
        let place = Turn(Reverse(ask.priority), RequestId(self.ledger.counters.request + 1));
        let offers = self.ledger.offers(&demands, place);
        if is_whole(&demands, &offers) {
            let targets = arranged(&ask.parts, &self.ledger.resources, &demands, offers);
            self.room_for_locks(&targets)?;
            let lease = self.grant_v1(&ask, targets, None);
            self.remember_acquire(&ask, Answer::Lease(lease));
            return Ok(Reply::Granted(Box::new(self.granted(lease)?)));
        }
        if !ask.queue {
            return Err(Refusal::Unavailable(self.ledger.missing(&demands, &offers)));
        }
        let request = Arc::new(self.request_for(ask.clone()));
        self.room_for_request(&request)?;
        self.record(Change::Request(Arc::clone(&request)));
        self.tell_queued(&request);
        self.remember_acquire(&ask, Answer::Request(request.id));
        self.create_for(&demands, &offers);
        self.queued(&request)
    }

    /// Shows that a waiter is alive, which also brings back the place of one that fell silent. If its request was
    /// granted meanwhile, it knows now.
    pub(super) fn poll(&mut self, id: RequestId) -> Result<Reply, Refusal> {
        let Some(request) = self.ledger.requests.get(&id).cloned() else {
            return Err(Refusal::NoSuchRequest(id));
        };
        if let Some(outcome) = request.outcome {
            if let Outcome::Granted { lease, .. } = outcome {
                self.collect(lease);
            }
            return Ok(Reply::Settled(request));
        }
        let live_until = self.now.plus(self.ledger.settings.request_ttl);
        let alive = Arc::new(Request { live_until, dormant: false, ..Request::clone(&request) });
        self.record(Change::Request(Arc::clone(&alive)));
        if request.dormant {
            self.note_lines(&alive);
        }
        self.queued(&alive)
    }

    /// Takes a request out of line. One that was settled before stays as it is.
    pub(super) fn withdraw(&mut self, withdrawal: Withdrawal) -> Result<Reply, Refusal> {
        let Withdrawal { request: id, by, reason } = withdrawal;
        let Some(request) = self.ledger.requests.get(&id).cloned() else {
            return Err(Refusal::NoSuchRequest(id));
        };
        if request.waits() {
            // Who leaves need not be named again.
            let by = by.filter(|by| *by != request.owner);
            let note = match (by, reason) {
                (Some(by), Some(reason)) => Some(clip(&format!("by {by}: {reason}"))),
                (Some(by), None) => Some(format!("by {by}").into()),
                (None, reason) => reason,
            };
            self.end_request(
                &request,
                EventKind::RequestWithdrawn,
                Outcome::Withdrawn { at: self.now },
                note,
            );
        }
        Ok(Reply::Done)
    }

    /// Hands out what became free, and does what follows from that, until nothing more follows.
    pub(super) fn follow_up(&mut self) {
        loop {
            if let Some((job, reason)) = self.bereft.pop_first() {
                self.see_to_loss(job, reason);
            } else if let Some(target) = self.leaving.pop_first() {
                self.see_off(&target);
            } else if let Some(pool) = self.stirred.pop_first() {
                self.update_dynamic(&pool);
            } else if self.freed.is_empty() {
                return;
            } else {
                self.hand_out();
            }
        }
    }

    pub(super) fn grant_v1(
        &mut self,
        ask: &Acquire,
        targets: Vec<Target>,
        request: Option<&Request>,
    ) -> LeaseId {
        let key = match request {
            Some(request) => request.key.clone(),
            None => ask.key.as_ref().map(|(key, _)| key.clone()),
        };
        let ttl = ask.ttl.unwrap_or_else(|| self.default_ttl(&targets));
        self.grant(NewLease {
            owner: ask.owner.clone(),
            dialect: Dialect::V1,
            to_state: Some(ask.to_state.clone()),
            ttl: Some(ttl),
            purpose: ask.purpose.clone(),
            key,
            request: request.map(|request| request.id),
            targets,
        })
    }

    /// The shortest default of the pools concerned, and never longer than any of them allows.
    fn default_ttl(&self, targets: &[Target]) -> Span {
        let pool = |target| self.ledger.pools.get(&self.ledger.resources.get(target)?.pool);
        let ttl = |pool: &Arc<Pool>| pool.ttl_for(Dialect::V1);
        targets.iter().filter_map(pool).filter_map(ttl).min().unwrap_or(limits::TTL_DEFAULT)
    }

    fn request_for(&self, ask: Acquire) -> Request {
        Request {
            id: RequestId(self.ledger.counters.request + 1),
            owner: ask.owner,
            dialect: Dialect::V1,
            parts: ask.parts,
            to_state: ask.to_state,
            ttl: ask.ttl,
            priority: ask.priority,
            purpose: ask.purpose,
            key: ask.key.map(|(key, _)| key),
            since: self.now,
            live_until: self.now.plus(self.ledger.settings.request_ttl),
            dormant: false,
            outcome: None,
        }
    }

    fn queued(&self, request: &Arc<Request>) -> Result<Reply, Refusal> {
        let place = self.ledger.place(request.id).ok_or(Refusal::NoSuchRequest(request.id))?;
        Ok(Reply::Queued(Arc::clone(request), place))
    }

    /// Whether this request may wait, too.
    pub(super) fn room_for_request(&self, request: &Request) -> Result<(), Refusal> {
        if self.ledger.index.silence.len() >= limits::REQUESTS_MAX {
            return Err(Refusal::Full { what: "requests waiting", limit: limits::REQUESTS_MAX });
        }
        if self.ledger.index.waiting_size.saturating_add(request.size()) > limits::REQUESTS_SIZE_MAX {
            let limit = limits::REQUESTS_SIZE_MAX;
            return Err(Refusal::Full { what: "names, labels and parts of the requests waiting", limit });
        }
        let matching = self.ledger.index.waiting_matching.saturating_add(matching(&request.parts));
        if matching > limits::MATCHING_WAITING_MAX {
            let limit = limits::MATCHING_WAITING_MAX;
            let what = "parts with labels times the targets that they want, of the requests waiting";
            return Err(Refusal::Full { what, limit });
        }
        Ok(())
    }

    /// What the same call led to before, if its key was used.
    fn replay(&mut self, ask: &Acquire) -> Result<Option<Reply>, Refusal> {
        let Some((text, fingerprint)) = &ask.key else { return Ok(None) };
        let Some(key) = self.ledger.keys.get(&(ask.owner.clone(), text.clone())) else { return Ok(None) };
        if key.fingerprint != *fingerprint {
            return Err(Refusal::KeyReused);
        }
        match key.outcome {
            Answer::Lease(lease) => Ok(Some(self.replay_lease(lease))),
            Answer::Job(_) => Err(Refusal::KeyReused),
            Answer::Request(id) => match self.ledger.requests.get(&id).and_then(|request| request.outcome) {
                Some(Outcome::Granted { lease, .. }) => Ok(Some(self.replay_lease(lease))),
                None if self.ledger.requests.contains_key(&id) => self.poll(id).map(Some),
                // It was withdrawn, lapsed or forgotten without a grant: the caller starts anew.
                _ => Ok(None),
            },
        }
    }

    fn replay_lease(&mut self, lease: LeaseId) -> Reply {
        self.collect(lease);
        self.ledger.grant(lease).map_or(Reply::Replayed(lease), |grant| Reply::Granted(Box::new(grant)))
    }

    fn remember_acquire(&mut self, ask: &Acquire, outcome: Answer) {
        if let Some(key) = ask.key.clone() {
            self.remember(ask.owner.clone(), key, outcome);
        }
    }

    /// Keeps what a key with its fingerprint stands for.
    pub(super) fn remember(&mut self, owner: Owner, (text, fingerprint): (Text, u64), outcome: Answer) {
        while self.ledger.keys.len() >= limits::KEYS_MAX
            && let Some((_, owner, text)) = self.ledger.index.keys_by_age.get_min().cloned()
        {
            self.record(Change::KeyGone(owner, text));
        }
        let key = Key { owner, text, fingerprint, outcome, at: self.now };
        self.record(Change::Key(Arc::new(key)));
    }

    /// From now on the key stands for the lease, because the request is forgotten earlier than the key.
    pub(super) fn remember_grant(&mut self, request: &Request, lease: LeaseId) {
        let Some(text) = &request.key else { return };
        let key = self.ledger.keys.get(&(request.owner.clone(), text.clone()));
        if let Some(key) = key.filter(|key| key.outcome == Answer::Request(request.id)).cloned() {
            let key = Key { outcome: Answer::Lease(lease), ..Key::clone(&key) };
            self.record(Change::Key(Arc::new(key)));
        }
    }

    fn check_ttl_of(&self, ttl: Span, parts: &[Part]) -> Result<(), Refusal> {
        let pools = parts.iter().flat_map(|part| match part {
            Part::Pool { pool, .. } | Part::Named { pool: Some(pool), .. } => vec![Some(pool)],
            Part::Named { targets, .. } => targets.iter().map(|target| self.pool_of(target)).collect(),
        });
        self.check_ttl_in(ttl, pools)
    }
}

/// The pool that a request is about, or the first of several.
pub(super) fn first_pool(request: &Request) -> Option<PoolName> {
    request.parts.iter().find_map(|part| match part {
        Part::Pool { pool, .. } => Some(pool.clone()),
        Part::Named { pool, .. } => pool.clone(),
    })
}

pub(super) fn is_whole(demands: &[Demand], offers: &[Vec<Target>]) -> bool {
    demands.iter().zip(offers).all(|(demand, offer)| offer.len() == demand.count as usize)
}

/// Bounds what one request may ask for, and lets nothing be named twice.
fn check_size(parts: &mut [Part]) -> Result<(), Refusal> {
    if parts.is_empty() || parts.len() > limits::PARTS_PER_REQUEST_MAX {
        return Err(Refusal::TooLarge { what: "parts in one request", limit: limits::PARTS_PER_REQUEST_MAX });
    }
    let mut named = BTreeSet::new();
    let mut total = 0usize;
    for part in &mut *parts {
        match part {
            Part::Pool { count, labels, .. } => {
                if *count == 0 || labels.len() > limits::LABELS_MAX {
                    return Err(Refusal::TooLarge {
                        what: "labels in one selector",
                        limit: limits::LABELS_MAX,
                    });
                }
                total = total.saturating_add(*count as usize);
            }
            Part::Named { targets, .. } => {
                targets.retain(|target| named.insert(target.clone()));
                total = total.saturating_add(targets.len());
            }
        }
    }
    if total == 0 || total > limits::TARGETS_PER_CALL_MAX {
        return Err(Refusal::TooLarge {
            what: "targets in one request",
            limit: limits::TARGETS_PER_CALL_MAX,
        });
    }
    if matching(parts) > limits::MATCHING_MAX {
        return Err(Refusal::TooLarge {
            what: "parts with labels times the targets that they want, in one request",
            limit: limits::MATCHING_MAX,
        });
    }
    Ok(())
}
