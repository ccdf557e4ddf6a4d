//! What the flows stand on: a running `consulate dev` ([`stack`]), a browser with a cookie jar ([`browser`]), a plain HTTP
//! client ([`wire`]), and npm's oidc-provider as a child process ([`oidc`]).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends"
)]

pub mod browser;
pub mod bundle;
pub mod oidc;
pub mod stack;
pub mod wire;
