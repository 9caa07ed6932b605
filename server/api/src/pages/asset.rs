//! `/assets/…`: files that never change under their name.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lessor_web::asset;

use crate::conditional;
use crate::extract::Path;
use crate::problem::{Kind, Problem};

/// `GET /assets/{name}`.
pub(crate) async fn show(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let path = format!("/assets/{name}");
    let Some(asset) = asset::all().iter().find(|asset| asset.path == path) else {
        return Err(Problem::new(Kind::NotFound, format!("nothing lives at {path}")));
    };
    let known = conditional::is_known(headers.get_all(header::IF_NONE_MATCH), &asset.tag);
    let shared = [
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::ETAG, asset.tag.as_str()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, shared).into_response());
    }
    Ok((shared, [(header::CONTENT_TYPE, asset.media_type)], asset.text.as_str()).into_response())
}
