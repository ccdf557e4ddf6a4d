//! PURE. What can be typed: every command and flag, with the help people read.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand};

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
    /// Passports on providers of the catalogue
    #[command(subcommand)]
    Passports(PassportsCommand),
    /// Secrets of widgets and passports
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Keyrings
    #[command(subcommand)]
    Keys(KeysCommand),
    /// List the providers of the catalogue
    Providers,
    /// Print a signed caller JWT, as the widget's host would make it
    Token(TokenArguments),
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
    /// The OAuth client id that the provider gave you
    #[arg(long, value_name = "C")]
    pub client_id: String,
    /// A scope to ask for; can be repeated; the catalogue's when none is given
    #[arg(long = "scope", value_name = "S")]
    pub scopes: Vec<String>,
    /// Display name; the provider's when not given
    #[arg(long, value_name = "N")]
    pub name: Option<String>,
    /// Agree to changing the passport of that id
    #[arg(long)]
    pub accept: bool,
}

/// `consulate secret …`.
#[derive(Clone, Debug, Subcommand)]
pub enum SecretCommand {
    /// Set a secret from the JSON on standard input
    ///
    /// widgets/ID    {"host_secrets":["current","next"]}
    /// passports/ID  {"client_secret":"…"}
    #[command(verbatim_doc_comment)]
    Set {
        /// `widgets/ID` or `passports/ID`, without prefix
        name: String,
    },
}

/// `consulate keys …`.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum KeysCommand {
    /// Make the keyrings, once
    Init,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::read(std::iter::once("consulate").chain(line.split_whitespace()))
    }

    #[track_caller]
    fn misuse(line: &str) {
        let error = read(line)
            .err()
            .unwrap_or_else(|| panic!("accepted: {line}"));
        assert_eq!(error.exit_code(), 2, "{line}");
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn dev_and_json_are_understood_before_and_after_the_command() {
        for line in [
            "--dev d --json providers",
            "providers --dev d --json",
            "passports list --json --dev d",
        ] {
            let arguments = read(line).unwrap();
            assert!(arguments.json, "{line}");
            assert_eq!(arguments.dev, Some(PathBuf::from("d")), "{line}");
        }
    }

    #[test]
    fn the_server_takes_no_dev_flag() {
        misuse("dev --dev d");
        misuse("--dev d dev");
    }

    #[test]
    fn a_binding_names_both_sides() {
        let Command::Import(import) = read("import d --bind a=b --bind c=d.e").unwrap().command
        else {
            panic!("another command");
        };
        let binds = [("a", "b"), ("c", "d.e")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(import.binds, binds);
        for line in [
            "import d --bind a",
            "import d --bind =b",
            "import d --bind a=",
            "import",
        ] {
            misuse(line);
        }
    }

    #[test]
    fn only_loopback_can_be_allowed() {
        let Command::Dev(dev) = read("dev --allow LocalHost:9000 --allow 127.0.0.1:80")
            .unwrap()
            .command
        else {
            panic!("another command");
        };
        assert_eq!(dev.allow, ["localhost:9000", "127.0.0.1:80"]);
        for pair in [
            "10.0.0.1:80",
            "example.com:80",
            "localhost",
            "localhost:0",
            "localhost:x",
            "0.0.0.0:80",
        ] {
            misuse(&format!("dev --allow {pair}"));
        }
    }

    #[test]
    fn a_caller_jwt_lasts_five_minutes_unless_told_otherwise() {
        let Command::Token(token) = read("token --widget w --user u --organisation o")
            .unwrap()
            .command
        else {
            panic!("another command");
        };
        assert_eq!(token.expires_in, 300);
        misuse("token --widget w --user u");
        misuse("token --widget w --user u --organisation o --expires-in 0");
    }
}
