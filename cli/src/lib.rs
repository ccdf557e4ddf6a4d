//! The `consulate` command as a library, so that tests run in process what the binary runs.
//!
//! Rooms and arrows. [`dev`] and [`operator`] do input and output; [`bundle`] and [`catalogue`] judge without either.
//! [`dev`] may use everything; [`operator`] uses [`bundle`] and [`catalogue`]; [`demo`] uses none of them.
//!
//! | room | for |
//! |---|---|
//! | [`bundle`] | reading and judging a widget bundle |
//! | [`catalogue`] | the providers known by name |
//! | [`demo`] | the pages of the demo: a host and a widget |

pub mod bundle;
pub mod catalogue;
pub mod demo;
pub mod operator;
