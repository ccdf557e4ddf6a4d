//! The `consulate` command as a library, so that tests run in process what the binary runs.
//!
//! Rooms and arrows. [`bundle`] and [`catalogue`] judge; they are `consulate-bundle`'s, which the console uses too. [`operator`]
//! writes what they judged. [`demo`] is pages, and knows nobody. [`dev`] puts everything together.
//!
//! | room | for |
//! |---|---|
//! | [`bundle`] | reading and judging a widget bundle |
//! | [`catalogue`] | the providers known by name |
//! | [`operator`] | the commands, against a table and Secrets Manager |
//! | [`demo`] | the pages of the demo: a host and its widget |
//! | [`dev`] | all of Consulate in one process on loopback |

pub mod demo;
pub mod dev;
pub mod operator;

pub use consulate_bundle::{bundle, catalogue};
