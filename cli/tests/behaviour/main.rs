//! The command and `consulate dev` from outside: started in a folder of their own, spoken to over HTTP, the SDK and the
//! command line.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod bad_definitions;
mod bundles;
mod connections;
mod demo_bundle;
mod import;
mod process;
mod providers;
mod room;
mod secrets;
mod server;
mod simulate;
