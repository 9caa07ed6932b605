//! What is done to each of many.

use lessor_ledger::{Command, CordonEdit, Force, JobCommand, Owner, Span, State, Subject, Text, Withdrawal};
use lessor_web::page::BulkOf;

use super::find::{Id, Item};
use crate::pages::drain;
use crate::pages::form::{self, Form};
use crate::pages::visitor::Visitor;
use crate::problem::Problem;
use crate::v1::body;

/// What is done to each.
pub(super) enum Action {
    /// Drains it, or lets leases on it again, if it is drained in such a way.
    Cordon(Option<CordonEdit>, Drained),
    /// Extends it, if it is of this owner.
    Extend(Owner, Option<Span>),
    /// Gives it back, if it is of this owner.
    Release(Owner, Option<State>),
    /// Ends it, whoever holds it.
    TakeBack { reason: Text, by: Owner, to_state: Option<State> },
    /// Takes it out of the line, if it is of whoever looks.
    Cancel,
    /// Takes it out of the line, whoever waits.
    TakeOut { reason: Text, by: Owner },
    /// Ends it, if it is of this owner.
    End(Owner),
    /// Gives up on its manager, whoever it is of.
    Free { reason: Text, by: Owner },
}

/// Which resources are meant, by how they are drained.
pub(super) enum Drained {
    /// Those that are not: what others have drained stays as it is.
    Not,
    /// Those that are, however.
    Somehow,
    /// Those that are for the reason that this stands for.
    For(String),
    /// All of them.
    Whatever,
}

impl Drained {
    fn has(&self, item: &Item) -> bool {
        match (self, &item.cordon) {
            (Self::Not, cordon) => cordon.is_none(),
            (Self::Somehow, cordon) => cordon.is_some(),
            (Self::For(reason), cordon) => {
                cordon.as_ref().is_some_and(|cordon| drain::reason(&cordon.message) == *reason)
            }
            (Self::Whatever, _) => true,
        }
    }
}

impl Action {
    /// The action that a form asks for.
    ///
    /// # Errors
    /// A problem if there is no such action, or a field of it is wrong.
    pub(super) fn read(what: BulkOf, form: &Form, visitor: &Visitor) -> Result<Self, Problem> {
        let me = || visitor.owner.clone().ok_or_else(|| Problem::invalid("owner", "say who you are first"));
        let to_state = || body::optional("to_state", form.filled("to_state"), body::state);
        let reason = || {
            let reason = form.filled("reason").ok_or_else(|| Problem::invalid("reason", "must be said"))?;
            body::text("reason", reason)
        };
        let cordon = || drain::cordon(form, visitor.app.keeper.now());
        match (what, form.typed("action")) {
            (BulkOf::Resources, "drain") => Ok(Self::Cordon(Some(cordon()?), Drained::Not)),
            (BulkOf::Resources, "drain-anew") => Ok(Self::Cordon(Some(cordon()?), Drained::Whatever)),
            (BulkOf::Resources, "undrain") => {
                Ok(Self::Cordon(None, form.filled("drained").map_or(Drained::Somehow, Drained::For)))
            }
            (BulkOf::Leases, "extend") => {
                let ttl = form.filled("ttl").map(|text| form::length("ttl", &text)).transpose()?;
                Ok(Self::Extend(me()?, ttl))
            }
            (BulkOf::Leases, "release") => Ok(Self::Release(me()?, to_state()?)),
            (BulkOf::Leases, "take-back") => {
                Ok(Self::TakeBack { by: me()?, reason: reason()?, to_state: to_state()? })
            }
            (BulkOf::Requests, "cancel") => Ok(Self::Cancel),
            (BulkOf::Requests, "take-out") => Ok(Self::TakeOut { reason: reason()?, by: me()? }),
            (BulkOf::Jobs, "end") => Ok(Self::End(me()?)),
            (BulkOf::Jobs, "free") => Ok(Self::Free { by: me()?, reason: reason()? }),
            (_, other) => Err(Problem::invalid("action", format!("there is no {other:?}"))),
        }
    }

    /// Does it to one; `None` if this one is not meant.
    pub(super) async fn on(&self, item: &Item, visitor: &Visitor) -> Option<Result<(), Problem>> {
        if let (Self::Cordon(cordon, drained), Id::Resource(name)) = (self, &item.id) {
            if !drained.has(item) {
                return None;
            }
            return Some(drain::write(visitor, name, &item.drained(), cordon.as_ref()).await);
        }
        let command = self.command(item)?;
        Some(visitor.app.submit(command).await.map(drop))
    }

    /// The command that does it to one that is no resource.
    fn command(&self, item: &Item) -> Option<Command> {
        match (self, &item.id) {
            (Self::Extend(owner, ttl), Id::Lease(lease)) if item.mine => {
                Some(Command::Renew { lease: *lease, owner: Some(owner.clone()), ttl: *ttl })
            }
            (Self::Release(owner, to_state), Id::Lease(lease)) if item.mine => {
                let (owner, to_state) = (Some(owner.clone()), to_state.clone());
                Some(Command::Release { lease: *lease, owner, targets: None, to_state })
            }
            (Self::TakeBack { reason, by, to_state }, Id::Lease(lease)) => Some(Command::Force(Force {
                subject: Subject::Lease(*lease),
                expected: None,
                reason: reason.clone(),
                by: Some(by.clone()),
                to_state: to_state.clone(),
            })),
            (Self::End(owner), Id::Job(job)) if item.mine => {
                Some(Command::Job(JobCommand::End { job: *job, owner: Some(owner.clone()), reason: None }))
            }
            (Self::Free { reason, by }, Id::Job(job)) => {
                let (reason, by) = (reason.clone(), Some(by.clone()));
                Some(Command::Job(JobCommand::Force { job: *job, reason, by }))
            }
            (Self::Cancel, Id::Request(request)) if item.mine => {
                Some(Command::Withdraw(Withdrawal::of(*request)))
            }
            (Self::TakeOut { reason, by }, Id::Request(request)) => {
                let (by, reason) = (Some(by.clone()), Some(reason.clone()));
                Some(Command::Withdraw(Withdrawal { request: *request, by, reason }))
            }
            _ => None,
        }
    }
}
