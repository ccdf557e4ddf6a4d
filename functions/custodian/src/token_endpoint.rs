//! Speaks to token endpoints: builds the request and sends it once. What became of it says `outcome`.
//!
//! Requests for codes and refresh tokens are built by the `oauth2` crate (RFC 6749 sections 2.3.1, 4.1.3, 6), what it has
//! no word for by hand; all are sent by our own client, whose errors tell "not sent" from "unknown".

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use consulate_core::clock::Timestamp;
use consulate_core::egress::{self, Egress};
use consulate_core::passport::{ClientAuthentication, Credential, Passport, TokenExchange};
use consulate_core::secret::SecretText;
use consulate_core::secrets::Secrets;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Request, Response, StatusCode};
use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, HttpRequest, HttpResponse,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, TokenUrl,
};
use serde::Deserialize;

use crate::client_assertion::{self, SigningKey};
use crate::outcome::{Outcome, judge, retry_after};
use crate::sign_in;
use crate::token_reply::{REPLY_LIMIT, shows};

/// A token call has to be over in this time.
pub(crate) const POST_TIMEOUT: Duration = Duration::from_secs(8);
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("consulate/", env!("CARGO_PKG_VERSION")));

/// A passport's settings cannot be used for a token call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    /// No secret, one for other endpoints, or addresses that are none: an operator's to repair.
    #[error("the passport's client settings cannot be used")]
    Misconfigured,
    /// Secrets Manager does not answer.
    #[error("the client secret cannot be read")]
    Unavailable,
}

/// `passports/{passport}`: the client secret, or the key in its place, and the endpoints it may be used for.
#[derive(Deserialize)]
struct ClientSecretDocument {
    #[serde(default)]
    client_secret: Option<SecretText>,
    #[serde(flatten)]
    key: Option<SigningKey>,
    endpoints: Vec<String>,
}

/// A passport with its client secret: what is needed to authenticate as the client.
pub(crate) struct Client<'a> {
    pub passport: &'a Passport,
    secret: Option<SecretText>,
    key: Option<SigningKey>,
    now: Timestamp,
}

impl<'a> Client<'a> {
    /// Reads the client secret, unless the client is public. A secret stored for other endpoints is not used.
    pub async fn of(
        passport: &'a Passport,
        secrets: &Secrets,
        now: Timestamp,
    ) -> Result<Self, Unusable> {
        if !passport.has_client_secret() {
            return Ok(Self {
                passport,
                secret: None,
                key: None,
                now,
            });
        }
        let text = secrets
            .get(&format!("passports/{}", passport.id))
            .await
            .map_err(|error| match error {
                consulate_core::secrets::Error::Missing => Unusable::Misconfigured,
                consulate_core::secrets::Error::Unavailable => Unusable::Unavailable,
            })?;
        let document: ClientSecretDocument =
            serde_json::from_str(text.expose()).map_err(|_| Unusable::Misconfigured)?;
        let usable = passport
            .secret_endpoints()
            .iter()
            .all(|endpoint| document.endpoints.contains(endpoint));
        let signs = passport.client_authentication == ClientAuthentication::PrivateKeyJwt;
        let secret = document
            .client_secret
            .filter(|secret| !secret.expose().is_empty() && !signs);
        let key = document.key.filter(|_| signs);
        if !usable || (secret.is_none() && key.is_none()) {
            return Err(Unusable::Misconfigured);
        }
        Ok(Self {
            passport,
            secret,
            key,
            now,
        })
    }

    /// For tests: with this secret.
    #[cfg(test)]
    pub fn with_secret(passport: &'a Passport, secret: &str) -> Self {
        Self {
            passport,
            secret: Some(SecretText::new(secret)),
            key: None,
            now: Timestamp::default(),
        }
    }

    /// The request that exchanges a code (RFC 6749 section 4.1.3), with the verifier whose challenge was sent.
    pub async fn exchange(
        &self,
        code: String,
        redirect_uri: String,
        verifier: Option<String>,
    ) -> Result<Request<Bytes>, Unusable> {
        let redirect_uri = RedirectUrl::new(redirect_uri).map_err(|_| Unusable::Misconfigured)?;
        let client = self.oauth2()?.set_redirect_uri(redirect_uri);
        let mut request = client.exchange_code(AuthorizationCode::new(code));
        let fixed = self.passport.token_params.iter();
        // The crate says which grant it is.
        for (name, value) in fixed.filter(|(name, _)| *name != "grant_type") {
            request = request.add_extra_param(name, value);
        }
        if let Some(assertion) = self.assertion()? {
            request = request
                .add_extra_param("client_assertion_type", client_assertion::TYPE)
                .add_extra_param("client_assertion", assertion);
        }
        if let Some(verifier) = verifier {
            request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier));
        }
        captured(request.request_async(&capture).await.err())
    }

    /// The request for new tokens of `slot`, made with what is stored in place of a refresh token.
    pub async fn renewal(
        &self,
        stored: &SecretText,
        slot: &str,
    ) -> Result<Request<Bytes>, Unusable> {
        match (self.passport.credential, &self.passport.renewal) {
            (Credential::Oauth2, None) => self.refresh(stored, slot).await,
            (Credential::Oauth2, Some(exchange)) => self.exchanged(exchange, stored),
            (Credential::ClientCredentials, _) => self.client_credentials(),
            (Credential::PersonalAccessToken, _) => sign_in::request(self.passport, stored),
            // Used as they are typed: there is nothing to renew.
            (Credential::ApiKey | Credential::Basic, _) => Err(Unusable::Misconfigured),
        }
    }

    /// The request that spends a refresh token (RFC 6749 section 6).
    async fn refresh(
        &self,
        refresh_token: &SecretText,
        slot: &str,
    ) -> Result<Request<Bytes>, Unusable> {
        let client = self.oauth2()?;
        let refresh_token = RefreshToken::new(refresh_token.expose().to_owned());
        let mut request = client.exchange_refresh_token(&refresh_token);
        let (scopes, is_asked) = match self.passport.slot(slot) {
            // A slot that is had by redeeming is what its scopes say.
            Some(slot) => (&slot.scopes, slot.reply_at.is_none()),
            None => (&self.passport.scopes, false),
        };
        if (is_asked || self.passport.scope_on_refresh) && !scopes.is_empty() {
            let joined = scopes.join(&self.passport.scope_separator);
            request = request.add_extra_param("scope", joined);
        }
        if let Some(assertion) = self.assertion()? {
            request = request
                .add_extra_param("client_assertion_type", client_assertion::TYPE)
                .add_extra_param("client_assertion", assertion);
        }
        captured(request.request_async(&capture).await.err())
    }

    /// The request with which a client gets a token of its own (RFC 6749 section 4.4.2).
    fn client_credentials(&self) -> Result<Request<Bytes>, Unusable> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let fixed = &self.passport.token_params;
        if !fixed.contains_key("grant_type") {
            form.append_pair("grant_type", "client_credentials");
        }
        form.extend_pairs(fixed);
        let scopes = self.passport.scopes.join(&self.passport.scope_separator);
        if !scopes.is_empty() {
            form.append_pair("scope", &scopes);
        }
        self.authenticated(&self.passport.token_url, form)
    }

    /// The GET that answers another access token for `present`. Its address holds secrets: it is never logged, as no
    /// address of a token endpoint is.
    pub fn exchanged(
        &self,
        exchange: &TokenExchange,
        present: &SecretText,
    ) -> Result<Request<Bytes>, Unusable> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("grant_type", &exchange.grant_type);
        if exchange.client_id {
            query.append_pair("client_id", &self.passport.client_id);
        }
        if let Some(secret) = self.secret.as_ref().filter(|_| exchange.client_secret) {
            query.append_pair("client_secret", secret.expose());
        }
        query.append_pair(&exchange.token_param, present.expose());
        let request = Request::get(format!("{}?{}", exchange.url, query.finish()))
            .body(Bytes::new())
            .map_err(|_| Unusable::Misconfigured)?;
        Ok(dressed(request))
    }

    /// POST of `form` with this client's authentication (RFC 6749 section 2.3.1).
    pub fn authenticated(
        &self,
        url: &str,
        mut form: form_urlencoded::Serializer<'_, String>,
    ) -> Result<Request<Bytes>, Unusable> {
        let mut request =
            Request::post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        match (self.passport.client_authentication, &self.secret) {
            (ClientAuthentication::Basic, Some(secret)) => {
                let encode = |text: &str| {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                };
                let pair = format!(
                    "{}:{}",
                    encode(&self.passport.client_id),
                    encode(secret.expose())
                );
                let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
                    .map_err(|_| Unusable::Misconfigured)?;
                value.set_sensitive(true);
                request = request.header(AUTHORIZATION, value);
            }
            (ClientAuthentication::Body, Some(secret)) => {
                form.append_pair("client_id", &self.passport.client_id)
                    .append_pair("client_secret", secret.expose());
            }
            (_, None) | (ClientAuthentication::None | ClientAuthentication::PrivateKeyJwt, _) => {
                form.append_pair("client_id", &self.passport.client_id);
            }
        }
        if let Some(assertion) = self.assertion()? {
            form.append_pair("client_assertion_type", client_assertion::TYPE)
                .append_pair("client_assertion", &assertion);
        }
        let request = request
            .body(Bytes::from(form.finish()))
            .map_err(|_| Unusable::Misconfigured)?;
        Ok(dressed(request))
    }

    /// What a client that signs proves itself with; `None` for any other.
    fn assertion(&self) -> Result<Option<String>, Unusable> {
        let passport = self.passport;
        self.key
            .as_ref()
            .map(|key| key.assertion(&passport.client_id, &passport.token_url, self.now))
            .transpose()
    }

    /// Whether the client secret is, or is in, `text`.
    pub fn is_secret_in(&self, text: &str) -> bool {
        let secret = self.secret.as_ref();
        secret.is_some_and(|secret| shows(text, secret.expose()))
    }

    /// The proof that whoever bears `access_token` knows the client secret: HMAC-SHA-256 of the token, in hex (Meta,
    /// "Securing Graph API Requests").
    pub fn proof(&self, access_token: &SecretText) -> Option<String> {
        use std::fmt::Write as _;
        let secret = self.secret.as_ref()?;
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.expose().as_bytes());
        let tag = ring::hmac::sign(&key, access_token.expose().as_bytes());
        let mut text = String::new();
        for byte in tag.as_ref() {
            write!(text, "{byte:02x}").ok()?;
        }
        Some(text)
    }

    fn oauth2(
        &self,
    ) -> Result<
        BasicClient<
            oauth2::EndpointNotSet,
            oauth2::EndpointNotSet,
            oauth2::EndpointNotSet,
            oauth2::EndpointNotSet,
            oauth2::EndpointSet,
        >,
        Unusable,
    > {
        let token_url =
            TokenUrl::new(self.passport.token_url.clone()).map_err(|_| Unusable::Misconfigured)?;
        let mut client = BasicClient::new(ClientId::new(self.passport.client_id.clone()))
            .set_auth_type(match self.passport.client_authentication {
                ClientAuthentication::Basic => AuthType::BasicAuth,
                ClientAuthentication::Body
                | ClientAuthentication::None
                | ClientAuthentication::PrivateKeyJwt => AuthType::RequestBody,
            });
        if let Some(secret) = &self.secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
        }
        Ok(client.set_token_uri(token_url))
    }
}

/// The crate's built request, carried out of it as the error of an HTTP client that sends nothing. Not printable: it
/// holds a code or refresh token and the client secret.
struct Captured(HttpRequest);

impl std::fmt::Debug for Captured {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl std::fmt::Display for Captured {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl std::error::Error for Captured {}

async fn capture(request: HttpRequest) -> Result<HttpResponse, Captured> {
    Err(Captured(request))
}

fn captured<T: oauth2::ErrorResponse>(
    error: Option<RequestTokenError<Captured, T>>,
) -> Result<Request<Bytes>, Unusable> {
    match error {
        Some(RequestTokenError::Request(Captured(request))) => {
            Ok(dressed(request.map(Bytes::from)))
        }
        _ => Err(Unusable::Misconfigured),
    }
}

/// With the headers every call of ours has.
pub(crate) fn dressed(mut request: Request<Bytes>) -> Request<Bytes> {
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, AGENT);
    request
}

/// Sends a token request, once.
pub(crate) async fn call(
    egress: &Egress,
    request: Request<Bytes>,
    passport: &Passport,
    slot: &str,
    now: Timestamp,
) -> (Outcome, Option<u16>) {
    let (outcome, status, _) = call_and_rest(egress, request, passport, slot, now).await;
    (outcome, status)
}

/// As [`call`], and for how many seconds the endpoint asks to be left alone, whatever became of the call.
pub(crate) async fn call_and_rest(
    egress: &Egress,
    request: Request<Bytes>,
    passport: &Passport,
    slot: &str,
    now: Timestamp,
) -> (Outcome, Option<u16>, Option<u64>) {
    match egress.send(request, POST_TIMEOUT, REPLY_LIMIT).await {
        Ok(response) => {
            let outcome = judge(&response, passport, slot, now);
            let rest = rest_of(&outcome, &response, now);
            (outcome, Some(response.status().as_u16()), rest)
        }
        Err(egress::Error::Refused(_) | egress::Error::NotSent) => (Outcome::NotSent, None, None),
        Err(egress::Error::TimedOut | egress::Error::Cut | egress::Error::TooLarge) => (
            Outcome::Unknown {
                unclear_refusal: false,
            },
            None,
            None,
        ),
    }
}

/// PURE. For how many seconds the endpoint asks to be left alone. A 503 that says when is one that says so; what became of
/// the refresh token it does not say.
fn rest_of(outcome: &Outcome, response: &Response<Bytes>, now: Timestamp) -> Option<u64> {
    match outcome {
        Outcome::Throttled(seconds) => Some(*seconds),
        Outcome::Unknown { .. } if response.status() == StatusCode::SERVICE_UNAVAILABLE => {
            retry_after(response, now)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
