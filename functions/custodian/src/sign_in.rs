//! PURE. Signing in to Tableau's REST API with a personal access token: the one sign-in that is no OAuth token request.
//!
//! A second sign-in with the same token ends the first session, so renewing happens under the connection's lease like a
//! refresh, and the session token lies in the table. Connecting signs in outside any lease: an older session that it ends
//! (the same token typed again, or for another connection) is renewed at its next 401. Source: Tableau REST API, "Signing in and out".

use bytes::Bytes;
use consulate_core::passport::Passport;
use consulate_core::secret::SecretText;
use http::Request;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::json;

use crate::token_endpoint::{Unusable, dressed};

/// What is stored in place of a refresh token: what the owner typed.
#[derive(Deserialize)]
struct PersonalAccessToken {
    token_name: String,
    token_secret: SecretText,
    /// Content URL of the site; empty for the server's default one.
    #[serde(default)]
    site: String,
}

/// The request that signs in.
pub(crate) fn request(
    passport: &Passport,
    stored: &SecretText,
) -> Result<Request<Bytes>, Unusable> {
    let token: PersonalAccessToken =
        serde_json::from_str(stored.expose()).map_err(|_| Unusable::Misconfigured)?;
    let body = json!({"credentials": {
        "personalAccessTokenName": token.token_name,
        "personalAccessTokenSecret": token.token_secret.expose(),
        "site": {"contentUrl": token.site},
    }});
    let request = Request::post(&passport.token_url)
        .header(CONTENT_TYPE, "application/json")
        .body(Bytes::from(body.to_string()))
        .map_err(|_| Unusable::Misconfigured)?;
    Ok(dressed(request))
}
