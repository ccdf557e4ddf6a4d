//! `cargo run --release -p consulate-simulation -- --seeds 10000`: plays seeds on every core and prints what came of them.
#![allow(clippy::print_stdout, reason = "the command's output")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::Parser;
use consulate_simulation::{Mutant, Played, Tally, play};

#[derive(Parser)]
#[command(about = "Plays seeds of the simulation")]
struct Options {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Only this seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Print what happens.
    #[arg(long)]
    story: bool,
    /// Break each guard in turn, and see it found within the seeds.
    #[arg(long)]
    mutants: bool,
    /// With `--seed` or `--mutants`: break this guard only, by its number from 0.
    #[arg(long)]
    mutant: Option<usize>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.mutants {
        let chosen = options.mutant.and_then(|number| Mutant::ALL.get(number));
        let chosen = chosen.map_or(&Mutant::ALL[..], std::slice::from_ref);
        return mutants(chosen, options.from, options.seeds);
    }
    if let Some(seed) = options.seed {
        let mutant = options
            .mutant
            .and_then(|number| Mutant::ALL.get(number).copied());
        let played = play(seed, mutant, options.story);
        for line in &played.story {
            println!("{line}");
        }
        report(seed, &played);
        return code(played.broken.is_empty());
    }
    let started = Instant::now();
    let (tally, broken) = many(None, options.from, options.seeds, u64::MAX);
    println!("{}", tally.table());
    let seconds = started.elapsed().as_secs_f64();
    println!("{:.1} seeds a second", options.seeds as f64 / seconds);
    println!("{} seeds broken", broken.len());
    code(broken.is_empty())
}

fn mutants(chosen: &[Mutant], from: u64, budget: u64) -> ExitCode {
    println!("| guard broken | found by seed | as |\n|---|---:|---|");
    let mut all_found = true;
    for mutant in chosen {
        let (_, broken) = many(Some(*mutant), from, budget, 1);
        match broken.first() {
            Some((seed, played)) => {
                let what = played.broken.first().map_or("", String::as_str);
                println!("| {} | {seed} | {what} |", mutant.name());
            }
            None => {
                all_found = false;
                println!("| {} | none of {budget} | |", mutant.name());
            }
        }
    }
    code(all_found)
}

/// Plays seeds on every core until `enough` are broken.
fn many(mutant: Option<Mutant>, from: u64, count: u64, enough: u64) -> (Tally, Vec<(u64, Played)>) {
    let next = AtomicU64::new(from);
    let found = AtomicU64::new(0);
    let all = Mutex::new((Tally::default(), Vec::new()));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count || found.load(Ordering::Relaxed) >= enough {
                        return;
                    }
                    let played = play(seed, mutant, false);
                    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                    all.0.merge(&played.tally);
                    if !played.broken.is_empty() {
                        found.fetch_add(1, Ordering::Relaxed);
                        if mutant.is_none() {
                            report(seed, &played);
                        }
                        all.1.push((seed, played));
                    }
                    let done = all.0.of("seeds");
                    if mutant.is_none() && done.is_multiple_of(1_000) {
                        println!("{done} of {count} seeds, {} broken", all.1.len());
                    }
                }
            });
        }
    });
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.1.sort_by_key(|(seed, _)| *seed);
    all
}

fn report(seed: u64, played: &Played) {
    for broken in &played.broken {
        println!("seed {seed}: {broken}");
    }
    if !played.broken.is_empty() {
        println!("again: cargo run -p consulate-simulation -- --seed {seed} --story");
    }
}

fn code(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
