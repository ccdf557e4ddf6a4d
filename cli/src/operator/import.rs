//! `consulate import`: judges a bundle, compares it with what is stored, and writes all of it or nothing.

use anyhow::Context as _;
use consulate_bundle::plan::Plan;
use serde_json::json;

use super::arguments::ImportArguments;
use super::import_report;
use super::import_secrets::SecretPlan;
use super::report::Report;
use super::target::Target;
use super::{connections, orphans};
use crate::bundle::{self, Options, Source};

/// Imports the bundle at `arguments.path`. A refusal changes nothing.
///
/// # Errors
/// The table or Secrets Manager cannot be asked.
pub async fn import(target: &Target, arguments: &ImportArguments) -> anyhow::Result<Report> {
    let options = Options {
        widget: arguments.widget.clone(),
        binds: arguments.binds.clone(),
        allow: target.allow.clone(),
    };
    let source = match Source::read(&arguments.path) {
        Ok(source) => source,
        Err(error) => return Ok(Report::refused_for(&[error.finding()])),
    };
    let import = match bundle::import(&source, &options, &super::catalogue(target).await?) {
        Ok(import) => import,
        Err(findings) => return Ok(Report::refused_for(&findings)),
    };
    let records = target.records();
    let now = target.clock.now();
    let plan = match Plan::new(&records, import, arguments.join_host, now).await? {
        Ok(plan) => plan,
        Err(refused) => return Ok(Report::refused(refused.text, refused.detail)),
    };
    let import = &plan.import;
    let secrets = SecretPlan::new(target, import, plan.stored_passports()).await?;
    let mut differences = plan.differences.clone();
    differences.extend(secrets.differences());
    let orphans = match plan.stored_widget() {
        Some(widget) => orphans::left_by(target, &records, widget, &import.widget).await?,
        None => Vec::new(),
    };
    differences.extend(import_report::orphaned(&orphans));
    if !differences.is_empty() && !arguments.accept {
        return Ok(import_report::differs(import, &differences));
    }

    // Secrets first: one that no passport uses yet does no harm, a passport without its secret does not work.
    let written = secrets.write().await?;
    match plan.commit(&records).await {
        Ok(true) => {}
        Ok(false) => {
            written.undo().await?;
            let text = "Something this import builds on was changed meanwhile. Nothing was imported. Run it again.";
            return Ok(Report::refused(text, json!({})));
        }
        Err(error) => {
            written
                .undo()
                .await
                .context("the import failed, and a client secret could not be put back")?;
            return Err(error.into());
        }
    }
    connections::give_up(target, &target.connections(), orphans).await?;
    import_report::done(target, import, &plan.bound, &differences, &secrets).await
}
