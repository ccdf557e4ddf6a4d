//! The loopback services: everything that is not Consulate, played strictly on 127.0.0.1.
//!
//! Used by `consulate dev` (in process) and by the tests. Production code reaches these servers through the AWS SDK and
//! through its own HTTP client, exactly as it reaches the real ones; nothing here is a trait that production code
//! implements. The servers are strict rather than obliging: what a real service refuses is refused here.
//!
//! | room | plays |
//! |---|---|
//! | [`serve`] | listening on a loopback port, stopping, hanging up |
//! | [`gate`] | who may speak to the AWS-shaped servers |
//! | [`dynamodb`] | DynamoDB, over the embedded engine, with a request log and faults |
//! | [`secrets_manager`] | Secrets Manager, in memory or on one private file |
//! | [`lambda`] | the Lambda invoke API over registered handlers |
//! | [`sqs`] | SQS, queues in memory on an injected clock, with a log and faults |
//! | [`event_source`] | the event source mapping that feeds a queue to a function |
//! | [`eventbridge`] | EventBridge's PutEvents, with a log and faults |
//! | [`schedule`] | the EventBridge rule that invokes a function every minute |
//! | [`issuer`] | what an OpenID Connect issuer publishes: discovery document and key set, with a log and faults |
//! | [`provider`] | an OAuth 2 authorization server and the API behind it |
//! | [`qrvey`] | a Qrvey instance: security tokens, and a widget that shows what one lets it see |
//! | [`simulators`] | the providers of the catalogue, each with its quirks |
//!
//! Nothing here may depend on a function crate or on `consulate-core`.

mod aws_json;
mod clock;
mod faults;
mod held;
mod private_file;
mod random;

pub mod dynamodb;
pub mod event_source;
pub mod eventbridge;
pub mod gate;
pub mod issuer;
pub mod lambda;
pub mod provider;
pub mod qrvey;
pub mod schedule;
pub mod secrets_manager;
pub mod serve;
pub mod simulators;
pub mod sqs;
