//! What renewal costs at scale: the custodian's real code against a table on a file, both over loopback.
//!
//! [`plan`] (how much of what), [`rows`] (connections as the custodian stores them), [`provider`] (a token endpoint that is
//! strict about rotation and otherwise quick), [`shop`] (table, secrets and provider: the outside), [`worker`] (the
//! custodian: the inside), [`peer`] (either of them, in a process of its own or in this one), [`measure`] (the run itself and
//! what must hold), [`report`] (the figures). `benches/scale.rs` runs it with processes, `tests/smoke.rs` small and in one.

pub mod measure;
pub mod peer;
pub mod plan;
pub mod provider;
pub mod report;
pub mod rows;
pub mod shop;
pub mod worker;
