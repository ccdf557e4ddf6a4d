//! What every function stands on, made once at its cold start: settings, clock, AWS clients, readers.
//!
//! `consulate dev` and tests make the same with loopback endpoints. What may differ there is data ([`Leniency`]), not code.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use crate::aws::Aws;
use crate::caller::Callers;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::connections::Connections;
use crate::custody::Custodian;
use crate::definitions::{self, Definitions};
use crate::dial;
use crate::egress::{Egress, LoopbackExceptions};
use crate::flow::Flows;
use crate::issuers::Issuers;
use crate::log;
use crate::one_time::OneTimeJwts;
use crate::secrets::{self, Secrets};
use crate::settings::Settings;

/// What `consulate dev` allows that Lambda does not. `Default` allows nothing.
#[derive(Clone, Debug)]
pub struct Leniency {
    /// Loopback addresses callable over plain http.
    pub loopback: LoopbackExceptions,
    /// How old a cached definition may be.
    pub definitions_fresh_for: Duration,
    /// How old a cached secret may be.
    pub secrets_fresh_for: Duration,
    /// Whether a lease of another process is known to be dead: one process per data folder.
    pub earlier_processes_are_dead: bool,
}

impl Default for Leniency {
    fn default() -> Self {
        Self {
            loopback: LoopbackExceptions::default(),
            definitions_fresh_for: definitions::FRESH_FOR,
            secrets_fresh_for: secrets::FRESH_FOR,
            earlier_processes_are_dead: false,
        }
    }
}

/// A function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A variable is missing or unusable.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The extra root is not one.
    #[error(transparent)]
    BadRoot(#[from] dial::BadRoot),
}

/// The foundation.
#[derive(Clone, Debug)]
pub struct Foundation {
    /// Settings.
    pub config: Config,
    /// Time.
    pub clock: Clock,
    /// The one TLS configuration.
    pub tls: Arc<ClientConfig>,
    /// AWS.
    pub aws: Aws,
    /// Widgets, hosts and passports.
    pub definitions: Definitions,
    /// Connections.
    pub connections: Connections,
    /// Tickets, states and flows.
    pub flows: Flows,
    /// Secrets Manager.
    pub secrets: Secrets,
    /// Allowances of `consulate dev`.
    pub leniency: Leniency,
}

impl Foundation {
    /// From the environment, with the table's connection opened.
    ///
    /// # Errors
    /// See [`Error`]: the cold start stops.
    pub async fn on_lambda() -> Result<Self, Error> {
        let foundation = Self::new(Config::from_env()?, Clock::system(), Leniency::default())?;
        if let Some(namespace) = &foundation.config.metrics {
            log::with_metrics(namespace);
        }
        foundation.aws.open_table_connection().await;
        Ok(foundation)
    }

    /// From explicit settings.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn new(config: Config, clock: Clock, leniency: Leniency) -> Result<Self, Error> {
        let tls = dial::tls(config.extra_ca.as_deref())?;
        let aws = Aws::new(config.aws.clone(), tls.clone(), clock.clone());
        Ok(Self::over(config, clock, leniency, tls, aws))
    }

    /// Over any connection to AWS.
    pub fn over(
        config: Config,
        clock: Clock,
        leniency: Leniency,
        tls: Arc<ClientConfig>,
        aws: Aws,
    ) -> Self {
        let dynamodb = aws.dynamodb();
        Self {
            definitions: Definitions::new(
                dynamodb.clone(),
                &config.table,
                leniency.definitions_fresh_for,
            ),
            connections: Connections::new(
                dynamodb.clone(),
                &config.table,
                config.due_shards.clone(),
            ),
            flows: Flows::new(dynamodb, &config.table, config.due_shards.clone()),
            secrets: Secrets::new(
                aws.secrets_manager(),
                &config.secrets_prefix,
                leniency.secrets_fresh_for,
            ),
            config,
            clock,
            tls,
            aws,
            leniency,
        }
    }

    /// Verifies callers.
    pub fn callers(&self) -> Callers {
        let exceptions = self.leniency.loopback.clone();
        let issuers = Egress::upstream(self.tls.clone(), exceptions);
        Callers::new(
            self.definitions.clone(),
            self.secrets.clone(),
            Issuers::new(issuers, self.clock.clone()),
            OneTimeJwts::new(self.aws.dynamodb(), &self.config.table),
            self.clock.clone(),
        )
    }

    /// Private settings of widgets.
    pub fn settings(&self) -> Settings {
        let (table, secrets) = (&self.config.table, self.secrets.clone());
        Settings::new(self.aws.dynamodb(), table, secrets)
    }

    /// Asks the custodian.
    pub fn custodian(&self) -> Custodian {
        Custodian::new(self.aws.lambda(), &self.config.custodian)
    }
}
