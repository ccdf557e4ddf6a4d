//! Names the connected account: calls the passport's profile address once, and reads it with JSONPath (RFC 9535).
//!
//! Best effort: an account without a name is still connected.

use std::time::Duration;

use bytes::Bytes;
use consulate_core::connections::Account;
use consulate_core::definition::Profile;
use consulate_core::egress::Egress;
use consulate_core::secret::SecretText;
use http::Request;
use http::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use serde_json::Value;
use serde_json_path::JsonPath;

const TIME: Duration = Duration::from_secs(5);
const LIMIT: usize = 256 * 1024;
/// A longer name is cut.
const TEXT_LIMIT: usize = 256;

/// The account behind `access_token`; `None` when the profile cannot be had.
pub(crate) async fn read(
    egress: &Egress,
    profile: &Profile,
    access_token: &SecretText,
) -> Option<Account> {
    let mut bearer = HeaderValue::try_from(format!("Bearer {}", access_token.expose())).ok()?;
    bearer.set_sensitive(true);
    let request = Request::get(&profile.url)
        .header(AUTHORIZATION, bearer)
        .header(ACCEPT, "application/json")
        .body(Bytes::new())
        .ok()?;
    let response = egress.send(request, TIME, LIMIT).await.ok()?;
    if !response.status().is_success() {
        return None;
    }
    let document = serde_json::from_slice(response.body()).ok()?;
    Some(account(profile, &document, access_token))
}

/// PURE. What the paths find. A value that holds the access token is left out: a profile must not become a way to see it.
fn account(profile: &Profile, document: &Value, access_token: &SecretText) -> Account {
    let find = |path: &Option<String>| {
        let path = JsonPath::parse(path.as_deref()?).ok()?;
        let text = match path.query(document).first()? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let text: String = text
            .chars()
            .filter(|char| !char.is_control())
            .take(TEXT_LIMIT)
            .collect();
        (!text.is_empty() && !text.contains(access_token.expose())).then_some(text)
    };
    Account {
        id: find(&profile.id_path),
        email: find(&profile.email_path),
        name: find(&profile.name_path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(document: Value) -> Account {
        let profile = Profile {
            url: "https://api.example.com/me".into(),
            id_path: Some("$.id".into()),
            email_path: Some("$.emails[0]".into()),
            name_path: Some("$.name".into()),
        };
        account(&profile, &document, &SecretText::new("at-secret"))
    }

    #[test]
    fn paths_find_text_and_numbers() {
        let account =
            found(serde_json::json!({"id": 7, "emails": ["ada@example.com"], "name": "Ada"}));
        assert_eq!(account.id.as_deref(), Some("7"));
        assert_eq!(account.email.as_deref(), Some("ada@example.com"));
    }

    #[test]
    fn what_is_missing_odd_or_the_token_itself_is_left_out() {
        let account =
            found(serde_json::json!({"id": {"x": 1}, "emails": [], "name": "Bearer at-secret"}));
        assert_eq!(account, Account::default());
    }
}
