//! `lessor backup`: a consistent copy of the running server's store.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;

use super::client::Client;
use super::failure::Failure;
use super::limits::STREAM_SILENCE_MAX;
use super::output::Output;

/// Writes a consistent copy of the running server's store to a file
///
/// The server goes on serving meanwhile. The file appears under its name only when it is complete and on disk; an
/// existing file is never overwritten. To restore, put it into an empty data folder as `lessor.redb` and start.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lessor backup /backups/lessor-$(date +%F).redb
  lessor check /backups/lessor-2030-01-01.redb")]
pub(crate) struct Backup {
    /// File to write
    file: PathBuf,
}

impl Backup {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure::Usage`] if the file exists, [`Failure::Io`] if it cannot be written, or what the server says.
    pub(crate) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        if self.file.exists() {
            return Err(Failure::Usage(format!(
                "{} exists, and backups overwrite nothing",
                self.file.display()
            )));
        }
        let partial = Partial::create(&self.file)?;
        let bytes = partial.fill(client).await?;
        partial.publish(&self.file)?;
        output.note(&format!("wrote {bytes} bytes to {}", self.file.display()));
        Ok(())
    }
}

/// A file that is being written; removed when dropped.
struct Partial {
    path: PathBuf,
    file: File,
}

impl Partial {
    fn create(target: &Path) -> Result<Self, Failure> {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        let path = target.with_file_name(name);
        // User data may hold passwords of the things that are leased.
        let private = File::options().write(true).create_new(true).mode(0o600).open(&path);
        let file = private.map_err(Failure::io(format!("cannot create {}", path.display())))?;
        Ok(Self { path, file })
    }

    /// Writes the server's copy into it and gives its length in bytes.
    async fn fill(&self, client: &Client) -> Result<u64, Failure> {
        let response = client.post(&["v1", "backup"])?.waiting(STREAM_SILENCE_MAX).stream().await?;
        let promised = response.content_length();
        let mut chunks = response.bytes_stream();
        let mut written = 0;
        loop {
            let chunk = tokio::time::timeout(STREAM_SILENCE_MAX, chunks.next()).await;
            let chunk = chunk.map_err(|_| client.unreachable("the copy stopped coming"))?;
            let Some(chunk) = chunk else { break };
            let chunk = chunk.map_err(|cause| client.unreachable(cause.without_url()))?;
            (&self.file).write_all(&chunk).map_err(self.failed("write"))?;
            written += chunk.len() as u64;
        }
        if promised.is_some_and(|promised| promised != written) {
            return Err(client.unreachable("the copy broke off"));
        }
        self.file.sync_all().map_err(self.failed("sync"))?;
        Ok(written)
    }

    /// Gives it its name, unless that is taken by now.
    fn publish(self, target: &Path) -> Result<(), Failure> {
        // A link, unlike a rename, never replaces what is there.
        fs::hard_link(&self.path, target)
            .map_err(Failure::io(format!("cannot create {}", target.display())))?;
        let folder =
            target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(self.failed("sync the folder of"))
    }

    fn failed(&self, what: &str) -> impl FnOnce(std::io::Error) -> Failure {
        Failure::io(format!("cannot {what} {}", self.path.display()))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // What cannot be removed is recognised by its name.
        let _ = fs::remove_file(&self.path);
    }
}
