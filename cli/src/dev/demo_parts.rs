//! The demo's parts put together: the provider "Acme Cloud", a Qrvey instance, the demo bundle imported, and the pages.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use consulate_core::clock::Clock;
use consulate_core::random;
use consulate_core::secret::SecretText;
use consulate_fakes::provider::{Client, ClientAuthentication, Provider, Settings};
use consulate_fakes::qrvey::{self, Qrvey};
use consulate_fakes::secrets_manager::SecretsManager;
use consulate_fakes::serve::{Served, serve_on};
use http::header::{ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue, VARY};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::imports::{done, import_agreed, make_host_secret};
use super::port;
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
    /// Whether the port was left to chance.
    pub by_chance: bool,
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

/// The demo, set up and serving.
pub(super) struct Parts {
    pub provider: Provider,
    /// For the public port: the provider, and the way from its bare address to the host page.
    pub routes: Router,
    /// Where the host page is.
    pub address: String,
    /// Host page and widgets.
    pub served: Vec<Served>,
}

/// The demo's provider and pages, the pages on two ports of their own. Imports the demo bundle: its addresses hold ports, which may
/// have changed.
pub(super) async fn set_up(ground: Ground<'_>) -> anyhow::Result<Parts> {
    let provider_url = format!("{}/demo/provider", ground.base_url);
    let beside = |step| port::listen_beside(ground.port, step, ground.by_chance);
    let (host_port, at_host) = beside(1).await?;
    let (widget_port, at_widgets) = beside(2).await?;
    let host_origin = format!("http://localhost:{host_port}");
    let widget_origin = format!("http://localhost:{widget_port}");
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
    let callers = HeaderValue::try_from(&widget_origin)?;
    let routers = demo::routers(Demo {
        base_url: ground.base_url.to_owned(),
        host_origin: host_origin.clone(),
        widget_origin,
        qrvey: ground.dashboards.served.url(),
        mint: mint(ground.secrets.clone(), ground.clock.clone()),
        steps: ground.steps.clone(),
    });
    let acme = provider.router().layer(from_fn(move |request, next| {
        open_to_widgets(callers.clone(), request, next)
    }));
    let host = at_host.into_iter().map(|at| (at, routers.host.clone()));
    let widgets = at_widgets.into_iter();
    let widgets = widgets.map(|at| (at, routers.widgets.clone()));
    let served = host.chain(widgets).map(|(at, router)| serve_on(at, router));
    Ok(Parts {
        provider,
        routes: routers.at_base.nest("/demo/provider", acme),
        address: format!("{host_origin}/"),
        served: served.collect::<anyhow::Result<_>>()?,
    })
}

/// Acme Cloud lets the widgets' pages call its API themselves, as a provider does where browser delivery is to be of any use.
async fn open_to_widgets(callers: HeaderValue, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/api/") {
        return next.run(request).await;
    }
    let mut response = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, callers);
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization"),
    );
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    response
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
