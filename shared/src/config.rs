//! Environment to typed settings. The only room of the functions that reads the environment.
//!
//! | variable | means |
//! |---|---|
//! | `CONSULATE_TABLE` | name of the DynamoDB table |
//! | `CONSULATE_BASE_URL` | public address without trailing slash, `https://consulate.example.com` |
//! | `CONSULATE_SECRETS_PREFIX` | prefix of every secret's name; `consulate/` when unset |
//! | `CONSULATE_CUSTODIAN` | name or ARN of the custodian function |
//! | `CONSULATE_EXTRA_CA` | optional PEM: one more trusted root certificate |
//! | `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` | set by Lambda |
//! | `AWS_ENDPOINT_URL_DYNAMODB`, `…_SECRETS_MANAGER`, `…_LAMBDA` | optional: another address of that service |

use crate::secret::SecretText;

/// A variable is missing or unusable: the cold start stops with its name.
#[derive(Debug, thiserror::Error)]
#[error("environment variable {name}: {problem}")]
pub struct Error {
    /// The variable.
    pub name: &'static str,
    /// What is wrong with it. Never its value.
    pub problem: &'static str,
}

/// What every function is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of the table.
    pub table: String,
    /// Public address, without trailing slash.
    pub base_url: String,
    /// Prefix of secret names, `consulate/`.
    pub secrets_prefix: String,
    /// The custodian's function name or ARN.
    pub custodian: String,
    /// One more trusted root, PEM.
    pub extra_ca: Option<String>,
    /// Where AWS is, and as whom.
    pub aws: AwsConfig,
}

/// Region, credentials and endpoints of AWS.
#[derive(Clone, Debug)]
pub struct AwsConfig {
    /// `eu-central-1`.
    pub region: String,
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: SecretText,
    /// Session token of a role's credentials.
    pub session_token: Option<SecretText>,
    /// Another address of DynamoDB.
    pub dynamodb_endpoint: Option<String>,
    /// Another address of Secrets Manager.
    pub secrets_manager_endpoint: Option<String>,
    /// Another address of Lambda.
    pub lambda_endpoint: Option<String>,
}

impl Config {
    /// From the process's environment.
    ///
    /// # Errors
    /// The first variable that is missing or unusable.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn from_env() -> Result<Self, Error> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// From any lookup, so that tests need not touch the environment.
    ///
    /// # Errors
    /// The first variable that is missing or unusable.
    pub fn from_lookup(lookup: impl Fn(&'static str) -> Option<String>) -> Result<Self, Error> {
        let optional = |name| lookup(name).filter(|value| !value.is_empty());
        let required = |name| {
            optional(name).ok_or(Error {
                name,
                problem: "is not set",
            })
        };
        let base_url = required("CONSULATE_BASE_URL")?;
        if base_url.ends_with('/')
            || !(base_url.starts_with("https://") || base_url.starts_with("http://127.0.0.1"))
        {
            return Err(Error {
                name: "CONSULATE_BASE_URL",
                problem: "must be an https address without trailing slash",
            });
        }
        Ok(Self {
            table: required("CONSULATE_TABLE")?,
            base_url,
            secrets_prefix: optional("CONSULATE_SECRETS_PREFIX")
                .unwrap_or_else(|| "consulate/".to_owned()),
            custodian: required("CONSULATE_CUSTODIAN")?,
            extra_ca: optional("CONSULATE_EXTRA_CA"),
            aws: AwsConfig {
                region: required("AWS_REGION")?,
                access_key_id: required("AWS_ACCESS_KEY_ID")?,
                secret_access_key: SecretText::new(required("AWS_SECRET_ACCESS_KEY")?),
                session_token: optional("AWS_SESSION_TOKEN").map(SecretText::new),
                dynamodb_endpoint: optional("AWS_ENDPOINT_URL_DYNAMODB"),
                secrets_manager_endpoint: optional("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
                lambda_endpoint: optional("AWS_ENDPOINT_URL_LAMBDA"),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &'static str) -> Option<String> {
        let value = match name {
            "CONSULATE_BASE_URL" => "https://consulate.example.com",
            "AWS_ENDPOINT_URL_DYNAMODB" | "CONSULATE_EXTRA_CA" | "CONSULATE_SECRETS_PREFIX" => {
                return None;
            }
            _ => "value",
        };
        Some(value.to_owned())
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = Config::from_lookup(|name| lookup(name).filter(|_| name != "CONSULATE_TABLE"));
        assert_eq!(error.unwrap_err().name, "CONSULATE_TABLE");
    }

    #[test]
    fn a_base_address_that_is_neither_https_nor_loopback_is_refused() {
        let with = |base: &'static str| {
            Config::from_lookup(move |name| match name {
                "CONSULATE_BASE_URL" => Some(base.to_owned()),
                other => lookup(other),
            })
        };
        assert!(with("http://consulate.example.com").is_err());
        assert!(with("https://consulate.example.com/").is_err());
        assert!(with("http://127.0.0.1:8700").is_ok());
    }

    #[test]
    fn secrets_stand_under_consulate_unless_told_otherwise() {
        assert_eq!(
            Config::from_lookup(lookup).unwrap().secrets_prefix,
            "consulate/"
        );
    }

    #[test]
    fn debug_of_a_config_shows_no_key() {
        let config = Config::from_lookup(|name| match name {
            "AWS_SECRET_ACCESS_KEY" => Some("canary".to_owned()),
            other => lookup(other),
        });
        assert!(!format!("{config:?}").contains("canary"));
    }
}
