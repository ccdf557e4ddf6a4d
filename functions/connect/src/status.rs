//! How a widget's connections stand, for its caller: `GET …/connections` and `GET …/connections/{auth_key}`.
//!
//! Polling this is how a widget learns what became of a connect: `connected_at` changes with every one.

use axum::extract;
use axum::response::Response;
use consulate_core::caller::WidgetCaller;
use consulate_core::clock::Timestamp;
use consulate_core::connection::Receipt;
use consulate_core::connections::{Account, Known};
use consulate_core::definition::{Authentication, Delivery, NamedApi, OwnerMode, Passport, Widget};
use consulate_core::http::json;
use consulate_core::problem::{Problem, Reason};
use http::StatusCode;
use serde::Serialize;

use crate::target::{Target, bound_passport, connection_key};
use crate::{State, logged};

/// As many connections as one batch read of the table takes (a row and its details each).
const BATCH: usize = 50;

/// The status document of one authentication.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    auth_key: String,
    label: String,
    provider: String,
    passport: Option<String>,
    owner: OwnerMode,
    delivery: Delivery,
    status: Standing,
    /// Why a call would be refused; null while connected, or never connected.
    reason: Option<Reason>,
    account: Option<Account>,
    scopes: Vec<String>,
    connected_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    /// No passport of today knows a date by which consent must be renewed.
    reauthorise_by: Option<Timestamp>,
    revocation: Option<Receipt>,
    apis: Vec<Readiness>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    NotConnected,
    Connected,
    NeedsReauthorisation,
    Disconnected,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Readiness {
    name: String,
    status: ApiStatus,
    missing_scopes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum ApiStatus {
    Usable,
    MissingScopes,
    NeedsReauthorisation,
    NotConnected,
}

#[derive(Serialize)]
struct List {
    connections: Vec<Document>,
}

/// `GET …/connections`: every authentication of the widget, in the bundle's order.
pub(crate) async fn list(
    extract::State(state): extract::State<State>,
    who: WidgetCaller,
) -> Result<Response, Problem> {
    let authentications: Vec<&Authentication> = who.widget.authentications.iter().collect();
    let connections = documents(&state, &who, &authentications).await?;
    Ok(json(StatusCode::OK, &List { connections }))
}

/// `GET …/connections/{auth_key}`.
pub(crate) async fn one(extract::State(state): extract::State<State>, target: Target) -> Response {
    let fields = target.fields();
    let answer = of(&state, &target)
        .await
        .map(|document| json(StatusCode::OK, &document));
    logged(
        answer.unwrap_or_else(axum::response::IntoResponse::into_response),
        fields,
    )
}

/// The status document of one authentication, as it stands now.
pub(crate) async fn of(state: &State, target: &Target) -> Result<Document, Problem> {
    let mut documents = documents(state, &target.who, &[&target.authentication]).await?;
    documents
        .pop()
        .ok_or_else(|| target.authentication_required(Reason::NotConnected))
}

async fn documents(
    state: &State,
    who: &WidgetCaller,
    authentications: &[&Authentication],
) -> Result<Vec<Document>, Problem> {
    let mut passports = Vec::with_capacity(authentications.len());
    for authentication in authentications {
        passports.push(bound_passport(state, authentication).await?);
    }
    let keys: Vec<_> = authentications
        .iter()
        .zip(&passports)
        .filter_map(|(authentication, passport)| {
            let passport = passport.as_ref()?;
            Some(connection_key(&who.caller, authentication.owner, passport))
        })
        .collect();
    let mut known = Vec::with_capacity(keys.len());
    for batch in keys.chunks(BATCH) {
        known.extend(state.connections.read_known(batch).await?);
    }
    let now = state.clock.now();
    let mut known = known.into_iter();
    Ok(authentications
        .iter()
        .zip(&passports)
        .map(|(authentication, passport)| {
            let bound = passport
                .as_deref()
                .map(|passport| (passport, known.next().flatten()));
            document(&who.widget, authentication, bound, now)
        })
        .collect())
}

/// PURE. `bound`: the passport, and what is stored of the caller's connection by it.
fn document(
    widget: &Widget,
    authentication: &Authentication,
    bound: Option<(&Passport, Option<Known>)>,
    now: Timestamp,
) -> Document {
    let (status, reason) = standing(bound.as_ref(), now);
    let (connection, details) = bound.and_then(|(_, known)| known).unzip();
    let disconnected = status == Standing::Disconnected;
    // Who was connected is nobody's business after a disconnect.
    let details = details.filter(|_| !disconnected);
    let scopes = details
        .as_ref()
        .map(|details| details.scopes.clone())
        .unwrap_or_default();
    Document {
        auth_key: authentication.auth_key.clone(),
        label: authentication.label.clone(),
        provider: authentication.provider.clone(),
        passport: authentication.passport.clone(),
        owner: authentication.owner,
        delivery: authentication.delivery,
        status,
        reason,
        account: details.and_then(|details| details.account),
        connected_at: connection
            .as_ref()
            .map(|connection| connection.connected_at),
        expires_at: connection
            .as_ref()
            .filter(|_| !disconnected)
            .and_then(|connection| connection.expires_at),
        reauthorise_by: None,
        revocation: connection
            .filter(|_| disconnected)
            .and_then(|connection| connection.receipt),
        apis: widget
            .apis
            .iter()
            .filter(|api| api.authentication_key == authentication.auth_key)
            .map(|api| readiness(api, status, &scopes))
            .collect(),
        scopes,
    }
}

fn standing(
    bound: Option<&(&Passport, Option<Known>)>,
    now: Timestamp,
) -> (Standing, Option<Reason>) {
    let Some((passport, known)) = bound else {
        return (Standing::NotConnected, Some(Reason::NotBound));
    };
    let Some((connection, _)) = known else {
        return (Standing::NotConnected, None);
    };
    match connection.usable(&passport.config_version()) {
        Err(Reason::Disconnected) => (Standing::Disconnected, Some(Reason::Disconnected)),
        Err(reason) => (Standing::NeedsReauthorisation, Some(reason)),
        // Nobody can renew it: only the person can.
        Ok(()) if connection.refresh_token.is_none() && !connection.is_fresh(now) => (
            Standing::NeedsReauthorisation,
            Some(Reason::ProviderRefused),
        ),
        Ok(()) => (Standing::Connected, None),
    }
}

fn readiness(api: &NamedApi, status: Standing, granted: &[String]) -> Readiness {
    let missing_scopes: Vec<String> = match status {
        Standing::Connected => api
            .scopes
            .iter()
            .filter(|scope| !granted.contains(scope))
            .cloned()
            .collect(),
        Standing::NotConnected | Standing::NeedsReauthorisation | Standing::Disconnected => {
            Vec::new()
        }
    };
    let status = match status {
        Standing::Connected if missing_scopes.is_empty() => ApiStatus::Usable,
        Standing::Connected => ApiStatus::MissingScopes,
        Standing::NeedsReauthorisation => ApiStatus::NeedsReauthorisation,
        Standing::NotConnected | Standing::Disconnected => ApiStatus::NotConnected,
    };
    Readiness {
        name: api.name.clone(),
        status,
        missing_scopes,
    }
}

#[cfg(test)]
mod tests;
