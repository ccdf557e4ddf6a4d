//! A ticket becomes a flow: the authorize URL (RFC 6749 section 4.1.1, RFC 7636 S256), the flow cookie, and the way to the
//! provider.

use axum::body::Body;
use axum::response::Response;
use consulate_core::clock::Timestamp;
use consulate_core::flow::{Ask, Flow, STATE_SECONDS, stored_digest};
use consulate_core::passport::{Passport, Slot};
use consulate_core::problem::Code;
use consulate_core::random;
use consulate_core::table;
use http::StatusCode;
use http::header::{self, HeaderValue};
use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::State;
use crate::cookies::{self, SameSite};
use crate::pages::Refusal;
use crate::texts;

/// Parameters that only we set: a fixed one of the same name, in the URL or beside it, would be sent twice.
const OURS: [&str; 7] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "code_challenge",
    "code_challenge_method",
    "response_mode",
];
/// Unreserved characters (RFC 3986 section 2.3) stay as they are in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// Kind of digest a flow cookie is stored as.
pub(crate) const FLOW_COOKIE: &str = "flow cookie";

/// The passport's authorize or redirect address is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the passport's authorize address is not usable")]
pub(crate) struct UnusableAddress;

/// A flow that is made up but not stored: nothing was used up yet.
pub(crate) struct Departure {
    flow: Flow,
    state: String,
    verifier: String,
    cookie: String,
    location: Url,
}

/// Makes up the flow that `ask` leads to.
///
/// # Errors
/// A page that says why not; nothing is stored.
pub(crate) async fn prepare(state: &State, ask: Ask) -> Result<Departure, Refusal> {
    let passport = state.definitions.passport(&ask.key.passport).await?;
    let passport = passport.ok_or(Refusal::new(Code::Unavailable, texts::NOT_SET_UP))?;
    let csrf = random::secret_text()?;
    let cookie = random::secret_text()?;
    let redirect_uri = redirect_uri(&state.base_url, &passport.id);
    let (location, verifier) = authorize_url(&passport, &redirect_uri, &csrf)
        .map_err(|_| Refusal::new(Code::Unavailable, texts::NOT_SET_UP))?;
    let flow = Flow {
        id: random::id()?,
        cookie: stored_digest(FLOW_COOKIE, &cookie),
        redirect_uri,
        issuer: passport.issuer.clone(),
        scopes: passport.scopes.clone(),
        config_version: passport.config_version(),
        ask,
    };
    Ok(Departure {
        flow,
        state: csrf,
        verifier,
        cookie,
        location: simulated(state, location),
    })
}

impl Departure {
    /// Bound to something the browser has already, instead of a cookie of its own: to `tie`, which is what the callback finds.
    pub(crate) fn tied(mut self, tie: &str) -> Self {
        self.flow.cookie = tie.to_owned();
        self
    }

    /// Stores the flow; answers the way to the provider.
    pub(crate) async fn begin(&self, state: &State, now: Timestamp) -> Result<&str, table::Error> {
        let expires_at = now.plus_seconds(STATE_SECONDS);
        let (flow, state_value) = (&self.flow, &self.state);
        state
            .flows
            .begin(flow, state_value, &self.verifier, expires_at)
            .await?;
        Ok(self.location.as_str())
    }

    /// Stores the flow; 303 to the provider (RFC 9700 section 4.12: never 307 after a POST).
    ///
    /// # Errors
    /// A page that says why not.
    pub(crate) async fn depart(self, state: &State, now: Timestamp) -> Result<Response, Refusal> {
        let location = HeaderValue::from_str(self.location.as_str())
            .map_err(|_| Refusal::new(Code::Unavailable, texts::NOT_SET_UP))?;
        self.begin(state, now).await?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SEE_OTHER;
        let headers = response.headers_mut();
        headers.insert(header::LOCATION, location);
        let name = cookies::flow_cookie(&self.flow.id);
        if let Some(cookie) = cookies::set(&name, &self.cookie, SameSite::Lax, STATE_SECONDS) {
            headers.append(header::SET_COOKIE, cookie);
        }
        Ok(response)
    }
}

/// The one redirect URI of a passport. From configuration only.
pub(crate) fn redirect_uri(base_url: &str, passport: &str) -> String {
    format!(
        "{base_url}/v1/callback/{}",
        utf8_percent_encode(passport, SEGMENT)
    )
}

/// The authorize URL and the PKCE verifier. The verifier of a passport without PKCE fits no challenge and is never sent.
fn authorize_url(
    passport: &Passport,
    redirect_uri: &str,
    csrf: &str,
) -> Result<(Url, String), UnusableAddress> {
    let endpoint = endpoint(passport)?;
    let redirect = RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| UnusableAddress)?;
    let client = BasicClient::new(ClientId::new(passport.client_id.clone()))
        .set_auth_uri(AuthUrl::from_url(endpoint))
        .set_redirect_uri(redirect);
    let mut request = client.authorize_url(|| CsrfToken::new(csrf.to_owned()));
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    if passport.pkce_off_because.is_none() {
        request = request.set_pkce_challenge(challenge);
    }
    if !passport.scopes.is_empty() {
        // Not `add_scope`: the library joins with a space, some providers want a comma.
        request = request.add_extra_param("scope", passport.scopes.join(&passport.scope_separator));
    }
    for slot in &passport.slots {
        if let Some(name) = slot
            .scope_param
            .as_ref()
            .filter(|_| !slot.scopes.is_empty())
        {
            request = request.add_extra_param(name, slot.scopes.join(&passport.scope_separator));
        }
    }
    for (name, value) in &passport.authorize_params {
        if !is_ours(passport, name) {
            request = request.add_extra_param(name, value);
        }
    }
    Ok((request.url().0, verifier.into_secret()))
}

/// Where `consulate dev` has the provider, if it simulates it.
fn simulated(state: &State, location: Url) -> Url {
    let there = location.as_str().parse().ok();
    let there = there.and_then(|uri| state.loopback.simulated(&uri));
    there
        .and_then(|uri| Url::parse(&uri.to_string()).ok())
        .unwrap_or(location)
}

/// The authorization endpoint, with what its own query may fix.
fn endpoint(passport: &Passport) -> Result<Url, UnusableAddress> {
    let mut url = Url::parse(&passport.authorize_url).map_err(|_| UnusableAddress)?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(UnusableAddress);
    }
    let fixed: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| {
            !is_ours(passport, name) && !passport.authorize_params.contains_key(name.as_ref())
        })
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.set_fragment(None);
    url.set_query(None);
    if !fixed.is_empty() {
        url.query_pairs_mut().extend_pairs(fixed);
    }
    Ok(url)
}

fn is_ours(passport: &Passport, name: &str) -> bool {
    let is_slots = |slot: &Slot| slot.scope_param.as_deref() == Some(name);
    OURS.contains(&name)
        || (name == "scope" && !passport.scopes.is_empty())
        || passport.slots.iter().any(is_slots)
}

/// The origin of the authorization endpoint, `https://login.example.com`.
///
/// # Errors
/// [`UnusableAddress`].
pub(crate) fn authorize_origin(
    state: &State,
    passport: &Passport,
) -> Result<String, UnusableAddress> {
    let there = simulated(state, endpoint(passport)?);
    Ok(there.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passport(changes: serde_json::Value) -> Passport {
        let mut passport = serde_json::json!({
            "id": "demo.acme", "name": "Acme", "provider": "custom:acme", "client_id": "client & co",
            "authorize_url": "https://login.example.com/authorize", "token_url": "https://login.example.com/token",
            "scopes": ["calendar.read", "offline"], "api_hosts": [],
        });
        for (name, value) in changes.as_object().unwrap() {
            passport[name] = value.clone();
        }
        serde_json::from_value(passport).unwrap()
    }

    fn params(passport: &Passport) -> Vec<(String, String)> {
        let (url, _) = authorize_url(
            passport,
            "https://consulate.example/v1/callback/demo.acme",
            "the state",
        )
        .unwrap();
        url.query_pairs()
            .map(|(n, v)| (n.into_owned(), v.into_owned()))
            .collect()
    }

    fn only(params: &[(String, String)], name: &str) -> String {
        let values: Vec<_> = params
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v)
            .collect();
        assert_eq!(values.len(), 1, "{name} in {params:?}");
        values[0].clone()
    }

    #[test]
    fn every_parameter_is_sent_exactly_once() {
        let params = params(&passport(serde_json::json!({})));
        assert_eq!(only(&params, "response_type"), "code");
        assert_eq!(only(&params, "client_id"), "client & co");
        assert_eq!(
            only(&params, "redirect_uri"),
            "https://consulate.example/v1/callback/demo.acme"
        );
        assert_eq!(only(&params, "state"), "the state");
        assert_eq!(only(&params, "scope"), "calendar.read offline");
        assert_eq!(only(&params, "code_challenge_method"), "S256");
        assert_eq!(only(&params, "code_challenge").len(), 43);
        assert_eq!(params.len(), 7);
    }

    #[test]
    fn the_challenge_is_of_the_verifier() {
        let passport = passport(serde_json::json!({}));
        let (url, verifier) =
            authorize_url(&passport, "https://c.example/v1/callback/x", "s").unwrap();
        assert!(verifier.len() >= 43);
        let expected =
            PkceCodeChallenge::from_code_verifier_sha256(&oauth2::PkceCodeVerifier::new(verifier));
        let sent = url
            .query_pairs()
            .find(|(name, _)| name == "code_challenge")
            .unwrap()
            .1
            .into_owned();
        assert_eq!(sent, expected.as_str());
    }

    #[test]
    fn pkce_is_left_off_only_with_a_written_reason() {
        let params = params(&passport(
            serde_json::json!({"pkce_off_because": "it makes the app public for good"}),
        ));
        assert!(
            params
                .iter()
                .all(|(name, _)| !name.starts_with("code_challenge"))
        );
    }

    #[test]
    fn scopes_are_joined_as_the_provider_wants() {
        let params = params(&passport(serde_json::json!({"scope_separator": ","})));
        assert_eq!(only(&params, "scope"), "calendar.read,offline");
    }

    #[test]
    fn fixed_parameters_are_kept_but_cannot_replace_ours() {
        let params = params(&passport(serde_json::json!({
            "authorize_url": "https://login.example.com/authorize?tenant=t1&response_type=token&state=x&prompt=none&scope=all#f",
            "authorize_params": {"access_type": "offline", "prompt": "consent", "response_type": "token",
                                 "code_challenge_method": "plain", "redirect_uri": "https://evil.example", "scope": "all"},
        })));
        assert_eq!(only(&params, "tenant"), "t1");
        assert_eq!(only(&params, "access_type"), "offline");
        assert_eq!(only(&params, "prompt"), "consent");
        assert_eq!(only(&params, "response_type"), "code");
        assert_eq!(only(&params, "state"), "the state");
        assert_eq!(only(&params, "code_challenge_method"), "S256");
        assert_eq!(
            only(&params, "redirect_uri"),
            "https://consulate.example/v1/callback/demo.acme"
        );
        assert_eq!(only(&params, "scope"), "calendar.read offline");
    }

    #[test]
    fn an_authorize_address_that_is_not_http_is_unusable() {
        for address in [
            "javascript:alert(1)",
            "data:text/html,x",
            "not an address",
            "",
        ] {
            let passport = passport(serde_json::json!({"authorize_url": address}));
            assert!(
                authorize_url(&passport, "https://c.example/v1/callback/x", "s").is_err(),
                "{address}"
            );
        }
    }

    #[test]
    fn a_redirect_uri_has_one_segment_per_passport() {
        assert_eq!(
            redirect_uri("https://c.example", "demo.acme-cloud"),
            "https://c.example/v1/callback/demo.acme-cloud"
        );
        assert_eq!(
            redirect_uri("https://c.example", "a/../b?c#d e"),
            "https://c.example/v1/callback/a%2F..%2Fb%3Fc%23d%20e"
        );
    }
}
