//! Errors as a caller sees them: RFC 9457 problem documents with a stable `code`, and the one place that decides which
//! inner error becomes which.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::random::NoEntropy;
use crate::{caller, custody, log, secrets, settings, table, vault};

/// The stable codes, each with one status. Widgets switch on them.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "the names are the documentation: they are the public codes"
)]
pub enum Code {
    RequestMalformed,
    CallerUnauthenticated,
    CallerForbidden,
    DeliveryRefused,
    HandshakeRefused,
    CompletionForbidden,
    NotFound,
    WidgetUnknown,
    ApiUnknown,
    AuthenticationUnknown,
    TemplateUnknown,
    SettingUnknown,
    MethodNotAllowed,
    QuotaExceeded,
    TicketSpent,
    CompletionSpent,
    PreconditionFailed,
    ValueTooLarge,
    ResponseTooLarge,
    RequestInvalid,
    ParamsInvalid,
    AuthenticationRequired,
    RateLimited,
    UpstreamUnreachable,
    UpstreamRefused,
    UpstreamMalformed,
    RefreshBusy,
    Unavailable,
    UpstreamTimeout,
}

impl Code {
    /// The HTTP status of this code.
    pub fn status(self) -> StatusCode {
        match self {
            Self::RequestMalformed => StatusCode::BAD_REQUEST,
            Self::CallerUnauthenticated => StatusCode::UNAUTHORIZED,
            Self::CallerForbidden
            | Self::DeliveryRefused
            | Self::HandshakeRefused
            | Self::CompletionForbidden => StatusCode::FORBIDDEN,
            Self::NotFound
            | Self::WidgetUnknown
            | Self::ApiUnknown
            | Self::AuthenticationUnknown
            | Self::TemplateUnknown
            | Self::SettingUnknown => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TicketSpent | Self::CompletionSpent => StatusCode::GONE,
            Self::QuotaExceeded => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::ValueTooLarge | Self::ResponseTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RequestInvalid | Self::ParamsInvalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::AuthenticationRequired => StatusCode::FAILED_DEPENDENCY,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::UpstreamUnreachable | Self::UpstreamRefused | Self::UpstreamMalformed => {
                StatusCode::BAD_GATEWAY
            }
            Self::RefreshBusy | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Its name, as documents have it.
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(name)) => name,
            _ => String::new(),
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::RequestMalformed => "The request cannot be read",
            Self::CallerUnauthenticated => "The caller is not authenticated",
            Self::CallerForbidden => "The caller may not do this",
            Self::DeliveryRefused => "The access token is not handed to the browser",
            Self::HandshakeRefused => "The connect page was not confirmed by the person who asked",
            Self::CompletionForbidden => "The completion belongs to somebody else",
            Self::NotFound => "There is nothing here",
            Self::WidgetUnknown => "The widget is unknown",
            Self::ApiUnknown => "The widget has no API of that name",
            Self::AuthenticationUnknown => "The widget has no authentication of that key",
            Self::TemplateUnknown => "The widget has no Qrvey template of that name",
            Self::SettingUnknown => "There is no setting of that key",
            Self::MethodNotAllowed => "This address does not take that method",
            Self::TicketSpent => "The connect link was used or has expired",
            Self::CompletionSpent => "The completion was used or has expired",
            Self::QuotaExceeded => "No more may be kept here",
            Self::PreconditionFailed => "A precondition of the request does not hold",
            Self::ValueTooLarge => "The value is too large",
            Self::ResponseTooLarge => "The API's answer is too large to pass on",
            Self::RequestInvalid => "A field of the request is not usable",
            Self::ParamsInvalid => "A param is not usable",
            Self::AuthenticationRequired => "An account has to be connected",
            Self::RateLimited => "Too many requests",
            Self::UpstreamUnreachable => "The API cannot be reached",
            Self::UpstreamRefused => "The API refused the request",
            Self::UpstreamMalformed => "The API's answer cannot be understood",
            Self::RefreshBusy => "The access token is being renewed",
            Self::Unavailable => "Temporarily unavailable",
            Self::UpstreamTimeout => "The API did not answer in time",
        }
    }

    /// Whether the same request may succeed later without anybody doing anything.
    pub fn retryable(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::UpstreamUnreachable
                | Self::UpstreamMalformed
                | Self::RefreshBusy
                | Self::Unavailable
                | Self::UpstreamTimeout
        )
    }
}

/// Why an account has to be connected (again).
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Never connected.
    NotConnected,
    /// No passport is bound to the authentication: an operator's to do.
    NotBound,
    /// Somebody disconnected it.
    Disconnected,
    /// The provider refused the refresh token, or gave none and the access token ended.
    ProviderRefused,
    /// A rotated refresh token never reached us.
    RotationLost,
    /// The passport's client or endpoints changed since.
    ConfigChanged,
    /// The grant lacks scopes the call needs.
    MissingScopes,
    /// Not used for so long that it was given up.
    IdleRevoked,
}

/// An error answer.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    members: Map<String, Value>,
    retry_after_seconds: Option<u64>,
}

impl Problem {
    /// `detail` is for the caller: it never carries what a provider or a caller sent, except names of fields.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            members: Map::new(),
            retry_after_seconds: None,
        }
    }

    /// Names the field at fault.
    #[must_use]
    pub fn field(self, field: impl Into<String>) -> Self {
        self.member("field", field.into())
    }

    /// Names the param at fault.
    #[must_use]
    pub fn param(self, param: impl Into<String>) -> Self {
        self.member("param", param.into())
    }

    /// With a `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// With one more member.
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// 424: says why, and how to connect.
    pub fn authentication_required(reason: Reason, widget: &str, auth_key: &str) -> Self {
        let detail = match reason {
            Reason::NotConnected => "No account is connected yet.",
            Reason::NotBound => "An operator has to bind a passport to this authentication first.",
            Reason::Disconnected => "The account was disconnected.",
            Reason::ProviderRefused => "The provider no longer accepts the stored authorization.",
            Reason::RotationLost => "The provider's latest authorization never arrived here.",
            Reason::ConfigChanged => {
                "The passport's settings changed since the account was connected."
            }
            Reason::MissingScopes => "The account was connected without a scope this call needs.",
            Reason::IdleRevoked => "The account was not used for so long that it was disconnected.",
        };
        let href = format!("/v1/widgets/{widget}/connections/{auth_key}/connect");
        Self::new(Code::AuthenticationRequired, detail)
            .member("reason", json!(reason))
            .member("auth_key", auth_key)
            .member("connect", json!({"method": "POST", "href": href}))
    }

    /// The same, for an account that is connected by typing a credential rather than by consenting at the provider.
    pub fn connect_by_typing(self, widget: &str, auth_key: &str) -> Self {
        let href = format!("/v1/widgets/{widget}/connections/{auth_key}");
        self.member("connect", json!({"method": "PUT", "href": href}))
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The answer, with the request's id.
    pub fn into_answer(self, request_id: &str) -> Response {
        let mut document = Map::new();
        document.insert("type".to_owned(), "about:blank".into());
        document.insert("title".to_owned(), self.code.title().into());
        document.insert("status".to_owned(), self.code.status().as_u16().into());
        document.insert("detail".to_owned(), self.detail.into());
        document.insert("code".to_owned(), json!(self.code));
        document.insert("retryable".to_owned(), self.code.retryable().into());
        document.insert("request_id".to_owned(), request_id.into());
        document.extend(self.members);
        let mut response =
            (self.code.status(), Value::Object(document).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::CallerUnauthenticated {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// A handler's `Err`: carried to the edge in the response's extensions, where the request id is known.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response
            .extensions_mut()
            .insert(log::Fields::new().with("code", self.code));
        response.extensions_mut().insert(self);
        response
    }
}

impl From<caller::Error> for Problem {
    fn from(error: caller::Error) -> Self {
        let detail = error.to_string();
        match error {
            caller::Error::WidgetUnknown => Self::new(Code::WidgetUnknown, detail).field("widget"),
            caller::Error::Unauthenticated(_) => {
                Self::new(Code::CallerUnauthenticated, detail).field("authorization")
            }
            caller::Error::ClaimMissing(claim) => {
                Self::new(Code::CallerUnauthenticated, detail).field(claim)
            }
            caller::Error::UsedUp => Self::new(Code::CallerUnauthenticated, detail).field("jti"),
            caller::Error::OrganisationNotListed => {
                Self::new(Code::CallerForbidden, detail).field("organisation.id")
            }
            caller::Error::NotSetUp(_) => Self::new(Code::CallerForbidden, detail).field("host"),
            caller::Error::Unavailable => Self::new(Code::Unavailable, detail).retry_after(2),
        }
    }
}

impl From<table::Error> for Problem {
    fn from(error: table::Error) -> Self {
        match error {
            table::Error::Unavailable => {
                Self::new(Code::Unavailable, "Storage does not answer.").retry_after(2)
            }
            table::Error::Corrupt => {
                Self::new(Code::Unavailable, "A stored record cannot be read.")
            }
        }
    }
}

impl From<settings::Error> for Problem {
    fn from(error: settings::Error) -> Self {
        match error {
            settings::Error::Table(error) => error.into(),
            settings::Error::Vault(vault::Error::Unavailable) => {
                Self::new(Code::Unavailable, "The keyring of settings cannot be read.")
                    .retry_after(2)
            }
            settings::Error::Vault(vault::Error::DoesNotOpen) => {
                Self::new(Code::Unavailable, "A stored setting cannot be opened.")
            }
            settings::Error::CursorRefused => {
                Self::new(Code::RequestInvalid, error.to_string()).field("cursor")
            }
            settings::Error::Busy => Self::new(Code::Unavailable, error.to_string()).retry_after(1),
        }
    }
}

impl From<secrets::Error> for Problem {
    fn from(error: secrets::Error) -> Self {
        match error {
            secrets::Error::Missing => Self::new(
                Code::Unavailable,
                "A secret is not set: an operator has to set it.",
            ),
            secrets::Error::Unavailable => {
                Self::new(Code::Unavailable, "Secrets cannot be read.").retry_after(2)
            }
        }
    }
}

impl From<custody::Error> for Problem {
    fn from(error: custody::Error) -> Self {
        match error {
            custody::Error::Unavailable => {
                Self::new(Code::Unavailable, "The custodian does not answer.").retry_after(2)
            }
        }
    }
}

impl From<NoEntropy> for Problem {
    fn from(_: NoEntropy) -> Self {
        Self::new(Code::Unavailable, "No random bytes.").retry_after(2)
    }
}
