//! The measurement itself, small and in one process, so that it does not rot.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that cannot go on ends"
)]

use consulate_bench::measure::measure;
use consulate_bench::peer::{Inside, Outside};
use consulate_bench::plan::Plan;
use consulate_bench::report;
use consulate_bench::shop::Shop;
use consulate_bench::worker::Worker;
use consulate_core::clock::Clock;

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_reads_what_is_due_and_renews_it_with_two_writes() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        connections: 2_000,
        access_bytes: 200,
        refresh_bytes: 200,
        first_minute: Clock::system().now().millis().div_euclid(60_000) - 3,
        minutes: 3,
    };
    let shop = Shop::open(plan, folder.path()).await.unwrap();
    let worker = Worker::new(&shop.addresses).unwrap();
    let mut outside = Outside::Here(Box::new(shop));
    let mut inside = Inside::Here(Box::new(worker));
    let measured = measure(plan, &mut outside, &mut inside).await.unwrap();
    assert!(measured.census.renewed > 0);
    assert!(report::table(&measured).contains("connected 2000"));
}
