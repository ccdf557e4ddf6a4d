//! `consulate import`: judges a bundle, compares it with what is stored, and writes all of it or nothing.

use anyhow::Context as _;
use consulate_core::definition::{Authentication, Host, Passport, Widget};
use consulate_core::passport::DeliveryRefused;
use consulate_core::table;
use serde_json::json;

use super::arguments::ImportArguments;
use super::host_rule::{self, Standing};
use super::import_report;
use super::import_secrets::SecretPlan;
use super::records::{Record, Records};
use super::report::Report;
use super::target::Target;
use super::{connections, orphans};
use crate::bundle::{self, Import, Options, Source, Stored};

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
    let mut import = match bundle::import(&source, &options, &super::catalogue(target).await?) {
        Ok(import) => import,
        Err(findings) => return Ok(Report::refused_for(&findings)),
    };
    let records = Records::of(target);
    let seen = Seen::read(&records, &import).await?;
    let stored = seen.stored();
    if let Some(stored) = &stored {
        bundle::keep_bindings(stored, &mut import);
        bundle::keep_members_until(stored, &mut import, target.clock.now());
    }
    let bound = match bound_passports(&records, &import).await? {
        Ok(bound) => bound,
        Err(refusal) => return Ok(refusal),
    };
    let secrets = SecretPlan::new(target, &import, &seen.passports).await?;

    let mut differences = stored
        .map(|stored| bundle::differences(&stored, &import))
        .unwrap_or_default();
    match seen
        .judge_host(&records, &import, arguments.join_host)
        .await?
    {
        Ok(difference) => differences.extend(difference),
        Err(why) => {
            return Ok(Report::refused(
                format!("{why}\nNothing was imported."),
                json!({}),
            ));
        }
    }
    differences.extend(secrets.differences());
    let orphans = match &seen.widget {
        Some(widget) => {
            orphans::left_by(target, &records, &widget.definition, &import.widget).await?
        }
        None => Vec::new(),
    };
    differences.extend(import_report::orphaned(&orphans));
    if !differences.is_empty() && !arguments.accept {
        return Ok(import_report::differs(&import, &differences));
    }

    // Secrets first: one that no passport uses yet does no harm, a passport without its secret does not work.
    let written = secrets.write().await?;
    match seen.write(&records, &import, &bound).await {
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
            return Err(error);
        }
    }
    connections::give_up(target, &target.connections(), orphans).await?;
    import_report::done(target, &import, &bound, &differences, &secrets.remarks()).await
}

/// What an import found in the table, and what its writes are conditional on.
struct Seen {
    widget: Option<Record<Widget>>,
    /// The host the widget stands under now.
    former_host: Option<Record<Host>>,
    /// The host the bundle names.
    host: Option<Record<Host>>,
    /// The passports the bundle brings, in its order.
    passports: Vec<Option<Record<Passport>>>,
}

impl Seen {
    async fn read(records: &Records, import: &Import) -> anyhow::Result<Self> {
        let widget: Option<Record<Widget>> =
            records.read(table::widget_pk(&import.widget.id)).await?;
        let former = widget
            .as_ref()
            .and_then(|widget| widget.definition.host.clone());
        let former_host: Option<Record<Host>> = match &former {
            Some(id) => records.read(table::host_pk(id)).await?,
            None => None,
        };
        let host = match &import.host {
            Some(host) if former.as_ref() == Some(&host.id) => former_host.clone(),
            Some(host) => records.read(table::host_pk(&host.id)).await?,
            None => None,
        };
        let mut passports = Vec::new();
        for passport in &import.passports {
            passports.push(records.read(table::passport_pk(&passport.id)).await?);
        }
        Ok(Self {
            widget,
            former_host,
            host,
            passports,
        })
    }

    /// What an earlier import left; `None` before the first.
    fn stored(&self) -> Option<Stored> {
        let passports = self
            .passports
            .iter()
            .flatten()
            .map(|record| record.definition.clone());
        Some(Stored {
            widget: self.widget.as_ref()?.definition.clone(),
            host: self
                .former_host
                .as_ref()
                .map(|host| host.definition.clone()),
            passports: passports.collect(),
        })
    }

    async fn judge_host(
        &self,
        records: &Records,
        import: &Import,
        join: bool,
    ) -> anyhow::Result<Result<Option<String>, String>> {
        let (Some(declared), Some(stored)) = (&import.host, &self.host) else {
            return Ok(Ok(None));
        };
        let mut others = Vec::new();
        for id in records.registry().await?.widgets {
            let widget: Option<Record<Widget>> = match id == import.widget.id {
                true => None,
                false => records.read(table::widget_pk(&id)).await?,
            };
            if widget.is_some_and(|widget| widget.definition.host.as_ref() == Some(&declared.id)) {
                others.push(id);
            }
        }
        let former = self
            .widget
            .as_ref()
            .and_then(|widget| widget.definition.host.as_ref());
        Ok(host_rule::judge(&Standing {
            declared,
            stored: Some(&stored.definition),
            is_own: former == Some(&declared.id),
            others: &others,
            join,
        }))
    }

    /// Writes the import in one transaction. False when something changed since it was read.
    async fn write(
        &self,
        records: &Records,
        import: &Import,
        bound: &[Record<Passport>],
    ) -> anyhow::Result<bool> {
        let mut change = records.change();
        change.widget(&import.widget.id, &import.widget, self.widget.as_ref())?;
        if let Some(host) = &import.host {
            change.host(&host.id, host, self.host.as_ref())?;
        }
        for (passport, was) in import.passports.iter().zip(&self.passports) {
            change.passport(&passport.id, passport, was.as_ref())?;
        }
        for passport in bound {
            change.require(
                table::passport_pk(&passport.definition.id),
                &passport.document,
            )?;
        }
        change.commit().await
    }
}

/// The passports of the operator that the widget's authentications are bound to; or why the import is refused.
async fn bound_passports(
    records: &Records,
    import: &Import,
) -> anyhow::Result<Result<Vec<Record<Passport>>, Report>> {
    let mut bound: Vec<Record<Passport>> = Vec::new();
    let bundled = |id: &String| import.passports.iter().any(|passport| passport.id == *id);
    for authentication in &import.widget.authentications {
        let key = &authentication.auth_key;
        let Some(id) = authentication.passport.as_ref().filter(|id| !bundled(id)) else {
            continue;
        };
        if let Some(known) = bound.iter().find(|known| known.definition.id == *id) {
            if let Some(refusal) = mismatch(authentication, &known.definition) {
                return Ok(Err(refusal));
            }
            continue;
        }
        let Some(passport) = records.read::<Passport>(table::passport_pk(id)).await? else {
            let text = format!(
                "\"{key}\" is bound to the passport \"{id}\", which does not exist. Nothing was imported.\n\
                 Make it with `consulate passports add {id} --provider {} --client-id C`.",
                Some(authentication.provider.as_str())
                    .filter(|provider| !provider.is_empty())
                    .unwrap_or("P"),
            );
            return Ok(Err(Report::refused(
                text,
                json!({ "auth_key": key, "passport": id }),
            )));
        };
        if let Some(refusal) = mismatch(authentication, &passport.definition) {
            return Ok(Err(refusal));
        }
        bound.push(passport);
    }
    Ok(Ok(bound))
}

/// A bundle written for one provider does not get the accounts of another, and no browser what is not for browsers.
fn mismatch(authentication: &Authentication, passport: &Passport) -> Option<Report> {
    let (key, provider) = (&authentication.auth_key, &authentication.provider);
    let json = || json!({ "auth_key": key, "passport": passport.id });
    if provider.is_empty() || *provider == passport.provider {
        return match passport.may_deliver(authentication) {
            Err(why @ (DeliveryRefused::NotConsented | DeliveryRefused::RenewsItself)) => {
                let text = format!(
                    "\"{key}\" is declared for browser delivery, but its passport is \"{}\": {why}. Nothing was imported.",
                    passport.id
                );
                Some(Report::refused(text, json()))
            }
            _ => None,
        };
    }
    let text = format!(
        "\"{key}\" asks for the provider \"{provider}\", but the passport \"{}\" is one of \"{}\". Nothing was imported.\n\
         Bind a passport of that provider.",
        passport.id, passport.provider
    );
    Some(Report::refused(text, json()))
}
