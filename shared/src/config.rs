//! Environment to typed settings. The only room of the functions that reads the environment.
//!
//! | variable | means |
//! |---|---|
//! | `CONSULATE_TABLE` | name of the DynamoDB table |
//! | `CONSULATE_BASE_URL` | public address without trailing slash, `https://consulate.example.com` |
//! | `CONSULATE_SECRETS_PREFIX` | prefix of every secret's name; `consulate/` when unset |
//! | `CONSULATE_CUSTODIAN` | name or ARN of the custodian function |
//! | `CONSULATE_CONNECT`, `CONSULATE_PROXY` | names or ARNs of these functions: for the console, which acts through them |
//! | `CONSULATE_QUEUE_URL` | optional: SQS queue for the work of a tick; without it the custodian does it inline |
//! | `CONSULATE_SALVAGE_QUEUE_URL` | optional: FIFO queue for answers that could not be stored at once |
//! | `CONSULATE_EVENT_BUS` | optional: EventBridge bus for what happens to connections |
//! | `CONSULATE_HOME_REGION` | optional: the one region that renews, where the table is in several |
//! | `CONSULATE_DUE_SHARDS` | shards of the due index; 64 when unset. `64,256` while growing: read all, write the last |
//! | `CONSULATE_IDLE_LIMIT_DAYS` | connections unused for so long are revoked; 90 when unset |
//! | `CONSULATE_METRICS` | namespace of the metrics in the log lines; `Consulate` when unset, `off` for none |
//! | `CONSULATE_EXTRA_CA` | optional PEM: one more trusted root certificate |
//! | `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` | set by Lambda |
//! | `AWS_ENDPOINT_URL_DYNAMODB`, `…_SECRETS_MANAGER`, `…_LAMBDA`, `…_SQS`, `…_EVENTBRIDGE` | optional: another address of that service |

use crate::cohort::Shards;
use crate::metrics;
use crate::secret::SecretText;

/// Connections unused for so long are revoked, unless the operator says otherwise.
pub const IDLE_LIMIT_DAYS: i64 = 90;

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
    /// connect's function name or ARN; the console's only.
    pub connect: Option<String>,
    /// proxy's function name or ARN; the console's only.
    pub proxy: Option<String>,
    /// Work queue of the schedule.
    pub queue_url: Option<String>,
    /// FIFO queue of answers that could not be stored at once.
    pub salvage_queue_url: Option<String>,
    /// Name or ARN of the event bus.
    pub event_bus: Option<String>,
    /// Shards of the due index.
    pub due_shards: Shards,
    /// Connections unused for so long are revoked, days.
    pub idle_limit_days: i64,
    /// Namespace of the metrics in the log lines; `None` for lines without them.
    pub metrics: Option<String>,
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
    /// The one region that renews, where it is not (known to be) this one.
    pub home_region: Option<String>,
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
    /// Another address of SQS.
    pub sqs_endpoint: Option<String>,
    /// Another address of EventBridge.
    pub eventbridge_endpoint: Option<String>,
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
        // Browsers name origins so, and forms are told from foreign ones by them.
        if !base_url
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase())
        {
            return Err(Error {
                name: "CONSULATE_BASE_URL",
                problem: "must be in lower case, an international name in its xn-- form",
            });
        }
        Ok(Self {
            table: required("CONSULATE_TABLE")?,
            base_url,
            secrets_prefix: optional("CONSULATE_SECRETS_PREFIX")
                .unwrap_or_else(|| "consulate/".to_owned()),
            custodian: required("CONSULATE_CUSTODIAN")?,
            connect: optional("CONSULATE_CONNECT"),
            proxy: optional("CONSULATE_PROXY"),
            queue_url: optional("CONSULATE_QUEUE_URL"),
            salvage_queue_url: optional("CONSULATE_SALVAGE_QUEUE_URL"),
            event_bus: optional("CONSULATE_EVENT_BUS"),
            due_shards: match optional("CONSULATE_DUE_SHARDS") {
                Some(text) => Shards::parse(&text).ok_or(Error {
                    name: "CONSULATE_DUE_SHARDS",
                    problem: "must be numbers from 1 to 1024 with commas between them, as 64 or 64,256",
                })?,
                None => Shards::default(),
            },
            idle_limit_days: match optional("CONSULATE_IDLE_LIMIT_DAYS") {
                Some(text) => text.parse().ok().filter(|days| (1..=3_650).contains(days)).ok_or(Error {
                    name: "CONSULATE_IDLE_LIMIT_DAYS",
                    problem: "must be a number of days from 1 to 3650",
                })?,
                None => IDLE_LIMIT_DAYS,
            },
            metrics: match optional("CONSULATE_METRICS") {
                None => Some(metrics::NAMESPACE.to_owned()),
                Some(off) if off == "off" => None,
                Some(namespace) if is_namespace(&namespace) => Some(namespace),
                Some(_) => return Err(Error {
                    name: "CONSULATE_METRICS",
                    problem: "must be a namespace of CloudWatch (letters, digits, . - _ / # :), or off",
                }),
            },
            extra_ca: optional("CONSULATE_EXTRA_CA"),
            aws: AwsConfig {
                region: required("AWS_REGION")?,
                home_region: optional("CONSULATE_HOME_REGION"),
                access_key_id: required("AWS_ACCESS_KEY_ID")?,
                secret_access_key: SecretText::new(required("AWS_SECRET_ACCESS_KEY")?),
                session_token: optional("AWS_SESSION_TOKEN").map(SecretText::new),
                dynamodb_endpoint: optional("AWS_ENDPOINT_URL_DYNAMODB"),
                secrets_manager_endpoint: optional("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
                lambda_endpoint: optional("AWS_ENDPOINT_URL_LAMBDA"),
                sqs_endpoint: optional("AWS_ENDPOINT_URL_SQS"),
                eventbridge_endpoint: optional("AWS_ENDPOINT_URL_EVENTBRIDGE"),
            },
        })
    }
}

/// Amazon CloudWatch user guide, "Namespaces": `AWS/` is AWS's own.
fn is_namespace(text: &str) -> bool {
    text.len() <= 255
        && !text.starts_with("AWS/")
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_/#:".contains(&byte))
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
            "CONSULATE_DUE_SHARDS" => "64,256",
            "CONSULATE_METRICS" => "off",
            "CONSULATE_IDLE_LIMIT_DAYS" => "30",
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
    fn metrics_stand_under_consulate_unless_told_otherwise() {
        let with = |value: Option<&'static str>| {
            Config::from_lookup(move |name| match name {
                "CONSULATE_METRICS" => value.map(str::to_owned),
                other => lookup(other),
            })
            .map(|config| config.metrics)
        };
        assert_eq!(with(None).unwrap().as_deref(), Some("Consulate"));
        assert_eq!(with(Some("off")).unwrap(), None);
        assert_eq!(
            with(Some("Staging/1")).unwrap().as_deref(),
            Some("Staging/1")
        );
        assert!(with(Some("two words")).is_err() && with(Some("AWS/Lambda")).is_err());
    }

    #[test]
    fn the_public_address_is_written_as_browsers_write_it() {
        let with = |value: &'static str| {
            Config::from_lookup(move |name| match name {
                "CONSULATE_BASE_URL" => Some(value.to_owned()),
                other => lookup(other),
            })
        };
        assert!(with("https://consulate.example.com").is_ok());
        for wrong in [
            "https://Consulate.example.com",
            "https://b\u{fc}ro.example.com",
            "https://consulate.example.com/",
            "http://consulate.example.com",
        ] {
            assert_eq!(
                with(wrong).unwrap_err().name,
                "CONSULATE_BASE_URL",
                "{wrong}"
            );
        }
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
