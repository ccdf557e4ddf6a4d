//! What the provider says about itself (RFC 8414).

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{ClientAuthentication, Provider};
use crate::held::held;

/// `GET /.well-known/oauth-authorization-server`.
pub(super) async fn metadata(State(provider): State<Provider>) -> Json<Value> {
    let base = provider.base_url();
    let settings = &provider.shared.settings;
    let methods: BTreeSet<&str> = held(&provider.shared.clients)
        .iter()
        .map(|client| match client.authentication {
            ClientAuthentication::Basic => "client_secret_basic",
            ClientAuthentication::Body => "client_secret_post",
            ClientAuthentication::None => "none",
        })
        .collect();
    Json(json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "revocation_endpoint": format!("{base}/revoke"),
        "scopes_supported": settings.scopes,
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "authorization_response_iss_parameter_supported": settings.sends_iss,
    }))
}
