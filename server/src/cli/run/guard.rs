//! Keeps a lease alive while a command runs, and ends the command before the lease can end.

use std::future::Future;
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::json;
use tokio::process::{Child, Command};

use super::environment::give;
use super::group::Group;
use crate::cli::client::{Backoff, Client};
use crate::cli::clock::{Moment, jittered, sleep_until};
use crate::cli::failure::Failure;
use crate::cli::held::{Held, What};
use crate::cli::limits::{ANSWER_MAX, KILL_MARGIN, LOOK_EVERY, ON_LOST_MAX, RETRY_FIRST, RETRY_MAX};
use crate::cli::output::{Output, cell};
use crate::cli::signals::Signals;
use crate::cli::text::clean;

/// How the command ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself, or by a signal that was passed on.
    Exited(u8),
    /// Because its lease was lost, for this reason.
    Lost(String),
}

/// When what is due for a lease that certainly lives until `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    /// The next renewal.
    renew_at: Moment,
    /// The command is asked to end, because no renewal was confirmed.
    term_at: Moment,
    /// The command is killed.
    kill_at: Moment,
}

impl Plan {
    /// Renews after a third of the TTL; asks the command to end `grace` before the end, though not in the first two
    /// thirds; kills it one [`KILL_MARGIN`] before the end, or a tenth of the TTL if that is less.
    fn new(until: Moment, ttl: Duration, grace: Duration) -> Self {
        let margin = KILL_MARGIN.min(ttl / 10);
        let grace = grace.min(ttl / 3).max(margin);
        Self {
            renew_at: until.minus(ttl).plus(jittered(ttl / 3)),
            term_at: until.minus(grace),
            kill_at: until.minus(margin),
        }
    }
}

/// What a try to renew led to.
enum Renewal {
    Done(Held),
    Lost(String),
    Failed(Failure),
}

type Trying<'a> = Pin<Box<dyn Future<Output = Renewal> + 'a>>;

/// Guards one lease or job.
pub(crate) struct Guard<'a> {
    client: &'a Client,
    output: &'a Output,
    held: (What, u64),
    grace: Duration,
    /// `None` for a lease without deadline, which needs no renewal.
    term: Option<(Moment, Duration)>,
}

impl<'a> Guard<'a> {
    /// Guards `held`.
    pub(crate) fn new(client: &'a Client, output: &'a Output, held: &Held, grace: Duration) -> Self {
        Self { client, output, held: (held.what, held.id), grace, term: held.until.zip(held.ttl) }
    }

    fn plan(&self) -> Option<Plan> {
        self.term.map(|(until, ttl)| Plan::new(until, ttl, self.grace))
    }

    /// When the command is killed that is asked to end now.
    fn last_moment(&self) -> Moment {
        let grace = Moment::now().plus(self.grace);
        self.plan().map_or(grace, |plan| plan.kill_at.min(grace))
    }

    /// Renews at once if the lease has been running for a while (it was granted between two looks, or the answer was
    /// slow), so that the command starts with a full TTL.
    ///
    /// # Errors
    /// Says why if the lease is lost already.
    pub(crate) async fn freshen(&mut self) -> Result<(), String> {
        let mut backoff = Backoff::new();
        while let Some(plan) = self.plan().filter(|plan| plan.renew_at.left().is_zero()) {
            match renew(self.client, self.held, plan).await {
                Renewal::Done(held) => self.term = held.until.zip(held.ttl),
                Renewal::Lost(why) => return Err(why),
                Renewal::Failed(failure) => {
                    if !backoff.pause(plan.term_at).await {
                        return Err(failure.with_causes());
                    }
                }
            }
        }
        Ok(())
    }

    /// Stays with the command until nothing of it is left: renews, passes signals on, and ends it in time if the
    /// lease cannot be kept.
    ///
    /// # Errors
    /// [`Failure::Io`] if the command cannot be waited for; its group is killed then.
    pub(crate) async fn watch(
        &mut self,
        group: &mut Group,
        signals: &mut Signals,
        on_lost: Option<&str>,
        vars: &[(String, String)],
    ) -> Result<End, Failure> {
        let mut ending = Ending { why: None, hook: None };
        let code = self.until_exit(group, signals, &mut ending, on_lost, vars).await?;
        group.finish();
        group.drain(self.last_moment()).await;
        if let Some(hook) = ending.hook.take() {
            finish_hook(hook, self.output).await;
        }
        Ok(ending.why.map_or(End::Exited(code), End::Lost))
    }

    async fn until_exit(
        &mut self,
        group: &mut Group,
        signals: &mut Signals,
        ending: &mut Ending,
        on_lost: Option<&str>,
        vars: &[(String, String)],
    ) -> Result<u8, Failure> {
        let mut taken = Box::pin(taken(self.client, self.held));
        let mut trying: Option<Trying<'a>> = None;
        let mut retry: Option<(Moment, Duration)> = None;
        // Once the group is killed there is nothing left to do but wait.
        let mut killed = false;
        let mut kill_at = None;
        loop {
            let plan = self.plan();
            let lost = ending.why.is_some();
            let renew_at = plan.filter(|_| !lost).map(|plan| retry.map_or(plan.renew_at, |(at, _)| at));
            let term_at = plan.filter(|_| !lost).map(|plan| plan.term_at);
            tokio::select! {
                code = group.wait() => match code? {
                    Some(code) => return Ok(code),
                    None => self.output.note("a command cannot be stopped while it holds a lease: it goes on"),
                },
                signal = signals.next() => group.send(signal),
                renewal = attempt(&mut trying), if trying.is_some() && !lost => {
                    trying = None;
                    match renewal {
                        Renewal::Done(held) => {
                            retry = None;
                            self.term = held.until.zip(held.ttl);
                        }
                        Renewal::Lost(why) => {
                            kill_at = Some(self.last_moment());
                            ending.begin(self.output, group, why, on_lost, vars);
                        }
                        Renewal::Failed(failure) => {
                            self.output.note(&format!("cannot renew: {}, trying again", failure.with_causes()));
                            let pause = retry.map_or(RETRY_FIRST, |(_, pause)| (pause * 2).min(RETRY_MAX));
                            retry = Some((Moment::now().plus(jittered(pause)), pause));
                        }
                    }
                }
                why = &mut taken, if !lost => {
                    kill_at = Some(self.last_moment());
                    ending.begin(self.output, group, why, on_lost, vars);
                }
                () = due(renew_at), if trying.is_none() && renew_at.is_some() => {
                    let plan = plan.expect("a renewal is due only if there is a plan");
                    trying = Some(Box::pin(renew(self.client, self.held, plan)));
                }
                () = due(term_at), if term_at.is_some() => {
                    kill_at = plan.map(|plan| plan.kill_at);
                    ending.begin(self.output, group, "no renewal was confirmed in time".to_owned(), on_lost, vars);
                }
                () = due(kill_at), if kill_at.is_some() && !killed => {
                    killed = true;
                    group.kill();
                }
            }
        }
    }
}

/// The end of a command whose lease is lost.
struct Ending {
    why: Option<String>,
    hook: Option<Child>,
}

impl Ending {
    fn begin(
        &mut self,
        output: &Output,
        group: &Group,
        why: String,
        on_lost: Option<&str>,
        vars: &[(String, String)],
    ) {
        output.warn(&format!("lease lost ({why}): ending the command"));
        group.terminate();
        self.why = Some(why);
        self.hook = on_lost.and_then(|hook| {
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c").arg(hook).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
            give(&mut shell, vars);
            shell
                .spawn()
                .inspect_err(|cause| output.warn(&format!("warning: --on-lost cannot be started: {cause}")))
                .ok()
        });
    }
}

async fn finish_hook(mut hook: Child, output: &Output) {
    if tokio::time::timeout(ON_LOST_MAX, hook.wait()).await.is_err() {
        output.warn(&format!("warning: --on-lost was killed after {} s", ON_LOST_MAX.as_secs()));
        if let Some(group) = hook.id().and_then(|id| i32::try_from(id).ok()) {
            // ESRCH: it has ended meanwhile.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}

async fn due(moment: Option<Moment>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn attempt(trying: &mut Option<Trying<'_>>) -> Renewal {
    match trying {
        Some(trying) => trying.as_mut().await,
        None => std::future::pending().await,
    }
}

/// Whether a lease has ended, or a job is not leased any more.
fn has_ended(what: What, body: &serde_json::Value) -> bool {
    match what {
        What::Lease => body.get("ended_at").is_some_and(|ended| !ended.is_null()),
        What::Job => body.get("phase").is_some_and(|phase| phase != "leased"),
    }
}

/// Resolves when the server says that the lease has ended although it was not given back, and says why. Until then it
/// looks every now and then: a renewal alone would tell too late.
async fn taken(client: &Client, (what, id): (What, u64)) -> String {
    loop {
        sleep_until(Moment::now().plus(jittered(LOOK_EVERY))).await;
        let answer =
            async { client.get(&["v1", what.place(), &id.to_string()])?.within(ANSWER_MAX).send().await };
        match answer.await {
            Ok(answer) if has_ended(what, &answer.body) => {
                let reason = ["reason", "cause"]
                    .map(|key| cell(&answer.body, key))
                    .into_iter()
                    .find(|why| !why.is_empty());
                return reason.map_or_else(
                    || "it was taken away".to_owned(),
                    |why| format!("it was taken away: {}", clean(&why)),
                );
            }
            Err(Failure::Problem(problem)) if problem.status == 404 => return problem.to_string(),
            // Whether the server can be reached is for the renewals to find out.
            Ok(_) | Err(_) => {}
        }
    }
}

/// Tries once to renew. The deadline counts from before the request is sent.
///
/// It names no TTL: the server knows it, and gives less of it if the pool does not allow as much any more.
async fn renew(client: &Client, (what, id): (What, u64), plan: Plan) -> Renewal {
    // A connection that hangs must not eat the time for trying another one.
    let third = plan.term_at.since(plan.renew_at) / 3;
    let within = third.max(RETRY_FIRST).min(ANSWER_MAX);
    let sent = Moment::now();
    let answer = async {
        let call = client.post(&["v1", what.place(), &id.to_string(), "renew"])?;
        let answer = call.json(&json!({})).within(within).send().await?;
        Held::read_as(what, client, answer.body, sent)
    };
    match answer.await {
        Ok(held) => Renewal::Done(held),
        Err(Failure::Problem(problem)) if matches!(problem.status, 404 | 409 | 410) => {
            Renewal::Lost(problem.to_string())
        }
        Err(failure) => Renewal::Failed(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn the_kill_is_always_ahead_of_the_end_and_behind_the_request_to_end() {
        let start = Moment::now();
        for ttl_ms in [10, 100, 900, 3_000, 10_000, 60_000, 86_400_000] {
            for grace in [secs(0), Duration::from_millis(500), secs(20), secs(3600)] {
                let ttl = Duration::from_millis(ttl_ms);
                let until = start.plus(ttl);
                let plan = Plan::new(until, ttl, grace);
                assert!(plan.kill_at < until, "{ttl:?} {grace:?} {plan:?}");
                assert!(plan.term_at <= plan.kill_at, "{ttl:?} {grace:?} {plan:?}");
                assert!(plan.term_at >= start.plus(ttl / 3 * 2), "{ttl:?} {grace:?} {plan:?}");
                assert!(plan.renew_at <= start.plus(ttl / 3), "{ttl:?} {grace:?} {plan:?}");
                assert!(plan.renew_at < plan.term_at, "{ttl:?} {grace:?} {plan:?}");
            }
        }
    }

    #[test]
    fn a_minute_is_renewed_at_20_s_and_ends_at_40_and_59_s() {
        let start = Moment::now();
        let plan = Plan::new(start.plus(secs(60)), secs(60), secs(20));
        assert_eq!(plan.term_at, start.plus(secs(40)));
        assert_eq!(plan.kill_at, start.plus(secs(59)));
        assert!(plan.renew_at <= start.plus(secs(20)) && plan.renew_at >= start.plus(secs(18)), "{plan:?}");
    }
}
