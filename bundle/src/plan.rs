//! What an import would write, compared with what the table holds: [`Plan::new`] reads and judges, [`Plan::commit`] writes all
//! of it or nothing. Whoever imports decides what to do about [`Plan::differences`], and about the secrets of the bundle.

use consulate_core::clock::Timestamp;
use consulate_core::definition::{Authentication, Host, Passport, Widget};
use consulate_core::passport::DeliveryRefused;
use consulate_core::table;
use serde_json::{Value, json};

use crate::bundle::{self, Import, Stored};
use crate::host_rule::{self, Standing};
use crate::records::{Error, Record, Records};

/// Why an import is refused, whatever is agreed to. Nothing was written.
#[derive(Debug)]
pub struct Refused {
    /// Why, in a word.
    pub why: Why,
    /// For people at a command line.
    pub text: String,
    /// For programs: what it is about.
    pub detail: Value,
    /// What was to be imported.
    pub import: Box<Import>,
}

/// Why, for people, for programs.
type Refusal = (Why, String, Value);

impl Refused {
    fn of((why, text, detail): Refusal, import: Import) -> Self {
        Self {
            why,
            text,
            detail,
            import: Box::new(import),
        }
    }
}

/// Kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The host is there, and nobody asked to join it.
    HostTaken,
    /// The host is there, defined differently.
    HostDiffers,
    /// A passport is named that does not exist.
    PassportUnknown,
    /// A passport is of another provider than the bundle asks for.
    OtherProvider,
    /// A passport's tokens cannot be handed to browsers, as the bundle wants.
    NotForBrowsers,
}

/// An import that may be written, once its differences are agreed to.
#[derive(Debug)]
pub struct Plan {
    /// What is written: the bundle's, and what stays from before.
    pub import: Import,
    /// Passports of the operator that the widget's authentications are bound to.
    pub bound: Vec<Record<Passport>>,
    /// What has to be agreed to, one line each.
    pub differences: Vec<String>,
    seen: Seen,
}

impl Plan {
    /// Judges `import` against the table. `join_host`: whether the widget may join a host that is there.
    ///
    /// # Errors
    /// The table cannot be asked; within, why the import is refused.
    pub async fn new(
        records: &Records,
        mut import: Import,
        join_host: bool,
        now: Timestamp,
    ) -> Result<Result<Self, Refused>, Error> {
        let seen = Seen::read(records, &import).await?;
        let stored = seen.stored();
        if let Some(stored) = &stored {
            bundle::keep_bindings(stored, &mut import);
            bundle::keep_members_until(stored, &mut import, now);
        }
        let bound = match bound_passports(records, &import).await? {
            Ok(bound) => bound,
            Err(refusal) => return Ok(Err(Refused::of(refusal, import))),
        };
        let mut differences = stored
            .map(|stored| bundle::differences(&stored, &import))
            .unwrap_or_default();
        match seen.judge_host(records, &import, join_host).await? {
            Ok(difference) => differences.extend(difference),
            Err(why) => {
                let text = format!("{why}\nNothing was imported.");
                let kind = match join_host {
                    true => Why::HostDiffers,
                    false => Why::HostTaken,
                };
                return Ok(Err(Refused::of((kind, text, json!({})), import)));
            }
        }
        Ok(Ok(Self {
            import,
            bound,
            differences,
            seen,
        }))
    }

    /// The widget as it is stored; `None` before its first import.
    pub fn stored_widget(&self) -> Option<&Widget> {
        self.seen.widget.as_ref().map(|record| &record.definition)
    }

    /// The bundled passports as they are stored, in the order of [`Import::passports`].
    pub fn stored_passports(&self) -> impl Iterator<Item = Option<&Passport>> {
        let records = self.seen.passports.iter();
        records.map(|record| record.as_ref().map(|record| &record.definition))
    }

    /// Whether the bundle's host is there already, and the widget does not stand under it: what joining is asked for.
    pub fn joins_host(&self) -> bool {
        let former = self.stored_widget().and_then(|widget| widget.host.as_ref());
        let declared = self.import.host.as_ref().map(|host| &host.id);
        self.seen.host.is_some() && declared != former
    }

    /// Writes the import in one transaction. False when something changed since it was read: then nothing is written.
    ///
    /// # Errors
    /// The table cannot be told.
    pub async fn commit(&self, records: &Records) -> Result<bool, Error> {
        let Self { import, seen, .. } = self;
        let mut change = records.change();
        change.widget(&import.widget.id, &import.widget, seen.widget.as_ref())?;
        if let Some(host) = &import.host {
            change.host(&host.id, host, seen.host.as_ref())?;
        }
        for (passport, was) in import.passports.iter().zip(&seen.passports) {
            change.passport(&passport.id, passport, was.as_ref())?;
        }
        for passport in &self.bound {
            change.require(
                table::passport_pk(&passport.definition.id),
                &passport.document,
            )?;
        }
        change.commit().await
    }
}

/// What an import found in the table, and what its writes are conditional on.
#[derive(Debug)]
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
    async fn read(records: &Records, import: &Import) -> Result<Self, Error> {
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
    ) -> Result<Result<Option<String>, String>, Error> {
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
}

/// The passports of the operator that the widget's authentications are bound to; or why the import is refused.
async fn bound_passports(
    records: &Records,
    import: &Import,
) -> Result<Result<Vec<Record<Passport>>, Refusal>, Error> {
    let mut bound: Vec<Record<Passport>> = Vec::new();
    let bundled = |id: &String| import.passports.iter().any(|passport| passport.id == *id);
    for authentication in &import.widget.authentications {
        let key = &authentication.auth_key;
        let Some(id) = authentication.passport.as_ref().filter(|id| !bundled(id)) else {
            continue;
        };
        if let Some(known) = bound.iter().find(|known| known.definition.id == *id) {
            if let Some(refused) = mismatch(authentication, &known.definition) {
                return Ok(Err(refused));
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
            let detail = json!({ "auth_key": key, "passport": id });
            return Ok(Err((Why::PassportUnknown, text, detail)));
        };
        if let Some(refused) = mismatch(authentication, &passport.definition) {
            return Ok(Err(refused));
        }
        bound.push(passport);
    }
    Ok(Ok(bound))
}

/// A bundle written for one provider does not get the accounts of another, and no browser what is not for browsers.
fn mismatch(authentication: &Authentication, passport: &Passport) -> Option<Refusal> {
    let (key, provider) = (&authentication.auth_key, &authentication.provider);
    let (why, text) = if provider.is_empty() || *provider == passport.provider {
        match passport.may_deliver(authentication) {
            Err(why @ (DeliveryRefused::NotConsented | DeliveryRefused::RenewsItself)) => (
                Why::NotForBrowsers,
                format!(
                    "\"{key}\" is declared for browser delivery, but its passport is \"{}\": {why}. Nothing was imported.",
                    passport.id
                ),
            ),
            _ => return None,
        }
    } else {
        (
            Why::OtherProvider,
            format!(
                "\"{key}\" asks for the provider \"{provider}\", but the passport \"{}\" is one of \"{}\". Nothing was imported.\n\
                 Bind a passport of that provider.",
                passport.id, passport.provider
            ),
        )
    };
    let detail = json!({ "auth_key": key, "passport": passport.id });
    Some((why, text, detail))
}
