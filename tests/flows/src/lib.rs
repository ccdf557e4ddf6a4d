//! What the flows stand on: a running `consulate dev` ([`stack`]; with simulated providers [`stage`], with a Qrvey instance [`qrvey`]), a browser with a cookie jar ([`browser`]), a plain HTTP
//! client ([`wire`]), every route there is ([`routes`]), the steps of a connect ([`walk`]; at a simulated provider [`consent`]), npm's oidc-provider ([`oidc`]) and npm's jose
//! ([`jose`]) as child processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends"
)]

pub mod acme;
pub mod browser;
pub mod bundle;
pub mod consent;
pub mod contract;
pub mod jose;
pub mod oidc;
pub mod own;
pub mod qrvey;
pub mod routes;
pub mod stack;
pub mod stage;
pub mod stand_in;
pub mod walk;
pub mod wire;
