//! `lessor plugin`: plugins of a server.

mod served;

use super::client::Client;
use super::failure::Failure;
use super::output::Output;

/// Installs plugins into a server, and looks after them
#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum Plugin {
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
            Self::Served(served) => served.run(&client()?, output).await,
        }
    }
}
