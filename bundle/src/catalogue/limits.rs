//! PURE. What neither an entry nor a bundle may say, whichever of the two says it: token replies that are kept in the
//! clear, and parameters that are Consulate's own.
//!
//! Sources: RFC 6749 sections 4.1.1, 4.1.3, 4.3, 4.4.2 and 6, RFC 7521 section 4.2, RFC 7636 section 4.5, RFC 6901.

use consulate_core::passport::{Credential, Passport, Slot};

/// What Consulate itself writes into an authorize URL.
const OWN_AUTHORIZE_PARAMS: [&str; 7] = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
];

/// What Consulate itself writes into a token request.
const OWN_TOKEN_PARAMS: [&str; 9] = [
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_verifier",
    "redirect_uri",
    "refresh_token",
    "scope",
];

/// Members of a token reply that are credentials, in lower case and without what joins words.
const CREDENTIALS: [&str; 5] = [
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "token",
    "clientsecret",
];

/// The parameter that says which grant a token request is for.
const GRANT_TYPE: &str = "grant_type";

/// Whether the JSON pointer `at` leads to a credential: what is pinned is kept in the clear, and widgets may see it.
pub(crate) fn is_credential(at: &str) -> bool {
    let last = at.rsplit('/').next().unwrap_or_default();
    let plain: String = last
        .replace("~1", "/")
        .replace("~0", "~")
        .chars()
        .filter(|character| !matches!(character, '_' | '-'))
        .collect();
    CREDENTIALS.contains(&plain.to_ascii_lowercase().as_str())
}

/// Whether the JSON pointer `at` leads to a whole answer: the tokens that stand at `reply_at`, or at a slot's, are part of it.
pub(crate) fn holds_tokens(at: &str, reply_at: &str, slots: &[Slot]) -> bool {
    let places = slots.iter().filter_map(|slot| slot.reply_at.as_deref());
    std::iter::once(reply_at)
        .chain(places)
        .chain([""])
        .any(|place| {
            place
                .strip_prefix(at)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

/// Whether the parameter `name` of an authorize URL is Consulate's to set.
pub(crate) fn is_own_authorize_param(name: &str) -> bool {
    OWN_AUTHORIZE_PARAMS.contains(&name.to_ascii_lowercase().as_str())
}

/// Whether the parameter `name` of a token request is Consulate's to set.
pub(crate) fn is_own_token_param(name: &str) -> bool {
    OWN_TOKEN_PARAMS.contains(&name.to_ascii_lowercase().as_str())
}

/// Why `name=value` cannot be a fixed parameter of the token request of such a `credential`; `None` where it can. A code
/// and a refresh token have grants of their own, and nobody's password is ever sent (RFC 9700 section 2.4).
pub(crate) fn grant_type_fault(
    credential: Credential,
    name: &str,
    value: &str,
) -> Option<&'static str> {
    if !name.eq_ignore_ascii_case(GRANT_TYPE) {
        return None;
    }
    if value.trim().eq_ignore_ascii_case("password") {
        return Some("is the grant of a person's password, which Consulate never asks for");
    }
    (credential != Credential::ClientCredentials)
        .then_some("replaces the standard grant, which client_credentials alone may do")
}

/// The first pinned field of `passport` that keeps a credential or a whole answer.
pub(crate) fn pinned_credential(passport: &Passport) -> Option<&str> {
    let is_refused =
        |at: &str| is_credential(at) || holds_tokens(at, &passport.reply_at, &passport.slots);
    let mut pinned = passport.pinned.iter();
    let field = pinned.find(|field| is_refused(&field.at))?;
    Some(field.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_to_a_credential_is_one_however_it_is_spelled() {
        for at in [
            "/access_token",
            "/REFRESH_TOKEN",
            "/a/0/Id_Token",
            "/credentials/token",
            "/client_secret",
            "/accessToken",
            "/client-secret",
        ] {
            assert!(is_credential(at), "{at}");
        }
        for at in ["/instance_url", "/token_type", "/team/id", "/tokens_left"] {
            assert!(!is_credential(at), "{at}");
        }
    }

    #[test]
    fn a_whole_answer_is_one_that_tokens_stand_in() {
        let slot = Slot {
            name: "user".to_owned(),
            reply_at: Some("/a/user".to_owned()),
            scope_param: None,
            scopes: Vec::new(),
            api_hosts: Vec::new(),
        };
        let slots = [slot];
        for at in ["", "/a", "/a/user", "/credentials"] {
            assert!(holds_tokens(at, "/credentials", &slots), "{at}");
        }
        for at in ["/a/us", "/a/user/id", "/credentials/site", "/b"] {
            assert!(!holds_tokens(at, "/credentials", &slots), "{at}");
        }
    }

    #[test]
    fn only_client_credentials_have_a_grant_of_their_own_and_never_a_password() {
        let fault = grant_type_fault;
        let minted = Credential::ClientCredentials;
        assert_eq!(fault(minted, "grant_type", "account_credentials"), None);
        assert_eq!(fault(Credential::Oauth2, "resource", "password"), None);
        assert!(fault(minted, "Grant_Type", " Password").is_some());
        assert!(fault(Credential::Oauth2, "grant_type", "authorization_code").is_some());
    }
}
