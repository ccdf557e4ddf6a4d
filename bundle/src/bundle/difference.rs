//! PURE. What a later import would change that an operator must agree to: where a credential may go, and who may ask.

use std::collections::BTreeSet;

use consulate_core::clock::Timestamp;
use consulate_core::definition::{
    Admin, Credential, Delivery, Host, HostKind, Inject, OidcHost, OrganisationSettings, OwnerMode,
    Passport, PinnedKind, TokenExchange, Widget,
};

use super::{Import, qrvey_difference};

/// What an earlier import left.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The widget.
    pub widget: Widget,
    /// Its host, where it has one.
    pub host: Option<Host>,
    /// Its bundled passports.
    pub passports: Vec<Passport>,
}

/// Keeps what an operator bound earlier: an authentication that the new import leaves unbound, with the same key and
/// provider, stays with its passport, and is no longer warned about.
pub fn keep_bindings(old: &Stored, new: &mut Import) {
    for authentication in &mut new.widget.authentications {
        let before = old.widget.authentication(&authentication.auth_key);
        let Some(before) = before.filter(|before| before.provider == authentication.provider)
        else {
            continue;
        };
        if authentication.passport.is_none() && before.passport.is_some() {
            authentication.passport.clone_from(&before.passport);
            let named = format!("\"{}\"", authentication.auth_key);
            new.findings.retain(|finding| {
                finding.code != "authentication_unbound" || !finding.message.starts_with(&named)
            });
        }
    }
}

/// Remembers until when members could write the organisation's settings: what they wrote stays where it is when that ends.
pub fn keep_members_until(old: &Stored, new: &mut Import, now: Timestamp) {
    let members =
        |widget: &Widget| widget.settings.organisation == Some(OrganisationSettings::Members);
    let ends = members(&old.widget) && !members(&new.widget);
    new.widget.settings.members_until = match ends {
        true => Some(now.seconds()),
        false => old.widget.settings.members_until,
    };
}

/// What needs an operator's consent, one line each; empty where nothing does. Fewer `api_hosts` need none, and neither
/// does a binding given by flag.
pub fn differences(old: &Stored, new: &Import) -> Vec<String> {
    let mut lines = Vec::new();
    let mut changed = |what: &str, before: String, after: String| {
        if before != after {
            lines.push(format!("{what}: {before} -> {after}"));
        }
    };
    let hosts = (old.host.as_ref(), new.host.as_ref());
    changed(
        "host",
        show_host(hosts.0, &old.widget),
        show_host(hosts.1, &new.widget),
    );
    changed(
        "organisations",
        show_organisations(hosts.0),
        show_organisations(hosts.1),
    );
    changed(
        "origins",
        show(&old.widget.origins),
        show(&new.widget.origins),
    );
    changed(
        "return_urls",
        show(&old.widget.return_urls),
        show(&new.widget.return_urls),
    );
    changed("admins", show_admins(&old.widget), show_admins(&new.widget));
    changed(
        "settings",
        show_settings(&old.widget),
        show_settings(&new.widget),
    );

    for after in &new.widget.authentications {
        let key = &after.auth_key;
        let before = old.widget.authentication(key);
        if let Some(before) = before {
            changed(
                &format!("owner of {key}"),
                show_owner(before.owner),
                show_owner(after.owner),
            );
        }
        // A new key is measured against the default, or renaming a key would go around the question.
        let delivery = before.map(|before| before.delivery).unwrap_or_default();
        changed(
            &format!("delivery of {key}"),
            show_delivery(delivery),
            show_delivery(after.delivery),
        );
        let bundled = new
            .passports
            .iter()
            .any(|passport| Some(&passport.id) == after.passport.as_ref());
        if after.passport.is_some() && !bundled && !new.flag_bindings.contains(key) {
            let before = before.and_then(|before| before.passport.as_deref());
            changed(
                &format!("passport of {key}"),
                or_none(before),
                or_none(after.passport.as_deref()),
            );
        }
    }
    for after in &new.passports {
        if let Some(before) = old.passports.iter().find(|before| before.id == after.id) {
            passport_differences(before, after, &mut changed);
        }
    }
    for (name, before) in &old.widget.qrvey {
        qrvey_difference::differences(name, before, new.widget.qrvey.get(name), &mut changed);
    }
    lines
}

fn passport_differences(
    before: &Passport,
    after: &Passport,
    changed: &mut impl FnMut(&str, String, String),
) {
    let id = &after.id;
    let mut field = |name: &str, before: Option<&str>, after: Option<&str>| {
        changed(
            &format!("{name} of passport {id}"),
            or_none(before),
            or_none(after),
        );
    };
    let profile =
        |passport: &Passport| passport.profile.as_ref().map(|profile| profile.url.clone());
    field(
        "authorize_url",
        Some(&before.authorize_url),
        Some(&after.authorize_url),
    );
    field("token_url", Some(&before.token_url), Some(&after.token_url));
    // They say which stored tokens open.
    field(
        "former endpoints",
        Some(&show(&former(before))),
        Some(&show(&former(after))),
    );
    field(
        "revocation_url",
        before.revocation_url.as_deref(),
        after.revocation_url.as_deref(),
    );
    field(
        "profile address",
        profile(before).as_deref(),
        profile(after).as_deref(),
    );
    field("issuer", before.issuer.as_deref(), after.issuer.as_deref());
    let browser = |passport: &Passport| {
        if passport.browser_delivery {
            "allowed"
        } else {
            "refused"
        }
    };
    field(
        "browser delivery",
        Some(browser(before)),
        Some(browser(after)),
    );
    let exchange =
        |exchange: &Option<TokenExchange>| exchange.as_ref().map(|exchange| exchange.url.clone());
    field(
        "long_lived address",
        exchange(&before.long_lived).as_deref(),
        exchange(&after.long_lived).as_deref(),
    );
    field(
        "renewal address",
        exchange(&before.renewal).as_deref(),
        exchange(&after.renewal).as_deref(),
    );
    field(
        "credential",
        Some(show_credential(before.credential)),
        Some(show_credential(after.credential)),
    );
    field(
        "inject",
        Some(&show_inject(&before.inject)),
        Some(&show_inject(&after.inject)),
    );
    // What is kept of a reply can become a host.
    field(
        "pinned",
        Some(&show(&pinned(before))),
        Some(&show(&pinned(after))),
    );
    for (name, before, after) in [
        ("api_hosts", &before.api_hosts, &after.api_hosts),
        ("host_patterns", &before.host_patterns, &after.host_patterns),
    ] {
        if after.iter().any(|host| !before.contains(host)) {
            field(name, Some(&show(before)), Some(&show(after)));
        }
    }
}

fn show_credential(credential: Credential) -> &'static str {
    match credential {
        Credential::Oauth2 => "oauth2",
        Credential::ClientCredentials => "client_credentials",
        Credential::ApiKey => "api_key",
        Credential::Basic => "basic",
        Credential::PersonalAccessToken => "personal_access_token",
    }
}

fn show_inject(inject: &Inject) -> String {
    match inject {
        Inject::Header {
            header,
            scheme: Some(scheme),
        } => format!("{header}: {scheme}"),
        Inject::Header {
            header,
            scheme: None,
        } => header.clone(),
        Inject::Query { query } => format!("query parameter {query}"),
    }
}

fn pinned(passport: &Passport) -> Vec<String> {
    let shown = |kind| match kind {
        PinnedKind::Text => "",
        PinnedKind::Origin => " as origin",
    };
    let fields = passport
        .pinned
        .iter()
        .map(|field| format!("{} at {}{}", field.name, field.at, shown(field.kind)));
    fields.collect()
}

fn former(passport: &Passport) -> Vec<String> {
    let all = passport.former.iter();
    all.flat_map(|former| [&former.authorize_url, &former.token_url])
        .flatten()
        .cloned()
        .collect()
}

/// A set in its one spelling: order and repetition make no difference.
fn show<T: AsRef<str>>(items: &[T]) -> String {
    let sorted: BTreeSet<&str> = items.iter().map(AsRef::as_ref).collect();
    if sorted.is_empty() {
        return "none".to_owned();
    }
    sorted.into_iter().collect::<Vec<_>>().join(", ")
}

fn or_none(text: Option<&str>) -> String {
    text.unwrap_or("none").to_owned()
}

fn show_host(host: Option<&Host>, widget: &Widget) -> String {
    let Some(host) = host else {
        return or_none(widget.host.as_deref());
    };
    let mut said = vec![match &host.kind {
        HostKind::Happeo => "happeo".to_owned(),
        HostKind::Oidc(oidc) => show_oidc(oidc),
    }];
    said.extend((!host.require_exp).then(|| "exp not required".to_owned()));
    said.extend(host.one_time_jwt.then(|| "one-time JWTs".to_owned()));
    format!("{} ({})", host.id, said.join(", "))
}

fn show_oidc(oidc: &OidcHost) -> String {
    let OidcHost {
        issuer,
        audience,
        organisation,
        claims,
    } = oidc;
    let organisation = match (organisation, &claims.organisation) {
        (Some(fixed), _) => format!("always {fixed}"),
        (None, path) => path.as_ref().map(ToString::to_string).unwrap_or_default(),
    };
    format!(
        "oidc of {issuer} for {audience}; user {}, organisation {organisation}, email {}",
        claims.user, claims.email
    )
}

fn show_organisations(host: Option<&Host>) -> String {
    match host.and_then(|host| host.organisations.as_ref()) {
        Some(organisations) => format!("only {}", show(organisations)),
        None => "all".to_owned(),
    }
}

fn show_admins(widget: &Widget) -> String {
    let admin = |admin: &Admin| {
        let user = admin.user.as_ref().map(|user| format!("user {user}"));
        let email = admin.email.as_ref().map(|email| email.to_lowercase());
        let person: Vec<String> = user.into_iter().chain(email).collect();
        format!("{} in {}", person.join(" "), admin.organisation)
    };
    show(&widget.admins.iter().map(admin).collect::<Vec<_>>())
}

fn show_settings(widget: &Widget) -> String {
    let settings = widget.settings;
    let user = settings.user.then_some("of each user");
    let organisation = settings
        .organisation
        .map(|organisation| match organisation {
            OrganisationSettings::Admins => "of the organisation, written by administrators",
            OrganisationSettings::AdminsOnly => {
                "of the organisation, written and read by administrators"
            }
            OrganisationSettings::Members => "of the organisation, written by every member",
        });
    let parts: Vec<&str> = user.into_iter().chain(organisation).collect();
    match parts.is_empty() {
        true => "none".to_owned(),
        false => parts.join("; "),
    }
}

fn show_owner(owner: OwnerMode) -> String {
    match owner {
        OwnerMode::User => "user",
        OwnerMode::Organisation => "organisation",
    }
    .to_owned()
}

fn show_delivery(delivery: Delivery) -> String {
    match delivery {
        Delivery::Server => "server",
        Delivery::Browser => "browser",
    }
    .to_owned()
}
