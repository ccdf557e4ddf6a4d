//! The real AWS SDK over a plain loopback connector.

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::rt::TokioExecutor;

#[derive(Clone, Debug)]
struct Loopback(Client<Tcp, SdkBody>);

impl HttpConnector for Loopback {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let io = |error: Box<dyn std::error::Error + Send + Sync>| ConnectorError::io(error);
            let request = request
                .try_into_http1x()
                .map_err(|error| io(error.into()))?;
            let response = client
                .request(request)
                .await
                .map_err(|error| io(error.into()))?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| io(error.into()))
        })
    }
}

fn http_client() -> SharedHttpClient {
    let client = Client::builder(TokioExecutor::new())
        .retry_canceled_requests(false)
        .build_http();
    let connector = SharedHttpConnector::new(Loopback(client));
    http_client_fn(move |_, _| connector.clone())
}

fn credentials() -> Credentials {
    Credentials::new("CONSULATETEST", "secret", None, None, "tests")
}

pub fn dynamodb(url: &str) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
        .credentials_provider(credentials())
        .endpoint_url(url)
        .retry_config(RetryConfig::disabled())
        .http_client(http_client())
        .build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

pub fn secrets_manager(url: &str) -> aws_sdk_secretsmanager::Client {
    let config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(aws_sdk_secretsmanager::config::BehaviorVersion::latest())
        .region(aws_sdk_secretsmanager::config::Region::new("us-east-1"))
        .credentials_provider(credentials())
        .endpoint_url(url)
        .retry_config(RetryConfig::disabled())
        .http_client(http_client())
        .build();
    aws_sdk_secretsmanager::Client::from_conf(config)
}

pub fn lambda(url: &str) -> aws_sdk_lambda::Client {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(aws_sdk_lambda::config::BehaviorVersion::latest())
        .region(aws_sdk_lambda::config::Region::new("us-east-1"))
        .credentials_provider(credentials())
        .endpoint_url(url)
        .retry_config(RetryConfig::disabled())
        .http_client(http_client())
        .build();
    aws_sdk_lambda::Client::from_conf(config)
}

pub fn sqs(url: &str) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
        .region(aws_sdk_sqs::config::Region::new("us-east-1"))
        .credentials_provider(credentials())
        .endpoint_url(url)
        .retry_config(RetryConfig::disabled())
        .http_client(http_client())
        .build();
    aws_sdk_sqs::Client::from_conf(config)
}

pub fn eventbridge(url: &str) -> aws_sdk_eventbridge::Client {
    let config = aws_sdk_eventbridge::Config::builder()
        .behavior_version(aws_sdk_eventbridge::config::BehaviorVersion::latest())
        .region(aws_sdk_eventbridge::config::Region::new("us-east-1"))
        .credentials_provider(credentials())
        .endpoint_url(url)
        .retry_config(RetryConfig::disabled())
        .http_client(http_client())
        .build();
    aws_sdk_eventbridge::Client::from_conf(config)
}
