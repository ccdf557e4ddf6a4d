//! PURE. From what the files of a bundle say to the records the functions read, with every cross-check between them.

use std::collections::{BTreeMap, BTreeSet};

use consulate_core::definition::{
    Authentication, NamedApi, OrganisationSettings, OwnerMode, Passport, Widget,
};
use consulate_core::passport::DeliveryRefused;

use super::address::Target;
use super::bind::{self, Bound, Terms};
use super::bundled;
use super::call;
use super::consulate_file::{ApiSettings, ConsulateFile};
use super::finding::{Findings, Place};
use super::id::{self, ID_RULE};
use super::near::did_you_mean;
use super::passport_file::BundledFile;
use super::schema::Schema;
use super::source::{CONSULATE, SCHEMA};
use super::{Import, Options};
use crate::catalogue::Catalogue;

/// What the files say.
pub(super) struct Files {
    pub schema: Schema,
    pub consulate: ConsulateFile,
    pub bundled: Option<BundledFile>,
}

/// Puts an import together. The findings are filled in by the caller.
pub(super) fn assemble(
    files: Files,
    options: &Options,
    catalogue: &Catalogue,
    findings: &mut Findings,
) -> Option<Import> {
    let Files {
        schema,
        mut consulate,
        bundled,
    } = files;
    let widget = widget_id(options, &consulate, findings);
    // The rest is judged even without an id, so that every error is found at once. No id is spelled like this.
    let widget_id = widget.clone().unwrap_or_else(|| "WIDGET".to_owned());
    let own = bundled.as_ref().map(|file| {
        (
            file.name.clone(),
            id::bundled_passport(&widget_id, &file.name),
        )
    });
    judge_names(&schema, &consulate, options, findings);
    judge_passport_settings(&consulate, own.as_ref(), findings);

    let settings = own
        .as_ref()
        .and_then(|(name, _)| consulate.passports.remove(name))
        .unwrap_or_default();
    let terms = Terms {
        binds: &options.binds,
        consulate: &consulate,
        catalogue,
        own: own.as_ref().map(|(name, id)| (name.as_str(), id.as_str())),
    };
    let bound: Vec<Bound<'_>> = schema
        .authentications
        .iter()
        .map(|declared| bind::bind(declared, &terms, findings))
        .collect();
    let own_id = own.as_ref().map(|(_, id)| id.as_str());
    let mut bundle = None;
    if let Some((file, id)) = bundled.zip(own_id) {
        let keys: Vec<&str> = bound
            .iter()
            .filter(|bound| bound.record.passport.as_deref() == Some(id))
            .map(|bound| bound.record.auth_key.as_str())
            .collect();
        if keys.is_empty() {
            findings.warning(
                "passport_unused",
                Place::file(SCHEMA),
                "no authentication is bound to the bundled passport",
                format!("Set passportProvider to \"custom:{}\".", file.name),
            );
        }
        let hosts = schema
            .apis
            .iter()
            .filter(|api| keys.contains(&api.api.authentication_key.as_str()))
            .filter_map(|api| match &api.target {
                Some(Target::Host(host)) => Some(host.clone()),
                Some(Target::Connection(_)) | None => None,
            });
        bundle = bundled::passport(file, id, settings, hosts.collect(), catalogue, findings);
    }
    let passport = bundle.as_ref().map(|bundle| &bundle.passport);
    call::judge(
        &schema.apis,
        &bound,
        own_id,
        passport,
        &consulate.apis,
        findings,
    );
    let flag_bindings = bound
        .iter()
        .filter(|bound| bound.by_flag)
        .map(|bound| bound.record.auth_key.clone())
        .collect();
    let authentications: Vec<_> = bound.into_iter().map(|bound| bound.record).collect();
    warn_gaps(&consulate, &authentications, findings);
    judge_look_ups(&consulate, findings);
    if let Some(bundle) = &bundle {
        judge_delivery(&bundle.passport, &authentications, &consulate, findings);
    }

    let (mut passports, mut secrets, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    if let Some(bundle) = bundle {
        passports.push(bundle.passport);
        secrets.extend(bundle.secret);
        notes.extend(bundle.note);
    }
    let apis = schema
        .apis
        .into_iter()
        .map(|declared| with_settings(declared.api, &consulate.apis))
        .collect();
    let templates = consulate.qrvey.into_iter();
    let qrvey = templates
        .map(|(name, declared)| (name, declared.template))
        .collect();
    let host = consulate.host.map(|host| host.of_widget(&widget_id));
    Some(Import {
        widget: Widget {
            id: widget?,
            name: schema.name.unwrap_or(widget_id),
            host: host.as_ref().map(|host| host.id.clone()),
            origins: consulate.origins,
            return_urls: consulate.return_urls,
            admins: consulate.admins,
            authentications,
            apis,
            qrvey,
            settings: consulate.settings,
        },
        host,
        passports,
        secrets,
        flag_bindings,
        notes,
        findings: Vec::new(),
    })
}

/// What the widget's own passport says to handing out its access tokens.
fn judge_delivery(
    passport: &Passport,
    authentications: &[Authentication],
    consulate: &ConsulateFile,
    findings: &mut Findings,
) {
    let bound = authentications
        .iter()
        .filter(|authentication| authentication.passport.as_ref() == Some(&passport.id));
    for authentication in bound {
        let key = &authentication.auth_key;
        let settings = consulate.authentications.get(key);
        let place =
            || settings.map_or_else(|| Place::file(CONSULATE), |settings| settings.place.clone());
        match passport.may_deliver(authentication) {
            Err(why @ (DeliveryRefused::NotConsented | DeliveryRefused::RenewsItself)) => findings
                .error(
                    "delivery_refused",
                    place(),
                    format!("\"{key}\" is declared for browser delivery: {why}"),
                    "Use \"delivery\": \"server\".",
                ),
            Err(DeliveryRefused::NotAllowed) => findings.warning(
                "delivery_not_allowed",
                place(),
                format!("\"{key}\" is declared for browser delivery, which its passport does not allow"),
                "Add \"browser_delivery\": true to the passport's entry under passports, or use \"delivery\": \"server\".",
            ),
            // Not declared, or refused already.
            Ok(()) | Err(_) => {}
        }
    }
}

fn widget_id(
    options: &Options,
    consulate: &ConsulateFile,
    findings: &mut Findings,
) -> Option<String> {
    let flag = options
        .widget
        .clone()
        .map(|id| (id, Place::file("--widget")));
    let Some((id, place)) = flag.or_else(|| consulate.widget.clone()) else {
        findings.error(
            "widget_id_missing",
            Place::file(CONSULATE),
            "nothing names the widget",
            "Give --widget ID, or put \"widget\": \"ID\" into consulate.json beside schema.json.",
        );
        return None;
    };
    if id::is_id(&id) {
        return Some(id);
    }
    findings.error(
        "widget_id_invalid",
        place,
        format!("\"{id}\" is not a widget id"),
        ID_RULE,
    );
    None
}

/// What `consulate.json` and the flags speak of must be in `schema.json`.
fn judge_names(
    schema: &Schema,
    consulate: &ConsulateFile,
    options: &Options,
    findings: &mut Findings,
) {
    let keys: BTreeSet<&str> = schema
        .authentications
        .iter()
        .map(|declared| declared.auth_key.as_str())
        .collect();
    let flags = options
        .binds
        .iter()
        .map(|(key, _)| (key, Place::file("--bind")));
    let settings = consulate
        .authentications
        .iter()
        .map(|(key, settings)| (key, settings.place.clone()));
    for (key, place) in settings
        .chain(flags)
        .filter(|(key, _)| !keys.contains(key.as_str()))
    {
        findings.error(
            "authentication_unknown",
            place,
            format!("schema.json has no authentication \"{key}\""),
            format!(
                "Use an authKey of schema.json.{}",
                did_you_mean(key, keys.iter().copied())
            ),
        );
    }
    for (name, settings) in &consulate.apis {
        if !schema
            .apis
            .iter()
            .any(|declared| declared.api.name == *name)
        {
            findings.error(
                "api_unknown",
                settings.place.clone(),
                format!("schema.json has no API \"{name}\""),
                format!(
                    "Use a name of authenticatedApis in schema.json.{}",
                    did_you_mean(name, schema.apis.iter().map(|api| api.api.name.as_str()))
                ),
            );
        }
    }
}

fn judge_passport_settings(
    consulate: &ConsulateFile,
    own: Option<&(String, String)>,
    findings: &mut Findings,
) {
    for (name, settings) in &consulate.passports {
        if own.is_some_and(|(own, _)| own == name) {
            continue;
        }
        if name.contains('.') && own.is_none_or(|(_, id)| id != name) {
            bind::foreign_passport(name, settings.place.clone(), findings);
        } else {
            findings.error(
                "passport_not_bundled",
                settings.place.clone(),
                format!("passports speaks of \"{name}\", which this bundle does not bring"),
                own.map_or_else(
                    || {
                        "Take the entry out: only a bundled passport can be described here."
                            .to_owned()
                    },
                    |(own, _)| format!("Name the bundled passport: \"{own}\"."),
                ),
            );
        }
    }
}

fn warn_gaps(
    consulate: &ConsulateFile,
    authentications: &[Authentication],
    findings: &mut Findings,
) {
    let place = || Place::file(CONSULATE);
    if consulate.host.is_none() {
        findings.warning(
            "host_missing",
            place(),
            "the widget has no host: every caller is refused",
            "Add \"host\": {\"type\": \"happeo\"} to consulate.json, and set its secret with `consulate secret set`.",
        );
    }
    if consulate.origins.is_empty() {
        findings.warning(
            "origins_missing",
            place(),
            "the widget has no origins: browsers cannot call",
            "Add \"origins\": [\"https://app.example.com\"] to consulate.json.",
        );
    }
    let shared = authentications
        .iter()
        .find(|authentication| authentication.owner == OwnerMode::Organisation);
    if let Some(shared) = shared.filter(|_| consulate.admins.is_empty()) {
        findings.warning(
            "admins_missing",
            place(),
            format!(
                "\"{}\" is connected by an administrator, and there is none",
                shared.auth_key
            ),
            "Add \"admins\", or \"owner\": \"user\" for that authentication, to consulate.json.",
        );
    }
    let settings = consulate.settings.organisation;
    if settings.is_some_and(OrganisationSettings::is_written_by_admins)
        && consulate.admins.is_empty()
    {
        findings.warning(
            "settings_admins_missing",
            place(),
            "the organisation's settings are written by administrators, and there is none",
            "Add \"admins\", or say \"organisation\": \"members\" under settings, in consulate.json.",
        );
    }
}

/// What a security token lets see must not be what a user could have written.
fn judge_look_ups(consulate: &ConsulateFile, findings: &mut Findings) {
    for (name, declared) in &consulate.qrvey {
        let settings = consulate.settings.organisation;
        if declared.has_settings
            && !settings.is_some_and(OrganisationSettings::is_written_by_admins)
        {
            findings.error(
                "qrvey_settings_by_users",
                declared.place.clone(),
                format!(
                    "the Qrvey template \"{name}\" looks settings up that administrators alone do not write"
                ),
                "Add \"settings\": {\"organisation\": \"admins\"} (or \"admins_only\") to consulate.json.",
            );
        }
    }
}

fn with_settings(mut api: NamedApi, by_name: &BTreeMap<String, ApiSettings>) -> NamedApi {
    if let Some(settings) = by_name.get(&api.name) {
        api.scopes.clone_from(&settings.scopes);
        api.idempotent = settings.idempotent;
        api.token_slot = settings.token_slot.clone().unwrap_or_default();
    }
    api
}
