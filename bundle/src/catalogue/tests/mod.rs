//! The catalogue as compiled in, entry by entry (`built_in`); what a file may not say (`files`, `variables`); passports made of entries
//! (`passports`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod built_in;
mod files;
mod passports;
mod variables;

use super::*;

fn built_in() -> Catalogue {
    Catalogue::built_in().unwrap()
}
