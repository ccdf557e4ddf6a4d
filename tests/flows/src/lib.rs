//! What the flows stand on: a running `consulate dev` ([`stack`]), a browser with a cookie jar ([`browser`]), a plain HTTP
//! client ([`wire`]), the steps of a connect ([`walk`]), npm's oidc-provider ([`oidc`]) and npm's jose
//! ([`jose`]) as child processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends"
)]

pub mod browser;
pub mod bundle;
pub mod jose;
pub mod oidc;
pub mod stack;
pub mod walk;
pub mod wire;
