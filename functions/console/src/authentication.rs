//! One authentication of a widget on its page: which passport it has, how its account stands, and what can be done about it.

use std::sync::Arc;

use consulate_core::browser::escape;
use consulate_core::definition::{Authentication, OwnerMode, Passport, Widget};
use serde_json::Value;

use crate::page::{Tone, said, token};
use crate::session::Signed;
use crate::widget::names_a_user;
use crate::words::{dash, fact, instant_text, pill, prose, segment};
use crate::{new_passport, texts};

/// What a card shows.
pub(crate) struct Shown<'a> {
    pub(crate) widget: &'a Widget,
    pub(crate) authentication: &'a Authentication,
    pub(crate) passports: &'a [Arc<Passport>],
    /// connect's status document; `None` where nobody is chosen to act for.
    pub(crate) status: Option<&'a Value>,
    /// Whether its passport has a client secret to set, and none is set.
    pub(crate) lacks_secret: bool,
    pub(crate) signed: &'a Signed,
}

impl Shown<'_> {
    fn address(&self, act: &str) -> String {
        let (widget, key) = (&self.widget.id, &self.authentication.auth_key);
        format!(
            "/console/widgets/{}/connections/{}/{act}",
            segment(widget),
            segment(key)
        )
    }

    fn word(&self, name: &str) -> &str {
        let value = self.status.and_then(|status| status.get(name));
        value.and_then(Value::as_str).unwrap_or_default()
    }

    /// The bundle's own passport, which nobody chooses.
    fn own_passport(&self) -> Option<&Arc<Passport>> {
        let bound = self.authentication.passport.as_ref()?;
        let is_own = bound.starts_with(&format!("{}.", self.widget.id));
        let mut known = self.passports.iter();
        known.find(|passport| is_own && passport.id == *bound)
    }
}

/// The card.
pub(crate) fn card(shown: &Shown<'_>) -> String {
    let Authentication {
        auth_key,
        label,
        owner,
        ..
    } = shown.authentication;
    let label = if label.is_empty() { auth_key } else { label };
    let owner_text = match owner {
        OwnerMode::User => texts::OWNER_USER,
        OwnerMode::Organisation => texts::OWNER_ORGANISATION,
    };
    format!(
        "<section class=\"card\" id=\"{key}\"><div class=\"title\"><h2>{label}</h2>{standing}</div>\
         <p class=\"soft small\"><code>{key}</code> · {owner_text}</p>{passport}{account}</section>",
        key = escape(auth_key),
        label = escape(label),
        standing = standing(shown),
        owner_text = escape(owner_text),
        passport = passport(shown),
        account = account(shown),
    )
}

fn standing(shown: &Shown<'_>) -> String {
    if shown.status.is_none() || waits_for_a_user(shown) {
        return String::new();
    }
    let (tone, text) = match shown.word("status") {
        "connected" => (Some(Tone::Good), texts::CONNECTED),
        "needs_reauthorisation" => (Some(Tone::Warn), texts::NEEDS_REAUTHORISATION),
        "disconnected" => (None, texts::DISCONNECTED),
        _ => (None, texts::NOT_CONNECTED),
    };
    pill(tone, text)
}

/// A user's own account, while only an organisation is chosen.
fn waits_for_a_user(shown: &Shown<'_>) -> bool {
    shown.authentication.owner == OwnerMode::User && !names_a_user(shown.signed)
}

/// Bundled passports are named, the others chosen among those of the right provider.
fn passport(shown: &Shown<'_>) -> String {
    let Authentication {
        provider,
        passport: bound,
        ..
    } = shown.authentication;
    if let Some(own) = shown.own_passport() {
        return format!(
            "<p>{} <strong>{}</strong> <span class=\"soft\">{}</span></p>",
            escape(texts::PASSPORT),
            escape(&own.name),
            escape(texts::BUNDLED)
        );
    }
    let fits = |passport: &&Arc<Passport>| provider.is_empty() || passport.provider == *provider;
    let options: String = shown
        .passports
        .iter()
        // Another bundle's passport is that widget's alone.
        .filter(|passport| !passport.id.contains('.'))
        .filter(fits)
        .map(|passport| {
            let chosen = if bound.as_ref() == Some(&passport.id) {
                " selected"
            } else {
                ""
            };
            format!(
                "<option value=\"{id}\"{chosen}>{name} ({id})</option>",
                id = escape(&passport.id),
                name = escape(&passport.name)
            )
        })
        .collect();
    if options.is_empty() {
        return format!(
            "<div class=\"note warn\"><p>{}</p><p><a class=\"button\" href=\"{}\">{}</a></p></div>",
            escape(&texts::NO_PASSPORT_FITS.replace("{provider}", provider)),
            new_passport::address_for(provider, &shown.widget.id, &shown.authentication.auth_key),
            escape(texts::MAKE_ONE)
        );
    }
    let form = format!(
        "<form method=\"post\" action=\"{action}\" class=\"inline\">{token}<label>{label}<select name=\"passport\" required><option value=\"\">{choose}</option>{options}</select></label>\
         <button type=\"submit\">{bind}</button><a class=\"button\" href=\"{new}\">{make}</a></form>",
        action = shown.address("bind"),
        token = token(shown.signed),
        label = escape(texts::PASSPORT),
        choose = escape(texts::CHOOSE_PASSPORT),
        bind = escape(texts::BIND),
        new = new_passport::address_for(provider, &shown.widget.id, &shown.authentication.auth_key),
        make = escape(texts::NEW_PASSPORT),
    );
    let Some(bound) = bound else {
        return form;
    };
    let mut known = shown.passports.iter();
    let name = known
        .find(|passport| passport.id == *bound)
        .map_or("", |passport| &passport.name);
    format!(
        "<p>{} <strong>{}</strong> <code>{}</code></p><details><summary>{}</summary><p class=\"soft small\">{}</p>{form}</details>",
        escape(texts::PASSPORT),
        escape(name),
        escape(bound),
        escape(texts::CHANGE_PASSPORT),
        prose(texts::REBINDING),
    )
}

fn account(shown: &Shown<'_>) -> String {
    let Some(passport) = &shown.authentication.passport else {
        return String::new();
    };
    let missing = match shown.lacks_secret {
        true => format!(
            "<p class=\"note warn\" role=\"alert\">{} <a href=\"/console/passports#{}\">{}</a></p>",
            escape(texts::ITS_SECRET_MISSING),
            segment(passport),
            escape(texts::SET_SECRET)
        ),
        false => String::new(),
    };
    format!("{missing}{}", standing_account(shown))
}

fn standing_account(shown: &Shown<'_>) -> String {
    if shown.widget.host.is_none() {
        return said(Tone::Warn, texts::HOST_FIRST);
    }
    if shown.status.is_none() {
        return said(Tone::Warn, texts::CHOOSE_SOMEBODY);
    }
    if waits_for_a_user(shown) {
        return said(Tone::Warn, texts::CHOOSE_A_USER);
    }
    let status = shown.word("status");
    let mut html = String::new();
    if matches!(status, "connected" | "needs_reauthorisation") {
        html.push_str(&facts(shown));
    }
    if let Some(text) = texts::reason(shown.word("reason")).filter(|_| status != "connected") {
        html.push_str(&said(Tone::Warn, text));
    }
    html.push_str(&revocation(shown));
    html.push_str(&ways(shown, status));
    html
}

fn facts(shown: &Shown<'_>) -> String {
    let of_account = |name: &str| {
        let account = shown.status.and_then(|status| status.get("account"));
        account
            .and_then(|account| account.get(name))
            .and_then(Value::as_str)
    };
    let account = [of_account("name"), of_account("email"), of_account("id")];
    let mut account: Vec<&str> = account.into_iter().flatten().collect();
    account.dedup();
    let account = match account.as_slice() {
        [] => dash(),
        [first, rest @ ..] => {
            let rest: String = rest
                .iter()
                .map(|text| format!("<br><span class=\"soft\">{}</span>", escape(text)))
                .collect();
            format!("<strong>{}</strong>{rest}", escape(first))
        }
    };
    let at = |name: &str| match shown.word(name) {
        "" => dash(),
        text => instant_text(text),
    };
    let scopes = shown
        .status
        .and_then(|status| status.get("scopes"))
        .and_then(Value::as_array);
    let scopes: Vec<String> = scopes
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|scope| format!("<code>{}</code>", escape(scope)))
        .collect();
    let scopes = if scopes.is_empty() {
        dash()
    } else {
        scopes.join(" ")
    };
    format!(
        "<dl class=\"facts wide\">{}{}{}{}{}</dl>",
        fact(texts::ACCOUNT, &account),
        fact(texts::CONNECTED_AT, &at("connected_at")),
        fact(texts::ACCESS_UNTIL, &at("expires_at")),
        fact(texts::REAUTHORISE_BY, &at("reauthorise_by")),
        fact(texts::SCOPES, &scopes),
    )
}

fn revocation(shown: &Shown<'_>) -> String {
    let receipt = shown.status.and_then(|status| status.get("revocation"));
    let result = receipt
        .and_then(|receipt| receipt.get("result"))
        .and_then(Value::as_str);
    match result.and_then(texts::revocation) {
        Some(text) => format!("<p class=\"soft small\">{}</p>", escape(text)),
        None => String::new(),
    }
}

/// Connect or Reconnect, by consent or by typing, and Disconnect.
fn ways(shown: &Shown<'_>, status: &str) -> String {
    let lives = matches!(status, "connected" | "needs_reauthorisation");
    let own = shown.own_passport().map(|passport| &passport.name);
    let verb = match (lives, own) {
        (true, _) => texts::RECONNECT.to_owned(),
        (false, Some(name)) => texts::CONNECT_BUNDLED.replace("{passport}", name),
        (false, None) => texts::CONNECT.to_owned(),
    };
    let button = if status == "connected" { "" } else { "main" };
    let token = token(shown.signed);
    let credential = shown.status.and_then(|status| status.get("credential"));
    let connect = match credential
        .and_then(|credential| credential.get("fields"))
        .and_then(Value::as_array)
    {
        None => format!(
            "<form method=\"post\" action=\"{}\">{token}<button class=\"{button}\" type=\"submit\">{}</button></form>",
            shown.address("connect"),
            escape(&verb)
        ),
        Some(fields) => {
            let fields: String = fields.iter().map(typed_field).collect();
            format!(
                "<form method=\"post\" action=\"{}\" class=\"fields\" autocomplete=\"off\">{token}{fields}<p class=\"soft small\">{}</p><button class=\"{button}\" type=\"submit\">{}</button></form>",
                shown.address("type"),
                escape(texts::WRITE_ONLY),
                escape(&verb)
            )
        }
    };
    let disconnect = match lives {
        true => format!(
            "<form method=\"post\" action=\"{}\" data-confirm=\"{}\">{token}<button class=\"danger\" type=\"submit\">{}</button></form>",
            shown.address("disconnect"),
            escape(texts::SURE_TO_DISCONNECT),
            escape(texts::DISCONNECT)
        ),
        false => String::new(),
    };
    format!("<div class=\"ways\">{connect}{disconnect}</div>")
}

/// A field of a credential: never filled by us.
fn typed_field(field: &Value) -> String {
    let text = |name: &str| field.get(name).and_then(Value::as_str).unwrap_or_default();
    let is = |name: &str| field.get(name).and_then(Value::as_bool).unwrap_or_default();
    format!(
        "<label>{label}<input name=\"typed.{name}\" type=\"{kind}\"{required} maxlength=\"4096\" autocomplete=\"off\" spellcheck=\"false\"></label>",
        label = escape(text("label")),
        name = escape(text("name")),
        kind = if is("secret") { "password" } else { "text" },
        required = if is("optional") { "" } else { " required" },
    )
}
