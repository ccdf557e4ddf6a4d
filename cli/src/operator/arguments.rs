//! PURE. What can be typed: every command and flag, with the help people read.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use consulate_core::passport::ClientAuthentication;

/// Consulate: widgets call third-party APIs and never see a credential.
///
/// Acts on the AWS account of your own credentials (CONSULATE_TABLE, CONSULATE_SECRETS_PREFIX, CONSULATE_BASE_URL), or
/// with --dev on a running `consulate dev`. Exit codes: 0 done, 1 findings or refused, 2 misuse.
#[derive(Debug, Parser)]
#[command(name = "consulate", version)]
pub struct Arguments {
    /// Act on the `consulate dev` that runs on this data folder
    #[arg(long, global = true, value_name = "DIR")]
    pub dev: Option<PathBuf>,
    /// Answer in JSON on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run all of Consulate on loopback, with a demo
    Dev(DevArguments),
    /// Import a widget bundle: a folder or a ZIP
    Import(ImportArguments),
    /// Judge a bundle without importing it
    Lint(LintArguments),
    /// Make the ZIP of a widget's folder that is uploaded to Appspace; judges it first
    Pack(PackArguments),
    /// Passports on providers of the catalogue
    #[command(subcommand)]
    Passports(PassportsCommand),
    /// Connections: who needs looking at, one in full, renewing and revoking
    #[command(subcommand)]
    Connections(ConnectionsCommand),
    /// Secrets of widgets and passports
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Keyrings
    #[command(subcommand)]
    Keys(KeysCommand),
    /// List the providers of the catalogue, or add providers of your own
    Providers(ProvidersArguments),
    /// Print a link that signs you in to the console, once
    Console(ConsoleArguments),
    /// Print a signed caller JWT, as the widget's host would make it
    Token(TokenArguments),
    /// Look for what is wrong with a deployment: each finding with its cure
    Doctor(DoctorArguments),
    /// Print a shell's completions: consulate completions bash > ~/.local/share/bash-completion/completions/consulate
    Completions(CompletionsArguments),
}

/// `consulate dev`.
#[derive(Args, Clone, Debug)]
pub struct DevArguments {
    /// Port on 127.0.0.1, 0 for any free one; the one of the last run, else 8700, when not given
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
    /// Where everything is kept
    #[arg(long, value_name = "DIR", default_value = ".consulate")]
    pub data_dir: PathBuf,
    /// Leave out the demo and its provider
    #[arg(long)]
    pub no_demo: bool,
    /// Import this bundle at start; can be repeated
    #[arg(long = "import", value_name = "BUNDLE")]
    pub imports: Vec<PathBuf>,
    /// A provider or API of yours on loopback, callable over plain http; can be repeated
    #[arg(long, value_name = "HOST:PORT", value_parser = loopback_pair)]
    pub allow: Vec<String>,
    /// Providers to play on loopback, as slack,zoom: families, or ids of `consulate providers`
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub simulate: Vec<String>,
    /// A real host that a server of yours on this loopback port stands in for; can be repeated
    #[arg(long = "stand-in", value_name = "HOST=PORT", value_parser = stand_in)]
    pub stand_ins: Vec<(String, u16)>,
}

/// `consulate import`.
#[derive(Args, Clone, Debug, Default)]
pub struct ImportArguments {
    /// Folder or ZIP
    pub path: PathBuf,
    /// The widget's id; wins over consulate.json
    #[arg(long, value_name = "ID")]
    pub widget: Option<String>,
    /// Bind an authentication to a passport; can be repeated
    #[arg(long = "bind", value_name = "AUTHKEY=PASSPORT", value_parser = binding)]
    pub binds: Vec<(String, String)>,
    /// Share the callers of a host that another widget brought
    #[arg(long)]
    pub join_host: bool,
    /// Agree to the differences to the earlier import
    #[arg(long)]
    pub accept: bool,
}

/// `consulate lint`.
#[derive(Args, Clone, Debug)]
pub struct LintArguments {
    /// Folder or ZIP
    pub path: PathBuf,
    /// The widget's id, where no file names it
    #[arg(long, value_name = "ID")]
    pub widget: Option<String>,
    /// A file of providers of your own (see docs/catalogue.md)
    #[arg(long, value_name = "FILE")]
    pub catalogue: Option<PathBuf>,
}

/// `consulate pack`.
#[derive(Args, Clone, Debug)]
pub struct PackArguments {
    /// Folder that holds schema.json
    pub path: PathBuf,
    /// The archive; NAME.zip in the working folder, after the folder, when not given
    #[arg(long, value_name = "FILE.zip")]
    pub output: Option<PathBuf>,
    /// The widget's id, where no file names it
    #[arg(long, value_name = "ID")]
    pub widget: Option<String>,
    /// A file of providers of your own (see docs/catalogue.md)
    #[arg(long, value_name = "FILE")]
    pub catalogue: Option<PathBuf>,
}

/// `consulate providers …`.
#[derive(Args, Clone, Debug, Default)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ProvidersArguments {
    /// Something other than listing.
    #[command(subcommand)]
    pub command: Option<ProvidersCommand>,
    /// Write the built-in catalogue as Markdown, as docs/providers.md has it
    #[arg(long)]
    pub markdown: bool,
}

/// What else can be done with providers.
#[derive(Clone, Debug, Subcommand)]
pub enum ProvidersCommand {
    /// Add or replace providers by those of a file in the format of docs/catalogue.md
    Add {
        /// TOML file
        file: PathBuf,
        /// Agree to changing providers you added before
        #[arg(long)]
        accept: bool,
    },
    /// Take out a provider you added; passports made of it stay
    Remove {
        /// Its id
        id: String,
    },
}

/// `consulate passports …`.
#[derive(Clone, Debug, Subcommand)]
pub enum PassportsCommand {
    /// List every passport
    List,
    /// Make a passport on a provider of the catalogue
    Add(PassportArguments),
}

/// `consulate passports add`.
#[derive(Args, Clone, Debug, Default)]
pub struct PassportArguments {
    /// The passport's id
    pub id: String,
    /// Id or alias in the catalogue (see `consulate providers`)
    #[arg(long, value_name = "P")]
    pub provider: String,
    /// The OAuth client id that the provider gave you; only where the provider has clients
    #[arg(long, value_name = "C")]
    pub client_id: Option<String>,
    /// How the client proves itself at the token endpoint, if not as the catalogue says: body, basic, none or
    /// private_key_jwt
    #[arg(long, value_name = "HOW", value_parser = client_authentication)]
    pub client_authentication: Option<ClientAuthentication>,
    /// A scope to ask for; can be repeated; the catalogue's when none is given
    #[arg(long = "scope", value_name = "S")]
    pub scopes: Vec<String>,
    /// A scope of a further token slot, as user=chat:write; can be repeated
    #[arg(long = "slot-scope", value_name = "SLOT=SCOPE", value_parser = pair)]
    pub slot_scopes: Vec<(String, String)>,
    /// A variable of the provider, as instance=acme.service-now.com; can be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    pub variables: Vec<(String, String)>,
    /// Permit widgets to hand the access token to the browser of whoever connected
    #[arg(long)]
    pub browser_delivery: bool,
    /// Display name; the provider's when not given
    #[arg(long, value_name = "N")]
    pub name: Option<String>,
    /// Agree to changing the passport of that id, and to hosts that are not the provider's own
    #[arg(long)]
    pub accept: bool,
}

/// `consulate secret …`.
#[derive(Clone, Debug, Subcommand)]
pub enum SecretCommand {
    /// Set a secret from the JSON on standard input
    ///
    /// widgets/ID    {"host_secrets":["current","next"]}
    /// passports/ID  {"client_secret":"…"}, with "expires_at":"2027-06-30T00:00:00Z" if doctor is to warn of its end
    ///               {"private_key":"PEM","key_id":"…"} where the client signs (private_key_jwt)
    #[command(verbatim_doc_comment)]
    Set {
        /// `widgets/ID` or `passports/ID`, without prefix
        name: String,
    },
}

/// `consulate keys …`.
#[derive(Clone, Debug, Subcommand)]
pub enum KeysCommand {
    /// Make the keyrings, once
    Init,
    /// List the keyrings and the ids of their keys
    List,
    /// Publish a new key in every keyring, wait until every function has it, seal with it from then on
    Rotate(RotateArguments),
    /// Move what is sealed with former keys over to the new ones, while everything serves
    Reseal,
    /// Take out a key that nothing is sealed with any more
    Retire(RetireArguments),
}

/// `consulate keys rotate`.
#[derive(Args, Clone, Debug)]
pub struct RotateArguments {
    /// Seconds to wait after publishing and after promoting: two lifetimes of a function's cache, and a little
    #[arg(long, value_name = "SECONDS", default_value_t = 130)]
    pub wait_seconds: u64,
}

/// `consulate keys retire`.
#[derive(Args, Clone, Debug)]
pub struct RetireArguments {
    /// The key's id, as `consulate keys list` shows it
    pub id: String,
    /// Seconds between the two looks at the table: the custodian's timeout, and a little
    #[arg(long, value_name = "SECONDS", default_value_t = 100)]
    pub wait_seconds: u64,
    /// The deployment has no salvage queue: without CONSULATE_SALVAGE_QUEUE_URL, nobody else says so
    #[arg(long)]
    pub no_salvage_queue: bool,
}

/// `consulate completions`.
#[derive(Args, Clone, Copy, Debug)]
pub struct CompletionsArguments {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `consulate doctor`.
#[derive(Args, Clone, Debug, Default)]
pub struct DoctorArguments {
    /// Ask no provider: what can be seen from the account alone
    #[arg(long)]
    pub offline: bool,
}

/// `consulate console`.
#[derive(Args, Clone, Debug, Default)]
#[command(
    after_help = "The link works once, for five minutes; the session it begins lasts an hour. There is no password: who may write to the\n\
                  table with the operator's AWS credentials may sign in. In the console widgets are imported, passports made, accounts\n\
                  connected, APIs tried, and what is unhealthy is seen.\n\n\
                  Example: consulate console --name \"Ada Lovelace\" --dev .consulate"
)]
pub struct ConsoleArguments {
    /// Who signs in, as the console's activity names them; nobody checks it
    #[arg(long, value_name = "N", default_value = "operator")]
    pub name: String,
}

/// `consulate token`.
#[derive(Args, Clone, Debug, Default)]
pub struct TokenArguments {
    /// The widget the JWT is for
    #[arg(long, value_name = "ID")]
    pub widget: String,
    /// `user.id`
    #[arg(long, value_name = "U")]
    pub user: String,
    /// `organisation.id`
    #[arg(long, value_name = "O")]
    pub organisation: String,
    /// `user.primaryEmail`
    #[arg(long, value_name = "E")]
    pub email: Option<String>,
    /// Seconds until it expires
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub expires_in: u32,
}

impl Arguments {
    /// Reads a command line; clap's own errors (and help) carry exit code 2 (and 0).
    ///
    /// # Errors
    /// Misuse, or a request for help or version.
    pub fn read<I, T>(line: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<std::ffi::OsString> + Clone,
    {
        let arguments = Self::try_parse_from(line)?;
        if arguments.dev.is_some() && matches!(arguments.command, Command::Dev(_)) {
            return Err(Self::command().error(
                ErrorKind::ArgumentConflict,
                "`consulate dev` is the server itself: its folder is --data-dir",
            ));
        }
        Ok(arguments)
    }
}

fn binding(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, passport)) if !key.is_empty() && !passport.is_empty() => {
            Ok((key.to_owned(), passport.to_owned()))
        }
        _ => Err("write AUTHKEY=PASSPORT".to_owned()),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// In the words of a passport's record.
fn client_authentication(text: &str) -> Result<ClientAuthentication, String> {
    serde_json::from_value(serde_json::Value::from(text))
        .map_err(|_| "write body, basic, none or private_key_jwt".to_owned())
}

/// `HOST=PORT` with a DNS name, in the one spelling addresses are compared with.
fn stand_in(text: &str) -> Result<(String, u16), String> {
    let wanted = "write HOST=PORT with a DNS name, as api.example.com=9000";
    let (host, port) = text.split_once('=').ok_or(wanted)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let name = host.contains('.') && host.bytes().all(plain) && host.parse::<IpAddr>().is_err();
    match port.parse::<u16>() {
        Ok(port) if port > 0 && name => Ok((host.to_ascii_lowercase(), port)),
        _ => Err(wanted.to_owned()),
    }
}

/// `HOST:PORT` whose host is this machine, in the one spelling the guard compares with.
fn loopback_pair(text: &str) -> Result<String, String> {
    let wanted = "write HOST:PORT with localhost or a loopback address, as 127.0.0.1:9000";
    let (host, port) = text.rsplit_once(':').ok_or(wanted)?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    match port.parse::<u16>() {
        Ok(port) if port > 0 && loopback => Ok(format!("{}:{port}", host.to_ascii_lowercase())),
        _ => Err(wanted.to_owned()),
    }
}

mod connections;
#[cfg(test)]
mod tests;

pub use connections::{ConnectionsCommand, Health, ListArguments, RevokeArguments};
