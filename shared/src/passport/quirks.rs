//! PURE. The shapes in which providers differ: what a credential is, where it goes, what else a reply brings, what an
//! answer means. Each is data; the few that need code of their own are named here and implemented once.

use serde::{Deserialize, Serialize};

/// What an account is connected with.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// OAuth 2.0 authorization code (RFC 6749 section 4.1): a person consents at the provider.
    #[default]
    Oauth2,
    /// OAuth 2.0 client credentials (RFC 6749 section 4.4): the operator's own client, nobody consents.
    ClientCredentials,
    /// A key that the owner types.
    ApiKey,
    /// A user name and password that the owner types (RFC 7617).
    Basic,
    /// A personal access token that the owner types, with which Tableau's REST API is signed in to.
    PersonalAccessToken,
}

/// Something an owner types to connect.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CredentialField {
    /// Member of the request's JSON body.
    pub name: &'static str,
    /// Shown to people.
    pub label: &'static str,
    /// Whether it is hidden while typed.
    pub secret: bool,
    /// Whether it may be left empty.
    pub optional: bool,
}

const fn field(name: &'static str, label: &'static str, secret: bool) -> CredentialField {
    CredentialField {
        name,
        label,
        secret,
        optional: false,
    }
}

const API_KEY: [CredentialField; 1] = [field("api_key", "API key", true)];
const BASIC: [CredentialField; 2] = [
    field("username", "User name", false),
    field("password", "Password", true),
];
const PERSONAL_ACCESS_TOKEN: [CredentialField; 3] = [
    field("token_name", "Token name", false),
    field("token_secret", "Token secret", true),
    // The default site of a server has the empty content URL.
    CredentialField {
        name: "site",
        label: "Site",
        secret: false,
        optional: true,
    },
];

impl Credential {
    /// Whether a person is sent to the provider's consent page; otherwise the owner types [`fields`](Self::fields).
    pub fn is_consented(self) -> bool {
        self == Self::Oauth2
    }

    /// Whether there is an OAuth client, with an id and mostly a secret.
    pub fn has_client(self) -> bool {
        matches!(self, Self::Oauth2 | Self::ClientCredentials)
    }

    /// Whether access tokens come from a token or sign-in endpoint.
    pub fn has_token_endpoint(self) -> bool {
        !matches!(self, Self::ApiKey | Self::Basic)
    }

    /// What the owner types, in this order.
    pub fn fields(self) -> &'static [CredentialField] {
        match self {
            Self::Oauth2 | Self::ClientCredentials => &[],
            Self::ApiKey => &API_KEY,
            Self::Basic => &BASIC,
            Self::PersonalAccessToken => &PERSONAL_ACCESS_TOKEN,
        }
    }
}

/// Where a credential stands in a request whose definition does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Inject {
    /// `header: scheme credential`, or the bare credential where there is no scheme.
    Header {
        /// The header's name.
        header: String,
        /// What stands before it, `Bearer` or `Basic`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scheme: Option<String>,
    },
    /// A query parameter. Only for APIs that take it nowhere else.
    Query {
        /// The parameter's name.
        query: String,
    },
}

impl Default for Inject {
    /// `Authorization: Bearer` (RFC 6750 section 2.1).
    fn default() -> Self {
        Self::Header {
            header: "Authorization".to_owned(),
            scheme: Some("Bearer".to_owned()),
        }
    }
}

/// What else is left alone when an API says "too many calls", and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThrottleScope {
    /// That named API, for that connection. The safe reading where nothing is declared: many limits are one method's.
    #[default]
    Api,
    /// Every call with that connection.
    Connection,
    /// Every call by the passport for the caller's organisation.
    Organisation,
}

/// How a provider is told that a token is given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationStyle {
    /// RFC 7009: POST with `token`, `token_type_hint` and the client's authentication.
    #[default]
    Rfc7009,
    /// POST with `token`, and no client authentication (Google, Salesforce).
    TokenOnly,
    /// POST with the token itself as Bearer (Slack, one call for each token).
    Bearer,
    /// GET with `token` in the query (ServiceNow).
    Query,
    /// DELETE of the person's permissions, with the access token as Bearer (Meta).
    DeletePermissions,
    /// POST with the session token where the passport injects it (Tableau). Only the session ends.
    SignOut,
}

impl RevocationStyle {
    /// Whether the call carries the client's secret.
    pub fn authenticates_the_client(self) -> bool {
        self == Self::Rfc7009
    }

    /// Whether refresh tokens, or what stands in their place, can be presented too.
    pub fn takes_refresh_tokens(self) -> bool {
        matches!(self, Self::Rfc7009 | Self::TokenOnly | Self::Query)
    }
}

/// What is done when an account is connected that another connection of the passport lives on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedAccount {
    /// It is connected, and said in the log.
    #[default]
    Warn,
    /// It is refused: at this provider the second consent ends the first.
    Refuse,
}

/// Where a provider's endpoints were before they moved. What is left out stayed where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormerEndpoints {
    /// Authorization endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorize_url: Option<String>,
    /// Token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_url: Option<String>,
}

/// A GET that answers another access token for the one in its query. Its address is a secret as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenExchange {
    /// Address without query.
    pub url: String,
    /// `grant_type`.
    pub grant_type: String,
    /// Name of the parameter that carries the present access token.
    pub token_param: String,
    /// Whether `client_id` is sent.
    #[serde(default)]
    pub client_id: bool,
    /// Whether `client_secret` is sent.
    #[serde(default)]
    pub client_secret: bool,
}

/// One more token of the same consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Lower-case name, `user`.
    pub name: String,
    /// Where its tokens stand in the code's reply, as a JSON pointer. `None`: the main slot's refresh token is redeemed
    /// for `scopes` once after the exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_at: Option<String>,
    /// Parameter of the authorize URL that carries `scopes`; `None` where they are not asked for there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_param: Option<String>,
    /// Scopes of this slot; where there are none, it is not asked for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Hosts of the passport whose calls take this slot's token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub api_hosts: Vec<String>,
}

/// A field of the token reply that is kept with the connection, and read anew from every reply that has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedField {
    /// `{connection.AUTHKEY.NAME}`.
    pub name: String,
    /// Where it stands, as a JSON pointer.
    pub at: String,
    /// What it must be.
    #[serde(default)]
    pub kind: PinnedKind,
}

/// What a pinned field must be, else it is not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinnedKind {
    /// At most 256 visible ASCII characters.
    #[default]
    Text,
    /// `https://host` with a host of the passport's `api_hosts` or `host_patterns`.
    Origin,
}

/// A test on an API's answer; everything that is stated must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerMatch {
    /// One of these statuses; any where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<u16>,
    /// A member of the JSON body, as a JSON pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The texts the member may have; numbers and booleans as JSON writes them. Without `at` it is not looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub is: Vec<String>,
    /// Text the body contains anywhere (SOAP faults).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
}
