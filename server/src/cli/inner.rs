//! Steps of `lessor` that it starts itself: not for people, and so no part of the grammar that help, completions, manual
//! pages and errors show.

use std::process::ExitCode;

use clap::Parser;

use super::exit::Code;
use super::failure::Failure;
use super::output::{Colour, Output};
use super::run::exec::Exec;
use crate::bench::Baseline;

/// What can follow `lessor` if `lessor` itself has written the command line.
#[derive(Clone, Debug, Parser)]
pub(crate) enum Inner {
    /// The last step of `run`
    #[command(name = Inner::EXEC_TIED)]
    ExecTied(Exec),
    /// The empty server that `bench --baseline` compares with
    #[command(name = Inner::BENCH_BASELINE)]
    BenchBaseline(Baseline),
    /// What looks through the components of plugins and compiles them
    #[command(name = Inner::PLUGIN_WORKER)]
    PluginWorker {
        /// What to do, as JSON
        task: String,
    },
}

impl Inner {
    /// First argument of [`Inner::ExecTied`].
    pub(crate) const EXEC_TIED: &str = "exec-tied";
    /// First argument of [`Inner::BenchBaseline`].
    pub(crate) const BENCH_BASELINE: &str = "bench-baseline";

    /// First argument of [`Inner::PluginWorker`].
    pub(crate) const PLUGIN_WORKER: &str = "plugin-worker";

    /// The step that the command line of this process asks for, if it asks for one.
    pub(crate) fn asked_for() -> Option<Self> {
        let first = std::env::args_os().nth(1)?;
        let steps = [Self::EXEC_TIED, Self::BENCH_BASELINE, Self::PLUGIN_WORKER];
        steps.iter().any(|step| first == *step).then(Self::parse)
    }

    /// Takes the step.
    ///
    /// Must be called on the main thread, which has not started another one yet.
    pub(crate) fn run(self) -> ExitCode {
        let output = Output::new(None, true, true, Colour::Auto);
        match self {
            Self::ExecTied(exec) => exec.run(&output).into(),
            Self::PluginWorker { task } => lessor_plugins::work(&task),
            Self::BenchBaseline(baseline) => {
                // As many threads as the real server has.
                let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
                let served = runtime
                    .map_err(Failure::io("cannot start the runtime"))
                    .and_then(|runtime| runtime.block_on(baseline.run()));
                match served {
                    Ok(()) => Code::Ok.into(),
                    Err(failure) => {
                        output.failure(&failure);
                        failure.code().into()
                    }
                }
            }
        }
    }
}
