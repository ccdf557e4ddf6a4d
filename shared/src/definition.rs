//! PURE. What an operator has set up: widgets and hosts, as the functions read them. Passports: [`crate::passport`]; hosts: [`crate::host`].
//!
//! The command writes these records (import, `passports add`); the functions only read them. A definition travels as
//! one JSON document in the `doc` attribute of its item, so that a field can be added without a migration: every
//! optional field has a default, and an unknown one is ignored.
//!
//! Source: the Appspace advanced guide (bundles, named APIs).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Timestamp;

/// A registered bundle: what a widget may call, and who may call through it.
///
/// ```json
/// {"id":"calendar","name":"Calendar","host":"acme-happeo","origins":["https://app.happeo.com"],
///  "return_urls":[],"admins":[],"authentications":[…],"apis":[…]}
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Widget {
    /// The widget's public id: letters, digits, hyphen. Part of every widget URL.
    pub id: String,
    /// Display name.
    #[serde(default)]
    pub name: String,
    /// Id of the host whose callers may use the widget; `None` refuses every caller.
    #[serde(default)]
    pub host: Option<String>,
    /// Exact web origins (`https://app.example.com`) that browsers may call from.
    #[serde(default)]
    pub origins: Vec<String>,
    /// Exact addresses redirect mode may come back to; empty turns redirect mode off.
    #[serde(default)]
    pub return_urls: Vec<String>,
    /// Who may connect and disconnect organisation-owned connections.
    #[serde(default)]
    pub admins: Vec<Admin>,
    /// The widget's `authentications[]`, by `auth_key`, in the bundle's order.
    #[serde(default)]
    pub authentications: Vec<Authentication>,
    /// The widget's `authenticatedApis[]`, in the bundle's order.
    #[serde(default)]
    pub apis: Vec<NamedApi>,
    /// Its Qrvey security tokens, by template name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub qrvey: BTreeMap<String, QrveyTemplate>,
    /// The private settings it may keep.
    #[serde(default)]
    pub settings: SettingsPolicy,
}

impl Widget {
    /// The authentication named `auth_key`.
    pub fn authentication(&self, auth_key: &str) -> Option<&Authentication> {
        self.authentications
            .iter()
            .find(|authentication| authentication.auth_key == auth_key)
    }

    /// The named API `name`.
    pub fn api(&self, name: &str) -> Option<&NamedApi> {
        self.apis.iter().find(|api| api.name == name)
    }

    /// The configured origin equal to `origin`, byte for byte.
    pub fn origin(&self, origin: &str) -> Option<&str> {
        self.origins
            .iter()
            .map(String::as_str)
            .find(|configured| *configured == origin)
    }
}

/// One administrator of one organisation, by user id or by the e-mail the host vouches for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Admin {
    /// The organisation this person administers.
    pub organisation: String,
    /// The user's id in the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The user's e-mail, compared without case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// The private settings a widget may keep; none unless its operator says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsPolicy {
    /// Whether each caller may keep settings of their own.
    #[serde(default)]
    pub user: bool,
    /// Whether there are settings of the organisation, and for whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<OrganisationSettings>,
    /// Until when every member could write the organisation's settings, where that was once so: seconds since the epoch. What
    /// was written until then may be anybody's, whatever the policy is now. Import keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members_until: Option<i64>,
}

impl SettingsPolicy {
    /// Functions see a changed policy up to a minute late, and a request under way takes half of one.
    const SEEN_WITHIN_SECONDS: i64 = 120;

    /// Whether what was put into the organisation's settings at `updated_at` is an administrator's word.
    pub fn is_an_admins_word(&self, updated_at: Timestamp) -> bool {
        let is_over = |until: i64| {
            updated_at > Timestamp::from_seconds(until.saturating_add(Self::SEEN_WITHIN_SECONDS))
        };
        self.organisation
            .is_some_and(OrganisationSettings::is_written_by_admins)
            && self.members_until.is_none_or(is_over)
    }
}

/// Who of an organisation may do what with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrganisationSettings {
    /// Administrators write, every member reads.
    Admins,
    /// Administrators write and read; of others only a function may look things up here.
    AdminsOnly,
    /// Every member writes and reads.
    Members,
}

impl OrganisationSettings {
    /// Whether what is written here is an administrator's word.
    pub fn is_written_by_admins(self) -> bool {
        matches!(self, Self::Admins | Self::AdminsOnly)
    }
}

/// An entry of a widget's `authentications[]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Authentication {
    /// The key named APIs and URLs refer to.
    pub auth_key: String,
    /// Shown to people; the auth key where the bundle has none.
    #[serde(default)]
    pub label: String,
    /// `metadata.passportProvider`: a catalogue id, or `custom:<name>` for a bundled passport.
    #[serde(default)]
    pub provider: String,
    /// The passport it is bound to; `None` until an operator binds one.
    #[serde(default)]
    pub passport: Option<String>,
    /// Who a connection belongs to. Appspace's meaning, one for all, is the default.
    #[serde(default)]
    pub owner: OwnerMode,
    /// Whether the browser may fetch the access token itself.
    #[serde(default)]
    pub delivery: Delivery,
}

/// Who a connection belongs to.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerMode {
    /// Each caller connects an account of their own.
    User,
    /// An administrator connects once for everybody of the organisation.
    #[default]
    Organisation,
}

/// Where an access token may go.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Only into requests the proxy makes.
    #[default]
    Server,
    /// Also to the widget itself, where the passport allows it.
    Browser,
}

/// An entry of a widget's `authenticatedApis[]`: the only thing a widget can call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedApi {
    /// The first argument of `callAuthenticatedAPI`.
    pub name: String,
    /// Shown to people.
    #[serde(default)]
    pub label: String,
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// Absolute URL with placeholders (design: templates).
    pub url: String,
    /// The `auth_key` whose credential is injected.
    pub authentication_key: String,
    /// Static headers with placeholders.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Static JSON body with placeholders in its strings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// True where a repeated call does no harm although its method is not safe (RFC 9110 section 9.2.2).
    #[serde(default)]
    pub idempotent: bool,
    /// Scopes the call needs, where the bundle lists them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The token slot whose token it takes; empty: the one the host of its URL belongs to, else the main one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub token_slot: String,
}

/// What a Qrvey security token of one name is for: the request that asks Qrvey for it, with placeholders in its texts.
///
/// ```json
/// {"domain":"https://acme.qrveyapp.com","path":"/devapi/v4/core/login/token","expires_in":"10m",
///  "body":{"userid":"izfZIkc","appid":"59VShVtjM","clientid":"{user.email}"}}
/// ```
///
/// Source: Qrvey, "Embedding Widgets Using a Security Token" and "Record-Level Security".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QrveyTemplate {
    /// Origin of the Qrvey instance: where the API key goes, and what the widget is told as `domain`.
    pub domain: String,
    /// Path of the endpoint on it; begins with `/`.
    #[serde(default = "qrvey_path")]
    pub path: String,
    /// Lifetime asked for, as a span text: `10m`. Always sent.
    pub expires_in: String,
    /// The other fields of the request's body, by the names of [`crate::qrvey::FIELDS`].
    #[serde(default)]
    pub body: Map<String, Value>,
    /// Fields of the body beside these, sent as they are named.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
    /// How another Qrvey version spells a field: `userid` as `userId`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// What a caller may choose, by param: these values and no others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Vec<String>>,
}

fn qrvey_path() -> String {
    crate::qrvey::TOKEN_PATH.to_owned()
}

pub use crate::host::{ClaimPath, Host, HostKind, OidcClaims, OidcHost};
pub use crate::passport::{
    AnswerMatch, ClientAuthentication, Credential, Inject, Passport, PinnedField, PinnedKind,
    Profile, RefreshRotation, RevocationStyle, Slot, TokenExchange,
};
