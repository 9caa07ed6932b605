//! `POST /v1/backup`: a consistent copy of the store, while everything goes on.

use std::fs::File;
use std::sync::{Arc, LazyLock};

use axum::body::{Body, Bytes};
use axum::extract::State as Extract;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream::try_unfold;
use lessor_store::Reader;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::App;
use crate::limits::{BACKUP_CHUNK_BYTES, BACKUPS_MAX};
use crate::problem::{Kind, Problem};

/// Allowances for copies in the making; for the process, because that is what the disk is shared by.
static COPIES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(BACKUPS_MAX)));

/// Copies the store and sends the copy. `lessor check` verifies it; a server starts from it.
#[utoipa::path(post, path = "/v1/backup", tag = "operations", responses(
    (status = 200, description = "The copy", body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 500, description = "The copy failed; the log says why"),
    (status = 503, description = "Another copy is being made"),
))]
pub(crate) async fn backup(Extract(app): Extract<App>) -> Result<Response, Problem> {
    let permit = permit()?;
    let reader = app.keeper.history().clone();
    let copy = tokio::task::spawn_blocking(move || copy(&reader)).await;
    let (file, length) = copy.map_err(|error| Problem::internal(&error))??;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, body(file, permit)).into_response())
}

/// Makes the copy. Its file has no name any more when it is sent, so that the system takes its space back however the
/// sending ends.
fn copy(reader: &Reader) -> Result<(File, u64), Problem> {
    let folder = TempDir::with_prefix("lessor-backup-").map_err(|error| Problem::internal(&error))?;
    let path = folder.path().join("copy.redb");
    reader.backup_to(&path).map_err(|error| Problem::internal(&error))?;
    let file = File::open(&path).map_err(|error| Problem::internal(&error))?;
    let length = file.metadata().map_err(|error| Problem::internal(&error))?.len();
    Ok((file, length))
}

/// The file, piece by piece; the permit goes with the last one.
fn body(file: File, permit: OwnedSemaphorePermit) -> Body {
    let file = tokio::fs::File::from_std(file);
    Body::from_stream(try_unfold((file, permit), |(mut file, permit)| async {
        let mut piece = Vec::with_capacity(BACKUP_CHUNK_BYTES);
        let read = file.read_buf(&mut piece).await?;
        let more = (read > 0).then(|| (Bytes::from(piece), (file, permit)));
        std::io::Result::Ok(more)
    }))
}

/// Allows one more copy of the store, until the permit is dropped.
fn permit() -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(&COPIES).try_acquire_owned().map_err(|_| {
        Problem::new(
            Kind::Overloaded,
            format!("{BACKUPS_MAX} copy of the store is being made, which is the limit"),
        )
    })
}
