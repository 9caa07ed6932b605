//! Calls into a target manager, and the checks of what it answers.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::call::{CallError, JobCall, Problem, Target, Targets};
use crate::clock::now;
use crate::contract::types;
use crate::limits::{
    FAILURE_CODE_BYTES_MAX, MANAGER_STATE_BYTES_MAX, MESSAGE_BYTES_MAX, PARAMETERS_BYTES_MAX,
    PROBLEM_BYTES_MAX, PROBLEMS_MAX, TARGET_BYTES_MAX, TARGETS_MAX,
};
use crate::plugin::{End, Plugin};
use crate::text;
use crate::visit::{self, Answer, Question, Shared};

/// A target manager to call. A call goes to the version that is current when it has its turn.
///
/// Parameters are JSON text, empty if there are none, which a plugin can tell from a null. What is given to a call is
/// borrowed until its end, and nothing is made of it before its turn: there may be many that wait.
#[derive(Clone)]
pub struct TargetManager {
    plugin: Arc<Plugin>,
    shared: Arc<Shared>,
}

impl TargetManager {
    pub(crate) fn new(plugin: Arc<Plugin>, shared: Arc<Shared>) -> Self {
        Self { plugin, shared }
    }

    /// Asks whether parameters of `acquire` are good. The plugin has 5 s for it, and no locker.
    ///
    /// # Errors
    ///
    /// [`CallError::Problems`] is the verdict of the plugin; everything else means that there is none.
    ///
    /// # Cancel safety
    ///
    /// Nothing depends on the call.
    pub async fn validate_acquire(&self, parameters: &str) -> Result<(), CallError> {
        self.check(Question::ValidateAcquire(parameters)).await
    }

    /// Asks whether parameters of `release` are good, likewise.
    ///
    /// # Errors
    ///
    /// As [`validate_acquire`](Self::validate_acquire).
    ///
    /// # Cancel safety
    ///
    /// Nothing depends on the call.
    pub async fn validate_release(&self, parameters: &str) -> Result<(), CallError> {
        self.check(Question::ValidateRelease(parameters)).await
    }

    /// Asks for targets. The answer may hold none, or one twice: what that means is for the caller to say. Names,
    /// addresses and the manager's state were checked.
    ///
    /// # Errors
    ///
    /// The plugin failed, answered nonsense, or took more than it may. Locks that it took for the job are left to the
    /// caller.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the call ends where it is, as with `call.cancel`.
    pub async fn acquire(&self, call: JobCall, parameters: &str) -> Result<Vec<Target>, CallError> {
        match self.call(Question::Acquire(&call, parameters)).await? {
            Answer::Acquired(Ok(targets)) => checked(targets),
            Answer::Acquired(Err(failure)) => Err(self.failed(&failure)),
            Answer::Checked(_) | Answer::Released(_) => unreachable!("an answer is of the question's kind"),
        }
    }

    /// Tells the plugin that a job is done with its targets, which are asked for when the call has its turn.
    ///
    /// # Errors
    ///
    /// The plugin failed, or took more than it may. The call may be made again.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the call ends where it is, as with `call.cancel`.
    pub async fn release(
        &self,
        call: JobCall,
        parameters: &str,
        targets: Targets<'_>,
    ) -> Result<(), CallError> {
        match self.call(Question::Release(&call, parameters, targets)).await? {
            Answer::Released(Ok(())) => Ok(()),
            Answer::Released(Err(failure)) => Err(self.failed(&failure)),
            Answer::Checked(_) | Answer::Acquired(_) => unreachable!("an answer is of the question's kind"),
        }
    }

    async fn check(&self, question: Question<'_>) -> Result<(), CallError> {
        match self.call(question).await? {
            Answer::Checked(Ok(())) => Ok(()),
            Answer::Checked(Err(problems)) => Err(CallError::Problems(tamed(problems))),
            Answer::Acquired(_) | Answer::Released(_) => unreachable!("an answer is of the question's kind"),
        }
    }

    /// The plugin's own word that it failed. What of it is for programs goes to the log.
    fn failed(&self, failure: &types::Failure) -> CallError {
        let retryable = failure.retryable;
        let (code, message) = (
            text::tame(&failure.code, FAILURE_CODE_BYTES_MAX),
            text::tame(&failure.message, MESSAGE_BYTES_MAX),
        );
        let context = &self.plugin.current().context;
        if context.may_log(code.len() + message.len()) {
            let plugin = context.name.as_str();
            tracing::info!(target: "plugin", plugin, code, retryable, message, "a plugin says that it failed");
        }
        CallError::Failed { message, retryable }
    }

    /// Makes a call with the version that is current when it has its turn, and notes how it went.
    async fn call(&self, question: Question<'_>) -> Result<Answer, CallError> {
        bounded(question.parameters())?;
        self.plugin.available(question.part())?;
        let _in_flight = self.plugin.enter();
        let began = now();
        let (stay, done) = visit::run(&self.shared, &self.plugin, &question, began).await;
        let took = now().saturating_duration_since(began);
        let end = End {
            export: question.export(),
            part: question.part(),
            job: question.job().map(|call| call.job),
            took,
            stay,
        };
        self.plugin.ended(&end, done.as_ref().map(|_| ()));
        done
    }
}

impl std::fmt::Debug for TargetManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TargetManager")
            .field("name", &self.plugin.current().context.name)
            .finish_non_exhaustive()
    }
}

/// Holds parameters to their bound.
fn bounded(parameters: &str) -> Result<(), CallError> {
    let bytes = parameters.len();
    if bytes > PARAMETERS_BYTES_MAX {
        let message = format!("has {bytes} bytes: at most {PARAMETERS_BYTES_MAX} are taken");
        return Err(CallError::Problems(vec![Problem { path: String::new(), message }]));
    }
    Ok(())
}

fn tamed(problems: Vec<types::Problem>) -> Vec<Problem> {
    let kept = problems.into_iter().take(PROBLEMS_MAX).map(|types::Problem { path, message }| Problem {
        path: text::tame(&path, PROBLEM_BYTES_MAX),
        message: text::tame(&message, PROBLEM_BYTES_MAX),
    });
    kept.collect()
}

/// The targets of an answer, if they can be targets.
fn checked(targets: Vec<types::Target>) -> Result<Vec<Target>, CallError> {
    let nonsense = |message: String| CallError::Failed { message, retryable: false };
    if targets.len() > TARGETS_MAX {
        let count = targets.len();
        return Err(nonsense(format!(
            "the plugin returned {count} targets: at most {TARGETS_MAX} are taken"
        )));
    }
    let checked = targets.into_iter().enumerate().map(|(index, target)| {
        read(target)
            .map_err(|what| nonsense(format!("the plugin returned a bad target, number {index}: {what}")))
    });
    checked.collect()
}

fn read(target: types::Target) -> Result<Target, String> {
    let types::Target { id, fqdn, ipv4, ipv6, manager_state, labels } = target;
    if id.len() > TARGET_BYTES_MAX {
        return Err(format!("its ID has {} bytes: at most {TARGET_BYTES_MAX} are taken", id.len()));
    }
    if ipv4.as_deref().is_some_and(|text| text.parse::<Ipv4Addr>().is_err() && !mapped(text)) {
        return Err("its IPv4 address is none".to_owned());
    }
    if ipv6.as_deref().is_some_and(|text| text.parse::<IpAddr>().is_err()) {
        return Err("its IPv6 address is none".to_owned());
    }
    if let Some(state) = &manager_state {
        if state.len() > MANAGER_STATE_BYTES_MAX {
            let bytes = state.len();
            return Err(format!("its state has {bytes} bytes: at most {MANAGER_STATE_BYTES_MAX} are taken"));
        }
        if serde_json::from_str::<serde::de::IgnoredAny>(state).is_err() {
            return Err("its state is not JSON".to_owned());
        }
    }
    let fqdn = fqdn.map(|fqdn| short("its FQDN", &fqdn)).transpose()?;
    let labels = labels.iter().map(|(name, value)| {
        Ok((short("the name of a label", name)?, short("the value of a label", value)?))
    });
    let labels = labels.collect::<Result<BTreeMap<_, _>, String>>()?;
    Ok(Target { id, fqdn, ipv4, ipv6, manager_state, labels })
}

/// Text of a target that people see, if it is not too long.
fn short(what: &str, text: &str) -> Result<String, String> {
    let bytes = text.len();
    if bytes > TARGET_BYTES_MAX {
        return Err(format!("{what} has {bytes} bytes: at most {TARGET_BYTES_MAX} are taken"));
    }
    Ok(text::tame(text, TARGET_BYTES_MAX))
}

/// Whether text is an IPv4 address written as one of version 6, as `ConTest` takes it.
fn mapped(text: &str) -> bool {
    text.parse::<std::net::Ipv6Addr>().is_ok_and(|address| address.to_ipv4_mapped().is_some())
}
