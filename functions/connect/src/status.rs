//! How a widget's connections stand, for its caller: `GET …/connections` and `GET …/connections/{auth_key}`.
//!
//! Polling this is how a widget learns what became of a connect: `connected_at` changes with every one.

use axum::extract;
use axum::response::Response;
use consulate_core::caller::WidgetCaller;
use consulate_core::clock::Timestamp;
use consulate_core::connection::Receipt;
use consulate_core::connections::{Account, Known};
use consulate_core::definition::{Authentication, Delivery, NamedApi, OwnerMode, Widget};
use consulate_core::http::json;
use consulate_core::passport::{Credential, CredentialField, Passport};
use consulate_core::problem::{Problem, Reason};
use consulate_core::template::ApiTemplate;
use http::StatusCode;
use serde::Serialize;

use crate::target::{Target, bound_passport, connection_key};
use crate::{State, logged};

/// As many connections as one batch read of the table takes (a row and its details each).
const BATCH: usize = 50;

/// The status document of one authentication.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Connection))]
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    auth_key: String,
    label: String,
    provider: String,
    passport: Option<String>,
    owner: OwnerMode,
    /// `browser` where the widget's definition and the passport both allow it.
    delivery: Delivery,
    /// What the owner types to connect; absent where the provider asks for consent.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<Typed>,
    status: Standing,
    /// Why a call would be refused; null while connected, or never connected.
    reason: Option<Reason>,
    account: Option<Account>,
    scopes: Vec<String>,
    connected_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    /// By when the person has to consent again; null where no end is known.
    reauthorise_by: Option<Timestamp>,
    revocation: Option<Receipt>,
    apis: Vec<Readiness>,
}

/// What has to be typed where nobody can consent.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
struct Typed {
    kind: Credential,
    fields: &'static [CredentialField],
}

#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    NotConnected,
    Connected,
    NeedsReauthorisation,
    Disconnected,
}

#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Readiness {
    name: String,
    status: ApiStatus,
    missing_scopes: Vec<String>,
}

#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum ApiStatus {
    Usable,
    MissingScopes,
    NeedsReauthorisation,
    NotConnected,
}

#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Connections))]
#[derive(Serialize)]
pub(crate) struct List {
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
    let mut keys = Vec::new();
    for (authentication, passport) in authentications.iter().zip(&passports) {
        if let Some(passport) = passport {
            let main = connection_key(&who.caller, authentication.owner, passport);
            keys.extend(passport.slot_names().map(|slot| main.in_slot(slot)));
        }
    }
    let mut known = Vec::with_capacity(keys.len());
    for batch in keys.chunks(BATCH) {
        known.extend(state.connections.read_known(batch).await?);
    }
    let now = state.clock.now();
    let mut known = keys.into_iter().map(|key| key.slot).zip(known);
    Ok(authentications
        .iter()
        .zip(&passports)
        .map(|(authentication, passport)| {
            let bound = passport.as_deref().map(|passport| {
                let rows = known.by_ref().take(passport.slots.len() + 1);
                (passport, rows.collect())
            });
            document(&who.widget, authentication, bound, now)
        })
        .collect())
}

/// What is stored of a connection, by slot; the main one is last.
type Rows = Vec<(String, Option<Known>)>;

/// PURE. `bound`: the passport, and what is stored of the caller's connection by it.
fn document(
    widget: &Widget,
    authentication: &Authentication,
    bound: Option<(&Passport, Rows)>,
    now: Timestamp,
) -> Document {
    let (passport, rows) = bound.unzip();
    let rows = of_one_grant(rows.unwrap_or_default());
    let (status, reason) = standing(passport, &rows, now);
    let apis = widget
        .apis
        .iter()
        .filter(|api| api.authentication_key == authentication.auth_key)
        .map(|api| readiness(api, passport, &rows, now))
        .collect();
    let disconnected = status == Standing::Disconnected;
    // Whichever token is due first: without it, something of the widget stands still.
    let due = passport.filter(|_| !disconnected).and_then(|passport| {
        let slots = rows.iter().filter_map(|(_, known)| known.as_ref());
        slots
            .filter_map(|(connection, _)| connection.reauthorise_by(passport))
            .min()
    });
    let main = rows.into_iter().find(|(slot, _)| slot.is_empty());
    let (connection, details) = main.and_then(|(_, known)| known).unzip();
    // Who was connected is nobody's business after a disconnect.
    let details = details.filter(|_| !disconnected);
    let scopes = details
        .as_ref()
        .map(|details| details.scopes.clone())
        .unwrap_or_default();
    let lasting = connection.as_ref().filter(|_| !disconnected);
    let typed = passport.filter(|passport| !passport.credential.is_consented());
    Document {
        auth_key: authentication.auth_key.clone(),
        label: authentication.label.clone(),
        provider: authentication.provider.clone(),
        passport: authentication.passport.clone(),
        owner: authentication.owner,
        delivery: match passport.map(|passport| passport.may_deliver(authentication)) {
            Some(Ok(())) => Delivery::Browser,
            Some(Err(_)) | None => Delivery::Server,
        },
        credential: typed.map(|passport| Typed {
            kind: passport.credential,
            fields: passport.credential.fields(),
        }),
        status,
        reason,
        account: details.and_then(|details| details.account),
        connected_at: connection
            .as_ref()
            .map(|connection| connection.connected_at),
        expires_at: lasting.and_then(|connection| connection.expires_at),
        reauthorise_by: due,
        revocation: connection
            .filter(|_| disconnected)
            .and_then(|connection| connection.receipt),
        apis,
        scopes,
    }
}

/// PURE. The rows of the main slot's grant: what another one left behind serves nobody.
fn of_one_grant(mut rows: Rows) -> Rows {
    let grant = main_of(&rows).map(|(main, _)| main.grant_id.clone());
    for (_, known) in &mut rows {
        let of_it = |(row, _): &Known| grant.as_ref() == Some(&row.grant_id);
        *known = known.take().filter(of_it);
    }
    rows
}

fn main_of(rows: &Rows) -> Option<&Known> {
    slot_of(rows, "")
}

fn slot_of<'r>(rows: &'r Rows, slot: &str) -> Option<&'r Known> {
    let row = rows.iter().find(|(name, _)| name == slot);
    row.and_then(|(_, known)| known.as_ref())
}

/// How the connection stands: as its main slot does, unless another slot needs the person.
fn standing(
    passport: Option<&Passport>,
    rows: &Rows,
    now: Timestamp,
) -> (Standing, Option<Reason>) {
    let Some(passport) = passport else {
        return (Standing::NotConnected, Some(Reason::NotBound));
    };
    let main = slot_standing(passport, rows, "", now);
    if main.0 != Standing::Connected {
        return main;
    }
    let others = passport.slots.iter();
    let mut others = others.map(|slot| slot_standing(passport, rows, &slot.name, now));
    others
        .find(|(standing, _)| *standing == Standing::NeedsReauthorisation)
        .unwrap_or(main)
}

fn slot_standing(
    passport: &Passport,
    rows: &Rows,
    slot: &str,
    now: Timestamp,
) -> (Standing, Option<Reason>) {
    // No slot is used without the main one.
    let version = passport.config_version();
    let main = main_of(rows).map(|(main, _)| main.usable(&version));
    let (Some(standing), Some((connection, _))) = (main, slot_of(rows, slot)) else {
        return match main {
            Some(Err(reason)) => needed(reason),
            Some(Ok(())) | None => (Standing::NotConnected, None),
        };
    };
    match standing.and_then(|()| connection.usable(&version)) {
        Err(reason) => needed(reason),
        // Nobody can renew it: only the person can.
        Ok(()) if connection.refresh_token.is_none() && !connection.is_fresh(now, passport) => (
            Standing::NeedsReauthorisation,
            Some(Reason::ProviderRefused),
        ),
        Ok(()) => (Standing::Connected, None),
    }
}

fn needed(reason: Reason) -> (Standing, Option<Reason>) {
    let standing = match reason {
        Reason::Disconnected | Reason::IdleRevoked => Standing::Disconnected,
        _ => Standing::NeedsReauthorisation,
    };
    (standing, Some(reason))
}

/// The slot whose token calls of `api` take, as the proxy chooses it; `None` where it refuses to.
fn slot_called<'p>(passport: &'p Passport, api: &'p NamedApi, rows: &Rows) -> Option<&'p str> {
    if passport.slots.is_empty() && api.token_slot.is_empty() {
        return Some("");
    }
    let template = ApiTemplate::compile(api, &passport.reserved_params).ok()?;
    let kept = main_of(rows).map(|(main, _)| &main.fields);
    let host = template.host_under(passport, kept);
    passport.slot_of(api, host.as_deref()).ok()
}

/// Whether one API can be called: by the token its calls take, and the scopes it is known to need.
fn readiness(
    api: &NamedApi,
    passport: Option<&Passport>,
    rows: &Rows,
    now: Timestamp,
) -> Readiness {
    let slot = passport.and_then(|passport| slot_called(passport, api, rows));
    let standing = passport
        .zip(slot)
        .map(|(passport, slot)| slot_standing(passport, rows, slot, now).0);
    let slot = slot.unwrap_or_default();
    let connected = passport.filter(|_| standing == Some(Standing::Connected));
    let main = main_of(rows);
    let granted = main.map_or(&[][..], |(_, details)| details.scopes_of(slot));
    let missing = |passport: &Passport| {
        let wanted = api.scopes.iter();
        wanted
            .filter(|scope| !passport.has_scope(granted, scope))
            .cloned()
            .collect()
    };
    let mut missing_scopes: Vec<String> = connected.map(missing).unwrap_or_default();
    let status = match standing {
        Some(Standing::Connected) if missing_scopes.is_empty() => ApiStatus::Usable,
        Some(Standing::Connected) => ApiStatus::MissingScopes,
        Some(Standing::NeedsReauthorisation) => ApiStatus::NeedsReauthorisation,
        // The consent did not bring the token that this call takes.
        Some(Standing::NotConnected) if !slot.is_empty() && main.is_some() => {
            let wanted = passport.and_then(|passport| passport.slot(slot));
            missing_scopes = wanted.map(|slot| slot.scopes.clone()).unwrap_or_default();
            ApiStatus::MissingScopes
        }
        Some(Standing::NotConnected | Standing::Disconnected) | None => ApiStatus::NotConnected,
    };
    Readiness {
        name: api.name.clone(),
        status,
        missing_scopes,
    }
}

#[cfg(test)]
mod tests;
