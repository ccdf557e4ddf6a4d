//! `cargo bench -p consulate-bench --bench scale -- [--connections 1000000] [--token-bytes 200] [--minutes 3]`
//!
//! Measures a table of a tenth of the connections first: the custodian's memory must not grow with the table. Table and
//! custodian are processes of their own. Figures: docs/capacity.md.
#![expect(clippy::print_stdout, reason = "it prints its figures")]

use std::path::Path;

use anyhow::{Context as _, ensure};
use clap::Parser;
use consulate_bench::measure::{Measured, measure};
use consulate_bench::peer::{Inside, Outside, Process, be_inside, be_outside};
use consulate_bench::plan::Plan;
use consulate_bench::report;
use consulate_bench::shop::Addresses;
use consulate_core::clock::Clock;

const OUTSIDE: &str = "outside";
const INSIDE: &str = "inside";

#[derive(Parser)]
struct Arguments {
    /// Connections in the table.
    #[arg(long, default_value_t = 1_000_000)]
    connections: u32,
    /// Bytes of an access token.
    #[arg(long, default_value_t = 200)]
    token_bytes: usize,
    /// Bytes of a refresh token; those of an access token, 1,500 at most, when left out.
    #[arg(long)]
    refresh_bytes: Option<usize>,
    /// Minutes to measure.
    #[arg(long, default_value_t = 3)]
    minutes: u32,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [_, OUTSIDE, what, folder] => {
            let mut threads = tokio::runtime::Builder::new_multi_thread();
            let runtime = threads.enable_all().build()?;
            runtime.block_on(be_outside(what, Path::new(folder)))
        }
        // As on Lambda: one thread.
        [_, INSIDE, what] => one_thread()?.block_on(be_inside(what)),
        _ => one_thread()?.block_on(scale(&Arguments::parse())),
    }
}

fn one_thread() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

async fn scale(arguments: &Arguments) -> anyhow::Result<()> {
    let tenth = run(arguments, arguments.connections / 10).await?;
    println!("{}", report::table(&tenth));
    let whole = run(arguments, arguments.connections).await?;
    println!("{}", report::table(&whole));
    let (small, large) = (tenth.peak_kib(), whole.peak_kib());
    println!("peak RSS of the custodian: {small} KiB with a tenth, {large} KiB with all");
    ensure!(large < small * 2, "memory grows with the table");
    Ok(())
}

async fn run(arguments: &Arguments, connections: u32) -> anyhow::Result<Measured> {
    let now = Clock::system().now().millis().div_euclid(60_000);
    let small = arguments.token_bytes.min(1_500);
    let plan = Plan {
        connections,
        access_bytes: arguments.token_bytes,
        refresh_bytes: arguments.refresh_bytes.unwrap_or(small),
        first_minute: now - i64::from(arguments.minutes),
        minutes: arguments.minutes,
    };
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_str().context("a path that is not UTF-8")?;
    let mut shop = Process::start(OUTSIDE, &[&serde_json::to_string(&plan)?, path])?;
    let addresses: Addresses = shop.hear().await.context("the table cannot be filled")?;
    let worker = Process::start(INSIDE, &[&serde_json::to_string(&addresses)?])?;
    let mut outside = Outside::There(Box::new(shop));
    let mut inside = Inside::There(Box::new(worker));
    let measured = measure(plan, &mut outside, &mut inside).await?;
    inside.end().await?;
    outside.end().await?;
    Ok(measured)
}
