//! `consulate secret set`: takes a secret from standard input to Secrets Manager.

use consulate_bundle::secret_shape::{self, Name, Refusal};
use consulate_core::definition::{Passport, Widget};
use consulate_core::secret::SecretText;
use consulate_core::table;
use serde_json::json;

use super::report::Report;
use super::secret_store::SecretStore;
use super::target::Target;

/// Sets the secret `name` (without prefix) to the JSON in `input`, if it is of the documented shape.
///
/// # Errors
/// The table or Secrets Manager cannot be asked.
pub async fn set(target: &Target, name: &str, input: &SecretText) -> anyhow::Result<Report> {
    let read = match Name::read(name) {
        Ok(read) => read,
        Err(refusal) => return Ok(refused(&refusal)),
    };
    let records = target.records();
    let (value, remark) = match &read {
        Name::Widget(id) => {
            let known = records
                .read::<Widget>(table::widget_pk(id))
                .await?
                .is_some();
            let remark = if known {
                ""
            } else {
                "\nNo widget of that id is imported yet."
            };
            (secret_shape::widget(input), remark)
        }
        Name::Qrvey { widget, template } => {
            let found = records.read::<Widget>(table::widget_pk(widget)).await?;
            let found = found.and_then(|widget| widget.definition.qrvey.get(template).cloned());
            let Some(found) = found else {
                let text = format!(
                    "There is no Qrvey template \"{template}\" of a widget \"{widget}\". Import its bundle first."
                );
                return Ok(Report::refused(text, json!({ "field": null })));
            };
            (secret_shape::qrvey(input, &found), "")
        }
        Name::Passport(id) => {
            let Some(passport) = records.read::<Passport>(table::passport_pk(id)).await? else {
                let text = format!(
                    "There is no passport \"{id}\". Import its bundle, or make it with `consulate passports add`, first."
                );
                return Ok(Report::refused(text, json!({ "field": null })));
            };
            (secret_shape::passport(input, &passport.definition), "")
        }
    };
    match value {
        Ok(value) => {
            SecretStore::of(target).put(name, &value).await?;
            let text = format!("Set {name}.{remark}");
            Ok(Report::done(text, json!({ "name": name })))
        }
        Err(refusal) => Ok(refused(&refusal)),
    }
}

fn refused(refusal: &Refusal) -> Report {
    Report::refused(refusal.to_string(), json!({ "field": refusal.field }))
}
