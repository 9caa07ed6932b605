//! `lessor plugin`: what an author does with a plugin before it is installed anywhere, and the plugins of a server.

mod build;
mod check;
mod component;
mod endpoints;
mod memory;
mod new;
mod report;
mod run;
mod served;

use super::client::Client;
use super::failure::Failure;
use super::output::Output;

/// Makes, looks at and tries plugins; installs them into a server, and looks after them
#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum Plugin {
    New(new::New),
    Build(build::Build),
    Check(check::Check),
    Run(Box<run::Run>),
    #[command(flatten)]
    Served(served::Served),
}

impl Plugin {
    /// Does it.
    ///
    /// # Errors
    /// As the command says.
    pub(crate) async fn run(
        self,
        client: impl FnOnce() -> Result<Client, Failure>,
        output: &Output,
    ) -> Result<(), Failure> {
        match self {
            Self::New(new) => new.run(output),
            Self::Build(build) => build.run(output),
            Self::Check(check) => check.run(output).await,
            Self::Run(run) => run.run(output).await,
            Self::Served(served) => served.run(&client()?, output).await,
        }
    }
}
