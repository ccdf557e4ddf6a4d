//! PURE. The echo guards of one call: its credential, and what else of it must not come back.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consulate_core::passport::{Credential, Passport};

use crate::echo_guard::EchoGuard;

/// A shorter password would be found by chance.
const PASSWORD_FROM: usize = 6;

/// Every secret a call carries.
pub struct Guards(Vec<EchoGuard>);

impl Guards {
    /// For `credential`, as the passport's calls carry it, and further secrets.
    pub fn of(passport: &Passport, credential: &str, further: &[(&str, &str)]) -> Self {
        let mut secrets = vec![credential.to_owned()];
        if passport.credential == Credential::Basic {
            // Whoever echoes the header may have read it: user:password, and the password alone.
            let pair = STANDARD.decode(credential).ok();
            let pair = pair.and_then(|pair| String::from_utf8(pair).ok());
            let password = pair.as_deref().and_then(|pair| pair.split_once(':'));
            let password = password.map(|(_, password)| password.to_owned());
            secrets.extend(password.filter(|password| password.len() >= PASSWORD_FROM));
        }
        secrets.extend(further.iter().map(|(_, secret)| (*secret).to_owned()));
        Self(
            secrets
                .iter()
                .map(|secret| EchoGuard::new(secret))
                .collect(),
        )
    }

    /// For one secret.
    pub fn new(credential: &str) -> Self {
        Self(vec![EchoGuard::new(credential)])
    }

    /// Bytes without the secrets, and how often they stood there.
    pub fn scrub_bytes<'a>(&self, bytes: &'a [u8]) -> (Cow<'a, [u8]>, usize) {
        self.each(bytes, EchoGuard::scrub_bytes)
    }

    /// Text without the secrets, and how often they stood there.
    pub fn scrub_text<'a>(&self, text: &'a str) -> (Cow<'a, str>, usize) {
        self.each(text, EchoGuard::scrub_text)
    }

    /// JSON text without the secrets, and how often they stood there.
    pub fn scrub_json<'a>(&self, json: &'a str) -> (Cow<'a, str>, usize) {
        self.each(json, EchoGuard::scrub_json)
    }

    fn each<'a, T: ToOwned + ?Sized>(
        &self,
        input: &'a T,
        scrub: impl for<'b> Fn(&EchoGuard, &'b T) -> (Cow<'b, T>, usize),
    ) -> (Cow<'a, T>, usize) {
        let mut scrubbed = Cow::Borrowed(input);
        let mut count = 0;
        for guard in &self.0 {
            let found = match scrub(guard, &scrubbed) {
                (Cow::Owned(clean), found) => Some((clean, found)),
                (Cow::Borrowed(_), _) => None,
            };
            if let Some((clean, found)) = found {
                scrubbed = Cow::Owned(clean);
                count += found;
            }
        }
        (scrubbed, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_removed_however_its_pair_comes_back() {
        let passport = Passport {
            credential: Credential::Basic,
            ..Passport::default()
        };
        let credential = STANDARD.encode("ada:correct horse");
        let guards = Guards::of(&passport, &credential, &[("proof", "0123456789abcdef")]);
        let answer = format!(
            r#"{{"sent":"Basic {credential}","user":"ada","password":"correct horse","proof":"0123456789abcdef"}}"#
        );
        let (clean, count) = guards.scrub_json(&answer);
        assert_eq!(count, 3, "{clean}");
        assert!(
            !clean.contains("correct") && clean.contains("\"ada\""),
            "{clean}"
        );
        assert!(!clean.contains("0123456789"), "{clean}");
    }

    #[test]
    fn what_holds_no_secret_stays_where_it_is() {
        let guards = Guards::new("a-token-nobody-sends");
        assert!(matches!(
            guards.scrub_bytes(b"plain"),
            (Cow::Borrowed(b"plain"), 0)
        ));
    }
}
