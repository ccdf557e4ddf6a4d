//! What an import says: what was imported, the redirect URIs to register, the gaps that are left.

use consulate_bundle::records::Record;
use consulate_bundle::secret_shape::is_api_key_for;
use consulate_core::definition::{HostKind, Passport};
use consulate_core::passport::DeliveryRefused;
use consulate_core::table::ConnectionKey;
use serde_json::{Value, json};

use super::connections::id_of;
use super::import_secrets::SecretPlan;
use super::report::{self, Report};
use super::secret_store::SecretStore;
use super::target::Target;
use crate::bundle::Import;

/// Orphaned connections named in a difference.
const ORPHANS_SHOWN: usize = 20;

/// The import differs from an earlier one in something the operator has to agree to.
pub(super) fn differs(import: &Import, differences: &[String]) -> Report {
    let text = format!(
        "The import changes what was agreed to for \"{}\". Nothing was imported.\n\n  {}\n\nAgree with --accept.",
        import.widget.id,
        differences.join("\n  ")
    );
    Report::refused(
        text,
        json!({ "differences": differences, "findings": import.findings }),
    )
}

/// Connections that nobody could reach any more: listed, as they are given up with the import.
pub(super) fn orphaned(orphans: &[ConnectionKey]) -> Option<String> {
    let (first, rest) = match orphans {
        [] => return None,
        [first, rest @ ..] => (first, rest),
    };
    let mut ids: Vec<String> = std::iter::once(first)
        .chain(rest.iter().take(ORPHANS_SHOWN - 1))
        .map(id_of)
        .collect();
    if orphans.len() > ids.len() {
        ids.push(format!("… and {} more", orphans.len() - ids.len()));
    }
    Some(format!(
        "connections nobody can reach any more, to be revoked: {} ({})",
        orphans.len(),
        ids.join(", ")
    ))
}

/// The import is done.
pub(super) async fn done(
    target: &Target,
    import: &Import,
    bound: &[Record<Passport>],
    accepted: &[String],
    secrets: &SecretPlan,
) -> anyhow::Result<Report> {
    let passports: Vec<&Passport> = import
        .passports
        .iter()
        .chain(bound.iter().map(|record| &record.definition))
        .collect();
    let mut text = match &import.host {
        Some(host) => format!(
            "Imported widget {} under host {}.",
            import.widget.id, host.id
        ),
        None => format!("Imported widget {}.", import.widget.id),
    };
    section(&mut text, "Agreed to:", accepted);
    for passport in &passports {
        text.push_str(&format!(
            "\n\nPassport {} ({})\n  redirect URI to register  {}\n  credentials go to         {}",
            passport.id,
            passport.name,
            target.redirect_uri(&passport.id),
            hosts(passport),
        ));
    }
    for (name, template) in &import.widget.qrvey {
        text.push_str(&format!(
            "\n\nQrvey template {name}\n  API key goes to           {}",
            template.domain
        ));
    }
    section(&mut text, "Notes:", &import.notes);
    if !import.findings.is_empty() {
        text.push_str("\n\n");
        text.push_str(&report::list(&import.findings));
    }
    let mut next = secrets.remarks();
    next.extend(missing_secrets(target, import, &passports).await?);
    next.extend(missing_permissions(
        import,
        bound.iter().map(|record| &record.definition),
    ));
    section(&mut text, "Next:", &next);

    let shown: Vec<Value> = passports
        .iter()
        .map(|passport| shown(target, import, passport))
        .collect();
    let json = json!({
        "widget": import.widget.id,
        "host": import.host.as_ref().map(|host| &host.id),
        "passports": shown,
        "secrets": secrets.names(),
        "differences": accepted,
        "notes": import.notes,
        "findings": import.findings,
        "next": next,
    });
    Ok(Report::done(text, json))
}

/// Where credentials go. What stands for several hosts is taken from connections only.
fn hosts(passport: &Passport) -> String {
    let hosts: Vec<&str> = passport
        .api_hosts
        .iter()
        .chain(&passport.host_patterns)
        .map(String::as_str)
        .collect();
    hosts.join(", ")
}

fn shown(target: &Target, import: &Import, passport: &Passport) -> Value {
    let keys: Vec<&String> = import
        .widget
        .authentications
        .iter()
        .filter(|authentication| authentication.passport.as_ref() == Some(&passport.id))
        .map(|authentication| &authentication.auth_key)
        .collect();
    json!({
        "id": passport.id,
        "name": passport.name,
        "auth_keys": keys,
        "api_hosts": passport.api_hosts,
        "host_patterns": passport.host_patterns,
        "redirect_uri": target.redirect_uri(&passport.id),
    })
}

/// Browser delivery that a widget declares and an operator's passport does not allow. A bundled one's is a finding.
fn missing_permissions<'p>(
    import: &Import,
    passports: impl Iterator<Item = &'p Passport>,
) -> Vec<String> {
    let mut missing = Vec::new();
    for passport in passports {
        let mut keys = import.widget.authentications.iter();
        let refused = keys.find(|authentication| {
            authentication.passport.as_ref() == Some(&passport.id)
                && passport.may_deliver(authentication) == Err(DeliveryRefused::NotAllowed)
        });
        missing.extend(refused.map(|authentication| {
            format!(
                "\"{}\" is declared for browser delivery, which the passport {} does not allow: repeat its `consulate passports add` with --browser-delivery, or use \"delivery\": \"server\".",
                authentication.auth_key, passport.id
            )
        }));
    }
    missing
}

/// The secrets without which nothing works.
async fn missing_secrets(
    target: &Target,
    import: &Import,
    passports: &[&Passport],
) -> anyhow::Result<Vec<String>> {
    let store = SecretStore::of(target);
    let mut missing = Vec::new();
    let name = format!("widgets/{}", import.widget.id);
    let signs = import.host.as_ref().map(|host| &host.kind) == Some(&HostKind::Happeo);
    if signs && !store.is_set(&name).await? {
        missing.push(format!(
            "Give {{\"host_secrets\":[\"…\"]}} to `consulate secret set {name}`."
        ));
    }
    for passport in passports {
        let name = format!("passports/{}", passport.id);
        if passport.has_client_secret() && !store.is_set(&name).await? {
            missing.push(format!(
                "Give {{\"client_secret\":\"…\"}} to `consulate secret set {name}`."
            ));
        }
    }
    for (template, record) in &import.widget.qrvey {
        let name = format!("qrvey/{}/{template}", import.widget.id);
        let remark = match store.get(&name).await? {
            None => ".",
            Some(stored) if !is_api_key_for(&stored, &record.domain) => {
                ": it was set for another domain, and is not used for this one."
            }
            Some(_) => continue,
        };
        missing.push(format!(
            "Give {{\"api_key\":\"…\"}} to `consulate secret set {name}`{remark}"
        ));
    }
    Ok(missing)
}

fn section(text: &mut String, title: &str, lines: &[String]) {
    if !lines.is_empty() {
        text.push_str(&format!("\n\n{title}\n  {}", lines.join("\n  ")));
    }
}
