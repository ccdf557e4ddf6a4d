//! Settings of the AWS SDK, once: credentials from the environment, endpoints, timeouts, and our own HTTP client under
//! it (the SDK's default one brings a second TLS stack and its start-up cost).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::retry::RetryPartition;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::dns::GaiResolver;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use crate::clock::Clock;
use crate::config::AwsConfig;
use crate::dial::{CONNECT_TIMEOUT, Dial, Dialer, Sockets};

/// One attempt at a table or secrets call.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(3_000);
/// All attempts at a table or secrets call.
const OPERATION_TIMEOUT: Duration = Duration::from_millis(8_000);
/// A synchronous invoke: longer than the longest thing the custodian does for a waiting caller.
pub const INVOKE_TIMEOUT: Duration = Duration::from_millis(26_000);

/// Makes SDK clients over one shared HTTP client, and watches AWS's clock.
#[derive(Clone, Debug)]
pub struct Aws {
    http: AwsHttp,
    config: AwsConfig,
    skew: Skew,
    retries: Retries,
}

/// How many retries each service still has, shared by its clients here. By themselves the SDK's clients share it with every other of the
/// process: functions in one `consulate dev`, and worlds of a simulation, would hang together by it.
#[derive(Clone, Debug)]
struct Retries {
    dynamodb: RetryPartition,
    secrets_manager: RetryPartition,
    sqs: RetryPartition,
    eventbridge: RetryPartition,
}

impl Default for Retries {
    fn default() -> Self {
        let own = |service| RetryPartition::custom(service).build();
        Self {
            dynamodb: own("dynamodb"),
            secrets_manager: own("secretsmanager"),
            sqs: own("sqs"),
            eventbridge: own("eventbridge"),
        }
    }
}

impl Aws {
    /// Over sockets. AWS endpoints are not guarded: VPC endpoints have private addresses.
    pub fn new(config: AwsConfig, tls: Arc<ClientConfig>, clock: Clock) -> Self {
        Self::over(
            config,
            Arc::new(Sockets::new(GaiResolver::new(), tls)),
            clock,
        )
    }

    /// Over any connector.
    pub fn over(config: AwsConfig, dial: Arc<dyn Dial>, clock: Clock) -> Self {
        let skew = Skew::default();
        let http = AwsHttp::over(dial, clock, skew.clone());
        Self {
            http,
            config,
            skew,
            retries: Retries::default(),
        }
    }

    /// How far this machine's clock is off AWS's.
    pub fn skew(&self) -> Skew {
        self.skew.clone()
    }

    /// DynamoDB.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let mut config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.config.region.clone()))
            .credentials_provider(self.credentials())
            .timeout_config(timeouts(ATTEMPT_TIMEOUT, OPERATION_TIMEOUT))
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .retry_partition(self.retries.dynamodb.clone())
            .sleep_impl(TokioSleep::new())
            .http_client(self.http.clone());
        config.set_endpoint_url(self.config.dynamodb_endpoint.clone());
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    /// Secrets Manager.
    pub fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        let mut config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.config.region.clone()))
            .credentials_provider(self.credentials())
            .timeout_config(timeouts(ATTEMPT_TIMEOUT, OPERATION_TIMEOUT))
            .retry_config(RetryConfig::standard().with_max_attempts(2))
            .retry_partition(self.retries.secrets_manager.clone())
            .sleep_impl(TokioSleep::new())
            .http_client(self.http.clone());
        config.set_endpoint_url(self.config.secrets_manager_endpoint.clone());
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }

    /// Lambda. Invokes are never retried by the SDK: the custodian's own rules decide what may be tried again.
    ///
    /// They go to the home region, where there is one: exactly one region renews a connection.
    pub fn lambda(&self) -> aws_sdk_lambda::Client {
        let region = self.config.home_region.as_ref();
        let region = region.unwrap_or(&self.config.region).clone();
        let mut config = aws_sdk_lambda::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .credentials_provider(self.credentials())
            .timeout_config(timeouts(INVOKE_TIMEOUT, INVOKE_TIMEOUT))
            .retry_config(RetryConfig::disabled())
            .sleep_impl(TokioSleep::new())
            .http_client(self.http.clone());
        config.set_endpoint_url(self.config.lambda_endpoint.clone());
        aws_sdk_lambda::Client::from_conf(config.build())
    }

    /// SQS. A send that is repeated after a lost acknowledgement makes a second message; whoever reads one looks at the row.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        let mut config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.config.region.clone()))
            .credentials_provider(self.credentials())
            .timeout_config(timeouts(ATTEMPT_TIMEOUT, OPERATION_TIMEOUT))
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .retry_partition(self.retries.sqs.clone())
            .sleep_impl(TokioSleep::new())
            .http_client(self.http.clone());
        config.set_endpoint_url(self.config.sqs_endpoint.clone());
        aws_sdk_sqs::Client::from_conf(config.build())
    }

    /// EventBridge.
    pub fn eventbridge(&self) -> aws_sdk_eventbridge::Client {
        let mut config = aws_sdk_eventbridge::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.config.region.clone()))
            .credentials_provider(self.credentials())
            .timeout_config(timeouts(ATTEMPT_TIMEOUT, OPERATION_TIMEOUT))
            .retry_config(RetryConfig::standard().with_max_attempts(2))
            .retry_partition(self.retries.eventbridge.clone())
            .sleep_impl(TokioSleep::new())
            .http_client(self.http.clone());
        config.set_endpoint_url(self.config.eventbridge_endpoint.clone());
        aws_sdk_eventbridge::Client::from_conf(config.build())
    }

    /// Opens the table's connection before it is needed: init has more CPU than the first request. An unsigned `GET /` is
    /// enough, whatever is answered; best effort.
    pub async fn open_table_connection(&self) {
        let address = match &self.config.dynamodb_endpoint {
            Some(endpoint) => endpoint.clone(),
            None => format!("https://dynamodb.{}.amazonaws.com/", self.config.region),
        };
        if let Ok(request) = http::Request::get(address).body(SdkBody::empty())
            && let Ok(Ok(response)) =
                tokio::time::timeout(CONNECT_TIMEOUT, self.http.client.request(request)).await
        {
            // Reading the answer to its end is what hands the connection back to the pool.
            drop(http_body_util::BodyExt::collect(response.into_body()).await);
        }
    }

    fn credentials(&self) -> Credentials {
        Credentials::new(
            &self.config.access_key_id,
            self.config.secret_access_key.expose(),
            self.config
                .session_token
                .as_ref()
                .map(|text| text.expose().to_owned()),
            None,
            "lambda environment",
        )
    }
}

fn timeouts(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(attempt)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

/// Our HTTP client for SDK settings that are made elsewhere: the command takes its credentials from the SDK's own chain. `skew` is
/// told by what is answered.
pub fn sdk_http(tls: Arc<ClientConfig>, clock: Clock, skew: Skew) -> SharedHttpClient {
    let sockets = Arc::new(Sockets::new(GaiResolver::new(), tls));
    SharedHttpClient::new(AwsHttp::over(sockets, clock, skew))
}

/// Milliseconds this machine's clock is ahead of AWS's, from the `Date` of the last answer. Every answer of the table
/// carries one; its resolution is a second.
#[derive(Clone, Debug, Default)]
pub struct Skew(Arc<AtomicI64>);

impl Skew {
    /// Milliseconds ahead (negative: behind).
    pub fn millis(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    fn observe(&self, date: &str, clock: &Clock) {
        if let Ok(date) = aws_smithy_types::DateTime::from_str(date, Format::HttpDate) {
            // `Date` is cut to the second: on average half a second earlier than the moment it was written.
            let served = date.secs().saturating_mul(1000).saturating_add(500);
            self.0.store(
                clock.now().millis().saturating_sub(served),
                Ordering::Relaxed,
            );
        }
    }
}

#[derive(Clone)]
struct AwsHttp {
    client: Client<Dialer, SdkBody>,
    clock: Clock,
    skew: Skew,
}

impl AwsHttp {
    fn over(dial: Arc<dyn Dial>, clock: Clock, skew: Skew) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(Dialer(dial));
        Self {
            client,
            clock,
            skew,
        }
    }
}

impl std::fmt::Debug for AwsHttp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("AwsHttp")
    }
}

impl HttpClient for AwsHttp {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(AwsConnector {
            http: self.clone(),
            read_timeout: settings.read_timeout(),
        })
    }
}

/// The shared client under one SDK client's read timeout. The connect timeout is the dialer's own.
#[derive(Clone, Debug)]
struct AwsConnector {
    http: AwsHttp,
    read_timeout: Option<Duration>,
}

impl HttpConnector for AwsConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { http, read_timeout } = self.clone();
        HttpConnectorFuture::new(async move {
            let request = request
                .try_into_http1x()
                .map_err(|error| ConnectorError::user(error.into()))?;
            let answering = http.client.request(request);
            let response = match read_timeout {
                Some(time) => tokio::time::timeout(time, answering)
                    .await
                    .map_err(|elapsed| ConnectorError::timeout(elapsed.into()))?,
                None => answering.await,
            };
            let response = response.map_err(|error| ConnectorError::io(error.into()))?;
            if let Some(date) = response
                .headers()
                .get(http::header::DATE)
                .and_then(|date| date.to_str().ok())
            {
                http.skew.observe(date, &http.clock);
            }
            response.map(SdkBody::from_body_1_x).try_into().map_err(
                |error: aws_smithy_runtime_api::http::HttpError| {
                    ConnectorError::other(error.into(), None)
                },
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_shows_against_the_date_of_an_answer() {
        let clock = Clock::system();
        let skew = Skew::default();
        let date = aws_smithy_types::DateTime::from_secs(clock.now().seconds())
            .fmt(Format::HttpDate)
            .unwrap();
        skew.observe(&date, &clock);
        assert!(skew.millis().abs() <= 1_000, "{}", skew.millis());
        clock.advance_millis(300_000);
        skew.observe(&date, &clock);
        assert!(
            (299_000..=301_000).contains(&skew.millis()),
            "{}",
            skew.millis()
        );
    }
}
