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
mod gate;
mod grants;
mod lambda;
mod resource_api;
mod scripted;
mod sdk;
mod secrets_manager;
mod simulators;
mod token_endpoint;
