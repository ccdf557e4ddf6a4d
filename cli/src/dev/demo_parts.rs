//! The demo's parts put together: the provider "Acme Cloud", a Qrvey instance, the demo bundle imported, and the pages.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use consulate_core::clock::Clock;
use consulate_core::random;
use consulate_core::secret::SecretText;
use consulate_fakes::provider::{Client, ClientAuthentication, Provider, Settings};
use consulate_fakes::qrvey::{self, Qrvey};
use consulate_fakes::secrets_manager::SecretsManager;
use consulate_fakes::serve::Served;
use serde_json::{Value, json};

use super::imports::{done, import_agreed, make_host_secret};
use crate::demo::{self, Demo, Mint, Steps};
use crate::operator::arguments::TokenArguments;
use crate::operator::caller_jwt;
use crate::operator::set_secret;
use crate::operator::target::{SECRETS_PREFIX, Target};

const WIDGET: &str = "demo";
const PASSPORT: &str = "demo.acme-cloud";
const TEMPLATE: &str = "sales";
const CLIENT: &str = "acme-demo";
const ORGANISATION: &str = "acme";
/// Seconds a caller JWT of the demo is good for.
const JWT_LIFETIME: u32 = 300;

/// What the demo stands on.
pub(super) struct Ground<'g> {
    pub target: &'g Target,
    pub secrets: &'g SecretsManager,
    pub base_url: &'g str,
    pub port: u16,
    pub state_file: &'g Path,
    pub clock: &'g Clock,
    pub steps: &'g Arc<Steps>,
    pub dashboards: &'g Dashboards,
}

/// The demo's Qrvey instance, on a port of its own: its pages are of another origin, as they are in life.
pub(super) struct Dashboards {
    pub qrvey: Qrvey,
    pub served: Served,
    api_key: String,
}

impl Dashboards {
    /// An instance with a new API key.
    pub async fn start(clock: &Clock) -> anyhow::Result<Self> {
        let api_key = random::secret_text()?;
        let clock = clock.clone();
        let settings = qrvey::Settings {
            api_keys: vec![api_key.clone()],
            clock: Arc::new(move || clock.now().millis()),
            ..qrvey::Settings::default()
        };
        let (qrvey, served) = Qrvey::start(settings, 0).await?;
        Ok(Self {
            qrvey,
            served,
            api_key,
        })
    }
}

/// The demo's provider and routes. Imports the demo bundle: its addresses hold the port, which may have changed.
pub(super) async fn set_up(ground: Ground<'_>) -> anyhow::Result<(Provider, Router)> {
    let provider_url = format!("{}/demo/provider", ground.base_url);
    let widget_origin = format!("http://localhost:{}", ground.port);
    let folder = tempfile::tempdir()?;
    for (path, text) in demo::bundle(
        &provider_url,
        &widget_origin,
        &ground.dashboards.served.url(),
    ) {
        let path = folder.path().join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)?;
    }
    import_agreed(ground.target, folder.path(), Vec::new()).await?;
    make_host_secret(ground.target, ground.secrets, WIDGET).await?;
    let api_key = json!({ "api_key": ground.dashboards.api_key }).to_string();
    let name = format!("qrvey/{WIDGET}/{TEMPLATE}");
    done(set_secret(ground.target, &name, &SecretText::new(api_key)).await?)?;

    let clock = ground.clock.clone();
    let provider = Provider::new(Settings {
        clients: vec![Client {
            id: CLIENT.to_owned(),
            secret: Some(client_secret(&ground).await?),
            authentication: ClientAuthentication::Body,
            redirect_uris: vec![ground.target.redirect_uri(PASSPORT)],
        }],
        state_file: Some(ground.state_file.to_owned()),
        clock: Arc::new(move || clock.now().millis()),
        ..Settings::new(provider_url)
    })?;
    let pages = demo::router(Demo {
        base_url: ground.base_url.to_owned(),
        widget_origin,
        qrvey: ground.dashboards.served.url(),
        mint: mint(ground.secrets.clone(), ground.clock.clone()),
        steps: ground.steps.clone(),
    });
    let routes = Router::new()
        .nest("/demo/provider", provider.router())
        .merge(pages);
    Ok((provider, routes))
}

/// The client secret that Acme Cloud and Consulate share: random, kept, and bound to this run's addresses.
async fn client_secret(ground: &Ground<'_>) -> anyhow::Result<String> {
    let name = format!("passports/{PASSPORT}");
    let kept = ground.secrets.get(&format!("{SECRETS_PREFIX}{name}"));
    let kept = kept.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let secret = match kept
        .as_ref()
        .and_then(|kept| kept.get("client_secret"))
        .and_then(Value::as_str)
    {
        Some(secret) => secret.to_owned(),
        None => random::secret_text()?,
    };
    let value = SecretText::new(json!({ "client_secret": secret }).to_string());
    done(set_secret(ground.target, &name, &value).await?)?;
    Ok(secret)
}

/// Vouches for the demo's users, as a host application does for its own.
fn mint(secrets: SecretsManager, clock: Clock) -> Mint {
    Arc::new(move |user| {
        let secret = secrets
            .get(&format!("{SECRETS_PREFIX}widgets/{WIDGET}"))
            .ok_or("The demo's host secret is gone")?;
        let arguments = TokenArguments {
            widget: WIDGET.to_owned(),
            user: user.to_owned(),
            organisation: ORGANISATION.to_owned(),
            email: Some(format!("{user}@acme.example")),
            expires_in: JWT_LIFETIME,
        };
        let (jwt, expires_at) =
            caller_jwt::sign(&SecretText::new(secret), &arguments, false, clock.now())
                .map_err(|_| "The demo's host secret is not usable")?;
        Ok((jwt, expires_at.rfc3339()))
    })
}
