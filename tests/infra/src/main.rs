//! The gate: the built functions, each with the environment and the credentials of its deployed role, behind a judge of the
//! deployed policies. Journeys that together use every permission pass; then each permission is taken away in turn, and one of
//! the journeys that asked for it fails.
//!
//! Needs what `cargo verify deploy lambda` makes. Reports as libtest does, for `cargo verify gate`.

#![expect(clippy::print_stdout, reason = "a test's report is its purpose")]
#![allow(
    clippy::indexing_slicing,
    reason = "of JSON, where what is not there is null"
)]

mod admin;
mod api;
mod console;
mod feed;
mod journeys;
mod process;
mod rows;
mod widget;
mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use journeys::JOURNEYS;
use serde_json::{Value, json};
use widget::Person;
use world::{FUNCTIONS, World};

/// No journey takes so long: each takes a second or two.
const JOURNEY: Duration = Duration::from_secs(60);
/// The custodian goes on trying until its deadline where something is refused. A journey is lost before that: when it takes so
/// many times as long as with every permission, which is as slow as the machine is…
const LOST_TIMES: u32 = 4;
/// … and at least so long.
const LOST_JOURNEY: Duration = Duration::from_secs(12);

struct Run {
    world: World,
    /// What each journey took with every permission.
    took: BTreeMap<&'static str, Duration>,
    people: usize,
    passed: usize,
    failed: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let only: Vec<String> = std::env::args().skip(1).collect();
    match run(root, &only).await {
        Ok(run) => {
            let verdict = if run.failed == 0 { "ok" } else { "FAILED" };
            println!(
                "\ntest result: {verdict}. {} passed; {} failed; 0 ignored; 0 measured; 0 filtered out",
                run.passed, run.failed
            );
            ExitCode::from(u8::from(run.failed > 0))
        }
        Err(error) => {
            println!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(root: &Path, only: &[String]) -> anyhow::Result<Run> {
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo's own variable, as cargo verify hands it on"
    )]
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let root: PathBuf = root.canonicalize()?;
    let world = World::start(&root, &root.join(target)).await?;
    world.set_up().await?;
    let mut run = Run {
        world,
        took: BTreeMap::new(),
        people: 0,
        passed: 0,
        failed: 0,
    };
    let astray = run.world.astray();
    println!("{}", astray.join("\n"));
    run.report("every route leads to its function", astray.is_empty());
    let mut needs: BTreeMap<String, Need> = BTreeMap::new();
    for (name, _) in JOURNEYS {
        if !only.is_empty() && !only.iter().any(|wanted| wanted == name) {
            continue;
        }
        run.world.steer("forget", &Value::Null).await?;
        // A function that has just started has everything to ask; one that holds something in memory asks for nothing.
        run.world.restart()?;
        let started = Instant::now();
        let outcome = run.travel(name, JOURNEY).await;
        run.took.insert(name, started.elapsed());
        let refused = run.world.steer("refused", &Value::Null).await?;
        if let Err(error) = &outcome {
            println!("{error:#}\nrefused: {refused:#}");
        }
        run.report(
            &format!("journey {name}"),
            outcome.is_ok() && refused == json!([]),
        );
        let Value::Array(all) = run.world.steer("needed", &Value::Null).await? else {
            anyhow::bail!("the gate does not say what is needed");
        };
        for one in all {
            let label = one["label"].as_str().unwrap_or_default().to_owned();
            let function = one["name"].as_str().unwrap_or_default().to_owned();
            let need = needs.entry(label).or_insert_with(|| Need {
                function,
                permission: one["permission"].clone(),
                journeys: Vec::new(),
            });
            if one["needed"] == true {
                need.journeys.push(name);
            }
        }
    }
    if run.failed > 0 || !only.is_empty() {
        return Ok(run);
    }
    for (label, need) in &needs {
        if !FUNCTIONS.contains(&need.function.as_str()) {
            continue;
        }
        let started = Instant::now();
        let missed = run.is_missed(need).await?;
        run.report(
            &format!("without {label} ({:.1} s)", started.elapsed().as_secs_f64()),
            missed,
        );
    }
    Ok(run)
}

/// A permission, and the journeys that asked for it.
struct Need {
    function: String,
    permission: Value,
    journeys: Vec<&'static str>,
}

impl Run {
    /// Takes a permission away: true when a journey that asked for it fails. One that none asked for is unneeded.
    async fn is_missed(&mut self, need: &Need) -> anyhow::Result<bool> {
        let taken = json!({"name": need.function, "permission": need.permission});
        self.world.steer("take", &taken).await?;
        let mut missed = false;
        for journey in &need.journeys {
            self.world.restart()?;
            self.world.steer("forget", &Value::Null).await?;
            let took = self.took.get(journey).copied().unwrap_or_default();
            let within = LOST_JOURNEY.max(took * LOST_TIMES);
            let lost = self.travel(journey, within).await.is_err();
            // Lost for want of the permission, and not because of something that an earlier journey left behind.
            let refused = self.world.steer("refused", &Value::Null).await?;
            if lost && refused != json!([]) {
                missed = true;
                break;
            }
        }
        self.world.steer("restore", &Value::Null).await?;
        self.clear();
        Ok(missed)
    }

    /// One journey, by somebody new.
    async fn travel(&mut self, name: &str, within: Duration) -> anyhow::Result<()> {
        self.people += 1;
        let person = Person(format!("person-{}", self.people));
        let (_, steps) = JOURNEYS
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| anyhow::anyhow!("no journey {name}"))?;
        let steps = steps(&self.world, person);
        // A step that asserts ends its journey, no more.
        let steps =
            std::panic::AssertUnwindSafe(tokio::time::timeout(within, steps)).catch_unwind();
        match steps.await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => anyhow::bail!("{name} takes too long"),
            Err(_) => anyhow::bail!("{name} panicked"),
        }
    }

    /// Forgets what a failed journey left half done, so that the next one does not stumble over it.
    fn clear(&self) {
        self.world.engine.clear();
        for kind in [
            "CIRCUIT#",
            "LIMIT#",
            "GRANT#",
            "FLOW#",
            "SUBJECT#",
            "CONNECTION#",
            "DETAILS#",
        ] {
            for item in self.world.items(kind).unwrap_or_default() {
                // The next journey's own checks tell where this did not work.
                let _gone = self
                    .world
                    .table("DeleteItem", json!({"Key": {"pk": item["pk"]}}));
            }
        }
    }

    fn report(&mut self, name: &str, is_ok: bool) {
        println!("test {name} ... {}", if is_ok { "ok" } else { "FAILED" });
        if is_ok {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }
}
