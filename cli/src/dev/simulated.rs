//! `--simulate`: providers of the catalogue played on loopback, so that a widget can be tried against "Slack" offline. Every
//! entry of a simulated family gets a passport with its real addresses; only where they lead is different.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::bail;
use consulate_core::clock::Clock;
use consulate_core::definition::Widget;
use consulate_core::passport::Credential;
use consulate_core::random;
use consulate_core::secret::SecretText;
use consulate_fakes::serve::Served;
use consulate_fakes::simulators::{App, ServiceAccount, Simulators};
use serde_json::json;

use super::imports::done;
use crate::catalogue::{Catalogue, Entry};
use crate::operator::arguments::PassportArguments;
use crate::operator::target::Target;
use crate::operator::{add_passport, set_secret};

/// Where a passport's id comes from.
const PREFIX: &str = "simulated-";
/// The Tableau site, and the Zoom account, that the simulators know.
const TENANT: &str = "acme";

/// The simulators at work.
#[derive(Debug)]
pub struct Simulation {
    /// Levers and counts.
    pub simulators: Simulators,
    /// A passport for every entry.
    pub passports: Vec<SimulatedPassport>,
    families: BTreeSet<&'static str>,
    served: Served,
}

/// A passport on a simulated provider.
#[derive(Clone, Debug)]
pub struct SimulatedPassport {
    /// The passport's id.
    pub id: String,
    /// The catalogue's entry.
    pub entry: String,
    /// What the owner types to connect, where there is no consent: made up for this run.
    pub typed: BTreeMap<String, String>,
}

impl Simulation {
    /// Plays the families of `names`: families, or ids and aliases of entries.
    ///
    /// # Errors
    /// A name that is neither, or a provider that nobody plays.
    pub async fn start(names: &[String], clock: &Clock) -> anyhow::Result<Option<Self>> {
        if names.is_empty() {
            return Ok(None);
        }
        let catalogue = Catalogue::built_in()?;
        let families = names
            .iter()
            .map(|name| family(&catalogue, name))
            .collect::<anyhow::Result<_>>()?;
        let theirs = clock.clone();
        let (simulators, served) =
            Simulators::start(Arc::new(move || theirs.now().millis()), 0).await?;
        Ok(Some(Self {
            simulators,
            passports: Vec::new(),
            families,
            served,
        }))
    }

    /// The port they are on.
    pub fn port(&self) -> u16 {
        self.served.addr.port()
    }

    /// Where a host of theirs is played.
    pub fn base_of(&self) -> impl Fn(&str) -> Option<String> + Send + Sync + 'static {
        let (families, url) = (self.families.clone(), self.served.url());
        move |host| {
            let family = Simulators::family_of_host(host)?;
            families.contains(family).then(|| format!("{url}/{host}"))
        }
    }

    /// Makes the passports, registers their apps at the simulators, and says so.
    ///
    /// # Errors
    /// The table or the secret store cannot be written.
    pub async fn make_passports(&mut self, target: &Target) -> anyhow::Result<Vec<String>> {
        let catalogue = Catalogue::built_in()?;
        let mut notes = Vec::new();
        let theirs = |entry: &&Entry| {
            entry.retired().is_none() && self.families.contains(entry.family.as_str())
        };
        for entry in catalogue.entries().iter().filter(theirs) {
            let passport = make(&self.simulators, target, entry).await?;
            let mut note = format!("Simulated: {} as passport {}.", entry.name, passport.id);
            if !passport.typed.is_empty() {
                note.push_str(&format!(
                    " To connect, PUT {} to the connection.",
                    json!(passport.typed)
                ));
            }
            notes.push(note);
            self.passports.push(passport);
        }
        Ok(notes)
    }

    /// The bindings that `widget` lacks and these passports serve.
    pub fn bindings(&self, widget: &Widget) -> Vec<(String, String)> {
        let unbound = widget
            .authentications
            .iter()
            .filter(|authentication| authentication.passport.is_none());
        unbound
            .filter_map(|authentication| {
                let mut passports = self.passports.iter();
                let passport =
                    passports.find(|passport| passport.entry == authentication.provider)?;
                Some((authentication.auth_key.clone(), passport.id.clone()))
            })
            .collect()
    }

    /// Stops the server.
    pub(super) async fn stop(self) {
        self.served.stop().await;
    }
}

fn family(catalogue: &Catalogue, name: &str) -> anyhow::Result<&'static str> {
    let wanted = catalogue
        .get(name)
        .map_or(name, |entry| entry.family.as_str());
    let known = Simulators::FAMILIES.iter().find(|known| **known == wanted);
    match known {
        Some(family) => Ok(family),
        None => bail!(
            "\"{name}\" cannot be simulated. Families: {}; or an id of `consulate providers`.",
            Simulators::FAMILIES.join(", ")
        ),
    }
}

async fn make(
    simulators: &Simulators,
    target: &Target,
    entry: &Entry,
) -> anyhow::Result<SimulatedPassport> {
    let id = format!("{PREFIX}{}", entry.id);
    let variables = entry.example_variables();
    let tenant = variables.get("account_id").map_or(TENANT, String::as_str);
    let arguments = PassportArguments {
        id: id.clone(),
        provider: entry.id.clone(),
        client_id: entry.credential.has_client().then(|| id.clone()),
        variables: variables.clone().into_iter().collect(),
        accept: true,
        ..PassportArguments::default()
    };
    done(add_passport(target, &arguments).await?)?;
    let secret = random::secret_text()?;
    let service = |id: &str| ServiceAccount {
        id: id.to_owned(),
        secret: secret.clone(),
        tenant: tenant.to_owned(),
    };
    let mut typed = BTreeMap::new();
    match entry.credential {
        Credential::Oauth2 => simulators.register(
            &entry.family,
            App {
                id: id.clone(),
                secret: Some(secret.clone()),
                redirect_uris: vec![target.redirect_uri(&id)],
            },
        ),
        Credential::ClientCredentials => simulators.register_service(&entry.family, service(&id)),
        Credential::PersonalAccessToken => {
            simulators.register_service(&entry.family, service(&id));
            typed = BTreeMap::from(
                [
                    ("token_name", &id),
                    ("token_secret", &secret),
                    ("site", &tenant.to_owned()),
                ]
                .map(|(name, value)| (name.to_owned(), value.clone())),
            );
        }
        Credential::ApiKey | Credential::Basic => {
            bail!("{} takes a credential that no simulator knows", entry.id)
        }
    }
    if entry.credential.has_client() {
        let value = SecretText::new(json!({ "client_secret": secret }).to_string());
        done(set_secret(target, &format!("passports/{id}"), &value).await?)?;
    }
    Ok(SimulatedPassport {
        id,
        entry: entry.id.clone(),
        typed,
    })
}
