//! Seals and opens tokens for their places, with keyrings from Secrets Manager. A value under a key not held yet allows one
//! early reload. Which keyrings a function can read is its role's matter: the proxy gets `keys/access` only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::connection::Connection;
use crate::digest;
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
    /// The token endpoint the tokens came from; empty for a setting.
    pub token_url: String,
}

impl Home {
    /// The home of a connection's tokens.
    pub fn of(connection: &Connection, token_url: &str) -> Self {
        Self {
            item_key: connection.key.pk(),
            grant_id: connection.grant_id.clone(),
            token_url: token_url.to_owned(),
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
    match keyring.open(sealed, home.place(field)) {
        Err(seal::Error::UnknownKey) => {
            let keyring = Keyring::parse(&secrets.reload(field.keyring()).await?)?;
            Ok(keyring.open(sealed, home.place(field))?)
        }
        opened => Ok(opened?),
    }
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
