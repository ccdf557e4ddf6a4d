//! Credentials that are typed: API keys, user names and passwords, personal access tokens, client credentials; and the
//! operator's own entries that ask for them.

mod entries;
mod keys;
mod machines;
mod names;
mod outages;
mod replacing;
mod resets;
mod rules;
mod tableau;
