//! Speaks to token and revocation endpoints: builds the request and sends it once. What became of it says `outcome`.
//!
//! Requests are built by the `oauth2` crate (RFC 6749 sections 2.3.1, 4.1.3, 6) and sent by our own client, whose errors
//! tell "not sent" from "unknown".

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use consulate_core::clock::Timestamp;
use consulate_core::definition::{ClientAuthentication, Passport};
use consulate_core::egress::{self, Egress};
use consulate_core::secret::SecretText;
use consulate_core::secrets::Secrets;
use http::Request;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, HttpRequest, HttpResponse,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, TokenUrl,
};
use serde::Deserialize;

use crate::outcome::{Outcome, Revocation, judge, judge_revocation};
use crate::token_reply::REPLY_LIMIT;

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

/// `passports/{passport}`: the client secret and the endpoints it may be sent to.
#[derive(Deserialize)]
struct ClientSecretDocument {
    client_secret: SecretText,
    endpoints: Vec<String>,
}

/// A passport with its client secret: what is needed to authenticate as the client.
pub(crate) struct Client<'a> {
    passport: &'a Passport,
    secret: Option<SecretText>,
}

impl<'a> Client<'a> {
    /// Reads the client secret, unless the client is public. A secret stored for other endpoints is not used.
    pub async fn of(passport: &'a Passport, secrets: &Secrets) -> Result<Self, Unusable> {
        if passport.client_authentication == ClientAuthentication::None {
            return Ok(Self {
                passport,
                secret: None,
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
        if !usable || document.client_secret.expose().is_empty() {
            return Err(Unusable::Misconfigured);
        }
        Ok(Self {
            passport,
            secret: Some(document.client_secret),
        })
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
        if let Some(verifier) = verifier {
            request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier));
        }
        captured(request.request_async(&capture).await.err())
    }

    /// The request that spends a refresh token (RFC 6749 section 6).
    pub async fn refresh(&self, refresh_token: &SecretText) -> Result<Request<Bytes>, Unusable> {
        let client = self.oauth2()?;
        let refresh_token = RefreshToken::new(refresh_token.expose().to_owned());
        let mut request = client.exchange_refresh_token(&refresh_token);
        if self.passport.scope_on_refresh {
            request = request.add_scopes(self.passport.scopes.iter().cloned().map(Scope::new));
        }
        captured(request.request_async(&capture).await.err())
    }

    /// The request that revokes a token (RFC 7009 section 2.1); `None` where the provider has no such endpoint. By hand:
    /// the crate's builder refuses the plain http of a loopback provider.
    pub fn revocation(
        &self,
        hint: &'static str,
        plain: &SecretText,
    ) -> Result<Option<Request<Bytes>>, Unusable> {
        let Some(url) = &self.passport.revocation_url else {
            return Ok(None);
        };
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", plain.expose())
            .append_pair("token_type_hint", hint);
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
            (_, None) | (ClientAuthentication::None, _) => {
                form.append_pair("client_id", &self.passport.client_id);
            }
        }
        let request = request
            .body(Bytes::from(form.finish()))
            .map_err(|_| Unusable::Misconfigured)?;
        Ok(Some(dressed(request)))
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
                ClientAuthentication::Body | ClientAuthentication::None => AuthType::RequestBody,
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

fn dressed(mut request: Request<Bytes>) -> Request<Bytes> {
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, AGENT);
    request
}

/// Sends a token request, once.
pub(crate) async fn call(
    egress: &Egress,
    request: Request<Bytes>,
    now: Timestamp,
) -> (Outcome, Option<u16>) {
    match egress.send(request, POST_TIMEOUT, REPLY_LIMIT).await {
        Ok(response) => (judge(&response, now), Some(response.status().as_u16())),
        Err(egress::Error::Refused(_) | egress::Error::NotSent) => (Outcome::NotSent, None),
        Err(egress::Error::TimedOut | egress::Error::Cut | egress::Error::TooLarge) => (
            Outcome::Unknown {
                unclear_refusal: false,
            },
            None,
        ),
    }
}

/// Sends a revocation request, once.
pub(crate) async fn revoke(
    egress: &Egress,
    request: Request<Bytes>,
    deadline: Instant,
) -> Revocation {
    let time = deadline
        .saturating_duration_since(Instant::now())
        .min(POST_TIMEOUT);
    match egress.send(request, time, REPLY_LIMIT).await {
        Ok(response) => judge_revocation(&response),
        Err(_) => Revocation::Failed,
    }
}
