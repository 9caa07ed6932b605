//! Who acquires and releases: what the runner needs of the plugin host.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use lessor_ledger::PluginName;
use lessor_plugins::{CallError, JobCall, NoManager, Target, TargetManager, Targets};

/// Finds target managers by name.
pub trait Managers: Send + Sync + 'static {
    /// The target manager of this name, which is in lower case.
    ///
    /// # Errors
    /// There is none, or it takes no calls.
    fn manager(&self, name: &str) -> Result<Arc<dyn Manager>, NoManager>;

    /// Waits as long as it is not known yet whether there is one of this name, because what was installed is still being
    /// prepared after a start.
    fn known<'a>(&'a self, name: &'a PluginName) -> BoxFuture<'a, ()> {
        let _ = name;
        Box::pin(std::future::ready(()))
    }
}

/// A target manager. Parameters are JSON text, empty where the job has none. Every future may be dropped at any time.
pub trait Manager: Send + Sync {
    /// Asks whether parameters of `acquire` are good.
    fn validate_acquire<'a>(&'a self, parameters: &'a str) -> BoxFuture<'a, Result<(), CallError>>;

    /// Asks whether parameters of `release` are good.
    fn validate_release<'a>(&'a self, parameters: &'a str) -> BoxFuture<'a, Result<(), CallError>>;

    /// Asks for targets.
    fn acquire<'a>(
        &'a self,
        call: JobCall,
        parameters: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Target>, CallError>>;

    /// Says that a job is done with these targets.
    fn release<'a>(
        &'a self,
        call: JobCall,
        parameters: &'a str,
        targets: Targets<'a>,
    ) -> BoxFuture<'a, Result<(), CallError>>;
}

impl Manager for TargetManager {
    fn validate_acquire<'a>(&'a self, parameters: &'a str) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(Self::validate_acquire(self, parameters))
    }

    fn validate_release<'a>(&'a self, parameters: &'a str) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(Self::validate_release(self, parameters))
    }

    fn acquire<'a>(
        &'a self,
        call: JobCall,
        parameters: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Target>, CallError>> {
        Box::pin(Self::acquire(self, call, parameters))
    }

    fn release<'a>(
        &'a self,
        call: JobCall,
        parameters: &'a str,
        targets: Targets<'a>,
    ) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(Self::release(self, call, parameters, targets))
    }
}
