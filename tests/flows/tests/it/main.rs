//! Journeys and attacks over real HTTP, one module per area.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::missing_docs_in_private_items,
    missing_docs,
    reason = "a test that cannot go on ends"
)]

mod attacks;
mod callers;
mod calling;
mod canaries;
mod client;
mod connecting;
mod console;
mod delivery;
mod doctor;
mod hosts;
mod importing;
mod journey;
mod key_rotation;
mod lambda_events;
mod observed;
mod params;
mod providers;
mod proxy;
mod qrvey;
mod quirks;
mod renewal;
mod settings;
mod typed;
