//! Names the connected account: calls the passport's profile address once, and reads it with JSONPath (RFC 9535).
//!
//! Best effort: an account without a name is still connected. But an answer that refuses the credential says so: whoever
//! typed it should hear it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use consulate_core::connections::Account;
use consulate_core::egress::Egress;
use consulate_core::passport::{Credential, Inject, Passport, Profile, Verdict};
use consulate_core::secret::SecretText;
use http::Request;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use serde_json_path::JsonPath;

use crate::grant::{PROOF, SlotTokens};
use crate::revocation::credential_header;
use crate::token_endpoint::{Client, dressed};
use crate::token_reply::shows;

const TIME: Duration = Duration::from_secs(5);
const LIMIT: usize = 256 * 1024;
/// Unreserved characters (RFC 3986 section 2.3) stay as they are in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// A longer name is cut.
const TEXT_LIMIT: usize = 256;

/// What became of asking who somebody is.
#[derive(Debug, PartialEq)]
pub(crate) enum Named {
    /// The account, and the scopes granted where the profile says so.
    As(Account, Option<Vec<String>>),
    /// The provider did not say.
    Nobody,
    /// The credential was not accepted.
    Refused,
}

/// The account behind the tokens of the main slot.
pub(crate) async fn read(egress: &Egress, client: &Client<'_>, tokens: &SlotTokens) -> Named {
    let Some(profile) = &client.passport.profile else {
        return Named::Nobody;
    };
    let Some(request) = request(client.passport, profile, tokens) else {
        return Named::Nobody;
    };
    let Ok(response) = egress.send(request, TIME, LIMIT).await else {
        return Named::Nobody;
    };
    if client.passport.verdict(&response) == Verdict::Expired {
        return Named::Refused;
    }
    if !response.status().is_success() {
        return Named::Nobody;
    }
    match serde_json::from_slice(response.body()) {
        Ok(document) => {
            let secrets = secrets(client.passport, &tokens.access_token);
            let account = account(profile, &document, &secrets);
            Named::As(account, scopes(profile, &document))
        }
        Err(_) => Named::Nobody,
    }
}

/// PURE. The request, with the credential where the passport injects it.
fn request(passport: &Passport, profile: &Profile, tokens: &SlotTokens) -> Option<Request<Bytes>> {
    let mut added = form_urlencoded::Serializer::new(String::new());
    if let Inject::Query { query } = &passport.inject {
        added.append_pair(query, tokens.access_token.expose());
    }
    if let Some(proof) = tokens.fields.get(PROOF) {
        added.append_pair(PROOF, proof);
    }
    let mut url = address(passport, &profile.url, tokens)?;
    let added = added.finish();
    if !added.is_empty() {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&added);
    }
    let mut request = dressed(Request::get(url).body(Bytes::new()).ok()?);
    if let Inject::Header { .. } = &passport.inject {
        let (name, value) = credential_header(&passport.inject, &tokens.access_token).ok()?;
        request.headers_mut().insert(name, value);
    }
    Some(request)
}

/// PURE. `{FIELD}` replaced: at the front by the origin it holds, anywhere else as one path segment.
fn address(passport: &Passport, template: &str, tokens: &SlotTokens) -> Option<String> {
    let field = |name: &str| passport.connection_field(&tokens.fields, name);
    let (mut address, mut rest) = match template.strip_prefix('{') {
        Some(rest) => {
            let (name, rest) = rest.split_once('}')?;
            (field(name)?.to_owned(), rest)
        }
        None => (String::new(), template),
    };
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        address.push_str(before);
        address.extend(utf8_percent_encode(field(name)?, SEGMENT));
        rest = after;
    }
    address.push_str(rest);
    Some(address)
}

/// PURE. What a profile may not repeat: the credential, and where it is a user name and password, both as they were typed.
fn secrets(passport: &Passport, credential: &SecretText) -> Vec<SecretText> {
    let mut secrets = vec![credential.clone()];
    if passport.credential == Credential::Basic {
        let pair = STANDARD.decode(credential.expose()).ok();
        let pair = pair.and_then(|pair| String::from_utf8(pair).ok());
        if let Some((_, password)) = pair.as_deref().and_then(|pair| pair.split_once(':')) {
            secrets.push(SecretText::new(password));
        }
    }
    secrets
}

/// PURE. What the paths find. A value that holds a secret is left out: a profile must not become a way to see it.
fn account(profile: &Profile, document: &Value, secrets: &[SecretText]) -> Account {
    let is_clean = |text: &str| {
        let mut secrets = secrets.iter().map(SecretText::expose);
        !secrets.any(|secret| shows(text, secret))
    };
    let find = |path: &Option<String>| {
        let path = JsonPath::parse(path.as_deref()?).ok()?;
        let text = match path.query(document).first()? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let text: String = text.chars().filter(|char| !char.is_control()).collect();
        // Judged before it is cut: half a secret is still much of one.
        let is_name = !text.is_empty() && is_clean(&text);
        is_name.then(|| text.chars().take(TEXT_LIMIT).collect())
    };
    Account {
        id: find(&profile.id_path),
        email: find(&profile.email_path),
        name: find(&profile.name_path),
    }
}

/// PURE. The scopes that were granted; `None` where the profile has no word of them.
fn scopes(profile: &Profile, document: &Value) -> Option<Vec<String>> {
    let path = JsonPath::parse(profile.scopes_path.as_deref()?).ok()?;
    let found = path.query(document).all();
    let texts = found.into_iter().filter_map(Value::as_str);
    let scopes: Vec<String> = texts.map(str::to_owned).collect();
    // Without any scope there would have been no token: an answer of another shape.
    (!scopes.is_empty()).then_some(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile {
            url: "https://api.example.com/me".into(),
            id_path: Some("$.id".into()),
            email_path: Some("$.emails[0]".into()),
            name_path: Some("$.name".into()),
            scopes_path: None,
        }
    }

    fn found(document: Value) -> Account {
        account(&profile(), &document, &[SecretText::new("at-secret")])
    }

    #[test]
    fn a_password_and_a_long_secret_name_nobody_either() {
        let basic = passport(serde_json::json!({"credential": "basic"}));
        let typed = SecretText::new(STANDARD.encode("ada:correct horse"));
        let long = "k".repeat(TEXT_LIMIT * 2);
        let mut hidden = secrets(&basic, &typed);
        hidden.push(SecretText::new(long.clone()));
        let named = |name: &str| {
            let document = serde_json::json!({ "name": name });
            account(&profile(), &document, &hidden).name
        };
        for name in [
            "correct horse",
            "ada:correct horse",
            "<correct\u{0} horse>",
            &long,
        ] {
            assert_eq!(named(name), None, "{name}");
        }
        assert_eq!(named("ada").as_deref(), Some("ada"));
        let short = secrets(&basic, &SecretText::new(STANDARD.encode("ada:a")));
        let document = serde_json::json!({"id": "ada", "name": "a"});
        let account = account(&profile(), &document, &short);
        assert_eq!((account.id.as_deref(), account.name), (Some("ada"), None));
    }

    #[test]
    fn a_profile_may_say_which_scopes_were_granted() {
        let mut profile = profile();
        let document = serde_json::json!({"permissions": {"data": [
            {"permission": "public_profile", "status": "granted"}, {"permission": "email", "status": "declined"},
        ]}});
        assert_eq!(scopes(&profile, &document), None);
        profile.scopes_path = Some("$.permissions.data[?@.status=='granted'].permission".into());
        assert_eq!(
            scopes(&profile, &document),
            Some(vec!["public_profile".to_owned()])
        );
        assert_eq!(scopes(&profile, &serde_json::json!({"error": {}})), None);
    }

    fn passport(fields: Value) -> Passport {
        let mut passport =
            serde_json::json!({"id": "p", "name": "P", "provider": "p", "api_hosts": []});
        for (name, value) in fields.as_object().unwrap() {
            passport[name] = value.clone();
        }
        serde_json::from_value(passport).unwrap()
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

    #[test]
    fn an_address_takes_fields_as_origin_and_as_segments() {
        let passport = passport(serde_json::json!({
            "pinned": [{"name": "instance_url", "at": "/x"}, {"name": "site_id", "at": "/y"}],
        }));
        let mut tokens = SlotTokens::typed("t".into());
        tokens
            .fields
            .insert("instance_url".into(), "https://acme.example.com".into());
        tokens.fields.insert("site_id".into(), "a-b/c?d".into());
        let address = |template| address(&passport, template, &tokens);
        assert_eq!(
            address("{instance_url}/userinfo").as_deref(),
            Some("https://acme.example.com/userinfo")
        );
        assert_eq!(
            address("https://t.example/sites/{site_id}/x").as_deref(),
            Some("https://t.example/sites/a-b%2Fc%3Fd/x")
        );
        assert_eq!(address("https://t.example/{other}"), None);
    }

    #[test]
    fn the_credential_stands_where_the_passport_injects_it() {
        let tokens = SlotTokens::typed("the key&".into());
        let by_query = passport(serde_json::json!({"inject": {"query": "key"}}));
        let sent = request(&by_query, &profile(), &tokens).unwrap();
        assert_eq!(
            sent.uri().to_string(),
            "https://api.example.com/me?key=the+key%26"
        );
        assert!(sent.headers().get("authorization").is_none());
        let by_header = passport(serde_json::json!({"inject": {"header": "X-Api-Key"}}));
        let sent = request(&by_header, &profile(), &tokens).unwrap();
        assert_eq!(sent.headers()["x-api-key"], "the key&");
    }
}
