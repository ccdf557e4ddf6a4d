//! The operator's commands against a table and Secrets Manager. IAM is the root of trust; there is no password here.
//!
//! One file per command (`import`, `passports`, `providers`, `connections`, `secret`, `keys` with `keyring` and `reseal`, `caller_jwt`,
//! `console`, `lint`, `pack`), a folder for `doctor`, each answering a [`Report`]. Beneath them `audit` (a note for the log), `orphans`
//! (connections nobody can reach any more), `progress` (of long work) and `secret_store` (Secrets Manager); pure are
//! `arguments` and `report`. The table's definitions and the shapes of secrets are `consulate-bundle`'s. Only `output` prints, only `target` reads the environment.

pub mod arguments;
mod audit;
pub mod caller_jwt;
mod connections;
mod console;
pub mod dev_file;
pub mod doctor;
pub mod import;
mod import_report;
mod import_secrets;
mod keyring;
pub mod keys;
mod lint;
mod orphans;
pub mod output;
mod pack;
mod passports;
mod progress;
mod providers;
mod refusal;
pub mod report;
mod reseal;
mod secret;
mod secret_store;
pub mod target;

use std::io::Read as _;

use anyhow::Context as _;
use clap::CommandFactory as _;
use consulate_core::secret::SecretText;

pub use caller_jwt::token;
pub use connections::run as connections;
pub use console::console;
pub use import::import;
pub use lint::lint;
pub use pack::pack;
pub use passports::{add as add_passport, list as list_passports};
pub use providers::{
    add as add_providers, catalogue, list as list_providers, remove as remove_provider,
};
pub use secret::set as set_secret;

use arguments::{
    Arguments, Command, ConsoleArguments, PassportsCommand, ProvidersArguments, ProvidersCommand,
    SecretCommand,
};
use report::Report;
use target::Target;

/// No secret is longer; one byte more is read, so that a longer one is refused rather than cut.
const LONGEST_INPUT: u64 = 64 * 1024;

/// Runs a command other than `consulate dev`, which answers no report.
///
/// # Errors
/// What the command needs cannot be asked.
pub async fn run(arguments: &Arguments) -> anyhow::Result<Option<Report>> {
    let dev = arguments.dev.as_deref();
    let report = match &arguments.command {
        Command::Dev(_) => return Ok(None),
        Command::Providers(ProvidersArguments { command, markdown }) => match command {
            None if *markdown => providers::markdown()?,
            None => providers::list_of(dev).await?,
            Some(ProvidersCommand::Add { file, accept }) => {
                add_providers(&Target::new(dev).await?, file, *accept).await?
            }
            Some(ProvidersCommand::Remove { id }) => {
                remove_provider(&Target::new(dev).await?, id).await?
            }
        },
        Command::Lint(lint_arguments) => lint(lint_arguments, dev)?,
        Command::Pack(pack_arguments) => pack(pack_arguments, dev)?,
        Command::Import(import_arguments) => {
            import(&Target::new(dev).await?, import_arguments).await?
        }
        Command::Passports(PassportsCommand::List) => {
            list_passports(&Target::new(dev).await?).await?
        }
        Command::Passports(PassportsCommand::Add(passport)) => {
            add_passport(&Target::new(dev).await?, passport).await?
        }
        Command::Connections(command) => {
            connections::run(&Target::new(dev).await?, command).await?
        }
        Command::Secret(SecretCommand::Set { name }) => {
            let target = Target::new(dev).await?;
            set_secret(&target, name, &standard_input()?).await?
        }
        Command::Keys(command) => keys::run(&Target::new(dev).await?, command).await?,
        Command::Doctor(doctor_arguments) => doctor::run(dev, doctor_arguments).await?,
        Command::Completions(completions) => completions_of(completions.shell),
        Command::Console(ConsoleArguments { name }) => {
            console(&Target::new(dev).await?, name).await?
        }
        Command::Token(token_arguments) => token(&Target::new(dev).await?, token_arguments).await?,
    };
    audit::note(dev, &arguments.command, &report).await;
    Ok(Some(report))
}

fn completions_of(shell: clap_complete::Shell) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "consulate", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let json = serde_json::json!({ "shell": shell.to_string(), "script": script });
    Report::done(script, json)
}

fn standard_input() -> anyhow::Result<SecretText> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(LONGEST_INPUT + 1)
        .read_to_end(&mut bytes)
        .context("standard input cannot be read")?;
    String::from_utf8(bytes)
        .map(SecretText::new)
        .map_err(|_| anyhow::anyhow!("standard input is not text"))
}
