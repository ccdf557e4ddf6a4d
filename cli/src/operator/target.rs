//! EDGE. Where commands act: a table and Secrets Manager, of an AWS account or of a running `consulate dev`.
//!
//! With AWS, the operator's own credentials are the root of trust: the SDK's default chain, over our HTTP client, so that
//! no second TLS stack comes in.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use aws_config::BehaviorVersion;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use consulate_bundle::records::Records;
use consulate_core::aws::{self, Aws, Skew};
use consulate_core::clock::Clock;
use consulate_core::cohort::Shards;
use consulate_core::config::{AwsConfig, Config, IDLE_LIMIT_DAYS};
use consulate_core::connections::Connections;
use consulate_core::custody::Custodian;
use consulate_core::dial;
use consulate_core::queue::Queue;
use consulate_core::secret::SecretText;

use super::dev_file::DevFile;

/// The prefix of secret names where nothing else is said.
pub const SECRETS_PREFIX: &str = "consulate/";

/// Account id of the loopback services.
pub const ACCOUNT: &str = "123456789012";
/// Queues and bus of `consulate dev`.
pub const WORK_QUEUE: &str = "work";
/// See [`WORK_QUEUE`].
pub const SALVAGE_QUEUE: &str = "salvage.fifo";
/// See [`WORK_QUEUE`].
pub const EVENT_BUS: &str = "consulate";

/// Where commands act.
#[derive(Clone, Debug)]
pub struct Target {
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Secrets Manager.
    pub secrets_manager: aws_sdk_secretsmanager::Client,
    /// Name of the table.
    pub table: String,
    /// Prefix of secret names.
    pub secrets_prefix: String,
    /// Consulate's public address; `None` where the operator's environment does not say.
    pub base_url: Option<String>,
    /// Loopback `HOST:PORT` pairs callable over plain http.
    pub allow: Vec<String>,
    /// Lambda, to ask the custodian.
    pub lambda: aws_sdk_lambda::Client,
    /// The custodian's function name or ARN; `None` where the operator's environment does not say.
    pub custodian: Option<String>,
    /// Shards of the indexes.
    pub shards: Shards,
    /// FIFO queue of answers that could not be stored at once; `None` where there is none, or the environment does not say.
    pub salvage_queue_url: Option<String>,
    /// STS, to be told who acts; `None` on loopback.
    pub sts: Option<aws_sdk_sts::Client>,
    /// Where we are.
    pub region: String,
    /// How far this clock is off AWS's, as the table's last answer told.
    pub skew: Skew,
    /// One more trusted root, PEM, as the functions have it.
    pub extra_ca: Option<String>,
    /// What the functions of `consulate dev` use.
    pub loopback: Option<AwsConfig>,
    /// Who acts: an AWS principal's credentials; `None` on loopback.
    pub credentials: Option<SharedCredentialsProvider>,
    /// Time.
    pub clock: Clock,
}

impl Target {
    /// The server that runs on the data folder `dev`, else AWS.
    ///
    /// # Errors
    /// No server runs there, or the environment does not name a table.
    pub async fn new(dev: Option<&Path>) -> anyhow::Result<Self> {
        match dev {
            Some(folder) => Self::of_dev(&DevFile::of_running(folder)?),
            None => Self::of_aws().await,
        }
    }

    /// What a function with these settings uses.
    pub fn of_function(config: &Config, aws: &Aws, allow: Vec<String>, clock: Clock) -> Self {
        Self {
            dynamodb: aws.dynamodb(),
            secrets_manager: aws.secrets_manager(),
            table: config.table.clone(),
            secrets_prefix: config.secrets_prefix.clone(),
            base_url: Some(config.base_url.clone()),
            allow,
            lambda: aws.lambda(),
            custodian: Some(config.custodian.clone()),
            shards: config.due_shards.clone(),
            salvage_queue_url: config.salvage_queue_url.clone(),
            sts: None,
            region: config.aws.region.clone(),
            skew: aws.skew(),
            extra_ca: config.extra_ca.clone(),
            loopback: Some(config.aws.clone()),
            credentials: None,
            clock,
        }
    }

    /// The table's connections.
    pub fn connections(&self) -> Connections {
        Connections::new(self.dynamodb.clone(), &self.table, self.shards.clone())
    }

    /// The table's definitions.
    pub fn records(&self) -> Records {
        Records::new(self.dynamodb.clone(), &self.table)
    }

    /// Whether answers of providers wait in the salvage queue; `None` where nobody says which queue that is.
    ///
    /// # Errors
    /// The queue cannot be asked.
    pub async fn answers_wait_to_land(&self) -> anyhow::Result<Option<bool>> {
        let Some(url) = &self.salvage_queue_url else {
            return Ok(None);
        };
        let queue = Queue::new(self.aws().await?.sqs(), url);
        let is_empty = queue.is_empty().await;
        Ok(Some(!is_empty.map_err(|_| {
            anyhow!("the salvage queue cannot be asked")
        })?))
    }

    /// Clients as the functions have them, with the credentials of now.
    pub async fn aws(&self) -> anyhow::Result<Aws> {
        let Some(provider) = &self.credentials else {
            let settings = self.loopback.clone();
            let settings = settings.context("no AWS credentials are set")?;
            let tls = dial::tls(self.extra_ca.as_deref())?;
            return Ok(Aws::new(settings, tls, self.clock.clone()));
        };
        let credentials = provider
            .provide_credentials()
            .await
            .map_err(|_| anyhow!("no AWS credentials can be had"))?;
        let config = AwsConfig {
            region: self.region.clone(),
            home_region: None,
            access_key_id: credentials.access_key_id().to_owned(),
            secret_access_key: SecretText::new(credentials.secret_access_key()),
            session_token: credentials.session_token().map(SecretText::new),
            dynamodb_endpoint: None,
            secrets_manager_endpoint: None,
            lambda_endpoint: None,
            sqs_endpoint: variable("AWS_ENDPOINT_URL_SQS").or_else(|| variable("AWS_ENDPOINT_URL")),
            eventbridge_endpoint: None,
        };
        let tls = dial::tls(self.extra_ca.as_deref())?;
        Ok(Aws::new(config, tls, self.clock.clone()))
    }

    /// The custodian.
    ///
    /// # Errors
    /// The environment does not name it.
    pub fn custodian(&self) -> anyhow::Result<Custodian> {
        let name = self.custodian.as_deref().context(
            "CONSULATE_CUSTODIAN is not set: name the custodian function of your deployment",
        )?;
        Ok(Custodian::new(self.lambda.clone(), name))
    }

    /// The id of the access key that acts, which CloudTrail names too; `None` on loopback.
    pub async fn access_key_id(&self) -> Option<String> {
        let provider = self.credentials.as_ref()?;
        let credentials = provider.provide_credentials().await.ok()?;
        Some(credentials.access_key_id().to_owned())
    }

    /// The redirect URI a provider has to know for `passport`.
    pub fn redirect_uri(&self, passport: &str) -> String {
        let base_url = self.base_url.as_deref().unwrap_or("$CONSULATE_BASE_URL");
        format!("{base_url}/v1/callback/{passport}")
    }

    fn of_dev(file: &DevFile) -> anyhow::Result<Self> {
        let clock = Clock::system();
        let config = dev_config(file);
        let aws = Aws::new(config.aws.clone(), dial::tls(None)?, clock.clone());
        Ok(Self::of_function(&config, &aws, file.allow.clone(), clock))
    }

    async fn of_aws() -> anyhow::Result<Self> {
        let table = variable("CONSULATE_TABLE").context(
            "CONSULATE_TABLE is not set: name the table of your deployment, or use --dev DIR for a running `consulate dev`",
        )?;
        let base_url = variable("CONSULATE_BASE_URL")
            .map(|base_url| base_url.trim_end_matches('/').to_owned());
        let clock = Clock::system();
        let extra_ca = variable("CONSULATE_EXTRA_CA");
        let tls = dial::tls(extra_ca.as_deref())?;
        let skew = Skew::default();
        let settings = aws_config::defaults(BehaviorVersion::latest())
            .http_client(aws::sdk_http(tls, clock.clone(), skew.clone()))
            .load()
            .await;
        let region = settings.region().cloned().ok_or_else(|| {
            anyhow!("no AWS region is set: set AWS_REGION, or a region in your AWS profile")
        })?;
        Ok(Self {
            dynamodb: aws_sdk_dynamodb::Client::new(&settings),
            secrets_manager: aws_sdk_secretsmanager::Client::new(&settings),
            table,
            secrets_prefix: variable("CONSULATE_SECRETS_PREFIX")
                .unwrap_or_else(|| SECRETS_PREFIX.to_owned()),
            base_url,
            allow: Vec::new(),
            lambda: aws_sdk_lambda::Client::new(&settings),
            custodian: variable("CONSULATE_CUSTODIAN"),
            shards: match variable("CONSULATE_DUE_SHARDS") {
                Some(text) => Shards::parse(&text)
                    .context("CONSULATE_DUE_SHARDS is not of the form 64 or 64,256")?,
                None => Shards::default(),
            },
            salvage_queue_url: variable("CONSULATE_SALVAGE_QUEUE_URL"),
            sts: Some(aws_sdk_sts::Client::new(&settings)),
            region: region.to_string(),
            skew,
            extra_ca,
            loopback: None,
            credentials: settings.credentials_provider(),
            clock,
        })
    }
}

/// The settings of functions that run on the servers `file` names.
pub fn dev_config(file: &DevFile) -> Config {
    Config {
        table: file.table.clone(),
        base_url: file.base_url.clone(),
        secrets_prefix: SECRETS_PREFIX.to_owned(),
        custodian: "custodian".to_owned(),
        connect: Some("connect".to_owned()),
        proxy: Some("proxy".to_owned()),
        queue_url: file
            .sqs
            .as_ref()
            .map(|sqs| format!("{sqs}/{ACCOUNT}/{WORK_QUEUE}")),
        salvage_queue_url: file
            .sqs
            .as_ref()
            .map(|sqs| format!("{sqs}/{ACCOUNT}/{SALVAGE_QUEUE}")),
        event_bus: file.eventbridge.as_ref().map(|_| EVENT_BUS.to_owned()),
        // Few rows, and one process: nothing to spread.
        due_shards: Shards::parse("2").unwrap_or_default(),
        idle_limit_days: IDLE_LIMIT_DAYS,
        metrics: None,
        extra_ca: None,
        aws: AwsConfig {
            region: "us-east-1".to_owned(),
            home_region: None,
            access_key_id: file.access_key_id.clone(),
            // Its servers ask who signs, not whether the signature is right: see the gate of the loopback services.
            secret_access_key: SecretText::new("loopback"),
            session_token: None,
            dynamodb_endpoint: Some(file.dynamodb.clone()),
            secrets_manager_endpoint: Some(file.secrets_manager.clone()),
            lambda_endpoint: Some(file.lambda.clone()),
            sqs_endpoint: file.sqs.clone(),
            eventbridge_endpoint: file.eventbridge.clone(),
        },
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place of the command that reads the environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
