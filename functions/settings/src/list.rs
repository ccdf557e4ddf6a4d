//! `GET /v1/widgets/{widget}/settings/{scope}?limit=&cursor=`: settings with their values, a page at a time.

use axum::extract;
use axum::extract::RawQuery;
use axum::response::{IntoResponse as _, Response};
use consulate_core::clock::Timestamp;
use consulate_core::http::{entity_tag, json};
use consulate_core::problem::{Code, Problem};
use consulate_core::settings::{PAGE_LIMIT, Setting};
use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::shelf::Shelf;
use crate::{State, logged};

/// `{"settings":[…],"next":null}`.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Settings))]
#[derive(Serialize)]
pub(crate) struct List {
    settings: Vec<Entry>,
    next: Option<String>,
}

#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Setting))]
#[derive(Serialize)]
struct Entry {
    key: String,
    #[cfg_attr(feature = "openapi", schema(value_type = serde_json::Value))]
    value: Box<RawValue>,
    /// As `If-Match` takes it, quotes included.
    etag: String,
    updated_at: Timestamp,
}

/// What may be asked.
#[derive(Debug, Default, PartialEq, Eq)]
struct Question {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// The handler.
pub(crate) async fn list(
    extract::State(state): extract::State<State>,
    shelf: Shelf,
    RawQuery(query): RawQuery,
) -> Response {
    let answer = page(&state, &shelf, query.as_deref().unwrap_or_default()).await;
    logged(
        answer.unwrap_or_else(Problem::into_response),
        shelf.fields(),
    )
}

async fn page(state: &State, shelf: &Shelf, query: &str) -> Result<Response, Problem> {
    let question = question(query)?;
    let page = state
        .settings
        .list(
            &shelf.owner,
            question.cursor.as_deref(),
            question.limit.unwrap_or(PAGE_LIMIT),
        )
        .await?;
    let settings = page.settings.into_iter().map(entry);
    let list = List {
        settings: settings.collect::<Result<_, _>>()?,
        next: page.next,
    };
    Ok(json(StatusCode::OK, &list))
}

fn entry(setting: Setting) -> Result<Entry, Problem> {
    let value = RawValue::from_string(setting.value.expose().to_owned())
        .map_err(|_| Problem::new(Code::Unavailable, "A stored setting is not a JSON value."))?;
    Ok(Entry {
        key: setting.key,
        value,
        etag: entity_tag(&setting.version),
        updated_at: setting.updated_at,
    })
}

/// PURE. Each of the two at most once, and nothing else: a misspelt one would page wrongly without a word.
fn question(query: &str) -> Result<Question, Problem> {
    let refused = |name: &str, detail: &str| {
        Err(Problem::new(Code::RequestInvalid, detail.to_owned()).field(name))
    };
    let mut question = Question::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "limit" if question.limit.is_none() => {
                let limit = value.parse().ok();
                let limit = limit.filter(|limit| (1..=PAGE_LIMIT).contains(limit));
                if limit.is_none() {
                    return refused("limit", "limit is a whole number from 1 to 50.");
                }
                question.limit = limit;
            }
            "cursor" if question.cursor.is_none() => question.cursor = Some(value.into_owned()),
            "limit" | "cursor" => return refused(&name, "The parameter is given twice."),
            // Named as the caller wrote it, but no longer than a name is.
            other => {
                let name: String = other.chars().take(64).collect();
                return refused(&name, "A list takes limit and cursor.");
            }
        }
    }
    Ok(question)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_takes_a_limit_and_a_cursor_once_each() {
        let asked = question("cursor=a%2Fb&limit=7").unwrap();
        assert_eq!(
            (asked.limit, asked.cursor.as_deref()),
            (Some(7), Some("a/b"))
        );
        assert_eq!(question("").unwrap(), Question::default());
        for query in [
            "limit=0",
            "limit=51",
            "limit=-1",
            "limit=x",
            "limit=",
            "limit=1&limit=2",
            "cursor=a&cursor=b",
            "offset=3",
            "Limit=3",
        ] {
            assert!(question(query).is_err(), "{query}");
        }
    }
}
