//! The loopback services, spoken to over real sockets: by the real AWS SDK, and by a small HTTP client.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests say what they expect by failing"
)]

mod authorize;
mod client;
mod dynamodb;
mod event_source;
mod eventbridge;
mod gate;
mod grants;
mod lambda;
mod moved_clock;
mod qrvey;
mod resource_api;
mod schedule;
mod scripted;
mod sdk;
mod secrets_manager;
mod simulators;
mod sqs;
mod token_endpoint;
