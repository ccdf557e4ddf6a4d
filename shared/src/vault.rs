//! Seals and opens tokens for their places, with keyrings from Secrets Manager. A value under a key not held yet allows one
//! early reload. Which keyrings a function can read is its role's matter: the proxy gets `keys/access` only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::connection::Connection;
use crate::digest;
use crate::passport::Passport;
use crate::seal::{self, Keyring, Place};
use crate::secret::SecretText;
use crate::secrets::{self, Secrets};

/// Tokens cannot be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Secrets Manager does not answer, or a keyring is not set.
    #[error("a keyring cannot be read")]
    Unavailable,
    /// What is stored cannot be opened here.
    #[error("a sealed value does not open")]
    DoesNotOpen,
}

impl From<secrets::Error> for Error {
    fn from(_: secrets::Error) -> Self {
        Self::Unavailable
    }
}

impl From<seal::Error> for Error {
    fn from(error: seal::Error) -> Self {
        match error {
            seal::Error::DoesNotOpen | seal::Error::UnknownKey => Self::DoesNotOpen,
            seal::Error::MalformedKeyring | seal::Error::NoEntropy(_) => Self::Unavailable,
        }
    }
}

/// What is sealed: the two kinds of token and the settings, each under its own keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Under `keys/access`.
    AccessToken,
    /// Under `keys/refresh`.
    RefreshToken,
    /// A setting's key and value, under `keys/settings`.
    Setting,
    /// Where a list of settings goes on, under `keys/settings`.
    SettingsCursor,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::RefreshToken => "refresh_token",
            Self::Setting => "setting",
            Self::SettingsCursor => "settings_cursor",
        }
    }

    /// Name of its keyring's secret.
    pub fn keyring(self) -> &'static str {
        match self {
            Self::AccessToken => "keys/access",
            Self::RefreshToken => "keys/refresh",
            Self::Setting | Self::SettingsCursor => "keys/settings",
        }
    }
}

/// Where a grant's tokens lie: the row (or flow), the grant, the token endpoint. A setting lies in its item, in one version.
#[derive(Clone, Debug)]
pub struct Home {
    /// Partition key of the item.
    pub item_key: String,
    /// The grant; a setting's version.
    pub grant_id: String,
    /// The token endpoint the tokens come from; empty for a setting.
    pub token_url: String,
    /// Where that endpoint was before: what was sealed then opens as well.
    pub former_token_urls: Vec<String>,
}

impl Home {
    /// The home of a connection's tokens.
    pub fn of(connection: &Connection, passport: &Passport) -> Self {
        Self::at(connection.key.pk(), &connection.grant_id, passport)
    }

    /// The home of a grant of `passport` in the item `item_key`.
    pub fn at(item_key: String, grant_id: &str, passport: &Passport) -> Self {
        Self {
            item_key,
            grant_id: grant_id.to_owned(),
            token_url: passport.token_url.clone(),
            former_token_urls: passport.former_token_urls(),
        }
    }

    /// The place of one of its fields.
    pub fn place(&self, field: Field) -> Place<'_> {
        Place {
            item_key: &self.item_key,
            grant_id: &self.grant_id,
            field: field.name(),
            token_url: &self.token_url,
        }
    }
}

/// Proves that an answer could be sealed, before it is asked for: what cannot be stored must not be spent.
///
/// # Errors
/// See [`Error`]: do not ask.
pub async fn check(secrets: &Secrets) -> Result<(), Error> {
    for name in ["keys/access", "keys/refresh", "keys/fingerprint"] {
        Keyring::parse(&secrets.get(name).await?)?;
    }
    Ok(())
}

/// Seals `plain` for its home.
///
/// # Errors
/// See [`Error`].
pub async fn seal(
    secrets: &Secrets,
    home: &Home,
    field: Field,
    plain: &SecretText,
) -> Result<Vec<u8>, Error> {
    let keyring = Keyring::parse(&secrets.get(field.keyring()).await?)?;
    Ok(keyring.seal(plain, home.place(field))?)
}

/// Opens what was sealed for `home`.
///
/// # Errors
/// See [`Error`].
pub async fn open(
    secrets: &Secrets,
    home: &Home,
    field: Field,
    sealed: &[u8],
) -> Result<SecretText, Error> {
    let keyring = Keyring::parse(&secrets.get(field.keyring()).await?)?;
    match open_with(&keyring, home, field, sealed) {
        Err(seal::Error::UnknownKey) => {
            let keyring = Keyring::parse(&secrets.reload(field.keyring()).await?)?;
            Ok(open_with(&keyring, home, field, sealed)?)
        }
        opened => Ok(opened?),
    }
}

/// Opens what was sealed for `home`, now or when its token endpoint was a former one, with a keyring that is at hand.
///
/// # Errors
/// See [`seal::Error`].
pub fn open_with(
    keyring: &Keyring,
    home: &Home,
    field: Field,
    sealed: &[u8],
) -> Result<SecretText, seal::Error> {
    let mut opened = keyring.open(sealed, home.place(field));
    for token_url in &home.former_token_urls {
        if !matches!(opened, Err(seal::Error::DoesNotOpen)) {
            break;
        }
        let place = Place {
            token_url,
            ..home.place(field)
        };
        opened = keyring.open(sealed, place);
    }
    opened
}

/// The custodian's own HMAC of an account's id at a passport's provider: names the account, and says nothing of it.
///
/// # Errors
/// See [`Error`].
pub async fn account_digest(
    secrets: &Secrets,
    passport: &str,
    account: &str,
) -> Result<String, Error> {
    let parts = ["account", passport, account].map(str::as_bytes);
    let keyring = Keyring::parse(&secrets.get("keys/fingerprint").await?)?;
    let tag = keyring.fingerprint(&SecretText::new(digest::text(parts)))?;
    Ok(URL_SAFE_NO_PAD.encode(tag))
}

/// Seals a refresh token and takes its fingerprint, the custodian's own HMAC.
///
/// # Errors
/// See [`Error`].
pub async fn seal_refresh(
    secrets: &Secrets,
    home: &Home,
    plain: &SecretText,
) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let sealed = seal(secrets, home, Field::RefreshToken, plain).await?;
    let fingerprint =
        Keyring::parse(&secrets.get("keys/fingerprint").await?)?.fingerprint(plain)?;
    Ok((sealed, fingerprint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_former_endpoint_gave_opens_and_what_another_gave_does_not() {
        let document =
            r#"{"primary":"k","keys":{"k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}"#;
        let keyring = Keyring::parse(&SecretText::new(document)).unwrap();
        let home = |token_url: &str, former: &[&str]| Home {
            item_key: "CONNECTION#p#o".to_owned(),
            grant_id: "g".to_owned(),
            token_url: token_url.to_owned(),
            former_token_urls: former.iter().map(|url| (*url).to_owned()).collect(),
        };
        let field = Field::RefreshToken;
        let plain = SecretText::new("a token");
        let [old, new, other] = [
            "https://a.example/t",
            "https://b.example/t",
            "https://c.example/t",
        ];
        let sealed = keyring.seal(&plain, home(old, &[]).place(field)).unwrap();
        let opened = |home: &Home| open_with(&keyring, home, field, &sealed).map(|_| ());
        assert!(opened(&home(new, &[other, old])).is_ok());
        for elsewhere in [home(new, &[]), home(new, &[other])] {
            assert_eq!(opened(&elsewhere), Err(seal::Error::DoesNotOpen));
        }
        // Only the endpoint may be a former one.
        let another_grant = Home {
            grant_id: "h".to_owned(),
            ..home(new, &[old])
        };
        assert_eq!(opened(&another_grant), Err(seal::Error::DoesNotOpen));
    }
}
