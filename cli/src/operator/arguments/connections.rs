//! PURE. `consulate connections …`.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use consulate_core::connections::Ailment;

/// What can be done with connections. An ID is what `list` shows: `PASSPORT#OWNER`, with `#SLOT` for a further token.
#[derive(Clone, Debug, Subcommand)]
pub enum ConnectionsCommand {
    /// List the connections that somebody should look at
    List(ListArguments),
    /// Show one connection
    Show {
        /// PASSPORT#OWNER or PASSPORT#OWNER#SLOT
        id: String,
    },
    /// Renew a connection's access token now
    Refresh {
        /// PASSPORT#OWNER or PASSPORT#OWNER#SLOT
        id: String,
    },
    /// Give up every connection of a passport or of an owner, and revoke them at the provider
    Revoke(RevokeArguments),
}

/// `consulate connections list`.
#[derive(Args, Clone, Debug)]
pub struct ListArguments {
    /// Only those; all of these when not given. Healthy ones are in no list: see `show`
    #[arg(long, value_enum, value_name = "H")]
    pub health: Option<Health>,
    /// Show at most so many
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
}

/// `consulate connections revoke`.
#[derive(Args, Clone, Debug, Default)]
#[command(group(ArgGroup::new("whose").required(true).args(["passport", "owner"])))]
pub struct RevokeArguments {
    /// Every connection of this passport. Reads the whole table once
    #[arg(long, value_name = "ID")]
    pub passport: Option<String>,
    /// Every connection of this owner, as `list` and `show` name it
    #[arg(long, value_name = "ID")]
    pub owner: Option<String>,
    /// Only say which
    #[arg(long)]
    pub dry_run: bool,
}

/// Why a connection is in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Health {
    /// The person has to connect again
    NeedsReauthorisation,
    /// The last token call brought nothing; it will be tried again
    Failing,
    /// Given up, and not yet revoked at the provider
    Revoking,
    /// Given up, and never confirmed by the provider
    GaveUp,
}

impl Health {
    /// As the table has it.
    pub fn ailment(self) -> Ailment {
        match self {
            Self::NeedsReauthorisation => Ailment::Reauthorise,
            Self::Failing => Ailment::Failing,
            Self::Revoking => Ailment::Revoking,
            Self::GaveUp => Ailment::GaveUp,
        }
    }
}
