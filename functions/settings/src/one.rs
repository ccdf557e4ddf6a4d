//! One setting: `GET`, `PUT` and `DELETE /v1/widgets/{widget}/settings/{scope}/{key}`.
//!
//! The value itself is the body, and its entity tag names this state of it. A write may depend on that: `If-Match` replaces what
//! was read and nothing newer, `If-None-Match: *` creates and replaces nothing.

use axum::extract;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use consulate_core::http::{Preconditions, Reading, entity_tag, json};
use consulate_core::problem::{Code, Problem};
use consulate_core::settings::Written;
use http::StatusCode;
use http::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderValue};
use serde::Serialize;

use crate::shelf::Target;
use crate::value::JsonText;
use crate::{State, logged};

/// What a `PUT` is answered with.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = StoredSetting))]
#[derive(Serialize)]
pub(crate) struct Put<'a> {
    key: &'a str,
    /// As `If-Match` takes it, quotes included.
    etag: String,
    updated_at: consulate_core::clock::Timestamp,
}

/// `GET`: the value.
pub(crate) async fn get(
    extract::State(state): extract::State<State>,
    target: Target,
    headers: HeaderMap,
) -> Response {
    let answer = read(&state, &target, &headers).await;
    logged(
        answer.unwrap_or_else(Problem::into_response),
        target.shelf.fields(),
    )
}

async fn read(state: &State, target: &Target, headers: &HeaderMap) -> Result<Response, Problem> {
    let preconditions = Preconditions::of(headers)?;
    let setting = state
        .settings
        .read(&target.shelf.owner, &target.key)
        .await?;
    let version = setting.as_ref().map(|setting| setting.version.as_str());
    let reading = preconditions.of_read(version);
    if reading == Reading::Failed {
        return Err(failed(version));
    }
    let setting = setting.ok_or_else(|| {
        Problem::new(Code::SettingUnknown, "There is no setting of this key.").field("key")
    })?;
    let mut response = match reading {
        Reading::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Reading::Answer | Reading::Failed => {
            let body = Bytes::copy_from_slice(setting.value.expose().as_bytes());
            let json = HeaderValue::from_static("application/json");
            ([(CONTENT_TYPE, json)], body).into_response()
        }
    };
    tag(&mut response, &setting.version);
    Ok(response)
}

/// `PUT`: 201 where there was none, else 200.
pub(crate) async fn put(
    extract::State(state): extract::State<State>,
    target: Target,
    headers: HeaderMap,
    value: Result<JsonText, Problem>,
) -> Response {
    let fields = target.shelf.fields();
    let answer = match (target.shelf.may_write(), value) {
        // Who may not write is told so, whatever was sent.
        (Err(problem), _) | (Ok(()), Err(problem)) => Err(problem),
        (Ok(()), Ok(value)) => write(&state, &target, &headers, value).await,
    };
    logged(answer.unwrap_or_else(Problem::into_response), fields)
}

async fn write(
    state: &State,
    target: &Target,
    headers: &HeaderMap,
    JsonText(value): JsonText,
) -> Result<Response, Problem> {
    let preconditions = Preconditions::of(headers)?;
    let now = state.clock.now();
    let allowed = |version: Option<&str>| preconditions.allow_write(version);
    let (owner, key) = (&target.shelf.owner, &target.key);
    let (status, version) = match state.settings.put(owner, key, &value, allowed, now).await? {
        Written::Created(version) => (StatusCode::CREATED, version),
        Written::Replaced(version) => (StatusCode::OK, version),
        Written::Refused(version) => return Err(failed(version.as_deref())),
        Written::QuotaExceeded => {
            let quota = owner.quota();
            let detail = "With this, more would be kept here than may be. Delete something first.";
            return Err(Problem::new(Code::QuotaExceeded, detail)
                .member("limit_keys", quota.keys)
                .member("limit_bytes", quota.bytes));
        }
        Written::Deleted | Written::Absent => {
            return Err(Problem::new(Code::Unavailable, "The setting was not put."));
        }
    };
    let document = Put {
        key: key.as_str(),
        etag: entity_tag(&version),
        updated_at: now,
    };
    let mut response = json(status, &document);
    tag(&mut response, &version);
    Ok(response)
}

/// `DELETE`: 204, also where there was none: what should be gone is gone.
pub(crate) async fn delete(
    extract::State(state): extract::State<State>,
    target: Target,
    headers: HeaderMap,
) -> Response {
    let answer = remove(&state, &target, &headers).await;
    logged(
        answer.unwrap_or_else(Problem::into_response),
        target.shelf.fields(),
    )
}

async fn remove(state: &State, target: &Target, headers: &HeaderMap) -> Result<Response, Problem> {
    target.shelf.may_write()?;
    let preconditions = Preconditions::of(headers)?;
    let allowed = |version: Option<&str>| preconditions.allow_write(version);
    let (owner, key) = (&target.shelf.owner, &target.key);
    match state.settings.delete(owner, key, allowed).await? {
        Written::Refused(version) => Err(failed(version.as_deref())),
        _ => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// 412, with the entity tag as it stands.
fn failed(version: Option<&str>) -> Problem {
    let detail = match version {
        Some(_) => "The setting is not as the request says it must be.",
        None => "There is no setting of this key, as the request says there must be.",
    };
    Problem::new(Code::PreconditionFailed, detail)
        .field("key")
        .member("etag", version.map(entity_tag))
}

fn tag(response: &mut Response, version: &str) {
    if let Ok(value) = HeaderValue::from_str(&entity_tag(version)) {
        response.headers_mut().insert(ETAG, value);
    }
}
