//! What is imported at start: the bundles of `--import`, through the same code as `consulate import`.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use consulate_core::definition::HostKind;
use consulate_core::definitions::Definitions;
use consulate_core::random;
use consulate_core::secret::SecretText;
use consulate_fakes::secrets_manager::SecretsManager;
use serde_json::json;

use super::simulated::Simulation;
use crate::operator::arguments::ImportArguments;
use crate::operator::report::{Outcome, Report};
use crate::operator::target::{SECRETS_PREFIX, Target};
use crate::operator::{import, set_secret};

/// Imports `bundle` and answers what was said about it. Whoever starts the server with this bundle agrees to it.
pub(super) async fn import_bundle(
    target: &Target,
    secrets: &SecretsManager,
    bundle: &Path,
    simulation: Option<&Simulation>,
) -> anyhow::Result<String> {
    let mut report = import_agreed(target, bundle, Vec::new()).await?;
    let widget = report.json.get("widget").and_then(|widget| widget.as_str());
    let widget = widget.unwrap_or_default().to_owned();
    if let Some(simulation) = simulation {
        let binds = unbound(target, simulation, &widget).await?;
        if !binds.is_empty() {
            report = import_agreed(target, bundle, binds).await?;
        }
    }
    let widget = widget.as_str();
    let mut text = report.text;
    if make_host_secret(target, secrets, widget).await? {
        text.push_str(&format!(
            "\n\nA random host secret was made: try the widget with `consulate token --widget {widget}`."
        ));
    }
    Ok(text)
}

/// What `widget` lacks and the simulated passports serve.
async fn unbound(
    target: &Target,
    simulation: &Simulation,
    widget: &str,
) -> anyhow::Result<Vec<(String, String)>> {
    let definitions = Definitions::new(
        target.dynamodb.clone(),
        &target.table,
        Duration::from_secs(1),
    );
    let widget = definitions.widget(widget).await?;
    Ok(widget.map_or_else(Vec::new, |widget| simulation.bindings(&widget)))
}

/// Imports `bundle`, differences and shared hosts agreed to.
pub(super) async fn import_agreed(
    target: &Target,
    bundle: &Path,
    binds: Vec<(String, String)>,
) -> anyhow::Result<Report> {
    let arguments = ImportArguments {
        path: bundle.to_owned(),
        binds,
        accept: true,
        join_host: true,
        ..ImportArguments::default()
    };
    done(import(target, &arguments).await?)
        .with_context(|| format!("cannot import {}", bundle.display()))
}

/// Gives `widget` a random host secret where it has none, unless an issuer vouches for its callers: here, nobody but
/// `consulate token` and the demo does. True when one was made.
pub(super) async fn make_host_secret(
    target: &Target,
    secrets: &SecretsManager,
    widget: &str,
) -> anyhow::Result<bool> {
    let name = format!("widgets/{widget}");
    if secrets.get(&format!("{SECRETS_PREFIX}{name}")).is_some() {
        return Ok(false);
    }
    let definitions = Definitions::new(
        target.dynamodb.clone(),
        &target.table,
        Duration::from_secs(1),
    );
    let imported = definitions.widget(widget).await?;
    let host = match imported.as_ref().and_then(|widget| widget.host.as_deref()) {
        Some(host) => definitions.host(host).await?,
        None => None,
    };
    if host.is_some_and(|host| host.kind != HostKind::Happeo) {
        return Ok(false);
    }
    let value = SecretText::new(json!({ "host_secrets": [random::secret_text()?] }).to_string());
    done(set_secret(target, &name, &value).await?)?;
    Ok(true)
}

/// The report, or its text as an error where it is a refusal.
pub(super) fn done(report: Report) -> anyhow::Result<Report> {
    if report.outcome != Outcome::Done {
        bail!(report.text);
    }
    Ok(report)
}
