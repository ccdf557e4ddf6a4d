//! `cargo run -p consulate-contract > openapi.json`: the OpenAPI document, after a route or an answer changed.
#![allow(clippy::print_stdout, reason = "this is what it is for")]

fn main() -> Result<(), serde_json::Error> {
    print!("{}", consulate_contract::document()?);
    Ok(())
}
