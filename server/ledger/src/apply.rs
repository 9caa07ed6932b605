//! `apply`: one function decides everything.

mod boskos;
mod contest;
mod draft;
mod due;
mod dynamic;
mod grant;
mod handout;
mod job;
mod lease;
mod plugin;
mod queue;
mod resource;
mod sync;
mod unmet;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::command::Command;
use crate::refusal::Refusal;
use crate::reply::{Reply, Settled, Step};
use crate::state::Ledger;
use crate::time::Time;
use draft::Draft;

impl Ledger {
    /// Settles everything due at `now`, then decides `command`, then hands what became free to whoever waits.
    ///
    /// `now` never goes back: an earlier one counts as the latest seen. A refusal changes nothing apart from what
    /// was due anyway, with one exception: a refused Boskos poll keeps or takes its place in line.
    pub fn apply(&mut self, command: Command, now: Time) -> Step {
        let now = self.now.max(now);
        self.now = now;
        let mut draft = Draft {
            ledger: self,
            now,
            changes: Vec::new(),
            settled: Vec::new(),
            freed: BTreeSet::new(),
            stirred: BTreeSet::new(),
            leaving: BTreeSet::new(),
            bereft: BTreeMap::new(),
        };
        let reply = if matches!(command, Command::Resume) {
            // Before anything is settled, or those who could not poll while the server was away lose their place.
            draft.resume();
            draft.settle_due();
            Ok(Reply::Done)
        } else {
            draft.settle_due();
            draft.follow_up();
            draft.decide(command)
        };
        draft.follow_up();
        let reply = reply.map(|reply| draft.granted_meanwhile(reply));
        Step { reply, changes: draft.changes, settled: draft.settled }
    }
}

impl Draft<'_> {
    /// Getting in line can itself make the resource that is waited for (dynamic pools), and so can coming back to it.
    fn granted_meanwhile(&mut self, reply: Reply) -> Reply {
        let Reply::Queued(request, _) = &reply else { return reply };
        match self.settled.iter().find(|(id, _)| *id == request.id) {
            Some((_, Settled::Granted(grant))) => {
                let grant = grant.clone();
                self.collect(grant.lease.id);
                Reply::Granted(grant)
            }
            Some((_, Settled::Ended(request))) => Reply::Settled(Arc::clone(request)),
            None => reply,
        }
    }

    fn decide(&mut self, command: Command) -> Result<Reply, Refusal> {
        match command {
            Command::Tick | Command::Resume => Ok(Reply::Done),
            Command::BoskosAcquire(acquire) => {
                self.not_for_a_job(&acquire.owner)?;
                self.boskos_acquire(acquire)
            }
            Command::BoskosAcquireByState { state, dest, owner, names } => {
                self.not_for_a_job(&owner)?;
                self.boskos_acquire_by_state(&state, &dest, owner, names)
            }
            Command::BoskosRelease { name, dest, owner } => {
                self.not_for_a_job(&owner)?;
                self.boskos_release(&name, &dest, owner)
            }
            Command::BoskosUpdate(update) => {
                self.not_for_a_job(&update.owner)?;
                self.boskos_update(update)
            }
            Command::BoskosReset { pool, state, expire, dest } => {
                Ok(self.boskos_reset(&pool, &state, expire, &dest))
            }
            Command::ContestLock(lock) => self.contest_lock(self.by_outsider(lock)?),
            Command::ContestTryLock { lock, limit } => self.contest_try_lock(self.by_outsider(lock)?, limit),
            Command::ContestUnlock(lock) => self.contest_unlock(self.by_outsider(lock)?),
            Command::ContestRefresh(lock) => self.contest_refresh(self.by_outsider(lock)?),
            Command::Acquire(acquire) => {
                self.not_for_a_job(&acquire.owner)?;
                self.acquire(*acquire)
            }
            Command::Renew { lease, owner, ttl } => {
                self.not_of_a_job(lease)?;
                self.renew(lease, owner, ttl)
            }
            Command::Release { lease, owner, targets, to_state } => {
                self.not_of_a_job(lease)?;
                self.release(lease, owner, targets, to_state.as_ref())
            }
            Command::Force(force) => self.force(force),
            Command::Poll(request) => self.poll(request),
            Command::Withdraw(withdrawal) => self.withdraw(withdrawal),
            Command::PutResource(edit) => self.put_resource(*edit),
            Command::PatchResource(edit) => self.patch_resource(*edit),
            Command::DeleteResource { name, revision } => self.delete_resource(&name, revision),
            Command::Sync(entries) => self.sync(&entries),
            Command::Job(command) => self.job(command),
            Command::Plugin(command) => self.plugin(command),
        }
    }
}
